-- Positions are taken under a lock held to the commit: they become visible in order.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    review text NOT NULL,
    repository text NOT NULL,
    pull_request integer,
    head_sha text,
    type text NOT NULL,
    key text,
    data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX events_by_review ON events (review, position);
CREATE UNIQUE INDEX events_said_once ON events (review, key) WHERE key IS NOT NULL;
CREATE SEQUENCE event_positions;

CREATE TABLE ledger (
    key text PRIMARY KEY,
    entry jsonb NOT NULL,
    review text NOT NULL,
    repository text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE usage (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review text NOT NULL,
    repository text NOT NULL,
    input bigint NOT NULL,
    cached bigint NOT NULL,
    cache_writes bigint NOT NULL,
    output bigint NOT NULL,
    cost numeric,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX usage_by_time ON usage (at);
