-- name: alone
SELECT pg_advisory_xact_lock(5710003)

-- name: hasty
SET LOCAL synchronous_commit = off

-- name: due
WITH live AS (
    SELECT lock, (args ->> 'installation')::bigint AS installation
    FROM procrastinate_jobs
    WHERE task_name = 'review' AND status IN ('todo', 'doing') AND id IS DISTINCT FROM %(ending)s
),

open_ AS (
    SELECT r.repository_id, r.pull_request AS number
    FROM reviews AS r
    INNER JOIN pull_requests AS p ON r.repository_id = p.repository_id AND r.pull_request = p.number
    WHERE
        r.closed_at IS NULL
        AND (
            r.not_before IS NULL
            OR r.not_before <= now()
            OR (r.ended_at IS NULL AND r.generation <> p.generation)
        )
    UNION
    SELECT p.repository_id, p.number FROM pull_requests AS p WHERE p.unseen OR p.unclear
),

due AS (
    SELECT
        p.repository_id,
        p.number,
        p.installation,
        row_number() OVER (PARTITION BY p.installation ORDER BY p.wanted_at, p.repository_id, p.number) AS place
    FROM open_
    INNER JOIN pull_requests AS p ON open_.repository_id = p.repository_id AND open_.number = p.number
    WHERE
        (%(installation)s::bigint IS NULL OR p.installation = %(installation)s)
        AND (p.not_before IS NULL OR p.not_before <= now())
        AND NOT EXISTS (SELECT FROM live WHERE live.lock = p.repository_id || '#' || p.number)
)

SELECT due.repository_id, due.number, due.installation
FROM due
WHERE
    due.place + (SELECT count(*) FROM live WHERE live.installation = due.installation)
    <= %(per_installation)s

-- name: due_posted
WITH live AS (
    SELECT lock, args ->> 'api_key' AS api_key
    FROM procrastinate_jobs
    WHERE task_name = 'posted' AND status IN ('todo', 'doing') AND id IS DISTINCT FROM %(ending)s
),

due AS (
    SELECT r.id, r.api_key, row_number() OVER (PARTITION BY r.api_key ORDER BY r.created_at, r.id) AS place
    FROM reviews AS r
    INNER JOIN posted AS p ON r.id = p.review
    WHERE
        r.api_key IS NOT NULL
        AND r.closed_at IS NULL
        AND (%(api_key)s::text IS NULL OR r.api_key = %(api_key)s)
        AND (r.not_before IS NULL OR r.not_before <= now())
        AND NOT EXISTS (SELECT FROM live WHERE live.lock = 'posted ' || r.id)
)

SELECT due.id, due.api_key
FROM due
WHERE due.place + (SELECT count(*) FROM live WHERE live.api_key = due.api_key) <= %(per_installation)s

-- name: stop_running
UPDATE procrastinate_jobs SET abort_requested = true
WHERE lock = %(lock)s AND status = 'doing' AND NOT abort_requested

-- name: running_here
SELECT id FROM procrastinate_jobs
WHERE task_name IN ('review', 'posted') AND status = 'doing' AND worker_id = ANY(%(workers)s)
