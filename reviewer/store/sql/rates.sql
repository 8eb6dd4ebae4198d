-- name: find
SELECT mean, deviation, samples FROM token_rates WHERE family = %(family)s

-- name: lock
SELECT mean, deviation, samples FROM token_rates WHERE family = %(family)s FOR UPDATE

-- name: begin
INSERT INTO token_rates (family, mean, deviation, samples)
VALUES (%(family)s, %(mean)s, %(deviation)s, %(samples)s)
ON CONFLICT (family) DO NOTHING

-- name: store
UPDATE token_rates
SET mean = %(mean)s, deviation = %(deviation)s, samples = %(samples)s, learned_at = now()
WHERE family = %(family)s
