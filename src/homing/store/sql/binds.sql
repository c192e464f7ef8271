-- Customers' binds: who is bound, the parts of long messages, and what is delivered to binds.

-- name: binds_lock
SELECT a.account_id
FROM (SELECT DISTINCT unnest($1::bigint[]) AS account_id) AS w
JOIN account AS a ON a.account_id = ANY (ARRAY[w.account_id])
ORDER BY a.account_id
FOR NO KEY UPDATE OF a

-- Under the lock above, as a statement of its own, so that it sees what whoever held the lock before has written.
-- A process's binds count while it holds a node number.
-- name: binds_take
WITH asked AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY bind_id) AS place
    FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::text[])
        AS a (account_id, bind_id, kind, system_id, address)
), counted AS MATERIALIZED (
    SELECT b.account_id, count(*) AS others
    FROM bind AS b
    WHERE b.account_id = ANY ($2)
        AND b.owner = ANY (ARRAY(SELECT n.owner FROM node AS n WHERE n.leased_until > now()))
    GROUP BY b.account_id
)
INSERT INTO bind (account_id, bind_id, owner, kind, system_id, address)
SELECT k.account_id, k.bind_id, $1, k.kind, k.system_id, k.address
FROM asked AS k
JOIN account AS a ON a.account_id = ANY (ARRAY[k.account_id])
LEFT JOIN counted AS c ON c.account_id = k.account_id
WHERE coalesce(c.others, 0) + k.place <= a.binds_max
RETURNING bind_id

-- name: binds_release
DELETE FROM bind AS b
USING unnest($1::bigint[], $2::bigint[]) AS w (account_id, bind_id)
WHERE b.account_id = ANY (ARRAY[w.account_id]) AND b.bind_id = ANY (ARRAY[w.bind_id])

-- name: binds_owners
SELECT DISTINCT b.owner, n.owner IS NOT NULL AS is_alive
FROM bind AS b
LEFT JOIN node AS n ON n.owner = b.owner AND n.leased_until > now()

-- name: binds_forget
DELETE FROM bind WHERE owner = ANY ($1::text[])

-- name: binds_list
SELECT kind, system_id, address, since, owner
FROM bind
WHERE account_id = $1 AND owner IN (SELECT owner FROM node WHERE leased_until > now())
ORDER BY since, bind_id

-- name: binds_seen
UPDATE account SET bound_at = $2
WHERE account_id = ANY ($1::bigint[]) AND (bound_at IS NULL OR bound_at < $2::timestamptz - $3::interval)

-- --- parts of long messages ---------------------------------------------------------------------------------

-- Whoever adds to a set or ends one holds this first: two processes that store a set's last two parts at once must not
-- each miss the other's.
-- name: long_lock
SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key

-- By account, what it can spend and how many of its parts wait for others; no more than $2 of those are counted.
-- name: long_room
SELECT b.account_id, b.gift_micro + b.balance_micro + b.credit_micro AS available_micro,
    (
        SELECT count(*)
        FROM (SELECT FROM long_part AS p WHERE p.account_id = b.account_id AND p.due_at IS NOT NULL LIMIT $2) AS found
    ) AS parts
FROM balance AS b
WHERE b.account_id = ANY ($1::bigint[])

-- A part that comes again, because its answer was late, is the one that there is.
-- name: long_put
INSERT INTO long_part (account_id, part_id, number, sender, reference, total, part, content, form, due_at)
SELECT p.*, $1
FROM unnest(
    $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::int[], $7::smallint[], $8::smallint[], $9::bytea[], $10::text[]
) AS p (account_id, part_id, number, sender, reference, total, part, content, form)
ON CONFLICT (account_id, number, sender, reference, total, part, ended) DO UPDATE
SET content = excluded.content, form = excluded.form, due_at = excluded.due_at
RETURNING account_id, part_id, number, sender, reference, total, part

-- `ended + 0`: so that the set's other columns are what finds it (docs/decisions/0002-plans-and-indexes.md).
-- name: long_members
SELECT p.account_id, p.part_id, p.number, p.sender, p.reference, p.total, p.part, p.content, p.form, p.due_at
FROM (
    SELECT DISTINCT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::smallint[])
        AS w (account_id, number, sender, reference, total)
) AS w
JOIN long_part AS p ON p.account_id = ANY (ARRAY[w.account_id]) AND p.number = ANY (ARRAY[w.number])
    AND p.sender = ANY (ARRAY[w.sender]) AND p.reference = ANY (ARRAY[w.reference]) AND p.total = ANY (ARRAY[w.total])
WHERE p.ended + 0 = 0
ORDER BY p.part_id
FOR UPDATE OF p

-- name: long_lease
UPDATE long_part AS p
SET due_at = $1
FROM unnest($2::bigint[], $3::bigint[]) AS w (account_id, part_id)
WHERE p.account_id = ANY (ARRAY[w.account_id]) AND p.part_id = ANY (ARRAY[w.part_id])

-- name: long_end
UPDATE long_part AS p
SET due_at = NULL, ended = p.part_id, content = '', message_id = w.message_id, state = w.state
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[]) AS w (account_id, part_id, message_id, state)
WHERE p.account_id = ANY (ARRAY[w.account_id]) AND p.part_id = ANY (ARRAY[w.part_id]) AND p.ended + 0 = 0
RETURNING p.part_id

-- name: long_overdue
SELECT account_id, number, sender, reference, total
FROM long_part
WHERE due_at <= $1
ORDER BY due_at
LIMIT $2

-- name: long_find
SELECT message_id, state, ended <> 0 AS has_ended FROM long_part WHERE account_id = $1 AND part_id = $2

-- name: long_forget
DELETE FROM long_part WHERE ended <> 0 AND part_id < $1

-- --- deliveries ---------------------------------------------------------------------------------------------

-- For each account ($1) as many as its binds have room for ($2). A receipt waits for the notice (kind 6) that went before
-- it: they arrive in their order, whichever binds they take.
-- name: deliveries_claim
WITH due AS MATERIALIZED (
    SELECT p.account_id, p.push_id
    FROM unnest($1::bigint[], $2::int[]) AS b (account_id, room)
    CROSS JOIN LATERAL (
        SELECT w.account_id, w.push_id
        FROM push AS w
        WHERE w.account_id = b.account_id AND w.lane = -1 AND w.due_at IS NOT NULL AND w.due_at <= $3
            AND NOT EXISTS (
                SELECT FROM push AS earlier
                WHERE earlier.message_id = ANY (ARRAY[w.message_id]) AND earlier.account_id + 0 = w.account_id
                    AND earlier.push_id + 0 < w.push_id AND earlier.kind = 6 AND earlier.outcome = 0
            )
        ORDER BY w.due_at
        LIMIT b.room
        FOR UPDATE SKIP LOCKED
    ) AS p
    LIMIT $4
)
UPDATE push AS p
SET due_at = $3::timestamptz + $5::interval, attempts = p.attempts + 1
FROM due
WHERE p.account_id = ANY (ARRAY[due.account_id]) AND p.push_id = ANY (ARRAY[due.push_id])
RETURNING p.account_id, p.push_id, p.message_id, p.kind, p.body, p.attempts, p.attempts_replayed

-- For whom nobody has come: due since $1 and not tried since.
-- name: deliveries_give_up
WITH waiting AS MATERIALIZED (
    SELECT account_id, push_id FROM push WHERE lane = -1 AND due_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE push AS p
SET due_at = NULL, outcome = 2
FROM waiting AS w
WHERE p.account_id = ANY (ARRAY[w.account_id]) AND p.push_id = ANY (ARRAY[w.push_id])
RETURNING p.push_id
