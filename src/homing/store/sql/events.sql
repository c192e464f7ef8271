-- name: pushes_claim
WITH due AS MATERIALIZED (
    SELECT account_id, push_id
    FROM push
    WHERE lane = $1 AND due_at <= $2
    ORDER BY due_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE push AS p
SET due_at = $2::timestamptz + $4::interval, attempts = p.attempts + 1
FROM due
WHERE p.account_id = ANY (ARRAY[due.account_id]) AND p.push_id = ANY (ARRAY[due.push_id])
RETURNING p.account_id, p.push_id, p.message_id, p.kind, p.url, p.body, p.attempts, p.attempts_replayed

-- A failed push whose message has a later one is stale: a late "Acknowledged" may not follow "Delivered".
-- SMPP's receipts (kind 4) are all final; a message that came in parts has several, and each is for itself.
-- took_ms below zero: the address was resting, nothing was sent, and the attempt does not count.
-- name: pushes_record
WITH done AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::bigint[], $2::bigint[], $3::smallint[], $4::timestamptz[], $5::int[], $6::int[], $7::text[],
        $8::smallint[], $9::timestamptz[], $10::bigint[]
    ) AS d (account_id, push_id, attempt, at, took_ms, status, answer, outcome, due_at, message_id)
), told AS (
    INSERT INTO push_attempt (account_id, push_id, attempt, at, took_ms, status, answer)
    SELECT account_id, push_id, attempt, at, took_ms, status, answer FROM done WHERE took_ms >= 0
    ON CONFLICT DO NOTHING
)
UPDATE push AS p
SET attempts = CASE WHEN d.took_ms < 0 THEN p.attempts - 1 ELSE p.attempts END,
    outcome = CASE WHEN stale.is_stale AND p.kind <> 4 THEN 3 ELSE d.outcome END,
    due_at = CASE WHEN stale.is_stale AND p.kind <> 4 THEN NULL ELSE d.due_at END
FROM done AS d
CROSS JOIN LATERAL (
    SELECT d.outcome = 0 AND EXISTS (
        SELECT FROM push AS later
        WHERE later.message_id = d.message_id AND later.account_id + 0 = d.account_id AND later.push_id + 0 > d.push_id
    ) AS is_stale
) AS stale
WHERE p.account_id = ANY (ARRAY[d.account_id]) AND p.push_id = ANY (ARRAY[d.push_id])
