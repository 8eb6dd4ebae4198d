-- name: keep
INSERT INTO diffs (review, shown)
SELECT id, %(shown)s FROM reviews WHERE id = %(review)s
ON CONFLICT (review) DO UPDATE SET shown = excluded.shown

-- name: read
SELECT shown, posted FROM diffs WHERE review = %(review)s
