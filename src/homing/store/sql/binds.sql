-- Customers' binds: who is bound, the parts of long messages, and what is delivered to binds.

-- name: binds_lock
SELECT a.account_id
FROM (SELECT DISTINCT unnest(:account_ids::bigint[]) AS account_id) AS w
JOIN account AS a ON a.account_id = ANY (ARRAY[w.account_id])
ORDER BY a.account_id
FOR NO KEY UPDATE OF a

-- Under the lock above, as a statement of its own, so that it sees what whoever held the lock before has written.
-- A process's binds count while it holds a node number.
-- name: binds_take -> values
-- takes: binds NewBind
WITH asked AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY bind_id) AS place
    FROM unnest(:binds) AS a (account_id bigint, bind_id bigint, kind smallint, system_id text, address text)
), counted AS MATERIALIZED (
    SELECT b.account_id, count(*) AS others
    FROM bind AS b
    WHERE b.account_id = ANY (ARRAY(SELECT k.account_id FROM asked AS k))
        AND b.owner = ANY (ARRAY(SELECT n.owner FROM id_node AS n WHERE n.leased_until > now()))
    GROUP BY b.account_id
)
INSERT INTO bind (account_id, bind_id, owner, kind, system_id, address)
SELECT k.account_id, k.bind_id, :owner, k.kind, k.system_id, k.address
FROM asked AS k
JOIN account AS a ON a.account_id = ANY (ARRAY[k.account_id])
LEFT JOIN counted AS c ON c.account_id = k.account_id
WHERE coalesce(c.others, 0) + k.place <= a.binds_max
RETURNING bind_id

-- name: binds_release
-- takes: binds BindKey
DELETE FROM bind AS b
USING unnest(:binds) AS w (account_id bigint, bind_id bigint)
WHERE b.account_id = ANY (ARRAY[w.account_id]) AND b.bind_id = ANY (ARRAY[w.bind_id])

-- name: binds_owners -> rows BindOwnerRow
SELECT DISTINCT b.owner, n.owner IS NOT NULL AS is_alive
FROM bind AS b
LEFT JOIN id_node AS n ON n.owner = b.owner AND n.leased_until > now()

-- name: binds_forget
DELETE FROM bind WHERE owner = ANY (:owners::text[])

-- name: binds_list -> rows BindRow
SELECT kind, system_id, address, since, owner
FROM bind
WHERE account_id = :account_id AND owner IN (SELECT owner FROM id_node WHERE leased_until > now())
ORDER BY since, bind_id

-- name: binds_seen
UPDATE account SET bound_at = :seen_at
WHERE account_id = ANY (:account_ids::bigint[])
    AND (bound_at IS NULL OR bound_at < :seen_at::timestamptz - :resolution::interval)

-- --- parts of long messages ---------------------------------------------------------------------------------

-- Whoever adds to a set or ends one holds this first: two processes that store a set's last two parts at once must not
-- each miss the other's.
-- name: part_sets_lock
SELECT pg_advisory_xact_lock(key) FROM unnest(:keys::bigint[]) AS key

-- By account, what it can spend and how many of its parts wait for others; no more than `counted_max` of those are
-- counted.
-- name: part_allowances -> rows PartAllowance
SELECT b.account_id, b.gift_micro + b.balance_micro + b.credit_micro AS available_micro,
    (
        SELECT count(*)
        FROM (SELECT FROM submitted_part AS p WHERE p.account_id = b.account_id
            AND p.due_at IS NOT NULL LIMIT :counted_max) AS open_parts
    ) AS parts
FROM balance AS b
WHERE b.account_id = ANY (:account_ids::bigint[])

-- A part that comes again, because its answer was late, is the one that there is.
-- name: submitted_parts_put -> rows PutSubmittedPart
-- takes: parts NewSubmittedPart
INSERT INTO submitted_part (account_id, part_id, number, sender, reference, total, part, content, request, due_at)
SELECT p.*, :due_at
FROM unnest(:parts) AS p (
    account_id bigint, part_id bigint, number text, sender text, reference int, total smallint, part smallint,
    content bytea, request text
)
ON CONFLICT (account_id, number, sender, reference, total, part, ended) DO UPDATE
SET content = excluded.content, request = excluded.request, due_at = excluded.due_at
RETURNING account_id, part_id, number, sender, reference, total, part

-- `ended + 0`: so that the set's other columns are what finds it (docs/decisions/0002-plans-and-indexes.md).
-- name: part_set_members -> rows PartSetMember
-- not null: due_at
-- takes: sets PartSetKey
SELECT p.account_id, p.part_id, p.number, p.sender, p.reference, p.total, p.part, p.content, p.request, p.due_at
FROM (
    SELECT DISTINCT * FROM unnest(:sets) AS w (
        account_id bigint, number text, sender text, reference int, total smallint
    )
) AS w
JOIN submitted_part AS p ON p.account_id = ANY (ARRAY[w.account_id]) AND p.number = ANY (ARRAY[w.number])
    AND p.sender = ANY (ARRAY[w.sender]) AND p.reference = ANY (ARRAY[w.reference]) AND p.total = ANY (ARRAY[w.total])
WHERE p.ended + 0 = 0
ORDER BY p.part_id
FOR UPDATE OF p

-- name: submitted_parts_lease
-- takes: parts SubmittedPartKey
UPDATE submitted_part AS p
SET due_at = :due_at
FROM unnest(:parts) AS w (account_id bigint, part_id bigint)
WHERE p.account_id = ANY (ARRAY[w.account_id]) AND p.part_id = ANY (ARRAY[w.part_id])

-- name: submitted_parts_end -> values
-- takes: parts SubmittedPartEnd
UPDATE submitted_part AS p
SET due_at = NULL, ended = p.part_id, content = '', message_id = w.message_id, state = w.state
FROM unnest(:parts) AS w (account_id bigint, part_id bigint, message_id bigint?, state smallint)
WHERE p.account_id = ANY (ARRAY[w.account_id]) AND p.part_id = ANY (ARRAY[w.part_id]) AND p.ended + 0 = 0
RETURNING p.part_id

-- name: part_sets_overdue -> rows OverduePartSet
SELECT account_id, number, sender, reference, total
FROM submitted_part
WHERE due_at <= :now
ORDER BY due_at
LIMIT :rows_max

-- name: submitted_part_find -> row? SubmittedPartRow
SELECT message_id, state, ended <> 0 AS has_ended
FROM submitted_part
WHERE account_id = :account_id AND part_id = :part_id

-- name: submitted_parts_delete_old
DELETE FROM submitted_part WHERE ended <> 0 AND part_id < :before_id

-- --- deliveries ---------------------------------------------------------------------------------------------

-- For each account as many as its binds have `room` for. A receipt waits for the notice
-- that went before it: they arrive in their order, whichever binds they take.
-- name: deliveries_claim -> rows DeliveryRow
-- takes: rooms BindRoom
WITH due AS MATERIALIZED (
    SELECT p.account_id, p.push_id
    FROM unnest(:rooms) AS b (account_id bigint, room int)
    CROSS JOIN LATERAL (
        SELECT w.account_id, w.push_id
        FROM push AS w
        WHERE w.account_id = b.account_id AND w.lane = :PushLane.BINDS AND w.due_at IS NOT NULL AND w.due_at <= :now
            AND NOT EXISTS (
                SELECT FROM push AS earlier
                WHERE earlier.message_id = ANY (ARRAY[w.message_id]) AND earlier.account_id + 0 = w.account_id
                    AND earlier.push_id + 0 < w.push_id AND earlier.kind = :PushKind.NOTICE
                    AND earlier.outcome = :PushOutcome.PENDING
            )
        ORDER BY w.due_at
        LIMIT b.room
        FOR UPDATE SKIP LOCKED
    ) AS p
    LIMIT :rows_max
)
UPDATE push AS p
SET due_at = :now::timestamptz + :lease::interval, attempts = p.attempts + 1
FROM due
WHERE p.account_id = ANY (ARRAY[due.account_id]) AND p.push_id = ANY (ARRAY[due.push_id])
RETURNING p.account_id, p.push_id, p.message_id, p.kind, p.body, p.attempts, p.attempts_replayed

-- For whom nobody has come: due since `due_since` and not tried since.
-- name: deliveries_give_up -> values
WITH waiting AS MATERIALIZED (
    SELECT account_id, push_id
    FROM push
    WHERE lane = :PushLane.BINDS AND due_at <= :due_since
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED
)
UPDATE push AS p
SET due_at = NULL, outcome = :PushOutcome.GIVEN_UP
FROM waiting AS w
WHERE p.account_id = ANY (ARRAY[w.account_id]) AND p.push_id = ANY (ARRAY[w.push_id])
RETURNING p.push_id
