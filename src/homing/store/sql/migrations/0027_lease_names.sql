-- The tables of leases, in the terms that the code uses. Nothing is released yet, so no other version runs beside this
-- one.

ALTER TABLE duty RENAME TO leader_lease;
ALTER INDEX duty_pkey RENAME TO leader_lease_pkey;
UPDATE leader_lease SET name = 'aggregator' WHERE name = 'brain';

ALTER TABLE node RENAME TO id_node;
ALTER INDEX node_pkey RENAME TO id_node_pkey;
