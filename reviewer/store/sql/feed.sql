-- name: lock
SELECT pg_advisory_xact_lock(5710001)

-- name: append
INSERT INTO events (position, review, repository, pull_request, head_sha, type, key, data)
VALUES (
    nextval('event_positions'), %(review)s, %(repository)s, %(pull_request)s, %(head_sha)s, %(type)s, %(key)s,
    %(data)s
)
ON CONFLICT (review, key) WHERE key IS NOT NULL DO NOTHING

-- name: notify
SELECT pg_notify('sluice_feed', '')

-- name: newest
SELECT coalesce(max(position), 0) FROM events

-- name: forget
DELETE FROM events WHERE review = ANY(%(reviews)s)

-- name: read
SELECT position, review, repository, pull_request, head_sha, type, data, at
FROM events
WHERE
    position > %(after)s
    AND (%(review)s::text IS NULL OR review = %(review)s)
    AND (%(repository)s::text IS NULL OR repository = %(repository)s)
    AND (%(pull_request)s::integer IS NULL OR pull_request = %(pull_request)s)
    AND (cardinality(%(types)s::text[]) = 0 OR type = ANY(%(types)s))
    AND (
        cardinality(%(severities)s::text[]) = 0
        OR type <> 'finding'
        OR data -> 'finding' ->> 'severity' = ANY(%(severities)s)
    )
ORDER BY position
LIMIT %(limit)s
