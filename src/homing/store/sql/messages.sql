-- `account_id + 0` and `message_id + 0` keep the planner from walking the primary key where the number, the reference
-- or the carrier's id is what finds a handful of rows (docs/decisions/0002-plans-and-indexes.md).
-- name: messages_by_id -> rows MessageRow
-- takes: keys MessageRef
SELECT m.account_id, m.message_id, m.submission_id, m.dialect, m.app_id, m.request_id, m.raw_number, m.number,
    m.country, m.mcc, m.mnc, m.sender, coalesce(m.masked_text, m.text) AS text, m.encoding, m.segments, m.traffic, m.reference, m.callback_url,
    m.price_micro, m.charge_micro, m.gift_micro, m.refund_micro, m.route_id, m.carrier_id, m.notes, m.state,
    m.expires_at, m.sent_at, m.final_at, m.carrier_ref, m.error_code, m.error_text, m.registered, m.carrier_cost_micro,
    m.reason, m.submitted_at, m.state_seen
FROM (SELECT DISTINCT * FROM unnest(:keys) AS w (account_id bigint, message_id bigint)) AS requested
JOIN message_seen AS m
    ON m.account_id = ANY (ARRAY[requested.account_id]) AND m.message_id = ANY (ARRAY[requested.message_id])

-- name: message_by_reference -> row? MessageRow
SELECT account_id, message_id, submission_id, dialect, app_id, request_id, raw_number, number, country, mcc, mnc,
    sender, coalesce(masked_text, text) AS text, encoding, segments, traffic, reference, callback_url, price_micro,
    charge_micro, gift_micro, refund_micro, route_id, carrier_id, notes, state, expires_at, sent_at, final_at,
    carrier_ref, error_code, error_text, registered, carrier_cost_micro, reason, submitted_at, state_seen
FROM message_seen
WHERE reference = :reference AND account_id + 0 = :account_id
ORDER BY message_id + 0 DESC
LIMIT 1

-- name: message_by_carrier_ref -> row? MessageRow
SELECT m.account_id, m.message_id, m.submission_id, m.dialect, m.app_id, m.request_id, m.raw_number, m.number,
    m.country, m.mcc, m.mnc, m.sender, coalesce(m.masked_text, m.text) AS text, m.encoding, m.segments, m.traffic, m.reference, m.callback_url,
    m.price_micro, m.charge_micro, m.gift_micro, m.refund_micro, m.route_id, m.carrier_id, m.notes, m.state,
    m.expires_at, m.sent_at, m.final_at, m.carrier_ref, m.error_code, m.error_text, m.registered, m.carrier_cost_micro,
    m.reason, m.submitted_at, m.state_seen
FROM attempt AS a
JOIN message_seen AS m USING (account_id, message_id)
WHERE reference_key(a.carrier_ref) = reference_key(:carrier_ref) AND a.carrier_ref = :carrier_ref
    AND a.account_id + 0 = :account_id
ORDER BY m.message_id + 0 DESC
LIMIT 1

-- name: message_latest_to_number -> value?
SELECT message_id
FROM message
WHERE number = :number AND account_id + 0 = :account_id AND app_id = :app_id
ORDER BY message_id + 0 DESC
LIMIT 1

-- A page of an app's finished messages by submit time, which is the order of their IDs: from `first_id` on, below
-- `beyond_id`. Only a first page has an offset.
-- name: messages_finished -> rows FinishedMessage
SELECT message_id, coalesce(raw_number, number) AS number, state, final_at
FROM message
WHERE account_id = :account_id AND app_id = :app_id AND message_id >= :first_id AND message_id < :beyond_id
    AND state = ANY(:states::smallint[])
ORDER BY message_id
OFFSET :offset
LIMIT :rows_max

-- Counts the messages of a span, finished or not, up to `looked_max`, and those of an app among them that are in state
-- `delivered` or in another of `final_states`.
-- name: messages_finished_count -> row FinishedCounts
-- null: last_id
SELECT count(*) AS looked, max(message_id) AS last_id,
    count(*) FILTER (WHERE app_id = :app_id AND state = :delivered) AS delivered,
    count(*) FILTER (WHERE app_id = :app_id AND state <> :delivered
        AND state = ANY(:final_states::smallint[])) AS failed
FROM (
    SELECT message_id, app_id, state
    FROM message
    WHERE account_id = :account_id AND message_id >= :first_id AND message_id < :beyond_id
    ORDER BY message_id
    LIMIT :looked_max
) AS page

-- name: inbound_count -> value
SELECT count(*) AS total
FROM inbound
WHERE account_id = :account_id AND app_id = :app_id AND received_at >= :since AND received_at <= :until

-- name: inbound_page -> rows InboundPageRow
SELECT number, recipient, received_at, content, mcc, mnc, operator
FROM inbound
WHERE account_id = :account_id AND app_id = :app_id AND received_at >= :since AND received_at <= :until
ORDER BY received_at DESC, inbound_id DESC
OFFSET :offset
LIMIT :rows_max

-- An account's latest inbound messages below an ID, which are times.
-- name: inbound_before -> rows InboundListRow
SELECT inbound_id, app_id, number, recipient, content, received_at, mcc, mnc, operator
FROM inbound
WHERE account_id = :account_id AND inbound_id < :before_id AND inbound_id >= :first_id
ORDER BY inbound_id DESC
LIMIT :rows_max

-- Applies events to messages and returns those that moved. A message moves to states of a higher rank only; `ranks`:
-- each state's rank, by the state's number. Statistics are counted in the same statement. An unsent message gets the
-- carrier of its event. One that is delivered without a submit answer was accepted all the same; its cost is the
-- carrier's present price. A code goes out of the text with the message. What left only after its code had left again in
-- another message says nothing of a carrier. `event_types`: of the account's feed; looking them up for each message costs
-- the database 2 us of 57, and once for a batch, by a join or an array, no less. `is_resendable`: it has failed, and its
-- app sends likely lost codes again.
-- name: messages_move -> rows MovedMessage
-- null: beginning, parts, report_url, event_types, is_resendable
-- takes: events MessageEvent
WITH moved AS (
    UPDATE message AS m
    SET state = e.state,
        text = coalesce(m.masked_text, m.text),
        sent_at = CASE WHEN e.state = :MessageState.SENT THEN e.at ELSE m.sent_at END,
        final_at = CASE WHEN e.final THEN e.at ELSE m.final_at END,
        error_code = coalesce(e.error_code, m.error_code),
        error_text = CASE WHEN e.reason IS NULL THEN coalesce(e.error_text, m.error_text) END,
        reason = CASE WHEN e.error_text IS NULL THEN coalesce(e.reason::jsonb, m.reason) END,
        carrier_id = CASE WHEN m.sent_at IS NULL THEN coalesce(e.carrier_id, m.carrier_id) ELSE m.carrier_id END,
        carrier_ref = coalesce(e.carrier_ref, m.carrier_ref),
        carrier_cost_micro = CASE
            WHEN e.state = :MessageState.SENT THEN e.cost_micro
            WHEN e.state = :MessageState.DELIVERED AND m.sent_at IS NULL THEN (
                SELECT c.cost_micro * m.segments
                FROM carrier_cost AS c
                WHERE c.carrier_id = coalesce(e.carrier_id, m.carrier_id) AND starts_with(m.number, c.prefix)
                ORDER BY length(c.prefix) DESC
                LIMIT 1
            )
            ELSE m.carrier_cost_micro
        END,
        refund_micro = CASE
            WHEN e.refunded THEN m.charge_micro
            WHEN e.state = :MessageState.UNDELIVERABLE
                AND (SELECT a.refund_undeliverable FROM account AS a WHERE a.account_id = m.account_id)
                THEN m.charge_micro
            ELSE m.refund_micro
        END
    FROM unnest(:events) AS e (
        account_id bigint, message_id bigint, state smallint, rank smallint, final boolean, refunded boolean,
        at timestamptz, error_code text?, error_text text?, carrier_id int?, carrier_ref text?, cost_micro bigint?,
        reason text?
    )
    WHERE m.account_id = ANY (ARRAY[e.account_id]) AND m.message_id = ANY (ARRAY[e.message_id])
        AND (:ranks::smallint[])[m.state + 1] < e.rank
    RETURNING m.account_id, m.message_id, m.dialect, m.app_id, m.raw_number, m.number, m.country, m.mcc, m.mnc,
        m.segments, m.reference, m.callback_url, m.price_micro, m.charge_micro, m.gift_micro, m.refund_micro, m.state,
        m.carrier_id, m.carrier_ref, m.carrier_cost_micro, m.error_code, m.error_text, m.reason, e.at, e.final,
        m.registered, m.sender, m.submission_id, m.is_resent, m.superseded_at, m.sent_at, old.sent_at IS NULL AS was_unsent,
        old.carrier_id AS carrier_before,
        old.refund_micro AS refund_before,
        CASE WHEN m.registered <> 0 THEN left(m.text, 20) END AS beginning,
        CASE WHEN m.registered <> 0 THEN m.notes ->> 'parts' END AS parts,
        CASE
            WHEN m.dialect = ANY (:app_reporting::smallint[])
                THEN (SELECT report_url FROM app WHERE app.app_id = m.app_id)
        END AS report_url,
        m.final_at, (SELECT f.types FROM event_feed AS f WHERE f.account_id = m.account_id) AS event_types,
        CASE
            WHEN e.final AND e.state <> :MessageState.DELIVERED
                THEN (SELECT app.resend_messages > 0 FROM app WHERE app.app_id = m.app_id)
        END AS is_resendable
), counted AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted, sent,
        delivered, undelivered, cost_micro, revenue_micro, receipt_bucket, resent)
    SELECT account_id, accepted_minute(message_id), carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, NULL,
        CASE WHEN state = :MessageState.SENT OR (state = :MessageState.DELIVERED AND was_unsent) THEN 1 END,
        CASE WHEN state = :MessageState.DELIVERED THEN 1 END,
        CASE WHEN final AND state <> :MessageState.DELIVERED THEN 1 END,
        CASE
            WHEN state = :MessageState.SENT OR (state = :MessageState.DELIVERED AND was_unsent) THEN carrier_cost_micro
        END,
        CASE WHEN refund_micro <> refund_before THEN refund_before - refund_micro END,
        CASE
            WHEN state IN (:MessageState.DELIVERED, :MessageState.UNDELIVERABLE) AND sent_at IS NOT NULL
                THEN stat_bucket(at - sent_at)
        END,
        CASE
            WHEN is_resent OR superseded_at < sent_at OR (superseded_at IS NOT NULL AND sent_at IS NULL) THEN true
        END
    FROM moved
    WHERE state <> :MessageState.UNKNOWN
    UNION ALL
    SELECT account_id, accepted_minute(message_id), side.carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, side.change, NULL, NULL, NULL, NULL,
        side.change * (charge_micro - refund_before), NULL, is_resent
    FROM moved
    CROSS JOIN LATERAL (VALUES (carrier_before, -1), (moved.carrier_id, 1)) AS side (carrier_id, change)
    WHERE moved.carrier_id <> carrier_before
)
SELECT account_id, message_id, dialect, app_id, raw_number, number, mcc, mnc, segments, reference, callback_url,
    price_micro, charge_micro, gift_micro, refund_micro, state, carrier_ref, error_code, error_text, reason, at,
    registered, sender, submission_id, beginning, parts, report_url, country, sent_at, final_at, event_types,
    is_resendable
FROM moved

-- name: queue_remove
-- takes: keys QueueKey
DELETE FROM queue AS q
USING unnest(:keys) AS ended (lane int, message_id bigint)
WHERE q.lane = ANY (ARRAY[ended.lane]) AND q.message_id = ANY (ARRAY[ended.message_id])

-- Locks the queue rows of those messages that can be cancelled: queued, not claimed, and certainly at no carrier (a
-- submit whose answer was lost may have been sent).
-- name: queue_cancel -> rows CancellableMessage
SELECT m.message_id, q.lane
FROM message AS m
JOIN queue AS q ON q.lane = ANY (ARRAY[m.carrier_id * :LANES_PER_CARRIER::int + m.traffic])
    AND q.message_id = ANY (ARRAY[m.message_id])
WHERE m.account_id = :account_id AND m.message_id = ANY (:message_ids::bigint[]) AND m.state = :MessageState.QUEUED
    AND q.claimed_by IS NULL
    AND NOT EXISTS (
        SELECT FROM attempt AS a
        WHERE a.account_id = m.account_id AND a.message_id = m.message_id AND a.outcome = :Outcome.UNKNOWN
    )
ORDER BY m.message_id
FOR UPDATE OF q SKIP LOCKED

-- Deletes the texts of messages past their account's retention, and the raw text of their receipts, which can quote
-- them. The account of an unmatched receipt is not known: for those the shortest retention of all accounts holds.
-- Receipts arrive for up to `receipt_days` days, also after the message's text is deleted.
-- name: retention_blank
-- slow
WITH old AS (
    SELECT account_id, first_id_at(now() - retention_days * interval '24 hours') AS beyond_id
    FROM account
    WHERE retention_days IS NOT NULL
), blanked AS (
    UPDATE message AS m
    SET text = '', masked_text = NULL
    FROM old
    WHERE m.account_id = old.account_id AND m.message_id < old.beyond_id AND m.text <> ''
    RETURNING m.account_id, m.message_id
), quotes AS (
    UPDATE receipt AS r
    SET raw = ''
    FROM blanked
    WHERE r.account_id = blanked.account_id AND r.message_id = blanked.message_id
), late_quotes AS (
    UPDATE receipt AS r
    SET raw = ''
    FROM old
    WHERE r.account_id = old.account_id AND r.message_id < old.beyond_id AND r.raw <> ''
        AND r.message_id >= old.beyond_id - ((:receipt_days::bigint * 86400000) << 12)
        AND (r.account_id, r.message_id) NOT IN (SELECT account_id, message_id FROM blanked)
), replies AS (
    UPDATE inbound AS i
    SET content = ''
    FROM old
    WHERE i.account_id = old.account_id AND i.inbound_id < old.beyond_id AND i.content <> ''
), unmatched AS (
    UPDATE parked_receipt
    SET raw = ''
    WHERE given_up_at IS NOT NULL AND raw <> ''
        AND received_at < now() - make_interval(days => (SELECT min(retention_days) FROM account))
), unmatched_replies AS (
    UPDATE unmatched_inbound
    SET content = ''
    WHERE content <> '' AND received_at < now() - make_interval(days => (SELECT min(retention_days) FROM account))
)
UPDATE push AS p
SET body = ''
FROM old
WHERE p.account_id = old.account_id AND p.message_id < old.beyond_id AND p.due_at IS NULL AND p.body <> ''
