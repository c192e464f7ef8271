-- name: node_take
INSERT INTO node (node, owner, leased_until)
SELECT free.node, $1, now() + $2::interval
FROM (
    SELECT number AS node
    FROM generate_series(0, $3::int - 1) AS number
    WHERE NOT EXISTS (SELECT FROM node WHERE node.node = number AND leased_until > now())
    ORDER BY random()
    LIMIT 1
) AS free
ON CONFLICT (node) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
    WHERE node.leased_until <= now()
RETURNING node

-- name: node_renew
UPDATE node SET leased_until = now() + $2::interval
WHERE owner = $1 AND leased_until > now()
RETURNING node

-- name: node_release
UPDATE node SET leased_until = now() + interval '3 seconds' WHERE owner = $1 AND leased_until > now()
