-- A diff may come from GitHub or from whoever posts it; then the review has no pull request, and belongs to a key.
ALTER TABLE reviews
    ALTER COLUMN installation DROP NOT NULL,
    ALTER COLUMN pull_request DROP NOT NULL,
    ALTER COLUMN head_sha DROP NOT NULL,
    ADD COLUMN api_key text,
    ADD CONSTRAINT reviews_of_something CHECK (api_key IS NOT NULL OR pull_request IS NOT NULL);
DROP INDEX reviews_by_installation; -- the next one does what it did
CREATE INDEX reviews_by_installation_and_time ON reviews (installation, created_at DESC) WHERE installation IS NOT NULL;
CREATE INDEX reviews_by_repository_and_time ON reviews (repository_id, created_at DESC) WHERE repository_id IS NOT NULL;
CREATE INDEX reviews_by_api_key_and_time ON reviews (api_key, created_at DESC) WHERE api_key IS NOT NULL;
CREATE INDEX reviews_posted_open ON reviews (api_key, created_at) WHERE api_key IS NOT NULL AND closed_at IS NULL;

-- Diffs, compressed: as they were posted, to be reviewed, or as the dashboard shows those that came from GitHub.
CREATE TABLE diffs (
    review text PRIMARY KEY REFERENCES reviews (id) ON DELETE CASCADE,
    posted bytea,
    shown bytea,
    stored_at timestamptz NOT NULL DEFAULT now()
);

-- What is special about a posted review. One that is `attended` is cancelled once nobody listens any more.
CREATE TABLE posted (
    review text PRIMARY KEY REFERENCES reviews (id) ON DELETE CASCADE,
    api_key text NOT NULL,
    pays bigint,
    attended boolean NOT NULL,
    idempotency_key text,
    digest bytea NOT NULL, -- of what was posted, to know the same key with something else
    posted_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX posted_by_idempotency_key ON posted (api_key, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Who listens to a posted review; the process that answers them says so again every few seconds.
CREATE TABLE listeners (
    id uuid PRIMARY KEY,
    review text NOT NULL REFERENCES posted (review) ON DELETE CASCADE,
    until timestamptz NOT NULL
);
CREATE INDEX listeners_by_review ON listeners (review);
