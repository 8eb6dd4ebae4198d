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

-- name: stop_running
UPDATE procrastinate_jobs SET abort_requested = true
WHERE lock = %(lock)s AND status = 'doing' AND NOT abort_requested

-- name: running_here
SELECT id FROM procrastinate_jobs 
WHERE task_name = 'review' AND status = 'doing' AND worker_id = ANY(%(workers)s)
