-- name: find
SELECT key, entry, used_at < now() - interval '1 day' AS stale
FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS wanted (key, place)
JOIN ledger USING (key)
WHERE tenant = %(tenant)s
ORDER BY place

-- name: touch
UPDATE ledger SET used_at = now() WHERE tenant = %(tenant)s AND key = %(key)s

-- name: store
INSERT INTO ledger (tenant, key, entry, review, repository)
VALUES (%(tenant)s, %(key)s, %(entry)s, %(review)s, %(repository)s)
ON CONFLICT (tenant, key) DO UPDATE SET
    entry = excluded.entry,
    review = excluded.review,
    repository = excluded.repository,
    stored_at = now(),
    used_at = now()

-- name: expire
DELETE FROM ledger WHERE used_at < now() - make_interval(days => %(days)s)

-- name: forget
DELETE FROM ledger WHERE tenant = %(tenant)s

-- name: forget_reviews
DELETE FROM ledger WHERE review = ANY(%(reviews)s)
