-- name: summaries
WITH chosen AS (
    SELECT id, repository, pull_request, head_sha, title, url, model, created_at
    FROM reviews
    WHERE %(id)s::text IS NULL OR id = %(id)s
    ORDER BY created_at DESC
    LIMIT %(limit)s
),
findings AS (
    SELECT e.review, e.at, e.data -> 'finding' ->> 'severity' AS severity
    FROM events AS e
    INNER JOIN chosen ON e.review = chosen.id
    WHERE
        e.type = 'finding'
        AND NOT EXISTS (
            SELECT FROM events AS w
            WHERE
                w.review = e.review
                AND w.type = 'finding.withdrawn'
                AND w.data ->> 'id' = e.data -> 'finding' ->> 'id'
        )
)
SELECT
    c.id,
    c.repository,
    c.pull_request,
    c.head_sha,
    c.title,
    c.url,
    c.model,
    c.created_at,
    (
        SELECT e.type FROM events AS e
        WHERE
            e.review = c.id
            AND e.type IN (
                'review.queued', 'review.started', 'review.postponed', 'review.completed', 'review.failed',
                'review.superseded', 'review.cancelled'
            )
        ORDER BY e.position DESC
        LIMIT 1
    ) AS status,
    (
        SELECT e.data ->> 'engine' FROM events AS e
        WHERE e.review = c.id AND e.type = 'review.started'
        ORDER BY e.position DESC
        LIMIT 1
    ) AS engine,
    (SELECT min(e.at) FROM events AS e WHERE e.review = c.id AND e.type = 'review.started') AS started_at,
    (
        SELECT max(e.at) FROM events AS e
        WHERE e.review = c.id AND e.type = ANY(%(ends)s)
    ) AS finished_at,
    (
        SELECT sum((e.data ->> 'cost')::numeric) FROM events AS e
        WHERE e.review = c.id AND e.type IN ('chunk.completed', 'chunk.failed')
    ) AS cost,
    (
        SELECT count(DISTINCT e.data ->> 'chunk') FROM events AS e
        WHERE e.review = c.id AND e.type IN ('chunk.completed', 'chunk.failed')
    ) AS chunks_done,
    (
        SELECT jsonb_array_length(e.data -> 'chunks') FROM events AS e
        WHERE e.review = c.id AND e.type = 'review.planned'
        ORDER BY e.position DESC
        LIMIT 1
    ) AS chunks_total,
    (SELECT min(f.at) FROM findings AS f WHERE f.review = c.id) AS first_finding_at,
    (
        SELECT jsonb_object_agg(s.severity, s.count)
        FROM (SELECT f.severity, count(*) FROM findings AS f WHERE f.review = c.id GROUP BY f.severity) AS s
    ) AS by_severity
FROM chosen AS c
ORDER BY c.created_at DESC
