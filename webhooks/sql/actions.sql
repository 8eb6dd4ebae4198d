-- name: actable
SELECT
    r.id,
    r.installation,
    r.repository_id,
    r.repository,
    r.pull_request,
    r.ended_at IS NOT NULL AS ended,
    p.generation IS NOT DISTINCT FROM r.generation AS newest
FROM reviews AS r
LEFT JOIN pull_requests AS p ON r.repository_id = p.repository_id AND r.pull_request = p.number
WHERE
    r.id = %(id)s
    AND (
        %(everything)s
        OR r.installation = ANY(%(installations)s::bigint[])
        OR r.repository_id = ANY(%(repository_ids)s::bigint[])
        OR r.api_key = ANY(%(api_keys)s::text[])
    )
