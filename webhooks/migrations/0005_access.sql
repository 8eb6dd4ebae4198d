-- Who was told before there were audiences.
UPDATE events SET installation = r.installation, repository_id = r.repository_id
FROM reviews AS r
WHERE events.review = r.id;

-- Access tokens; of the secret only a hash is kept. Without installations and repositories a token sees what was
-- posted with it, and nothing else.
CREATE TABLE tokens (
    id text PRIMARY KEY,
    hash bytea NOT NULL,
    name text NOT NULL,
    installations bigint[] NOT NULL DEFAULT '{}',
    repository_ids bigint[] NOT NULL DEFAULT '{}',
    homes bigint[] NOT NULL DEFAULT '{}', -- the installations they belonged to: elsewhere they are not seen
    repositories text[] NOT NULL DEFAULT '{}', -- their names when it was made, for people
    everything boolean NOT NULL DEFAULT false,
    may_act boolean NOT NULL DEFAULT false,
    may_post boolean NOT NULL DEFAULT false,
    pays bigint, -- the installation whose budget posted diffs draw on too
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at timestamptz
);

-- Where a repository is, of which a token may see so much as is still where it was.
CREATE INDEX pull_requests_by_place ON pull_requests (repository_id, installation);

-- Browsers that are logged in: by a token, or through GitHub, whose own tokens are kept encrypted.
CREATE TABLE sessions (
    hash bytea PRIMARY KEY,
    token text REFERENCES tokens (id) ON DELETE CASCADE,
    operator_hash bytea,
    github_user bigint,
    login text,
    grant_ bytea,
    repository_ids bigint[] NOT NULL DEFAULT '{}',
    acts_on bigint[] NOT NULL DEFAULT '{}',
    seen_at timestamptz, -- when GitHub last told what the person may see
    asked_at timestamptz, -- when somebody last set out to ask it
    failed_at timestamptz, -- since when it could not be asked
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_by_person ON sessions (github_user) WHERE github_user IS NOT NULL;

-- Keys that all processes share, made by the first that needs them.
CREATE TABLE secrets (
    name text PRIMARY KEY,
    secret bytea NOT NULL
);
