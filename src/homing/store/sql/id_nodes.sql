-- Node numbers for message ids, each held by one process under a lease (store/id_nodes.py).

-- One that is being taken by another process is passed over. None: all are held.
-- name: id_node_take -> value?
UPDATE id_node
SET owner = :owner, leased_until = now() + :lease::interval
WHERE node = (
    SELECT free.node
    FROM id_node AS free
    WHERE free.leased_until <= now()
    ORDER BY random()
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING node

-- name: id_node_renew -> value?
UPDATE id_node SET leased_until = now() + :lease::interval
WHERE owner = :owner AND leased_until > now()
RETURNING node

-- name: id_node_release
UPDATE id_node SET leased_until = now() + interval '3 seconds' WHERE owner = :owner AND leased_until > now()
