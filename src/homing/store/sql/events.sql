-- A message's pushes go one after the other: one waits while an earlier one is in somebody's hands or is due itself, in
-- whatever process. One that was tried before, and has a later one beside it, is stale, and goes no more; unless somebody
-- asked for it again. SMPP's receipts (kind 4) and alerts (kind 7) are each for itself. $5: accounts that have their share.
-- $6: what the process has in its hands: a clock that is stepped forwards does not make it lapse.
-- name: pushes_claim
WITH due AS MATERIALIZED (
    SELECT p.account_id, p.push_id,
        p.kind <> 4 AND p.kind <> 7 AND p.attempts > p.attempts_replayed AND EXISTS (
            SELECT FROM push AS later
            WHERE later.message_id = p.message_id AND later.account_id + 0 = p.account_id
                AND later.push_id + 0 > p.push_id
        ) AS is_stale
    FROM push AS p
    WHERE p.lane = $1 AND p.due_at <= $2 AND p.account_id <> ALL ($5::bigint[]) AND p.push_id <> ALL ($6::bigint[])
        AND (p.kind = 7 OR NOT EXISTS (
            SELECT FROM push AS earlier
            WHERE earlier.message_id = p.message_id AND earlier.account_id + 0 = p.account_id
                AND earlier.push_id + 0 < p.push_id AND earlier.due_at IS NOT NULL
                AND (earlier.is_claimed OR earlier.due_at <= $2)
        ))
    ORDER BY p.due_at
    LIMIT $3
    FOR UPDATE OF p SKIP LOCKED
), superseded AS (
    UPDATE push AS p
    SET outcome = 3, due_at = NULL, is_claimed = false
    FROM due
    WHERE due.is_stale AND p.account_id = ANY (ARRAY[due.account_id]) AND p.push_id = ANY (ARRAY[due.push_id])
)
UPDATE push AS p
SET due_at = $2::timestamptz + $4::interval, attempts = p.attempts + 1, is_claimed = true
FROM due
WHERE NOT due.is_stale AND p.account_id = ANY (ARRAY[due.account_id]) AND p.push_id = ANY (ARRAY[due.push_id])
RETURNING p.account_id, p.push_id, p.message_id, p.dialect, p.kind, p.url, p.body, p.attempts, p.attempts_replayed

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
    due_at = CASE WHEN stale.is_stale AND p.kind <> 4 THEN NULL ELSE d.due_at END,
    is_claimed = false
FROM done AS d
CROSS JOIN LATERAL (
    SELECT d.outcome = 0 AND EXISTS (
        SELECT FROM push AS later
        WHERE later.message_id = d.message_id AND later.account_id + 0 = d.account_id AND later.push_id + 0 > d.push_id
    ) AS is_stale
) AS stale
WHERE p.account_id = ANY (ARRAY[d.account_id]) AND p.push_id = ANY (ARRAY[d.push_id])
