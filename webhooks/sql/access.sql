-- name: make_secret
INSERT INTO secrets (name, secret) VALUES (%(name)s, %(secret)s) ON CONFLICT (name) DO NOTHING

-- name: secret
SELECT secret FROM secrets WHERE name = %(name)s

-- name: make_token
INSERT INTO tokens (
    id, hash, name, installations, repository_ids, homes, repositories, everything, may_act, may_post, pays,
    expires_at
) VALUES (
    %(id)s, %(hash)s, %(name)s, %(installations)s, %(repository_ids)s, %(homes)s, %(repositories)s, %(everything)s,
    %(may_act)s, %(may_post)s, %(pays)s, %(expires_at)s
)

-- name: tokens
SELECT
    id, name, installations, repository_ids, repositories, everything, may_act, may_post, pays, created_at,
    expires_at, revoked_at, used_at
FROM tokens
ORDER BY created_at, id

-- name: live_token
SELECT
    id, hash, name, installations,
    -- Whoever a repository was given to since has not given the token. One of which nothing is known yet is at home
    ARRAY(
        SELECT own.repository_id FROM unnest(repository_ids, homes) AS own (repository_id, home)
        WHERE
            NOT EXISTS (
                SELECT FROM pull_requests AS p
                WHERE p.repository_id = own.repository_id AND p.installation < own.home
            )
            AND NOT EXISTS (
                SELECT FROM pull_requests AS p
                WHERE p.repository_id = own.repository_id AND p.installation > own.home
            )
    ) AS repository_ids,
    everything, may_act, may_post, pays,
    extract(EPOCH FROM expires_at - now())::float AS seconds_left,
    coalesce(used_at < now() - INTERVAL '1 minute', TRUE) AS use_unnoted
FROM tokens
WHERE id = %(id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())

-- name: note_use
UPDATE tokens SET used_at = now()
WHERE id = %(id)s AND (used_at IS NULL OR used_at < now() - INTERVAL '1 minute')

-- name: revoke_token
UPDATE tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = %(id)s

-- name: begin_session
INSERT INTO sessions (
    hash, token, operator_hash, github_user, login, grant_, repository_ids, acts_on, seen_at, expires_at
) VALUES (
    %(hash)s, %(token)s, %(operator_hash)s, %(github_user)s, %(login)s, %(sealed)s, %(repository_ids)s, %(acts_on)s,
    CASE WHEN %(github_user)s::bigint IS NULL THEN NULL ELSE now() END,
    now() + make_interval(secs => %(seconds)s)
)

-- name: live_session
SELECT
    hash, token, operator_hash, github_user, login, grant_ AS sealed, repository_ids, acts_on,
    coalesce(extract(EPOCH FROM now() - seen_at)::float, 0) AS age,
    failed_at IS NOT NULL AS failing,
    extract(EPOCH FROM expires_at - now())::float AS seconds_left
FROM sessions
WHERE hash = %(hash)s AND expires_at > now()

-- name: end_session
DELETE FROM sessions WHERE hash = %(hash)s

-- name: end_sessions_of
DELETE FROM sessions WHERE github_user = %(user)s RETURNING hash

-- name: expire_sessions
DELETE FROM sessions WHERE expires_at <= now()

-- name: expire_tokens
DELETE FROM tokens WHERE least(revoked_at, expires_at) < now() - make_interval(days => %(days)s)

-- name: claim_session
UPDATE sessions SET asked_at = now()
WHERE hash = %(hash)s AND (asked_at IS NULL OR asked_at <= now() - make_interval(secs => %(seconds)s))

-- name: keep_grant
UPDATE sessions SET grant_ = %(sealed)s WHERE hash = %(hash)s

-- name: note_sight
UPDATE sessions
SET repository_ids = %(repository_ids)s, acts_on = %(acts_on)s, seen_at = now(), asked_at = NULL, failed_at = NULL
WHERE hash = %(hash)s

-- name: note_failure
UPDATE sessions SET failed_at = coalesce(failed_at, now()) WHERE hash = %(hash)s
