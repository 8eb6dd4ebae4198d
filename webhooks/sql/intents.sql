-- name: make
INSERT INTO intents (review, key, run) VALUES (%(review)s, %(key)s, %(run)s)
ON CONFLICT (review, key) DO NOTHING
RETURNING key

-- name: read
SELECT run, github_id, extract(EPOCH FROM now() - made_at)::double precision AS age
FROM intents
WHERE review = %(review)s AND key = %(key)s

-- name: renew
UPDATE intents SET made_at = now(), run = %(run)s WHERE review = %(review)s AND key = %(key)s

-- name: carried_out
UPDATE intents SET github_id = %(github_id)s WHERE review = %(review)s AND key = %(key)s

-- name: drop
DELETE FROM intents
WHERE review = %(review)s AND key = %(key)s AND run = %(run)s AND github_id IS NULL

-- name: forget_said
DELETE FROM said WHERE review = %(review)s AND key = %(key)s

-- name: say
INSERT INTO said (review, key, finding, fingerprint, place, path, side, quote, category)
VALUES (
    %(review)s, %(key)s, %(finding)s, %(fingerprint)s, %(place)s, %(path)s, %(side)s, %(quote)s, %(category)s
)

-- name: of_pull_request
SELECT i.review, i.key, i.run, i.github_id, extract(EPOCH FROM now() - i.made_at)::double precision AS age
FROM intents AS i
INNER JOIN reviews AS r ON i.review = r.id
WHERE r.repository_id = %(repository_id)s AND r.pull_request = %(number)s AND i.key <> 'check'
ORDER BY i.made_at

-- name: said_on_pull_request
SELECT s.review, s.finding, s.fingerprint, s.place, s.path, s.side, s.quote, s.category, s.settled
FROM said AS s
INNER JOIN intents AS i ON s.review = i.review AND s.key = i.key
INNER JOIN reviews AS r ON i.review = r.id
WHERE r.repository_id = %(repository_id)s AND r.pull_request = %(number)s AND i.github_id IS NOT NULL

-- name: settle_thread
UPDATE said AS s SET settled = %(settled)s
FROM reviews AS r
WHERE
    s.review = r.id
    AND r.repository_id = %(repository_id)s
    AND r.pull_request = %(number)s
    AND s.fingerprint = ANY(%(fingerprints)s)

-- name: fingerprints
SELECT review, key, fingerprint FROM said WHERE review = ANY(%(reviews)s)
