-- name: spent
-- Each part through an index of its own: nobody's time depends on what others spend. Pairs, and times with nothing
-- added to them, keep the planner from the indexes by time, in which everybody's rows are
WITH seen AS (
    SELECT id, at, repository, model, input, cached, cache_writes, output, cost
    FROM calls
    WHERE %(everything)s AND at >= %(since)s::timestamptz AND at < %(until)s::timestamptz
    UNION ALL
    (
        SELECT c.* FROM unnest(%(installations)s::bigint[]) AS mine (installation)
        CROSS JOIN LATERAL (
            SELECT id, at, repository, model, input, cached, cache_writes, output, cost
            FROM calls
            WHERE
                (installation, at) >= (mine.installation, %(since)s)
                AND (installation, at) < (mine.installation, %(until)s)
            OFFSET 0
        ) AS c
        UNION
        SELECT c.* FROM unnest(%(api_keys)s::text[]) AS mine (api_key)
        CROSS JOIN LATERAL (
            SELECT id, at, repository, model, input, cached, cache_writes, output, cost
            FROM calls
            WHERE
                api_key IS NOT NULL
                AND (api_key, at) >= (mine.api_key, %(since)s)
                AND (api_key, at) < (mine.api_key, %(until)s)
            OFFSET 0
        ) AS c
        UNION
        SELECT c.* FROM unnest(%(repository_ids)s::bigint[]) AS mine (repository_id)
        CROSS JOIN LATERAL (
            SELECT id FROM reviews
            WHERE
                repository_id = mine.repository_id
                AND created_at + interval '0 s' >= %(made_since)s::timestamptz
            OFFSET 0
        ) AS r
        CROSS JOIN LATERAL (
            SELECT id, at, repository, model, input, cached, cache_writes, output, cost
            FROM calls
            WHERE
                review = r.id
                AND at + interval '0 s' >= %(since)s
                AND at + interval '0 s' < %(until)s
            OFFSET 0
        ) AS c
    )
)

SELECT
    (at AT TIME ZONE 'UTC')::date AS day,
    repository,
    coalesce(model, 'unknown') AS model,
    count(*) AS calls,
    sum(input)::bigint AS input,
    sum(cached)::bigint AS cached,
    sum(cache_writes)::bigint AS cache_writes,
    sum(output)::bigint AS output,
    sum(cost)::double precision AS cost
FROM seen
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

-- name: chunks
WITH mine AS (
    SELECT r.id FROM unnest(%(installations)s::bigint[]) AS mine (installation)
    CROSS JOIN LATERAL (
        SELECT id FROM reviews
        WHERE
            installation = mine.installation
            AND created_at + interval '0 s' >= %(made_since)s::timestamptz
        OFFSET 0
    ) AS r
    UNION
    SELECT r.id FROM unnest(%(api_keys)s::text[]) AS mine (api_key)
    CROSS JOIN LATERAL (
        SELECT id FROM reviews
        WHERE api_key = mine.api_key AND created_at + interval '0 s' >= %(made_since)s
        OFFSET 0
    ) AS r
    UNION
    SELECT r.id FROM unnest(%(repository_ids)s::bigint[]) AS mine (repository_id)
    CROSS JOIN LATERAL (
        SELECT id FROM reviews
        WHERE repository_id = mine.repository_id AND created_at + interval '0 s' >= %(made_since)s
        OFFSET 0
    ) AS r
),

finished AS (
    SELECT e.at, e.data ->> 'source' AS source
    FROM events AS e
    WHERE
        %(everything)s
        AND e.type = 'chunk.completed'
        AND e.at >= %(since)s::timestamptz
        AND e.at < %(until)s::timestamptz
    UNION ALL
    SELECT e.at, e.source
    FROM mine
    CROSS JOIN LATERAL (
        SELECT at, data ->> 'source' AS source
        FROM events
        WHERE
            review = mine.id
            AND type = 'chunk.completed'
            AND at + interval '0 s' >= %(since)s
            AND at + interval '0 s' < %(until)s
        OFFSET 0
    ) AS e
)

SELECT
    (at AT TIME ZONE 'UTC')::date AS day,
    count(*) FILTER (WHERE source = 'engine') AS bought,
    count(*) FILTER (WHERE source = 'ledger') AS known
FROM finished
GROUP BY 1
ORDER BY 1
