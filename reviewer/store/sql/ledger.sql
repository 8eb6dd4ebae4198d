-- name: find
SELECT entry FROM ledger WHERE key = %(key)s

-- name: store
INSERT INTO ledger (key, entry, review, repository)
VALUES (%(key)s, %(entry)s, %(review)s, %(repository)s)
ON CONFLICT (key) DO UPDATE SET entry = excluded.entry, stored_at = now()

-- name: settle
INSERT INTO usage (review, repository, input, cached, cache_writes, output, cost)
VALUES (%(review)s, %(repository)s, %(input)s, %(cached)s, %(cache_writes)s, %(output)s, %(cost)s)
