-- name: drop_postponed
UPDATE procrastinate_jobs
SET status = 'cancelled'
WHERE lock = %(key)s AND status = 'todo' AND scheduled_at > now()

-- name: give_up_place
UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE id = %(id)s

-- name: next_waits
SELECT EXISTS (
    SELECT FROM procrastinate_jobs WHERE lock = %(lock)s AND status = 'todo'
) AS waits

-- name: drop_blocking
UPDATE procrastinate_jobs AS postponed
SET status = 'cancelled'
WHERE
    postponed.status = 'todo'
    AND postponed.scheduled_at > now()
    AND EXISTS (
        SELECT FROM procrastinate_jobs AS newer
        WHERE newer.lock = postponed.lock AND newer.status = 'todo' AND newer.id > postponed.id
    )
