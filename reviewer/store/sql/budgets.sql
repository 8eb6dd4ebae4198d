-- name: move
INSERT INTO accounts AS account (
    scope, owner, day, spent_tokens, spent_micros, reserved_tokens, reserved_micros
)
SELECT
    wanted.scope, wanted.owner, wanted.day,
    %(spent_tokens)s, %(spent_micros)s, %(reserved_tokens)s, %(reserved_micros)s
FROM unnest(%(scopes)s::text[], %(owners)s::text[], %(days)s::date[]) AS wanted (scope, owner, day)
ORDER BY wanted.scope, wanted.owner, wanted.day -- everybody locks in this order: nobody waits in a ring
ON CONFLICT (scope, owner, day) DO UPDATE SET
    spent_tokens = account.spent_tokens + excluded.spent_tokens,
    spent_micros = account.spent_micros + excluded.spent_micros,
    reserved_tokens = account.reserved_tokens + excluded.reserved_tokens,
    reserved_micros = account.reserved_micros + excluded.reserved_micros
RETURNING scope, spent_tokens, spent_micros, reserved_tokens, reserved_micros

-- name: stand
SELECT account.scope, spent_tokens, spent_micros, reserved_tokens, reserved_micros
FROM accounts AS account
JOIN unnest(%(scopes)s::text[], %(owners)s::text[], %(days)s::date[]) AS wanted (scope, owner, day)
USING (scope, owner, day)

-- name: open
INSERT INTO reservations (review, installation, api_key, day, tokens, micros, made_at)
VALUES (%(review)s, %(installation)s, %(api_key)s, %(day)s, %(tokens)s, %(micros)s, %(at)s)
RETURNING id

-- name: close
DELETE FROM reservations WHERE id = %(id)s
RETURNING review, installation, api_key, day, tokens, micros

-- name: record
INSERT INTO calls (
    review, installation, api_key, repository, model, chunks, route, input, cached, cache_writes, output, cost,
    certain, time_to_first_token, seconds, stop_reason, error, at
)
VALUES (
    %(review)s, %(installation)s, %(api_key)s, %(repository)s, %(model)s, %(chunks)s, %(route)s, %(input)s,
    %(cached)s, %(cache_writes)s, %(output)s, %(cost)s, %(certain)s, %(time_to_first_token)s, %(seconds)s,
    %(stop_reason)s, %(error)s, %(at)s
)

-- name: idle
SELECT owner
FROM accounts AS account
WHERE
    scope = 'review'
    AND NOT EXISTS (SELECT FROM calls WHERE review = account.owner AND at >= %(before)s)
    AND NOT EXISTS (SELECT FROM reservations WHERE review = account.owner AND made_at >= %(before)s)
FOR UPDATE SKIP LOCKED -- who is at work is not idle, and nobody waits in a ring

-- name: expire_reviews
DELETE FROM accounts AS account
WHERE
    scope = 'review'
    AND owner = ANY(%(owners)s)
    -- Once more, now that nobody can reserve: a call may have begun between the look and the lock
    AND NOT EXISTS (SELECT FROM calls WHERE review = account.owner AND at >= %(before)s)
    AND NOT EXISTS (SELECT FROM reservations WHERE review = account.owner AND made_at >= %(before)s)

-- name: expire_days
DELETE FROM accounts
WHERE (scope, owner, day) IN (
    SELECT scope, owner, day
    FROM accounts
    WHERE scope <> 'review' AND day < %(day)s
    FOR UPDATE SKIP LOCKED
)

-- name: expire_reservations
DELETE FROM reservations
WHERE id IN (
    SELECT id
    FROM reservations
    WHERE
        made_at < %(before)s
        AND NOT EXISTS (SELECT FROM accounts WHERE scope = 'review' AND owner = reservations.review)
    FOR UPDATE SKIP LOCKED
)

-- name: expire_calls
DELETE FROM calls
WHERE id IN (
    SELECT id
    FROM calls
    WHERE
        at < %(before)s
        AND NOT EXISTS (SELECT FROM accounts WHERE scope = 'review' AND owner = calls.review)
    FOR UPDATE SKIP LOCKED
)

-- name: forget_reservations
DELETE FROM reservations WHERE installation = %(installation)s RETURNING review

-- name: forget_calls
DELETE FROM calls WHERE installation = %(installation)s RETURNING review

-- name: forget_reviews
DELETE FROM accounts WHERE scope = 'review' AND owner = ANY(%(owners)s)
