-- Work that one process does for all, under a lease (store/leader_lease.py).

-- The owner renews it in the transaction of the work, which is rolled back when another process has taken the lease.
-- name: lease_renew -> value?
UPDATE leader_lease
SET leased_until = now() + :lease::interval, turns = turns + :turns
WHERE name = :name AND owner = :owner
RETURNING turns

-- Takes a lease that is free, has ended or is owned by one of `dead_owners`.
-- name: lease_take -> value?
INSERT INTO leader_lease AS held (name, owner, leased_until)
VALUES (:name, :owner, now() + :lease::interval)
ON CONFLICT (name) DO UPDATE
SET owner = excluded.owner, leased_until = excluded.leased_until
WHERE held.leased_until < now() OR held.owner = ANY (:dead_owners::text[])
RETURNING turns

-- name: lease_owner -> value?
SELECT owner FROM leader_lease WHERE name = :name

-- name: lease_release
UPDATE leader_lease SET leased_until = now() - interval '1 second' WHERE name = :name AND owner = :owner
