-- name: lock
SELECT pg_advisory_xact_lock(5710001)

-- name: append
INSERT INTO events (
    position, review, repository, pull_request, head_sha, installation, repository_id, api_key, type, key, data
)
VALUES (
    nextval('event_positions'), %(review)s, %(repository)s, %(pull_request)s, %(head_sha)s,
    coalesce(
        -- A repository may have moved since the run began that says this
        (SELECT e.installation FROM events AS e WHERE e.review = %(review)s ORDER BY e.position LIMIT 1),
        %(installation)s
    ),
    %(repository_id)s, %(api_key)s, %(type)s, %(key)s, %(data)s
)
ON CONFLICT (review, key) WHERE key IS NOT NULL DO NOTHING

-- name: notify
SELECT pg_notify('sluice_feed', '')

-- name: newest
SELECT coalesce(max(position), 0) FROM events

-- name: newest_of
SELECT coalesce(max(found.position), 0)
FROM unnest({keys}) AS own (key)
CROSS JOIN LATERAL (
    SELECT e.position FROM events AS e
    WHERE e.{column} >= own.key AND e.{column} <= own.key
    ORDER BY e.{column} DESC, e.position DESC
    LIMIT 1
) AS found

-- name: floor
SELECT position FROM feed_floor

-- name: forget
DELETE FROM events WHERE review = ANY(%(reviews)s)

-- name: move
UPDATE events SET installation = %(installation)s
WHERE repository_id = %(repository_id)s AND installation IS DISTINCT FROM %(installation)s

-- name: note_change
INSERT INTO feed_changes DEFAULT VALUES

-- name: prune_changes
DELETE FROM feed_changes WHERE at < now() - interval '1 day'

-- name: raise_floor
UPDATE feed_floor SET position = greatest(
    position, (SELECT max(e.position) FROM events AS e WHERE e.at < now() - make_interval(days => %(days)s))
)

-- name: expire
DELETE FROM events AS gone
USING (
    SELECT DISTINCT e.review FROM events AS e
    WHERE
        e.at < now() - make_interval(days => %(days)s)
        AND e.review <> ALL(%(running)s)
        AND NOT EXISTS (
            SELECT FROM events AS young
            WHERE young.review = e.review AND young.at >= now() - make_interval(days => %(days)s)
        )
) AS old
WHERE gone.review = old.review

-- name: columns
e.position, e.review, e.repository, e.pull_request, e.head_sha, e.installation, e.repository_id, e.api_key, e.type,
e.at, e.data::text AS data, e.data -> 'finding' ->> 'severity' AS severity

-- name: state
SELECT
    (SELECT coalesce(max(position), 0) FROM events) AS newest,
    (SELECT count(*) || '/' || coalesce(max(id), 0) FROM feed_changes) AS revision

-- name: news
SELECT c.revision, n.*
FROM (SELECT count(*) || '/' || coalesce(max(id), 0) AS revision FROM feed_changes) AS c
LEFT JOIN LATERAL (
    SELECT {columns} FROM events AS e
    WHERE e.position > %(after)s
    ORDER BY e.position
    LIMIT %(limit)s
) AS n ON true
ORDER BY n.position

-- name: behind
e.position > %(after)s

-- name: review
e.review = %(review)s

-- name: repository
e.repository = %(repository)s

-- name: pull_request
e.pull_request = %(pull_request)s

-- name: types
e.type = ANY(%(types)s)

-- name: severities
(e.type <> 'finding' OR e.data -> 'finding' ->> 'severity' = ANY(%(severities)s))

-- name: seen
(
    e.installation = ANY(%(installations)s::bigint[])
    OR e.repository_id = ANY(%(repository_ids)s::bigint[])
    OR e.api_key = ANY(%(api_keys)s::text[])
)

-- name: read
SELECT {columns} FROM events AS e
WHERE {conditions}
ORDER BY e.position
LIMIT %(limit)s

-- name: read_review
SELECT {columns} FROM events AS e
WHERE
    {conditions}
    AND {seen}
    AND (SELECT {seen} FROM events AS e WHERE e.review = %(review)s ORDER BY e.position LIMIT 1)
ORDER BY e.position
LIMIT %(limit)s

-- name: read_own
SELECT whole.*
FROM (
    SELECT DISTINCT position FROM ({own}) AS any_of
    ORDER BY position
    LIMIT %(limit)s
) AS mine
CROSS JOIN LATERAL (
    SELECT {columns} FROM events AS e
    WHERE e.position = mine.position
    OFFSET 0 -- one by one: the planner would rather scan all, as it can't know how few these are
) AS whole
ORDER BY whole.position

-- name: own
SELECT found.position
FROM unnest({keys}) AS own (key)
CROSS JOIN LATERAL (
    -- A range of one key: told that they are equal, the planner may walk through all positions and look for the key
    SELECT e.position FROM events AS e
    WHERE (e.{column}, e.position) > (own.key, %(after)s) AND e.{column} <= own.key AND {conditions}
    ORDER BY e.{column}, e.position
    LIMIT %(limit)s
) AS found
