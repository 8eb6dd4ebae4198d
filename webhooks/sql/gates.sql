-- name: meet
INSERT INTO gates (installation) VALUES (%(installation)s) ON CONFLICT (installation) DO NOTHING

-- name: next_turn
SELECT
    greatest(
        extract(EPOCH FROM next_write_at - clock_timestamp()),
        extract(EPOCH FROM closed_until - clock_timestamp()),
        CASE
            WHEN hour_writes >= %(hourly)s
                THEN extract(EPOCH FROM hour_began_at + interval '1 hour' - clock_timestamp())
        END,
        0
    )::double precision
FROM gates
WHERE installation = %(installation)s
FOR UPDATE

-- name: take_turn
UPDATE gates
SET
    next_write_at = clock_timestamp() + make_interval(secs => %(wait)s + %(spacing)s),
    hour_began_at = CASE
        WHEN hour_began_at < clock_timestamp() - interval '1 hour' THEN clock_timestamp() ELSE hour_began_at
    END,
    hour_writes = CASE WHEN hour_began_at < clock_timestamp() - interval '1 hour' THEN 1 ELSE hour_writes + 1 END
WHERE installation = %(installation)s

-- name: close
INSERT INTO gates (installation, closed_until)
VALUES (%(installation)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (installation) DO UPDATE SET closed_until = greatest(gates.closed_until, excluded.closed_until)

-- name: closed
SELECT greatest(extract(EPOCH FROM closed_until - now())::double precision, 0.0)
FROM gates
WHERE installation = %(installation)s
