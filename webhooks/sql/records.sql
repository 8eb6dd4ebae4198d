-- name: store_delivery
INSERT INTO deliveries (guid, event, action, installation, body)
VALUES (%(guid)s, %(event)s, %(action)s, %(installation)s, %(body)s)
ON CONFLICT (guid) DO NOTHING

-- name: expire_deliveries
DELETE FROM deliveries WHERE received_at < now() - make_interval(days => %(days)s)

-- name: expire_redeliveries
DELETE FROM redeliveries WHERE asked_at < now() - make_interval(days => %(days)s)

-- name: lock_repository
SELECT pg_advisory_xact_lock(hashtextextended('pull requests of ' || %(repository_id)s::text, 0))

-- name: lock_repositories
SELECT pg_advisory_xact_lock(hashtextextended('pull requests of ' || known.repository_id, 0))
FROM (
    SELECT DISTINCT repository_id
    FROM pull_requests
    WHERE
        installation = %(installation)s
        AND (%(repository_ids)s::bigint[] IS NULL OR repository_id = ANY(%(repository_ids)s))
    ORDER BY repository_id -- everybody locks in this order: nobody waits in a ring
) AS known

-- name: pull_request
SELECT repository_id, number, installation, repository, head_sha, generation, reason, unseen, unclear
FROM pull_requests
WHERE repository_id = %(repository_id)s AND number = %(number)s

-- name: open_reviews
SELECT
    id, installation, repository_id, repository, pull_request, head_sha, title, url, generation, run, attempts,
    check_run, ended_at IS NOT NULL AS ended, verdict,
    not_before > now() IS TRUE AS waits,
    EXISTS (SELECT FROM intents AS i WHERE i.review = reviews.id AND i.key = 'check') AS check_begun
FROM reviews
WHERE repository_id = %(repository_id)s AND pull_request = %(number)s AND closed_at IS NULL
ORDER BY generation

-- name: waiting
WITH waiting AS (
    SELECT
        r.id,
        r.created_at,
        (row_number() OVER (PARTITION BY r.installation ORDER BY p.wanted_at, r.id) - 1)::integer AS ahead
    FROM reviews AS r
    INNER JOIN pull_requests AS p
        ON r.repository_id = p.repository_id AND r.pull_request = p.number AND r.generation = p.generation
    WHERE r.closed_at IS NULL AND r.ended_at IS NULL AND r.run = 0
)

SELECT
    r.id, r.installation, r.repository_id, r.repository, r.pull_request, r.head_sha, r.title, r.url, r.generation,
    r.run, r.attempts, r.check_run, false AS ended, r.verdict, false AS waits, false AS check_begun, w.ahead
FROM waiting AS w
INNER JOIN reviews AS r ON w.id = r.id
WHERE
    w.ahead < %(most)s
    AND w.created_at < now() - make_interval(secs => %(seconds)s)
    AND NOT EXISTS (SELECT FROM intents AS i WHERE i.review = r.id AND i.key = 'check')

-- name: begin_run
UPDATE reviews SET run = run + 1 WHERE id = %(review)s RETURNING run

-- name: hold_lease
SELECT 1
FROM pull_requests AS p
CROSS JOIN reviews AS r
WHERE
    p.repository_id = %(repository_id)s
    AND p.number = %(number)s
    AND p.generation = %(generation)s
    AND r.id = %(review)s
    AND r.run = %(run)s
    AND r.ended_at IS NULL
FOR SHARE

-- name: end_review
UPDATE reviews SET ended_at = now(), verdict = %(verdict)s
WHERE id = %(review)s AND run = %(run)s AND ended_at IS NULL
RETURNING id

-- name: hold_reviews
SELECT 1 FROM reviews WHERE id = ANY(%(reviews)s) ORDER BY id FOR UPDATE

-- name: end_unshown
UPDATE reviews SET run = run + 1, ended_at = now(), closed_at = now()
WHERE
    id = ANY(%(reviews)s)
    AND ended_at IS NULL
    AND NOT EXISTS (SELECT FROM intents AS i WHERE i.review = reviews.id AND i.key = 'check')
RETURNING id

-- name: close_review
UPDATE reviews SET closed_at = now() WHERE id = %(review)s

-- name: hold_ended_lease
SELECT 1 FROM reviews WHERE id = %(review)s AND run = %(run)s AND closed_at IS NULL FOR SHARE

-- name: put_off
UPDATE reviews SET attempts = attempts + 1, not_before = now() + make_interval(secs => %(seconds)s)
WHERE id = %(review)s

-- name: remember_check_run
UPDATE reviews SET check_run = %(check_run)s WHERE id = %(review)s

-- name: settle_model
UPDATE reviews SET model = coalesce(model, %(model)s) WHERE id = %(id)s RETURNING model

-- name: settle_rate
UPDATE reviews SET bytes_per_token = coalesce(bytes_per_token, %(rate)s) WHERE id = %(id)s RETURNING bytes_per_token
