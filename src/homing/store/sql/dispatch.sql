-- A claim names one lane; the lease is the time at which the row is due again.
-- name: queue_claim
WITH due AS MATERIALIZED (
    SELECT lane, message_id
    FROM queue
    WHERE lane = $1 AND due_at <= $2
    ORDER BY due_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE queue AS q
    SET due_at = $2::timestamptz + $4::interval, attempts = q.attempts + 1, claimed_by = $5
    FROM due
    WHERE q.lane = ANY (ARRAY[due.lane]) AND q.message_id = ANY (ARRAY[due.message_id])
    RETURNING q.account_id, q.message_id, q.attempts, q.expires_at
)
SELECT c.account_id, c.message_id, c.attempts, c.expires_at,
    m.number, m.sender, m.text, m.encoding, m.segments, m.state
FROM claimed AS c
JOIN message AS m ON m.account_id = ANY (ARRAY[c.account_id]) AND m.message_id = ANY (ARRAY[c.message_id])

-- name: attempts_add
INSERT INTO attempt (
    account_id, message_id, attempt, carrier_id, started_at, answered_at, outcome, carrier_ref, error_code, error_text
)
SELECT account_id, message_id, attempt, $1, started_at, $2, outcome, carrier_ref, error_code, error_text
FROM unnest(
    $3::bigint[], $4::bigint[], $5::smallint[], $6::timestamptz[], $7::smallint[], $8::text[], $9::text[], $10::text[]
) AS a (account_id, message_id, attempt, started_at, outcome, carrier_ref, error_code, error_text)
ON CONFLICT DO NOTHING

-- Accepted messages wait in lane 0, due when their validity and the grace are over.
-- name: queue_await
UPDATE queue AS q
SET lane = 0, due_at = q.expires_at + $3::interval, claimed_by = NULL
FROM unnest($1::int[], $2::bigint[]) AS sent (lane, message_id)
WHERE q.lane = ANY (ARRAY[sent.lane]) AND q.message_id = ANY (ARRAY[sent.message_id])

-- name: queue_defer
UPDATE queue AS q
SET due_at = later.due_at, claimed_by = NULL
FROM unnest($1::int[], $2::bigint[], $3::timestamptz[]) AS later (lane, message_id, due_at)
WHERE q.lane = ANY (ARRAY[later.lane]) AND q.message_id = ANY (ARRAY[later.message_id])

-- name: queue_expired
SELECT account_id, message_id, lane
FROM queue
WHERE lane = 0 AND due_at <= $1
ORDER BY due_at
LIMIT $2
FOR UPDATE SKIP LOCKED

-- Past their validity in a lane that nobody serves: a disabled carrier's.
-- name: queue_overdue
SELECT account_id, message_id, lane
FROM queue
WHERE lane <> 0 AND expires_at <= $1 AND due_at <= $1
LIMIT $2
FOR UPDATE SKIP LOCKED

-- name: carriers_enabled
SELECT carrier_id, name, kind, settings::text AS settings
FROM carrier
WHERE enabled
ORDER BY carrier_id

-- name: carrier_outstanding
SELECT m.carrier_ref, m.number, m.sender, m.sent_at
FROM queue AS q
JOIN message AS m USING (account_id, message_id)
WHERE q.lane = 0 AND m.carrier_id = $1 AND m.state = 2 AND m.carrier_ref IS NOT NULL
ORDER BY q.due_at
LIMIT $2
