-- name: take_over
UPDATE reviews
SET run = run + 1, ended_at = coalesce(ended_at, now()), closed_at = coalesce(closed_at, now())
WHERE
    installation = %(installation)s
    AND (%(repository_ids)s::bigint[] IS NULL OR repository_id = ANY(%(repository_ids)s))
    AND (%(before)s::timestamptz IS NULL OR created_at <= %(before)s)
RETURNING id

-- name: take_over_posted
UPDATE reviews
SET run = run + 1, ended_at = coalesce(ended_at, now()), closed_at = coalesce(closed_at, now())
WHERE
    id IN (SELECT review FROM posted WHERE pays = %(installation)s)
    AND (%(before)s::timestamptz IS NULL OR created_at <= %(before)s)
RETURNING id

-- name: forget_posted
DELETE FROM reviews WHERE id = ANY(%(reviews)s)

-- name: forget_reviews
DELETE FROM reviews
WHERE
    installation = %(installation)s
    AND (%(repository_ids)s::bigint[] IS NULL OR repository_id = ANY(%(repository_ids)s))
    AND (%(before)s::timestamptz IS NULL OR created_at <= %(before)s)
RETURNING id

-- name: forget_pull_requests
DELETE FROM pull_requests
WHERE
    installation = %(installation)s
    AND (%(repository_ids)s::bigint[] IS NULL OR repository_id = ANY(%(repository_ids)s))
    AND (%(before)s::timestamptz IS NULL OR wanted_at <= %(before)s)

-- name: forget_deliveries
DELETE FROM deliveries WHERE installation = %(installation)s

-- name: forget_gate
DELETE FROM gates WHERE installation = %(installation)s

-- name: running
SELECT id FROM reviews WHERE ended_at IS NULL

-- name: expire_diffs
DELETE FROM diffs USING reviews AS r
WHERE
    diffs.review = r.id
    AND r.ended_at < now() - make_interval(days => %(days)s)
    AND diffs.stored_at < now() - make_interval(days => %(days)s)

-- name: expire_posted
DELETE FROM reviews AS r
WHERE
    r.pull_request IS NULL
    AND r.ended_at < now() - make_interval(days => %(days)s)
    AND NOT EXISTS (SELECT FROM events AS e WHERE e.review = r.id)
