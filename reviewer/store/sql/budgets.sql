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
