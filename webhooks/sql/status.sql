-- name: queue
WITH going AS (
    SELECT id, run, not_before FROM reviews
    WHERE %(everything)s AND ended_at IS NULL
    UNION
    SELECT r.* FROM unnest(%(installations)s::bigint[]) AS mine (installation)
    CROSS JOIN LATERAL (
        SELECT id, run, not_before FROM reviews
        WHERE installation = mine.installation AND ended_at IS NULL
        OFFSET 0
    ) AS r
    UNION
    SELECT r.* FROM unnest(%(repository_ids)s::bigint[]) AS mine (repository_id)
    CROSS JOIN LATERAL (
        SELECT id, run, not_before FROM reviews
        WHERE repository_id = mine.repository_id AND ended_at IS NULL
        OFFSET 0
    ) AS r
    UNION
    SELECT r.* FROM unnest(%(api_keys)s::text[]) AS mine (api_key)
    CROSS JOIN LATERAL (
        SELECT id, run, not_before FROM reviews
        WHERE api_key = mine.api_key AND ended_at IS NULL
        OFFSET 0
    ) AS r
)

SELECT
    count(*) FILTER (WHERE run = 0 AND not_before > now() IS NOT TRUE) AS waiting,
    count(*) FILTER (WHERE run > 0 AND not_before > now() IS NOT TRUE) AS running,
    count(*) FILTER (WHERE not_before > now()) AS postponed
FROM going

-- name: gates
WITH mine AS (
    SELECT unnest(%(installations)s::bigint[]) AS installation
    UNION
    (
        SELECT installation FROM gates
        WHERE %(everything)s
        ORDER BY closed_until DESC NULLS LAST, hour_began_at DESC, installation
        LIMIT %(most)s
    )
)

SELECT
    mine.installation,
    (
        SELECT split_part(p.repository, '/', 1) FROM pull_requests AS p
        WHERE p.installation = mine.installation
        LIMIT 1
    ) AS account,
    nullif(greatest(extract(EPOCH FROM g.closed_until - now()), 0), 0)::double precision AS closed_for_seconds,
    CASE WHEN g.hour_began_at > now() - interval '1 hour' THEN g.hour_writes ELSE 0 END AS writes_this_hour
FROM mine
LEFT JOIN gates AS g ON mine.installation = g.installation
ORDER BY mine.installation
LIMIT %(most)s
