-- name: drop_postponed
UPDATE procrastinate_jobs
SET status = 'cancelled'
WHERE queueing_lock = %(key)s AND status = 'todo' AND scheduled_at > now()
