-- name: take_over
UPDATE reviews
SET run = run + 1, ended_at = coalesce(ended_at, now()), closed_at = coalesce(closed_at, now())
WHERE
    installation = %(installation)s
    AND (%(repository_ids)s::bigint[] IS NULL OR repository_id = ANY(%(repository_ids)s))
    AND (%(before)s::timestamptz IS NULL OR created_at <= %(before)s)
RETURNING id

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
