-- A submitted message that a receipt may be about, or one part of it. `part` counts from 1; 0: the whole message.
-- `is_current`: the attempt is the message's latest, and so decides its state. `nth`: of the looked-up references, from
-- 1; 0: none was looked up.
-- struct: ReceiptCandidate

-- The messages whose submit answer had a reference with one of the keys (`reference_key`), the newest first. The rows
-- are limited before they are sorted (`looked_max`): a carrier that answers every submit with the same ID must not make
-- each receipt read all of them. One bound on message IDs prunes partitions; with both bounds the planner would take
-- the primary key in place of the reference's index.
-- name: receipts_match -> rows ReceiptCandidate
-- not null: carrier_ref
-- takes: references ReceiptReference
SELECT a.account_id, a.message_id, a.attempt, 0 AS part, :MessageState.SENT AS state, a.carrier_ref, m.number, m.sender,
    m.segments, (a.carrier_id = m.carrier_id AND a.carrier_ref = m.carrier_ref) IS TRUE AS is_current, m.sent_at, r.nth
FROM unnest(:references) WITH ORDINALITY AS r (carrier_id int, key text, nth)
CROSS JOIN LATERAL (
    SELECT *
    FROM (
        SELECT account_id, message_id, attempt, carrier_id, carrier_ref
        FROM attempt
        WHERE reference_key(carrier_ref) = r.key AND carrier_id = r.carrier_id
            AND message_id >= :first_id AND message_id + 0 < :beyond_id
        LIMIT :looked_max
    ) AS same_key
    ORDER BY message_id + 0 DESC
    LIMIT :candidates_max
) AS a
JOIN message AS m ON m.account_id = ANY (ARRAY[a.account_id]) AND m.message_id = ANY (ARRAY[a.message_id])

-- As above, for parts of messages.
-- name: receipts_match_parts -> rows ReceiptCandidate
-- not null: carrier_ref
-- takes: references ReceiptReference
SELECT p.account_id, p.message_id, p.attempt, p.part, p.state, p.carrier_ref, m.number, m.sender, m.segments,
    (p.carrier_id = m.carrier_id AND a.carrier_ref = m.carrier_ref) IS TRUE AS is_current, m.sent_at, r.nth
FROM unnest(:references) WITH ORDINALITY AS r (carrier_id int, key text, nth)
CROSS JOIN LATERAL (
    SELECT *
    FROM (
        SELECT account_id, message_id, attempt, part, state, carrier_id, carrier_ref
        FROM part
        WHERE reference_key(carrier_ref) = r.key AND carrier_id = r.carrier_id
            AND message_id >= :first_id AND message_id + 0 < :beyond_id
        LIMIT :looked_max
    ) AS same_key
    ORDER BY message_id + 0 DESC
    LIMIT :candidates_max
) AS p
JOIN attempt AS a ON a.account_id = ANY (ARRAY[p.account_id]) AND a.message_id = ANY (ARRAY[p.message_id])
    AND a.attempt = p.attempt
JOIN message AS m ON m.account_id = ANY (ARRAY[p.account_id]) AND m.message_id = ANY (ARRAY[p.message_id])

-- Attempts whose submit answer was lost. `is_current`: no other attempt follows, since the message awaits its receipt.
-- name: attempts_unanswered -> rows UnansweredAttempt
SELECT a.account_id, a.message_id, a.attempt, 0 AS part, :MessageState.SENT AS state, '' AS carrier_ref, m.number,
    m.sender, m.segments,
    m.carrier_ref IS NULL AND EXISTS (
        SELECT FROM queue AS q WHERE q.lane = :QueueLane.AWAITING_RECEIPT AND q.message_id = ANY (ARRAY[a.message_id])
    ) AS is_current,
    m.sent_at, a.carrier_id, a.started_at
FROM unnest(:carrier_ids::int[]) AS r (carrier_id)
CROSS JOIN LATERAL (
    WITH unanswered AS MATERIALIZED (
        SELECT account_id, message_id, attempt, carrier_id, started_at
        FROM attempt
        WHERE carrier_id = r.carrier_id AND outcome = :Outcome.UNKNOWN AND carrier_ref IS NULL
            AND message_id >= :first_id AND message_id + 0 < :beyond_id AND started_at >= :started_since
    )
    SELECT * FROM unanswered LIMIT :rows_max
) AS a
JOIN message AS m ON m.account_id = ANY (ARRAY[a.account_id]) AND m.message_id = ANY (ARRAY[a.message_id])

-- Stores the reference of attempts whose answer was lost, taken from their receipt; and the message's, where the
-- attempt is its current one. Returns the attempts that had none.
-- name: attempts_set_reference -> rows ReferencedAttempt
-- takes: attempts AttemptReference
WITH reference AS MATERIALIZED (
    SELECT *
    FROM unnest(:attempts) AS t (
        account_id bigint, message_id bigint, attempt smallint, carrier_ref text, is_current boolean
    )
), updated AS (
    UPDATE attempt AS a
    SET carrier_ref = reference.carrier_ref
    FROM reference
    WHERE a.account_id = ANY (ARRAY[reference.account_id]) AND a.message_id = ANY (ARRAY[reference.message_id])
        AND a.attempt = reference.attempt AND a.carrier_ref IS NULL
    RETURNING a.account_id, a.message_id, a.attempt, a.carrier_id, a.carrier_ref, reference.is_current
), current AS (
    UPDATE message AS m
    SET carrier_id = n.carrier_id, carrier_ref = n.carrier_ref
    FROM updated AS n
    WHERE n.is_current AND m.account_id = ANY (ARRAY[n.account_id]) AND m.message_id = ANY (ARRAY[n.message_id])
        AND m.carrier_ref IS NULL AND m.state IN (:MessageState.QUEUED, :MessageState.UNKNOWN)
    RETURNING m.account_id, m.message_id, m.app_id, m.country, m.mcc, m.mnc, m.number, m.sender, m.charge_micro,
        m.is_resent, old.carrier_id AS carrier_before, m.carrier_id
), counted AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,
        revenue_micro, resent)
    SELECT account_id, accepted_minute(message_id), side.carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, side.change, side.change * charge_micro, is_resent
    FROM current
    CROSS JOIN LATERAL (VALUES (carrier_before, -1), (current.carrier_id, 1)) AS side (carrier_id, change)
    WHERE current.carrier_id <> carrier_before
)
SELECT message_id, attempt FROM updated

-- Stores the reference of a late submit answer with its attempt. Where no later attempt has an answer it becomes the
-- message's too: a message that waits in a carrier's lane to be sent again waits for its receipt instead.
-- name: late_answers_apply -> rows LateAnswerRow
-- takes: answers LateAnswerReference
WITH answer AS MATERIALIZED (
    SELECT *
    FROM unnest(:answers) AS t (account_id bigint, message_id bigint, attempt smallint, carrier_ref text)
), updated AS (
    UPDATE attempt AS a
    SET carrier_ref = answer.carrier_ref
    FROM answer
    WHERE a.account_id = ANY (ARRAY[answer.account_id]) AND a.message_id = ANY (ARRAY[answer.message_id])
        AND a.attempt = answer.attempt AND a.outcome = :Outcome.UNKNOWN AND a.carrier_ref IS NULL
    RETURNING a.account_id, a.message_id, a.attempt, a.carrier_id, a.carrier_ref
), open AS MATERIALIZED (
    SELECT n.*, m.carrier_id * :LANES_PER_CARRIER::int + m.traffic AS lane
    FROM updated AS n
    JOIN message AS m ON m.account_id = ANY (ARRAY[n.account_id]) AND m.message_id = ANY (ARRAY[n.message_id])
    WHERE m.carrier_ref IS NULL
), requeued AS (
    UPDATE queue AS q
    SET lane = :QueueLane.AWAITING_RECEIPT::int, due_at = q.expires_at + :grace::interval
    FROM open AS o
    WHERE q.lane = ANY (ARRAY[o.lane]) AND q.message_id = ANY (ARRAY[o.message_id])
        AND q.claimed_by IS NULL AND q.attempts = o.attempt
    RETURNING q.message_id
), now_current AS MATERIALIZED (
    SELECT o.*
    FROM open AS o
    WHERE o.message_id IN (SELECT message_id FROM requeued) OR EXISTS (
        SELECT FROM queue AS q WHERE q.lane = ANY (ARRAY[:QueueLane.AWAITING_RECEIPT::int])
            AND q.message_id = ANY (ARRAY[o.message_id])
    )
), current AS (
    UPDATE message AS m
    SET carrier_id = s.carrier_id, carrier_ref = s.carrier_ref
    FROM now_current AS s
    WHERE m.account_id = ANY (ARRAY[s.account_id]) AND m.message_id = ANY (ARRAY[s.message_id])
)
SELECT n.account_id, n.message_id, n.message_id IN (SELECT message_id FROM now_current) AS is_current FROM updated AS n

-- name: receipts_add
-- takes: receipts NewReceipt
INSERT INTO receipt (
    account_id, message_id, carrier_id, carrier_ref, received_at, state, error_code, raw, applied
)
SELECT * FROM unnest(:receipts) AS r (
    account_id bigint, message_id bigint, carrier_id int, carrier_ref text, received_at timestamptz, state smallint,
    error_code text?, raw text, applied boolean
)

-- --- parts ------------------------------------------------------------------------------------------------

-- Serialises processes that store receipts of parts of one message, so that each sees the parts of the other.
-- name: parts_lock
-- takes: keys MessageRef
SELECT m.message_id
FROM unnest(:keys) AS w (account_id bigint, message_id bigint)
JOIN message AS m ON m.account_id = ANY (ARRAY[w.account_id]) AND m.message_id = ANY (ARRAY[w.message_id])
FOR NO KEY UPDATE OF m

-- Moves parts to states of a higher rank; `ranks`: each state's rank, by the state's number. Returns the parts that
-- moved.
-- name: parts_move -> rows MovedPart
-- takes: reports PartMove
UPDATE part AS p
SET state = r.state, error_code = r.error_code, reported_at = r.at
FROM unnest(:reports) AS r (
    account_id bigint, message_id bigint, attempt smallint, part smallint, state smallint, error_code text?,
    at timestamptz
)
WHERE p.account_id = ANY (ARRAY[r.account_id]) AND p.message_id = ANY (ARRAY[r.message_id])
    AND p.attempt = r.attempt AND p.part = r.part
    AND (:ranks::smallint[])[p.state + 1] < (:ranks::smallint[])[r.state + 1]
RETURNING p.message_id, p.attempt, p.part

-- name: parts_of -> rows PartRow
-- takes: attempts AttemptKey
SELECT p.message_id, p.attempt, p.part, p.state, p.error_code, p.reported_at
FROM unnest(:attempts) AS w (account_id bigint, message_id bigint, attempt smallint)
JOIN part AS p ON p.account_id = ANY (ARRAY[w.account_id]) AND p.message_id = ANY (ARRAY[w.message_id])
    AND p.attempt = w.attempt
ORDER BY p.message_id, p.attempt, p.part

-- Some parts are delivered: the receipts of the others are awaited until `until` and no longer.
-- name: queue_await_parts
-- takes: keys QueueKey
UPDATE queue AS q
SET due_at = least(q.expires_at + :grace::interval, :until)
FROM unnest(:keys) AS w (lane int, message_id bigint)
WHERE q.lane = ANY (ARRAY[w.lane]) AND q.message_id = ANY (ARRAY[w.message_id])

-- Of overdue messages, those with a delivered part, and the time of the last delivery.
-- name: parts_delivered -> rows DeliveredParts
-- not null: at
-- takes: keys MessageRef
SELECT p.message_id, max(p.reported_at) AS at
FROM unnest(:keys) AS w (account_id bigint, message_id bigint)
JOIN part AS p ON p.account_id = ANY (ARRAY[w.account_id]) AND p.message_id = ANY (ARRAY[w.message_id])
WHERE p.state = :MessageState.DELIVERED
GROUP BY p.message_id

-- --- formats of carriers' message IDs --------------------------------------------------------------------------

-- name: id_formats_count
-- takes: counts IdFormatCount
INSERT INTO id_format AS f (carrier_id, format, confirmed)
SELECT carrier_id, format, confirmed
FROM unnest(:counts) AS r (carrier_id int, format text, confirmed bigint)
WHERE EXISTS (SELECT FROM carrier AS c WHERE c.carrier_id = r.carrier_id)
ON CONFLICT (carrier_id, format) DO UPDATE
SET confirmed = f.confirmed + excluded.confirmed, last_at = now()

-- name: id_formats_all -> rows CarrierIdFormatRow
SELECT carrier_id, format, confirmed FROM id_format

-- name: id_formats_of_carrier -> rows IdFormatRow
SELECT format, confirmed, first_at, last_at
FROM id_format
WHERE carrier_id = :carrier_id
ORDER BY confirmed DESC, format

-- --- parked receipts: early, or of no message -----------------------------------------------------------------

-- name: parked_add
-- takes: receipts NewParkedReceipt
INSERT INTO parked_receipt (
    carrier_id, carrier_ref, received_at, state, error_code, raw, number, waiting_since, due_at
)
SELECT r.carrier_id, r.carrier_ref, r.received_at, r.state, r.error_code, r.raw, r.number, :waiting_since,
    :waiting_since::timestamptz + :first_wait
FROM unnest(:receipts) AS r (
    carrier_id int, carrier_ref text, received_at timestamptz, state smallint, error_code text?, raw text, number text?
)

-- Claims receipts that are due for a retry, at most `rows_max`. The next retry is due after as long again as a receipt
-- has waited, between `wait_min` and `wait_max`, so that old receipts do not delay recent ones. One that has waited
-- since `last_try_since` is claimed for the last time. Time that passed while no process ran, or because the clock was
-- stepped forwards (more than `wait_max` after `due_at`), does not count as waiting.
-- name: parked_claim -> rows ParkedReceiptRow
WITH due AS MATERIALIZED (
    SELECT parked_id,
        waiting_since + CASE WHEN :now - due_at > :wait_max::interval THEN :now - due_at ELSE interval '0' END AS since
    FROM parked_receipt
    WHERE given_up_at IS NULL AND due_at <= :now
    ORDER BY due_at
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE parked_receipt AS p
    SET due_at = :now::timestamptz + greatest(:wait_min::interval, least(:wait_max::interval, :now - due.since)),
        waiting_since = due.since,
        given_up_at = CASE WHEN due.since <= :last_try_since THEN :now END
    FROM due
    WHERE p.parked_id = ANY (ARRAY[due.parked_id])
    RETURNING p.*
)
SELECT p.parked_id, p.carrier_id, c.name AS carrier, p.carrier_ref, p.received_at, p.state, p.error_code, p.raw,
    p.number, p.waiting_since, p.given_up_at IS NOT NULL AS is_last
FROM claimed AS p
JOIN carrier AS c ON c.carrier_id = ANY (ARRAY[p.carrier_id])
ORDER BY p.received_at, p.parked_id

-- name: parked_remove -> values
DELETE FROM parked_receipt AS p
USING unnest(:parked_ids::bigint[]) AS w (parked_id)
WHERE p.parked_id = ANY (ARRAY[w.parked_id])
RETURNING p.parked_id

-- name: parked_delete_old
-- slow
DELETE FROM parked_receipt WHERE given_up_at < :before

-- name: unmatched_by_carrier -> rows UnmatchedByCarrier
SELECT c.name AS carrier, p.unmatched
FROM carrier AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS unmatched
    FROM parked_receipt
    WHERE carrier_id = c.carrier_id AND given_up_at IS NOT NULL
) AS p

-- The latest `rows_max` of one carrier or all, received since `since` and before the row (`before_at`, `before_id`).
-- Read carrier by carrier, as the index is ordered.
-- name: unmatched_list -> rows UnmatchedReceiptRow
-- not null: given_up_at
SELECT p.parked_id, p.carrier_id, p.carrier_ref, p.number, p.received_at, p.state, p.error_code, p.raw, p.replays,
    p.given_up_at, c.name AS carrier
FROM carrier AS c
CROSS JOIN LATERAL (
    SELECT parked_id, carrier_id, carrier_ref, number, received_at, state, error_code, raw, replays, given_up_at
    FROM parked_receipt AS r
    WHERE r.carrier_id = c.carrier_id AND r.given_up_at IS NOT NULL
        AND r.received_at >= coalesce(:since?::timestamptz, '-infinity')
        AND (r.received_at, r.parked_id)
            < (coalesce(:before_at?::timestamptz, 'infinity'), coalesce(:before_id?::bigint, 0))
    ORDER BY r.received_at DESC, r.parked_id DESC
    LIMIT :rows_max
) AS p
WHERE :carrier_id?::int IS NULL OR c.carrier_id = :carrier_id
ORDER BY p.received_at DESC, p.parked_id DESC
LIMIT :rows_max

-- How many each carrier has, counted up to `counted_max`.
-- name: unmatched_counts -> rows UnmatchedCounts
SELECT c.name AS carrier, counted.receipts
FROM carrier AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS receipts
    FROM (
        SELECT FROM parked_receipt AS r WHERE r.carrier_id = c.carrier_id
            AND r.given_up_at IS NOT NULL LIMIT :counted_max
    ) AS limited
) AS counted
WHERE counted.receipts > 0
ORDER BY counted.receipts DESC, c.name

-- name: unmatched_show -> row? UnmatchedReceiptDetail
SELECT p.parked_id, p.carrier_id, p.carrier_ref, p.received_at, p.state, p.error_code, p.raw, p.given_up_at, p.number,
    p.replays, p.waiting_since, p.due_at, c.name AS carrier
FROM parked_receipt AS p
LEFT JOIN carrier AS c USING (carrier_id)
WHERE p.parked_id = :parked_id

-- name: unmatched_count -> rows UnmatchedSpan
-- slow
SELECT c.name AS carrier, count(*) AS unmatched, min(p.received_at) AS oldest_at, max(p.received_at) AS newest_at
FROM parked_receipt AS p
LEFT JOIN carrier AS c USING (carrier_id)
WHERE p.given_up_at IS NOT NULL AND (:carrier_id?::int IS NULL OR p.carrier_id = :carrier_id)
    AND (:since?::timestamptz IS NULL OR p.received_at >= :since)
GROUP BY c.name
ORDER BY count(*) DESC, c.name

-- Parks given-up receipts again, as if they had just arrived; `received_at` stays. `rows_max` null: all that match.
-- name: unmatched_replay -> values
-- slow
WITH chosen AS MATERIALIZED (
    SELECT parked_id
    FROM parked_receipt
    WHERE given_up_at IS NOT NULL AND (:parked_ids?::bigint[] IS NULL OR parked_id = ANY (:parked_ids))
        AND (:carrier_id?::int IS NULL OR carrier_id = :carrier_id)
        AND (:since?::timestamptz IS NULL OR received_at >= :since)
    LIMIT :rows_max?
)
UPDATE parked_receipt AS p
SET given_up_at = NULL, waiting_since = now(), due_at = now(), replays = least(p.replays + 1, 32767)
FROM chosen
WHERE p.parked_id = ANY (ARRAY[chosen.parked_id]) AND p.given_up_at IS NOT NULL
RETURNING p.parked_id

-- name: unmatched_delete -> values
-- slow
WITH chosen AS MATERIALIZED (
    SELECT parked_id
    FROM parked_receipt
    WHERE given_up_at IS NOT NULL AND (:parked_ids?::bigint[] IS NULL OR parked_id = ANY (:parked_ids))
        AND (:carrier_id?::int IS NULL OR carrier_id = :carrier_id)
        AND (:before?::timestamptz IS NULL OR received_at < :before)
    LIMIT :rows_max?
)
DELETE FROM parked_receipt AS p
USING chosen
WHERE p.parked_id = ANY (ARRAY[chosen.parked_id]) AND p.given_up_at IS NOT NULL
RETURNING p.parked_id

-- --- inbound ------------------------------------------------------------------------------------------------

-- The latest message to one of `numbers`, of an account with one of the sender IDs `senders` (as `ltrim(lower(sender),
-- '+0')`). Returns `sender` as the account spells it, if possible like `recipient`; `numbers`: how many of the numbers
-- such accounts have sent messages to.
-- name: inbound_owner -> row? InboundOwner
-- null: event_types
SELECT m.account_id, m.app_id, m.number, m.sender, app.inbound_url,
    coalesce(a.bound_at > now() - make_interval(days => :bound_days), false) AS is_bound,
    count(*) FILTER (WHERE m.is_first) OVER () AS numbers,
    (SELECT f.types FROM event_feed AS f WHERE f.account_id = m.account_id) AS event_types
FROM (
    SELECT latest.*, s.sender,
        row_number() OVER (PARTITION BY latest.number ORDER BY latest.message_id DESC) = 1 AS is_first
    FROM (
        SELECT DISTINCT ON (account_id) account_id, sender
        FROM sender
        WHERE ltrim(lower(sender), '+0') = ANY (:senders::text[])
        ORDER BY account_id, sender = :recipient DESC, sender
    ) AS s
    CROSS JOIN unnest(:numbers::text[]) AS given (number)
    CROSS JOIN LATERAL (
        SELECT account_id, app_id, message_id, number
        FROM message
        WHERE number = ANY (ARRAY[given.number]) AND account_id + 0 = s.account_id
        ORDER BY message_id + 0 DESC
        LIMIT 1
    ) AS latest
) AS m
JOIN account AS a ON a.account_id = ANY (ARRAY[m.account_id])
LEFT JOIN app ON app.app_id = m.app_id
ORDER BY m.message_id DESC
LIMIT 1

-- Serialises processes that receive the same message at once.
-- name: inbound_lock
SELECT pg_advisory_xact_lock(hashtextextended(:key, :seed::int))

-- The same message, received before. The text must be equal too: carriers reuse IDs, and some give all parts of a
-- message the same ID.
-- name: inbound_duplicate -> value?
SELECT inbound_id
FROM inbound
WHERE account_id = :account_id AND carrier_id = :carrier_id AND number = :number AND carrier_ref = :carrier_ref
    AND carrier_ref <> ''
    AND recipient = :recipient AND content = :content AND inbound_id >= :since_id
LIMIT 1

-- name: inbound_add
INSERT INTO inbound (
    account_id, inbound_id, app_id, carrier_id, number, recipient, content, received_at, mcc, mnc, operator, carrier_ref
)
VALUES (:account_id, :inbound_id, :app_id, :carrier_id, :number, :recipient, :content, :received_at, :mcc?, :mnc?,
    :operator?, :carrier_ref)

-- --- inbound messages without an account -----------------------------------------------------------------------

-- A message that a carrier repeats under the same ID is stored once.
-- name: unmatched_inbound_add
INSERT INTO unmatched_inbound (carrier_id, number, recipient, content, carrier_ref, received_at)
SELECT :carrier_id, :number, :recipient, :content, :carrier_ref, :received_at
WHERE :carrier_ref = '' OR NOT EXISTS (
    SELECT FROM unmatched_inbound
    WHERE carrier_id = :carrier_id AND carrier_ref = :carrier_ref AND carrier_ref <> '' AND number = :number
        AND recipient = :recipient
        AND content = :content
)

-- name: unmatched_inbound_list -> rows UnmatchedInboundRow
SELECT u.unmatched_id, u.carrier_id, u.number, u.recipient, u.content, u.carrier_ref, u.received_at, u.kept_at,
    u.replay_at, u.replays, c.name AS carrier
FROM unmatched_inbound AS u
LEFT JOIN carrier AS c USING (carrier_id)
WHERE (:carrier_id?::int IS NULL OR u.carrier_id = :carrier_id)
    AND u.received_at >= coalesce(:since?::timestamptz, '-infinity')
    AND u.unmatched_id < coalesce(:before_id?::bigint, 9223372036854775807)
ORDER BY u.unmatched_id DESC
LIMIT :rows_max

-- How many each carrier has, counted up to `counted_max`.
-- name: unmatched_inbound_counts -> rows UnmatchedInboundCounts
SELECT c.name AS carrier, counted.messages
FROM carrier AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM (SELECT FROM unmatched_inbound AS u WHERE u.carrier_id = c.carrier_id LIMIT :counted_max) AS few
) AS counted
ORDER BY c.name

-- name: unmatched_inbound_replay -> values
-- slow
UPDATE unmatched_inbound
SET replay_at = now(), replays = least(replays + 1, 32767)
WHERE (:unmatched_ids?::bigint[] IS NULL OR unmatched_id = ANY (:unmatched_ids))
    AND (:carrier_id?::int IS NULL OR carrier_id = :carrier_id)
RETURNING unmatched_id

-- name: unmatched_inbound_delete -> values
-- slow
DELETE FROM unmatched_inbound
WHERE (:unmatched_ids?::bigint[] IS NULL OR unmatched_id = ANY (:unmatched_ids))
    AND (:carrier_id?::int IS NULL OR carrier_id = :carrier_id)
RETURNING unmatched_id

-- name: unmatched_inbound_claim -> rows ReplayedInbound
SELECT unmatched_id, carrier_id, number, recipient, content, carrier_ref, received_at
FROM unmatched_inbound
WHERE replay_at IS NOT NULL
ORDER BY replay_at, unmatched_id
LIMIT :rows_max
FOR UPDATE SKIP LOCKED

-- name: unmatched_inbound_end_replay
UPDATE unmatched_inbound SET replay_at = NULL WHERE unmatched_id = :unmatched_id

-- name: unmatched_inbound_remove
DELETE FROM unmatched_inbound WHERE unmatched_id = :unmatched_id

-- Those stored more than `days` days ago, and the oldest beyond `rows_max`.
-- name: unmatched_inbound_delete_old
-- slow
DELETE FROM unmatched_inbound
WHERE kept_at < now() - make_interval(days => :days) OR unmatched_id <= (
    SELECT unmatched_id FROM unmatched_inbound ORDER BY unmatched_id DESC OFFSET :rows_max LIMIT 1
)
