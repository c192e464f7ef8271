-- Node numbers for message ids, each held by one process under a lease (store/id_nodes.py).

-- name: id_node_take -> value?
INSERT INTO id_node AS taken (node, owner, leased_until)
SELECT free.node, :owner, now() + :lease::interval
FROM (
    SELECT number AS node
    FROM generate_series(0, :nodes::int - 1) AS number
    WHERE NOT EXISTS (SELECT FROM id_node AS held WHERE held.node = number AND leased_until > now())
    ORDER BY random()
    LIMIT 1
) AS free
ON CONFLICT (node) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
    WHERE taken.leased_until <= now()
RETURNING node

-- name: id_node_renew -> value?
UPDATE id_node SET leased_until = now() + :lease::interval
WHERE owner = :owner AND leased_until > now()
RETURNING node

-- name: id_node_release
UPDATE id_node SET leased_until = now() + interval '3 seconds' WHERE owner = :owner AND leased_until > now()
