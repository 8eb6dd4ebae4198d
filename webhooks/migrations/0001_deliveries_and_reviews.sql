CREATE TABLE deliveries (
    guid text PRIMARY KEY,
    event text NOT NULL,
    action text,
    installation bigint,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pull_requests (
    repository text NOT NULL,
    number integer NOT NULL,
    installation bigint NOT NULL,
    head_sha text NOT NULL,
    base_ref text NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    draft boolean NOT NULL,
    wanted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (repository, number)
);

CREATE TABLE reviews (
    id text PRIMARY KEY,
    installation bigint NOT NULL,
    repository text NOT NULL,
    pull_request integer NOT NULL,
    head_sha text NOT NULL,
    title text NOT NULL,
    url text NOT NULL,
    check_run bigint,
    github_review bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (repository, pull_request, head_sha)
);
CREATE INDEX reviews_by_time ON reviews (created_at DESC);
