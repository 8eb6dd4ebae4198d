-- What is wanted of a pull request, by the repository's number: no rename changes that. Whatever bears on the
-- review raises the generation; a run of an older one may write nothing any more.
DROP TABLE pull_requests; -- GitHub tells it again
CREATE TABLE pull_requests (
    repository_id bigint NOT NULL,
    number integer NOT NULL,
    installation bigint NOT NULL,
    repository text NOT NULL,
    head_sha text NOT NULL,
    earlier_heads text[] NOT NULL DEFAULT '{}',
    base_ref text NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    told_at timestamptz NOT NULL,
    generation bigint NOT NULL DEFAULT 0,
    reason text,
    asked boolean NOT NULL DEFAULT false,
    stopped_head text,
    unseen boolean NOT NULL DEFAULT false,
    unclear boolean NOT NULL DEFAULT false,
    wanted_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz,
    PRIMARY KEY (repository_id, number)
);
CREATE INDEX pull_requests_by_installation ON pull_requests (installation);
CREATE INDEX pull_requests_in_question ON pull_requests (repository_id, number) WHERE unseen OR unclear;

ALTER TABLE reviews
ADD COLUMN repository_id bigint,
ADD COLUMN generation bigint NOT NULL DEFAULT 0,
ADD COLUMN run integer NOT NULL DEFAULT 0,
ADD COLUMN attempts integer NOT NULL DEFAULT 0,
ADD COLUMN not_before timestamptz,
ADD COLUMN ended_at timestamptz,
ADD COLUMN verdict jsonb,
ADD COLUMN closed_at timestamptz,
DROP COLUMN github_review,
DROP CONSTRAINT reviews_repository_pull_request_head_sha_key;
UPDATE reviews SET ended_at = now(), closed_at = now();
CREATE UNIQUE INDEX reviews_by_generation ON reviews (repository_id, pull_request, generation);
CREATE INDEX reviews_open ON reviews (repository_id, pull_request) WHERE closed_at IS NULL;
CREATE INDEX reviews_by_installation ON reviews (installation);

-- What is about to be made on GitHub, and its number there once it is: without one it is in doubt.
CREATE TABLE intents (
    review text NOT NULL REFERENCES reviews (id) ON DELETE CASCADE,
    key text NOT NULL,
    run integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    github_id bigint,
    PRIMARY KEY (review, key)
);

-- What an intent says of findings.
CREATE TABLE said (
    review text NOT NULL,
    key text NOT NULL,
    finding text NOT NULL,
    fingerprint text NOT NULL,
    place text NOT NULL,
    path text NOT NULL,
    side text NOT NULL,
    quote text NOT NULL,
    category text NOT NULL,
    settled boolean NOT NULL DEFAULT false,
    PRIMARY KEY (review, key, finding),
    FOREIGN KEY (review, key) REFERENCES intents (review, key) ON DELETE CASCADE
);

-- When an installation may be written to next, by whichever process.
CREATE TABLE gates (
    installation bigint PRIMARY KEY,
    next_write_at timestamptz NOT NULL DEFAULT now(),
    closed_until timestamptz,
    hour_began_at timestamptz NOT NULL DEFAULT now(),
    hour_writes integer NOT NULL DEFAULT 0
);

-- What all processes do together once in a while, and how far it has come.
CREATE TABLE sweeps (
    name text PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    reached_at timestamptz
);
CREATE TABLE redeliveries (
    guid text PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX deliveries_by_time ON deliveries (received_at);
CREATE INDEX deliveries_by_installation ON deliveries (installation);
