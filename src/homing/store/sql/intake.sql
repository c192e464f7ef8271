-- A message before it has been paid for. `raw_number`: as the customer wrote it, None where that is `number`.
-- `price_micro`: of a segment. `notes`: a JSON object. `registered`: which reports an SMPP customer asked for (SMPP
-- 3.4, 5.2.17).
-- struct: NewMessage

-- One statement, one transaction: a conditional UPDATE takes the money of each account that can pay for all it asks
-- in this batch, and only what is paid is stored and queued. An account that falls short gets nothing; the caller
-- sees what it has and sends what that covers. `old` is the purse as the UPDATE found it, under its lock: a value
-- read beside it, even FOR UPDATE, can be the one that a concurrent batch has just spent.
-- name: submit -> rows PaymentRow
-- takes: charges AccountCharge, messages NewMessage
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:charges) AS a (account_id bigint, total_micro bigint)
), paying AS (
    UPDATE balance AS b
    SET gift_micro = b.gift_micro - least(b.gift_micro, a.total_micro),
        balance_micro = b.balance_micro - (a.total_micro - least(b.gift_micro, a.total_micro))
    FROM asked AS a
    WHERE b.account_id = ANY (ARRAY[a.account_id]) AND b.gift_micro + b.balance_micro + b.credit_micro >= a.total_micro
    RETURNING b.account_id, old.gift_micro
), fresh AS MATERIALIZED (
    SELECT m.*, m.price_micro * m.segments AS charge_micro,
        greatest(0, least(m.price_micro * m.segments, p.gift_micro - m.before_micro)) AS from_gift_micro
    FROM unnest(:messages, :before_micro) AS m (
        account_id bigint, message_id bigint, submission_id bigint, dialect smallint, app_id text, request_id text,
        raw_number text?, number text, country text, mcc text, mnc text, sender text, text text, encoding smallint,
        segments smallint, traffic smallint, reference text?, callback_url text?, price_micro bigint, route_id int,
        carrier_id int, notes text?, validity_s int, registered smallint?, before_micro bigint
    )
    JOIN paying AS p USING (account_id)
), stored AS (
    INSERT INTO message (
        account_id, message_id, submission_id, dialect, app_id, request_id, raw_number, number,
        country, mcc, mnc, sender, text, encoding, segments,
        traffic, reference, callback_url, price_micro, charge_micro, gift_micro, route_id, carrier_id,
        notes, expires_at, registered
    )
    SELECT account_id, message_id, submission_id, dialect, app_id, request_id, raw_number, number,
        country, mcc, mnc, sender, text, encoding, segments,
        traffic, reference, callback_url, price_micro, charge_micro, from_gift_micro, route_id, carrier_id,
        notes::jsonb, :now::timestamptz + make_interval(secs => validity_s), registered
    FROM fresh
), queued AS (
    INSERT INTO queue (lane, message_id, account_id, due_at, expires_at)
    SELECT carrier_id * :LANES_PER_CARRIER::int + traffic, message_id, account_id, :now::timestamptz,
        :now::timestamptz + make_interval(secs => validity_s)
    FROM fresh
), told AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,
        revenue_micro)
    SELECT account_id, accepted_minute(message_id), carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, 1, charge_micro
    FROM fresh
), booked AS (
    INSERT INTO entry (account_id, at, kind, from_book, to_book, amount_micro, submission_id)
    SELECT account_id, :now::timestamptz, :PostingKind.CHARGE, part.book, :LedgerAccount.SALES, part.amount_micro,
        submission_id
    FROM (
        SELECT account_id, submission_id, sum(from_gift_micro)::bigint AS gift_micro,
            sum(charge_micro - from_gift_micro)::bigint AS rest_micro
        FROM fresh
        GROUP BY account_id, submission_id
    ) AS charged
    CROSS JOIN LATERAL (
        VALUES (:LedgerAccount.GIFT, charged.gift_micro), (:LedgerAccount.BALANCE, charged.rest_micro)
    ) AS part (book, amount_micro)
    WHERE part.amount_micro > 0
)
SELECT a.account_id, p.account_id IS NOT NULL AS is_paid,
    (SELECT gift_micro + balance_micro + credit_micro FROM balance AS b WHERE b.account_id = a.account_id)
        AS available_micro
FROM asked AS a
LEFT JOIN paying AS p USING (account_id)
