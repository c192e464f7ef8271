-- `account_id + 0` and `message_id + 0` keep the planner from walking the primary key where the number, the reference
-- or the carrier's id is what finds a handful of rows (docs/decisions/0002-plans-and-indexes.md).
-- name: messages_by_id
SELECT m.*
FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::bigint[]) AS w (account_id, message_id)) AS wanted
JOIN message_seen AS m
    ON m.account_id = ANY (ARRAY[wanted.account_id]) AND m.message_id = ANY (ARRAY[wanted.message_id])

-- name: message_by_reference
SELECT *
FROM message_seen
WHERE reference = $2 AND account_id + 0 = $1
ORDER BY message_id + 0 DESC
LIMIT 1

-- name: message_by_carrier_ref
SELECT m.*
FROM attempt AS a
JOIN message_seen AS m USING (account_id, message_id)
WHERE reference_key(a.carrier_ref) = reference_key($2) AND a.carrier_ref = $2 AND a.account_id + 0 = $1
ORDER BY m.message_id + 0 DESC
LIMIT 1

-- name: message_latest_to_number
SELECT message_id
FROM message
WHERE number = $2 AND account_id + 0 = $1 AND app_id = $3
ORDER BY message_id + 0 DESC
LIMIT 1

-- Finished messages of an app by submit time, which is the order of their ids.
-- A page of the finished messages of a span: from $3 on, below $4. Only a first page has an offset ($6).
-- name: messages_finished
SELECT message_id, coalesce(raw_number, number) AS number, state, final_at
FROM message
WHERE account_id = $1 AND app_id = $2 AND message_id >= $3 AND message_id < $4 AND state = ANY($5::smallint[])
ORDER BY message_id
OFFSET $6
LIMIT $7

-- How many messages of a span, finished or not, $6 at most, and how many of them ended in state $5 and in another of $7.
-- name: messages_finished_count
SELECT count(*) AS looked, max(message_id) AS last_id,
    count(*) FILTER (WHERE app_id = $2 AND state = $5) AS delivered,
    count(*) FILTER (WHERE app_id = $2 AND state <> $5 AND state = ANY($7::smallint[])) AS failed
FROM (
    SELECT message_id, app_id, state
    FROM message
    WHERE account_id = $1 AND message_id >= $3 AND message_id < $4
    ORDER BY message_id
    LIMIT $6
) AS page

-- name: inbound_count
SELECT count(*) AS total
FROM inbound
WHERE account_id = $1 AND app_id = $2 AND received_at >= $3 AND received_at <= $4

-- name: inbound_page
SELECT number, recipient, received_at, content, mcc, mnc, operator
FROM inbound
WHERE account_id = $1 AND app_id = $2 AND received_at >= $3 AND received_at <= $4
ORDER BY received_at DESC, inbound_id DESC
OFFSET $5
LIMIT $6

-- Events in; out come the messages that moved. $1 gives each state's rank, and only a higher rank moves a message. What
-- that changes is told to statistics. A message that no carrier has taken stands on the carrier of its event; one that is
-- delivered without an answer to its submit was taken all the same, and costs what its carrier's list says now.
-- name: messages_move
WITH moved AS (
    UPDATE message AS m
    SET state = e.state,
        sent_at = CASE WHEN e.state = 2 THEN e.at ELSE m.sent_at END,
        final_at = CASE WHEN e.final THEN e.at ELSE m.final_at END,
        error_code = coalesce(e.error_code, m.error_code),
        error_text = coalesce(e.error_text, m.error_text),
        carrier_id = CASE WHEN m.sent_at IS NULL THEN coalesce(e.carrier_id, m.carrier_id) ELSE m.carrier_id END,
        carrier_ref = coalesce(e.carrier_ref, m.carrier_ref),
        carrier_cost_micro = CASE
            WHEN e.state = 2 THEN e.cost_micro
            WHEN e.state = 3 AND m.sent_at IS NULL THEN (
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
            WHEN e.state = $13 AND (SELECT a.refund_undeliverable FROM account AS a WHERE a.account_id = m.account_id)
                THEN m.charge_micro
            ELSE m.refund_micro
        END
    FROM unnest(
        $2::bigint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::boolean[], $7::boolean[], $8::timestamptz[],
        $9::text[], $10::text[], $11::int[], $12::text[], $14::bigint[]
    ) AS e (
        account_id, message_id, state, rank, final, refunded, at, error_code, error_text, carrier_id, carrier_ref,
        cost_micro
    )
    WHERE m.account_id = ANY (ARRAY[e.account_id]) AND m.message_id = ANY (ARRAY[e.message_id])
        AND ($1::smallint[])[m.state + 1] < e.rank
    RETURNING m.account_id, m.message_id, m.dialect, m.app_id, m.raw_number, m.number, m.country, m.mcc, m.mnc,
        m.segments, m.reference, m.callback_url, m.price_micro, m.charge_micro, m.gift_micro, m.refund_micro, m.state,
        m.carrier_id, m.carrier_ref, m.carrier_cost_micro, m.error_code, m.error_text, e.at, e.final, m.registered,
        m.sender, m.submission_id, m.sent_at, old.sent_at IS NULL AS was_unsent, old.carrier_id AS carrier_before,
        old.refund_micro AS refund_before,
        CASE WHEN m.registered <> 0 THEN left(m.text, 20) END AS beginning,
        CASE WHEN m.registered <> 0 THEN m.notes ->> 'parts' END AS parts,
        CASE WHEN m.dialect = ANY ($15::smallint[]) THEN (SELECT report_url FROM app WHERE app.app_id = m.app_id) END AS report_url
), told AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted, sent,
        delivered, undelivered, cost_micro, revenue_micro, receipt_bucket)
    SELECT account_id, accepted_minute(message_id), carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, NULL,
        CASE WHEN state = 2 OR (state = 3 AND was_unsent) THEN 1 END,
        CASE WHEN state = 3 THEN 1 END,
        CASE WHEN final AND state <> 3 THEN 1 END,
        CASE WHEN state = 2 OR (state = 3 AND was_unsent) THEN carrier_cost_micro END,
        CASE WHEN refund_micro <> refund_before THEN refund_before - refund_micro END,
        CASE WHEN state IN (3, 4) AND sent_at IS NOT NULL THEN stat_bucket(at - sent_at) END
    FROM moved
    WHERE state <> 8
    UNION ALL
    SELECT account_id, accepted_minute(message_id), side.carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, side.one, NULL, NULL, NULL, NULL, side.one * (charge_micro - refund_before), NULL
    FROM moved
    CROSS JOIN LATERAL (VALUES (carrier_before, -1), (moved.carrier_id, 1)) AS side (carrier_id, one)
    WHERE moved.carrier_id <> carrier_before
)
SELECT account_id, message_id, dialect, app_id, raw_number, number, mcc, mnc, segments, reference, callback_url,
    price_micro, charge_micro, gift_micro, refund_micro, state, carrier_ref, error_code, error_text, at, registered,
    sender, submission_id, beginning, parts, report_url
FROM moved

-- Back to where it came from: first what the gift paid, then the rest.
-- name: refunds_book
WITH refund AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
        AS r (account_id, message_id, gift_micro, rest_micro)
), total AS (
    SELECT account_id, sum(gift_micro)::bigint AS gift_micro, sum(rest_micro)::bigint AS rest_micro
    FROM refund
    GROUP BY account_id
), returned AS (
    UPDATE balance AS b
    SET gift_micro = b.gift_micro + t.gift_micro, balance_micro = b.balance_micro + t.rest_micro
    FROM (SELECT * FROM total ORDER BY account_id) AS t
    WHERE b.account_id = ANY (ARRAY[t.account_id])
)
INSERT INTO entry (account_id, at, kind, from_book, to_book, amount_micro, message_id)
SELECT account_id, now(), 2, 3, part.book, part.amount_micro, message_id
FROM refund
CROSS JOIN LATERAL (VALUES (1, refund.gift_micro), (2, refund.rest_micro)) AS part (book, amount_micro)
WHERE part.amount_micro > 0

-- name: queue_leave
DELETE FROM queue AS q
USING unnest($1::int[], $2::bigint[]) AS ended (lane, message_id)
WHERE q.lane = ANY (ARRAY[ended.lane]) AND q.message_id = ANY (ARRAY[ended.message_id])

-- Queued, under no claim, and at no carrier: a submit whose answer was lost may have gone out.
-- name: queue_withdraw
SELECT q.lane
FROM message AS m
JOIN queue AS q ON q.lane = ANY (ARRAY[m.carrier_id * $3::int + m.traffic]) AND q.message_id = ANY (ARRAY[m.message_id])
WHERE m.account_id = $1 AND m.message_id = $2 AND m.state = 0 AND q.claimed_by IS NULL
    AND NOT EXISTS (
        SELECT FROM attempt AS a WHERE a.account_id = m.account_id AND a.message_id = m.message_id AND a.outcome = 4
    )
FOR UPDATE OF q SKIP LOCKED

-- name: pushes_add
INSERT INTO push (account_id, lane, message_id, dialect, kind, url, body, created_at, due_at)
SELECT p.account_id, p.lane, p.message_id, p.dialect, p.kind, p.url, p.body, now(), now()
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::text[], $7::text[])
    AS p (account_id, lane, message_id, dialect, kind, url, body)

-- As above, by the process that posts them at once: claimed as they are written, until $8.
-- name: pushes_add_claimed
INSERT INTO push (account_id, lane, message_id, dialect, kind, url, body, created_at, due_at, attempts, is_claimed)
SELECT p.account_id, p.lane, p.message_id, p.dialect, p.kind, p.url, p.body, now(), $8::timestamptz, 1, true
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::text[], $7::text[])
    AS p (account_id, lane, message_id, dialect, kind, url, body)
RETURNING message_id, push_id

-- Bodies of finished messages past their account's retention; receipts can quote them, so their raw text goes too. Whose
-- an unmatched receipt is, nobody knows: for those the shortest retention of all accounts holds. Receipts come for up to
-- $1 days, also when the message is blanked already.
-- name: retention_blank
WITH old AS (
    SELECT account_id, first_id_at(now() - retention_days * interval '24 hours') AS beyond_id
    FROM account
    WHERE retention_days IS NOT NULL
), blanked AS (
    UPDATE message AS m
    SET text = ''
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
        AND r.message_id >= old.beyond_id - (($1::bigint * 86400000) << 12)
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
