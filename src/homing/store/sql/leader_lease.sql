-- Work that one process does for all, under a lease (store/leader_lease.py).

-- Whoever has it renews it in the transaction of its work: another that has taken it over makes the work come to
-- nothing.
-- name: duty_renew -> value?
UPDATE duty
SET leased_until = now() + :lease::interval, turns = turns + :turns
WHERE name = :name AND owner = :owner
RETURNING turns

-- Free: nobody's, or of an owner whose lease has ended or who is known to be dead (`dead_owners`).
-- name: duty_take -> value?
INSERT INTO duty AS d (name, owner, leased_until)
VALUES (:name, :owner, now() + :lease::interval)
ON CONFLICT (name) DO UPDATE
SET owner = excluded.owner, leased_until = excluded.leased_until
WHERE d.leased_until < now() OR d.owner = ANY (:dead_owners::text[])
RETURNING turns

-- name: duty_owner -> value?
SELECT owner FROM duty WHERE name = :name

-- name: duty_release
UPDATE duty SET leased_until = now() - interval '1 second' WHERE name = :name AND owner = :owner
