-- name: begin
INSERT INTO sweeps (name, begun_at) VALUES (%(name)s, now())
ON CONFLICT (name) DO UPDATE SET begun_at = now()
WHERE sweeps.begun_at < now() - make_interval(secs => %(seconds)s)
RETURNING name

-- name: reach
INSERT INTO sweeps (name, begun_at, reached_at) VALUES (%(name)s, %(at)s, %(at)s)
ON CONFLICT (name) DO UPDATE SET reached_at = greatest(sweeps.reached_at, excluded.reached_at)

-- name: reached
SELECT reached_at FROM sweeps WHERE name = %(name)s

-- name: not_taken
SELECT failed.guid FROM unnest(%(guids)s::text[]) AS failed (guid)
WHERE
    NOT EXISTS (SELECT FROM deliveries AS d WHERE d.guid = failed.guid)
    AND NOT EXISTS (SELECT FROM redeliveries AS r WHERE r.guid = failed.guid)

-- name: asked
INSERT INTO redeliveries (guid) VALUES (%(guid)s) ON CONFLICT (guid) DO NOTHING
