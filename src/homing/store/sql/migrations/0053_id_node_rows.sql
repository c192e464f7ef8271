-- A row for each node number, so that processes which start together lock different ones (store/id_nodes.py).
-- compatible: 0045
INSERT INTO id_node (node, owner, leased_until)
SELECT number, '', '-infinity' FROM generate_series(0, 63) AS number
ON CONFLICT DO NOTHING;
