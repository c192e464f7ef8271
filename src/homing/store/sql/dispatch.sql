-- Claims due messages of one lane: `due_at` becomes the end of the lease, when they are due again. `previous_owner` and
-- `previous_claimed_at`: of a claim that ended without an answer.
-- name: queue_claim -> rows ClaimedMessage
WITH due AS MATERIALIZED (
    SELECT lane, message_id
    FROM queue
    WHERE lane = :lane AND due_at <= :now
    ORDER BY due_at
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE queue AS q
    SET due_at = :now::timestamptz + :lease::interval, attempts = q.attempts + 1, claimed_by = :owner, claimed_at = :now
    FROM due
    WHERE q.lane = ANY (ARRAY[due.lane]) AND q.message_id = ANY (ARRAY[due.message_id])
    RETURNING q.account_id, q.message_id, q.attempts, q.expires_at, old.claimed_by AS previous_owner,
        old.claimed_at AS previous_claimed_at
)
SELECT c.account_id, c.message_id, c.attempts, c.expires_at, c.previous_owner, c.previous_claimed_at,
    m.number, m.sender, m.text, m.encoding, m.segments, m.state, m.notes
FROM claimed AS c
JOIN message AS m ON m.account_id = ANY (ARRAY[c.account_id]) AND m.message_id = ANY (ARRAY[c.message_id])

-- Adds attempts. An attempt that was added with an unknown outcome, since its claim lapsed, gets its answer when that
-- comes after all. Statistics count an attempt as refused unless it was accepted, and no longer if that changes.
-- name: attempts_add
-- takes: attempts NewAttempt
WITH added AS (
    INSERT INTO attempt (
        account_id, message_id, attempt, carrier_id, started_at, answered_at, outcome, carrier_ref, error_code,
        error_text, reason
    )
    SELECT account_id, message_id, attempt, :carrier_id, started_at, :answered_at, outcome, carrier_ref, error_code,
        error_text, reason::jsonb
    FROM unnest(:attempts) AS a (
        account_id bigint, message_id bigint, attempt smallint, started_at timestamptz, outcome smallint,
        carrier_ref text?, error_code text?, error_text text?, reason text?
    )
    ON CONFLICT (account_id, message_id, attempt) DO UPDATE
    SET carrier_id = excluded.carrier_id, started_at = excluded.started_at, answered_at = excluded.answered_at,
        outcome = excluded.outcome, carrier_ref = excluded.carrier_ref, error_code = excluded.error_code,
        error_text = excluded.error_text, reason = excluded.reason
    WHERE attempt.outcome = :Outcome.UNKNOWN AND excluded.outcome <> :Outcome.UNKNOWN
    RETURNING account_id, message_id,
        (new.outcome <> :Outcome.ACCEPTED)::int
            - (old.outcome IS NOT NULL AND old.outcome <> :Outcome.ACCEPTED)::int AS refused
)
INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, refused)
SELECT m.account_id, accepted_minute(m.message_id), :carrier_id, m.app_id, m.country, m.mcc || m.mnc,
    left(m.number, -3), m.sender, a.refused
FROM added AS a
JOIN message AS m ON m.account_id = ANY (ARRAY[a.account_id]) AND m.message_id = ANY (ARRAY[a.message_id])
WHERE a.refused <> 0

-- name: parts_add
-- takes: parts NewPart
INSERT INTO part (account_id, message_id, attempt, part, carrier_id, carrier_ref)
SELECT account_id, message_id, attempt, part, :carrier_id, carrier_ref
FROM unnest(:parts) AS p (account_id bigint, message_id bigint, attempt smallint, part smallint, carrier_ref text)
ON CONFLICT DO NOTHING

-- Submitted messages wait for their receipts in a lane of their own, due when their validity and the grace are over.
-- name: queue_await
-- takes: keys QueueKey
UPDATE queue AS q
SET lane = :QueueLane.AWAITING_RECEIPT, due_at = q.expires_at + :grace::interval, claimed_by = NULL
FROM unnest(:keys) AS sent (lane int, message_id bigint)
WHERE q.lane = ANY (ARRAY[sent.lane]) AND q.message_id = ANY (ARRAY[sent.message_id])

-- name: queue_defer
-- takes: deferrals QueueDeferral
UPDATE queue AS q
SET due_at = later.due_at, claimed_by = NULL
FROM unnest(:deferrals) AS later (lane int, message_id bigint, due_at timestamptz)
WHERE q.lane = ANY (ARRAY[later.lane]) AND q.message_id = ANY (ARRAY[later.message_id])

-- What a message is routed by, and the carriers of its attempts: `tried` all, `tried_not_deferred` without those that
-- deferred it.
-- name: reroute_facts -> rows RerouteFacts
-- takes: keys MessageRef
SELECT m.account_id, m.message_id, m.app_id, m.sender, m.traffic, m.number, m.country, m.mcc, m.mnc, m.price_micro,
    m.notes, tries.tried, tries.tried_not_deferred
FROM unnest(:keys) AS w (account_id bigint, message_id bigint)
JOIN message AS m ON m.account_id = ANY (ARRAY[w.account_id]) AND m.message_id = ANY (ARRAY[w.message_id])
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(carrier_id), '{}') AS tried,
        coalesce(array_agg(carrier_id) FILTER (WHERE outcome <> :Outcome.DEFERRED), '{}') AS tried_not_deferred
    FROM attempt AS a
    WHERE a.account_id = m.account_id AND a.message_id = m.message_id
) AS tries

-- name: queue_move
-- takes: moves QueueMove
UPDATE queue AS q
SET lane = going.to_lane, due_at = going.due_at, claimed_by = NULL, attempts = q.attempts + going.uncounted_attempts
FROM unnest(:moves) AS going (lane int, message_id bigint, to_lane int, due_at timestamptz, uncounted_attempts smallint)
WHERE q.lane = ANY (ARRAY[going.lane]) AND q.message_id = ANY (ARRAY[going.message_id])

-- Assigns queued messages to other carriers, in statistics too. `route_id` stays as it was chosen at accept: the
-- timeline shows it, and the attempts show the rest. A message that has left this state by a late answer or receipt
-- keeps its carrier.
-- name: messages_reroute
-- takes: moves MessageReroute
WITH moved AS (
    UPDATE message AS m
    SET carrier_id = r.carrier_id
    FROM unnest(:moves) AS r (account_id bigint, message_id bigint, carrier_id int)
    WHERE m.account_id = ANY (ARRAY[r.account_id]) AND m.message_id = ANY (ARRAY[r.message_id])
        AND m.state = :MessageState.QUEUED
    RETURNING m.account_id, m.message_id, m.app_id, m.country, m.mcc, m.mnc, m.number, m.sender, m.charge_micro,
        m.is_resent, old.carrier_id AS carrier_before, m.carrier_id
)
INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,
    revenue_micro, resent)
SELECT account_id, accepted_minute(message_id), side.carrier_id, app_id, country, mcc || mnc,
    left(number, -3), sender, side.change, side.change * charge_micro, is_resent
FROM moved
CROSS JOIN LATERAL (VALUES (carrier_before, -1), (moved.carrier_id, 1)) AS side (carrier_id, change)
WHERE moved.carrier_id <> carrier_before

-- A lane's messages that have been due since before `due_to`, the next page after (`after_due_at`, `after_message_id`).
-- name: queue_overaged -> rows OveragedMessage
SELECT account_id, message_id, due_at, attempts, claimed_by
FROM queue
WHERE lane = :lane AND due_at <= :due_to
    AND (
        :after_due_at?::timestamptz IS NULL
        OR due_at >= :after_due_at AND (due_at, message_id) > (:after_due_at, :after_message_id?::bigint)
    )
ORDER BY due_at, message_id
LIMIT :rows_max
FOR UPDATE SKIP LOCKED

-- name: carriers_by_health -> rows CarrierHealthRow
SELECT c.carrier_id, c.name, NOT c.enabled OR coalesce(NOT s.is_up OR s.leased_until < now(), true) AS is_down
FROM carrier AS c
LEFT JOIN carrier_session AS s USING (carrier_id)
ORDER BY c.carrier_id

-- Makes messages due that a carrier's previous owner has claimed.
-- name: claims_release
UPDATE queue SET due_at = now()
WHERE lane = ANY(:lanes::int[]) AND claimed_by IS NOT NULL AND claimed_by <> :owner AND due_at > now()

-- --- leases on carriers --------------------------------------------------------------------------------------

-- Renews this process's leases and stores the carriers' health. Returns the carriers that it still owns.
-- name: carriers_renew -> values
-- takes: reports CarrierHealthReport
UPDATE carrier_session AS s
SET leased_until = now() + :lease::interval, is_up = h.is_up, detail = h.detail::jsonb,
    changed_at = CASE WHEN s.is_up <> h.is_up THEN now() ELSE s.changed_at END
FROM unnest(:reports) AS h (carrier_id int, is_up boolean, detail text)
WHERE s.carrier_id = h.carrier_id AND s.owner = :owner
RETURNING s.carrier_id

-- Takes carriers without an owner, or whose owner's lease has ended or process is known to be dead (`dead_owners`).
-- Returns those taken.
-- name: carriers_take -> values
INSERT INTO carrier_session AS s (carrier_id, owner, leased_until)
SELECT carrier_id, :owner, now() + :lease::interval FROM unnest(:carrier_ids::int[]) AS candidate (carrier_id)
ON CONFLICT (carrier_id) DO UPDATE
SET owner = excluded.owner, leased_until = excluded.leased_until, is_up = false, detail = '{}', changed_at = now()
WHERE s.leased_until < now() OR s.owner = ANY(:dead_owners::text[])
RETURNING carrier_id

-- name: carriers_owned -> rows CarrierOwnerRow
SELECT carrier_id, owner, leased_until < now() AS is_lapsed FROM carrier_session

-- name: carrier_release
DELETE FROM carrier_session WHERE carrier_id = ANY(:carrier_ids::int[]) AND owner = :owner

-- name: links_alive -> values
SELECT owner FROM id_node WHERE leased_until > now() AND owner LIKE '%:link%'

-- Messages whose receipt is overdue. Locks the message and not its queue row: receipts lock the message first and then
-- delete the row, and the other order would deadlock.
-- name: queue_expired -> rows ExpiredMessage
SELECT q.account_id, q.message_id, q.lane
FROM queue AS q
JOIN message AS m ON m.account_id = ANY (ARRAY[q.account_id]) AND m.message_id = ANY (ARRAY[q.message_id])
WHERE q.lane = :QueueLane.AWAITING_RECEIPT AND q.due_at <= :now
ORDER BY q.due_at
LIMIT :rows_max
FOR NO KEY UPDATE OF m SKIP LOCKED

-- Messages past their validity in a lane that no process serves, as of a disabled carrier. After an outage of the
-- database the answer of a claim that has just lapsed may still be in a process's memory: `grace` is left for it to be
-- stored.
-- name: queue_overdue -> rows ExpiredMessage
SELECT account_id, message_id, lane
FROM queue
WHERE lane <> :QueueLane.AWAITING_RECEIPT AND expires_at <= :now AND due_at <= :now
    AND (claimed_by IS NULL OR due_at <= :now::timestamptz - :grace::interval)
LIMIT :rows_max
FOR UPDATE SKIP LOCKED

-- name: carriers_enabled -> rows EnabledCarrier
SELECT carrier_id, name, kind, settings::text AS settings
FROM carrier
WHERE enabled
ORDER BY carrier_id

-- name: carrier_outstanding -> rows OutstandingRow
-- not null: carrier_ref, sent_at
SELECT m.carrier_ref, m.number, m.sender, m.sent_at
FROM queue AS q
JOIN message AS m USING (account_id, message_id)
WHERE q.lane = :QueueLane.AWAITING_RECEIPT AND m.carrier_id = :carrier_id AND m.state = :MessageState.SENT
    AND m.carrier_ref IS NOT NULL
ORDER BY q.due_at
LIMIT :rows_max
