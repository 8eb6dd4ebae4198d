-- name: store_delivery
INSERT INTO deliveries (guid, event, action, installation, body)
VALUES (%(guid)s, %(event)s, %(action)s, %(installation)s, %(body)s)
ON CONFLICT (guid) DO NOTHING

-- name: want_head
INSERT INTO pull_requests (repository, number, installation, head_sha, base_ref, title, url, draft)
VALUES (
    %(repository)s, %(number)s, %(installation)s, %(head_sha)s, %(base_ref)s, %(title)s, %(url)s, %(draft)s
)
ON CONFLICT (repository, number) DO UPDATE SET
    installation = excluded.installation,
    head_sha = excluded.head_sha,
    base_ref = excluded.base_ref,
    title = excluded.title,
    url = excluded.url,
    draft = excluded.draft,
    wanted_at = now()

-- name: wanted_head
SELECT installation, repository, number, head_sha, base_ref, title, url, draft
FROM pull_requests
WHERE repository = %(repository)s AND number = %(number)s

-- name: open_review
INSERT INTO reviews (id, installation, repository, pull_request, head_sha, title, url)
VALUES (
    %(id)s, %(installation)s, %(repository)s, %(number)s, %(head_sha)s, %(title)s, %(url)s
)
ON CONFLICT (repository, pull_request, head_sha) DO UPDATE SET title = excluded.title
RETURNING id, installation, repository, pull_request, head_sha, title, url, check_run, github_review

-- name: remember_check_run
UPDATE reviews SET check_run = %(check_run)s WHERE id = %(id)s

-- name: remember_github_review
UPDATE reviews SET github_review = %(github_review)s WHERE id = %(id)s

-- name: unfinished_reviews
SELECT id, installation, repository, pull_request, head_sha, title, url, check_run, github_review
FROM reviews AS r
WHERE
    repository = %(repository)s
    AND pull_request = %(pull_request)s
    AND id <> %(id)s
    AND NOT EXISTS (
        SELECT FROM events AS e
        WHERE
            e.review = r.id
            AND e.type IN ('review.completed', 'review.failed', 'review.superseded')
    )

-- name: settle_model
UPDATE reviews SET model = coalesce(model, %(model)s) WHERE id = %(id)s RETURNING model

-- name: settle_rate
UPDATE reviews SET bytes_per_token = coalesce(bytes_per_token, %(rate)s) WHERE id = %(id)s RETURNING bytes_per_token

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
                'review.superseded'
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
        WHERE e.review = c.id AND e.type IN ('review.completed', 'review.failed', 'review.superseded')
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
