-- name: find
SELECT key, entry, used_at < now() - interval '1 day' AS stale
FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS wanted (key, place)
JOIN ledger USING (key)
WHERE installation = %(installation)s
ORDER BY place

-- name: touch
UPDATE ledger SET used_at = now() WHERE installation = %(installation)s AND key = %(key)s

-- name: store
INSERT INTO ledger (installation, key, entry, review, repository)
VALUES (%(installation)s, %(key)s, %(entry)s, %(review)s, %(repository)s)
ON CONFLICT (installation, key) DO UPDATE SET
    entry = excluded.entry,
    review = excluded.review,
    repository = excluded.repository,
    stored_at = now(),
    used_at = now()

-- name: expire
DELETE FROM ledger WHERE used_at < now() - make_interval(days => %(days)s)

-- name: forget
DELETE FROM ledger WHERE installation = %(installation)s
