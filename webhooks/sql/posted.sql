-- name: lock_key
SELECT pg_advisory_xact_lock(hashtextextended('posted by ' || %(api_key)s || ' as ' || %(idempotency_key)s, 0))

-- name: release_old_key
UPDATE posted SET idempotency_key = NULL
WHERE
    api_key = %(api_key)s
    AND idempotency_key = %(idempotency_key)s
    AND posted_at < now() - make_interval(hours => %(hours)s)

-- name: earlier
-- Locked, and the review first, as by whoever ends it: it goes on up to the commit, or its key is free again
SELECT p.review, p.digest
FROM posted AS p
INNER JOIN reviews AS r ON p.review = r.id
WHERE
    p.api_key = %(api_key)s
    AND p.idempotency_key = %(idempotency_key)s
    AND p.posted_at >= now() - make_interval(hours => %(hours)s)
FOR SHARE OF r
FOR NO KEY UPDATE OF p

-- name: store_review
INSERT INTO reviews (
    id, repository, head_sha, title, url, api_key, model, bytes_per_token, created_at
)
VALUES (
    %(review)s, %(repository)s, %(head_sha)s, %(title)s, '', %(api_key)s, %(model)s, %(bytes_per_token)s,
    clock_timestamp()
)

-- name: store_diff
INSERT INTO diffs (review, posted) VALUES (%(review)s, %(diff)s)

-- name: store_posted
INSERT INTO posted (review, api_key, pays, attended, idempotency_key, digest)
VALUES (%(review)s, %(api_key)s, %(pays)s, %(attended)s, %(idempotency_key)s, %(digest)s)

-- name: leave_alone
UPDATE posted SET attended = false WHERE review = %(review)s

-- name: open
SELECT
    r.id, r.api_key, r.repository, r.head_sha, r.title, r.run, r.attempts, p.pays
FROM reviews AS r
INNER JOIN posted AS p ON r.id = p.review
WHERE r.id = %(review)s AND r.closed_at IS NULL

-- name: diff
SELECT posted FROM diffs WHERE review = %(review)s

-- name: hold_lease
SELECT 1 FROM reviews WHERE id = %(review)s AND run = %(run)s AND ended_at IS NULL FOR SHARE

-- name: end
UPDATE reviews SET ended_at = now(), closed_at = now()
WHERE id = %(review)s AND run = %(run)s AND ended_at IS NULL
RETURNING id

-- name: cancel
UPDATE reviews SET run = run + 1, ended_at = now(), closed_at = now()
WHERE id = ANY(%(reviews)s) AND api_key IS NOT NULL AND pull_request IS NULL AND ended_at IS NULL
RETURNING id, api_key, repository, head_sha

-- name: release_keys
UPDATE posted SET idempotency_key = NULL WHERE review = ANY(%(reviews)s)

-- name: listen
INSERT INTO listeners (id, review, until)
SELECT %(listener)s, p.review, now() + make_interval(secs => %(seconds)s)
FROM posted AS p
INNER JOIN reviews AS r ON p.review = r.id
WHERE p.review = %(review)s AND p.api_key = %(api_key)s AND r.closed_at IS NULL
FOR SHARE OF r -- who ends it because nobody listens has ended it, or sees this one

-- name: renew
UPDATE listeners AS l SET until = now() + make_interval(secs => %(seconds)s)
FROM reviews AS r
WHERE l.id = ANY(%(listeners)s) AND l.review = r.id AND r.closed_at IS NULL
RETURNING l.id

-- name: leave
DELETE FROM listeners WHERE id = %(listener)s RETURNING review

-- name: dismiss
DELETE FROM listeners WHERE review = ANY(%(reviews)s)

-- name: unheard
SELECT r.id
FROM reviews AS r
INNER JOIN posted AS p ON r.id = p.review
WHERE
    r.api_key IS NOT NULL
    AND r.closed_at IS NULL
    AND p.attended
    AND (%(review)s::text IS NULL OR r.id = %(review)s)
    AND NOT EXISTS (SELECT FROM listeners AS l WHERE l.review = r.id AND l.until > now())
ORDER BY r.id
FOR UPDATE OF r
