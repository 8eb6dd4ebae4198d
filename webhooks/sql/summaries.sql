-- name: newest
-- Each part walks an index of its own from the newest review on, and reads no row of anybody else: ranges of one
-- value, and not equality, let no other index give the order
WITH seen AS (
    (
        SELECT id, created_at FROM reviews
        WHERE
            %(everything)s
            AND (%(before_at)s::timestamptz IS NULL OR (created_at, id) < (%(before_at)s, %(before_id)s::text))
            AND (%(repository)s::text IS NULL OR repository = %(repository)s)
            AND (%(pull_request)s::integer IS NULL OR pull_request = %(pull_request)s)
        ORDER BY created_at DESC, id DESC
        LIMIT %(limit)s
    )
    UNION
    SELECT newest.id, newest.created_at
    FROM unnest(%(installations)s::bigint[]) AS mine (installation)
    CROSS JOIN LATERAL (
        SELECT r.id, r.created_at FROM reviews AS r
        WHERE
            r.installation BETWEEN mine.installation AND mine.installation
            AND (%(before_at)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(before_at)s, %(before_id)s::text))
            AND (%(repository)s::text IS NULL OR r.repository = %(repository)s)
            AND (%(pull_request)s::integer IS NULL OR r.pull_request = %(pull_request)s)
        ORDER BY r.installation, r.created_at DESC, r.id DESC
        LIMIT %(limit)s
    ) AS newest
    UNION
    SELECT newest.id, newest.created_at
    FROM unnest(%(repository_ids)s::bigint[]) AS mine (repository_id)
    CROSS JOIN LATERAL (
        SELECT r.id, r.created_at FROM reviews AS r
        WHERE
            r.repository_id BETWEEN mine.repository_id AND mine.repository_id
            AND (%(before_at)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(before_at)s, %(before_id)s::text))
            AND (%(repository)s::text IS NULL OR r.repository = %(repository)s)
            AND (%(pull_request)s::integer IS NULL OR r.pull_request = %(pull_request)s)
        ORDER BY r.repository_id, r.created_at DESC, r.id DESC
        LIMIT %(limit)s
    ) AS newest
    UNION
    SELECT newest.id, newest.created_at
    FROM unnest(%(api_keys)s::text[]) AS mine (api_key)
    CROSS JOIN LATERAL (
        SELECT r.id, r.created_at FROM reviews AS r
        WHERE
            r.api_key BETWEEN mine.api_key AND mine.api_key
            AND (%(before_at)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(before_at)s, %(before_id)s::text))
            AND (%(repository)s::text IS NULL OR r.repository = %(repository)s)
            AND (%(pull_request)s::integer IS NULL OR r.pull_request = %(pull_request)s)
        ORDER BY r.api_key, r.created_at DESC, r.id DESC
        LIMIT %(limit)s
    ) AS newest
),

page AS (
    SELECT id, created_at FROM seen
    ORDER BY created_at DESC, id DESC
    LIMIT %(limit)s
)

SELECT
    page.id,
    page.created_at,
    coalesce(
        (
            SELECT e.type FROM events AS e
            WHERE
                e.review = page.id
                AND e.type IN (
                    'review.queued', 'review.started', 'review.postponed', 'review.completed', 'review.failed',
                    'review.superseded', 'review.cancelled'
                )
            ORDER BY e.position + 0 DESC -- the sum lets no walk through everybody's positions give the order
            LIMIT 1
        ),
        CASE
            WHEN
                page.created_at > now() - make_interval(secs => %(new_seconds)s)
                OR EXISTS (SELECT FROM events AS e WHERE e.review = page.id)
                THEN 'review.queued'
        END
    ) AS status
FROM page
ORDER BY page.created_at DESC, page.id DESC

-- name: seen
SELECT
    r.id,
    r.installation,
    r.repository_id,
    r.api_key,
    r.created_at < now() - make_interval(secs => %(new_seconds)s)
    AND NOT EXISTS (SELECT FROM events AS e WHERE e.review = r.id) AS expired
FROM reviews AS r
WHERE
    r.id = %(id)s
    AND (
        %(everything)s
        OR r.installation = ANY(%(installations)s::bigint[])
        OR r.repository_id = ANY(%(repository_ids)s::bigint[])
        OR r.api_key = ANY(%(api_keys)s::text[])
    )

-- name: summaries
-- Review by review, each through the index: a scan of all events would tell of others by the time it takes
WITH told AS MATERIALIZED (
    SELECT told_of_one.*
    FROM unnest(%(ids)s::text[]) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT
            e.review,
            e.position,
            e.type,
            e.key,
            e.at,
            CASE e.type WHEN 'finding' THEN e.data -> 'finding' ->> 'severity' END AS severity,
            CASE e.type WHEN 'finding.withdrawn' THEN 'finding:' || (e.data ->> 'id') END AS withdrawn,
            CASE e.type WHEN 'review.started' THEN e.data ->> 'engine' END AS engine,
            CASE e.type WHEN 'review.planned' THEN jsonb_array_length(e.data -> 'chunks') END AS chunks,
            CASE WHEN e.type IN ('chunk.completed', 'chunk.failed') THEN e.data ->> 'chunk' END AS chunk,
            CASE WHEN e.type IN ('chunk.completed', 'chunk.failed') THEN (e.data ->> 'cost')::numeric END AS cost,
            CASE
                WHEN e.type IN ('chunk.completed', 'chunk.failed') THEN
                    coalesce((e.data -> 'usage' ->> 'input')::bigint, 0)
                    + coalesce((e.data -> 'usage' ->> 'cached')::bigint, 0)
                    + coalesce((e.data -> 'usage' ->> 'cache_writes')::bigint, 0)
                    + coalesce((e.data -> 'usage' ->> 'output')::bigint, 0)
            END AS tokens
        FROM events AS e
        WHERE
            e.review = wanted.id
            AND e.type IN (
                'review.queued', 'review.started', 'review.planned', 'review.postponed', 'review.completed',
                'review.failed', 'review.superseded', 'review.cancelled', 'chunk.completed', 'chunk.failed',
                'finding', 'finding.withdrawn'
            )
        OFFSET 0
    ) AS told_of_one
),

standing AS (
    SELECT f.review, f.severity, f.at FROM told AS f
    WHERE
        f.type = 'finding'
        AND NOT EXISTS (SELECT FROM told AS w WHERE w.review = f.review AND w.withdrawn = f.key)
),

found AS (
    SELECT
        review,
        count(*) FILTER (WHERE severity = 'critical') AS critical,
        count(*) FILTER (WHERE severity = 'high') AS high,
        count(*) FILTER (WHERE severity = 'medium') AS medium,
        count(*) FILTER (WHERE severity = 'low') AS low,
        min(at) AS first_finding_at
    FROM standing
    GROUP BY review
),

summed AS (
    SELECT
        review,
        (
            array_agg(type ORDER BY position DESC) FILTER (
                WHERE type NOT IN (
                    'review.planned', 'chunk.completed', 'chunk.failed', 'finding', 'finding.withdrawn'
                )
            )
        )[1] AS status,
        (array_agg(engine ORDER BY position DESC) FILTER (WHERE engine IS NOT NULL))[1] AS engine,
        (array_agg(chunks ORDER BY position DESC) FILTER (WHERE chunks IS NOT NULL))[1] AS chunks_total,
        min(at) FILTER (WHERE type = 'review.started') AS started_at,
        max(at) FILTER (
            WHERE type IN ('review.completed', 'review.failed', 'review.superseded', 'review.cancelled')
        ) AS finished_at,
        count(DISTINCT chunk) AS chunks_done,
        sum(cost) AS cost,
        sum(tokens)::bigint AS tokens
    FROM told
    GROUP BY review
)

SELECT
    r.id,
    r.installation,
    r.repository_id,
    r.api_key,
    r.repository,
    r.pull_request,
    r.head_sha,
    r.title,
    r.url,
    r.model,
    r.created_at,
    s.status,
    s.engine,
    s.started_at,
    s.finished_at,
    s.cost,
    s.tokens,
    s.chunks_done,
    s.chunks_total,
    f.critical,
    f.high,
    f.medium,
    f.low,
    f.first_finding_at
FROM reviews AS r
LEFT JOIN summed AS s ON r.id = s.review
LEFT JOIN found AS f ON r.id = f.review
WHERE r.id = ANY(%(ids)s::text[])
ORDER BY r.created_at DESC, r.id DESC

-- name: standing
SELECT f.data FROM events AS f
WHERE
    f.review = %(id)s
    AND f.type = 'finding'
    AND NOT EXISTS (
        SELECT FROM events AS w
        WHERE w.review = %(id)s AND w.type = 'finding.withdrawn' AND 'finding:' || (w.data ->> 'id') = f.key
    )
ORDER BY f.position

-- name: remarks
SELECT
    e.type,
    e.data ->> 'chunk' AS chunk,
    coalesce(e.data ->> 'notice', e.data ->> 'reason') AS text
FROM events AS e
WHERE e.review = %(id)s AND e.type IN ('review.started', 'chunk.completed', 'chunk.failed', 'review.failed')
ORDER BY e.position
