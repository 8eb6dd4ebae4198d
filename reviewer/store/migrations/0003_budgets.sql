-- Every call to a model; what was settled before has no more than its usage.
ALTER TABLE usage RENAME TO calls;
ALTER INDEX usage_pkey RENAME TO calls_pkey;
ALTER INDEX usage_by_time RENAME TO calls_by_time;
ALTER SEQUENCE usage_id_seq RENAME TO calls_id_seq;
ALTER TABLE calls
    ADD COLUMN installation bigint,
    ADD COLUMN api_key text,
    ADD COLUMN model text,
    ADD COLUMN chunks text[],
    ADD COLUMN route text,
    ADD COLUMN certain boolean,
    ADD COLUMN time_to_first_token double precision,
    ADD COLUMN seconds double precision,
    ADD COLUMN stop_reason text,
    ADD COLUMN error text;
CREATE INDEX calls_by_review ON calls (review);
CREATE INDEX calls_by_installation ON calls (installation, at);

-- Sums, which a cap is held against; the day of a scope that has none is 0001-01-01. Money in millionths of a
-- US dollar.
CREATE TABLE accounts (
    scope text NOT NULL,
    owner text NOT NULL,
    day date NOT NULL,
    spent_tokens bigint NOT NULL DEFAULT 0,
    spent_micros bigint NOT NULL DEFAULT 0,
    reserved_tokens bigint NOT NULL DEFAULT 0,
    reserved_micros bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, owner, day)
);

-- Calls under way, and those whose process died: these stay charged.
CREATE TABLE reservations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review text NOT NULL,
    installation bigint,
    api_key text,
    day date NOT NULL,
    tokens bigint NOT NULL,
    micros bigint NOT NULL,
    made_at timestamptz NOT NULL
);
CREATE INDEX reservations_by_review ON reservations (review);

-- What is stored does not say whose it is, and no tenant may read what another has bought. It is a cache, whose
-- keys change with this version anyway.
DELETE FROM ledger;
ALTER TABLE ledger
    DROP CONSTRAINT ledger_pkey,
    ADD COLUMN installation bigint NOT NULL,
    ADD COLUMN used_at timestamptz NOT NULL DEFAULT now(),
    ADD PRIMARY KEY (installation, key);
CREATE INDEX ledger_by_use ON ledger (used_at);
