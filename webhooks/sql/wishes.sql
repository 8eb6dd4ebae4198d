-- name: known
SELECT
    p.installation,
    p.repository,
    p.head_sha,
    p.earlier_heads,
    p.base_ref,
    p.wanted_at > now() - interval '10 seconds' AS fresh,
    p.told_at,
    p.generation,
    p.asked,
    p.stopped_head,
    p.unseen,
    r.id AS review,
    r.head_sha AS review_head,
    r.ended_at IS NOT NULL AS ended
FROM pull_requests AS p
LEFT JOIN reviews AS r
    ON r.repository_id = p.repository_id AND r.pull_request = p.number AND r.generation = p.generation
WHERE p.repository_id = %(repository_id)s AND p.number = %(number)s
FOR UPDATE OF p

-- name: tell
INSERT INTO pull_requests (
    repository_id, number, installation, repository, head_sha, base_ref, title, url, told_at, earlier_heads
)
VALUES (
    %(repository_id)s, %(number)s, %(installation)s, %(repository)s, %(head_sha)s, %(base_ref)s, %(title)s,
    %(url)s, %(told_at)s, array_remove(ARRAY[%(before)s::text], NULL)
)
ON CONFLICT (repository_id, number) DO UPDATE SET
    installation = excluded.installation,
    repository = excluded.repository,
    head_sha = excluded.head_sha,
    base_ref = excluded.base_ref,
    title = excluded.title,
    url = excluded.url,
    told_at = excluded.told_at,
    asked = pull_requests.asked AND (pull_requests.unseen OR pull_requests.head_sha = excluded.head_sha),
    earlier_heads = CASE
        WHEN pull_requests.head_sha = excluded.head_sha THEN pull_requests.earlier_heads
        WHEN pull_requests.told_at = excluded.told_at
            THEN pull_requests.earlier_heads || pull_requests.head_sha || excluded.earlier_heads
        ELSE pull_requests.head_sha || excluded.earlier_heads
    END,
    unclear = pull_requests.unclear AND NOT %(read)s,
    unseen = false

-- name: doubt
UPDATE pull_requests SET unclear = true WHERE repository_id = %(repository_id)s AND number = %(number)s

-- name: clear
UPDATE pull_requests SET unclear = false WHERE repository_id = %(repository_id)s AND number = %(number)s

-- name: look
INSERT INTO pull_requests (
    repository_id, number, installation, repository, head_sha, base_ref, title, url, told_at, asked, unseen
)
VALUES (
    %(repository_id)s, %(number)s, %(installation)s, %(repository)s, '', '', '', '', 'epoch', true, true
)
ON CONFLICT (repository_id, number) DO NOTHING

-- name: raise
UPDATE pull_requests
SET
    generation = generation + 1,
    reason = %(reason)s,
    asked = (asked OR %(asked)s) AND NOT %(stopped)s,
    stopped_head = CASE
        WHEN %(stopped)s THEN head_sha
        WHEN %(reason)s::text IS NOT NULL THEN stopped_head
    END,
    wanted_at = clock_timestamp(), -- under the repository's lock, which the transaction's begin is not
    not_before = NULL
WHERE repository_id = %(repository_id)s AND number = %(number)s

-- name: open_review
INSERT INTO reviews (
    id, installation, repository_id, repository, pull_request, head_sha, title, url, generation, created_at
)
SELECT
    %(id)s, installation, repository_id, repository, number, head_sha, title, url, generation, clock_timestamp()
FROM pull_requests
WHERE repository_id = %(repository_id)s AND number = %(number)s

-- name: find
SELECT DISTINCT p.repository_id, p.number
FROM pull_requests AS p
LEFT JOIN reviews AS r ON r.repository_id = p.repository_id AND r.pull_request = p.number
WHERE
    p.repository_id = %(repository_id)s
    AND (
        p.number = %(number)s
        OR (%(number)s::integer IS NULL AND r.id = %(review)s)
        OR (
            %(number)s::integer IS NULL AND %(review)s::text IS NULL AND p.head_sha = %(head_sha)s
        )
    )
ORDER BY p.repository_id, p.number

-- name: live
SELECT p.repository_id, p.number
FROM pull_requests AS p
INNER JOIN reviews AS r
    ON r.repository_id = p.repository_id AND r.pull_request = p.number AND r.generation = p.generation
WHERE
    r.ended_at IS NULL
    AND p.installation = %(installation)s
    AND (%(repository_ids)s::bigint[] IS NULL OR p.repository_id = ANY(%(repository_ids)s))
ORDER BY p.repository_id, p.number

-- name: rename_pull_requests
UPDATE pull_requests SET repository = %(repository)s, installation = %(installation)s
WHERE repository_id = %(repository_id)s

-- name: rename_reviews
UPDATE reviews SET repository = %(repository)s, installation = %(installation)s
WHERE repository_id = %(repository_id)s

-- name: postpone
UPDATE pull_requests SET not_before = now() + make_interval(secs => %(seconds)s)
WHERE repository_id = %(repository_id)s AND number = %(number)s AND generation = %(generation)s

-- name: drop_unseen
DELETE FROM pull_requests WHERE repository_id = %(repository_id)s AND number = %(number)s AND unseen
