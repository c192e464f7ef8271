-- One statement, one transaction: a conditional UPDATE takes the money of each account that can pay for all it asks
-- in this batch, and only what is paid is stored and queued. An account that falls short gets nothing; the caller
-- sees what it has and sends what that covers. `old` is the purse as the UPDATE found it, under its lock: a value
-- read beside it, even FOR UPDATE, can be the one that a concurrent batch has just spent.
-- name: submit
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::bigint[]) AS a (account_id, total_micro)
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
    FROM unnest(
        $4::bigint[], $5::bigint[], $6::bigint[], $7::smallint[], $8::text[], $9::text[], $10::text[], $11::text[],
        $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::smallint[], $18::smallint[],
        $19::smallint[], $20::text[], $21::text[], $22::bigint[], $23::int[], $24::int[], $25::text[], $26::int[],
        $27::smallint[], $28::bigint[]
    ) AS m (
        account_id, message_id, submission_id, dialect, app_id, request_id, raw_number, number,
        country, mcc, mnc, sender, text, encoding, segments,
        traffic, reference, callback_url, price_micro, route_id, carrier_id, notes, validity_s,
        registered, before_micro
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
        notes::jsonb, $1::timestamptz + make_interval(secs => validity_s), registered
    FROM fresh
), queued AS (
    INSERT INTO queue (lane, message_id, account_id, due_at, expires_at)
    SELECT carrier_id * $29::int + traffic, message_id, account_id, $1::timestamptz,
        $1::timestamptz + make_interval(secs => validity_s)
    FROM fresh
), told AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,
        revenue_micro)
    SELECT account_id, accepted_minute(message_id), carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, 1, charge_micro
    FROM fresh
), booked AS (
    INSERT INTO entry (account_id, at, kind, from_book, to_book, amount_micro, submission_id)
    SELECT account_id, $1::timestamptz, 1, part.book, 3, part.amount_micro, submission_id
    FROM (
        SELECT account_id, submission_id, sum(from_gift_micro)::bigint AS gift_micro,
            sum(charge_micro - from_gift_micro)::bigint AS rest_micro
        FROM fresh
        GROUP BY account_id, submission_id
    ) AS charged
    CROSS JOIN LATERAL (VALUES (1, charged.gift_micro), (2, charged.rest_micro)) AS part (book, amount_micro)
    WHERE part.amount_micro > 0
)
SELECT a.account_id, p.account_id IS NOT NULL AS is_paid,
    (SELECT gift_micro + balance_micro + credit_micro FROM balance AS b WHERE b.account_id = a.account_id)
        AS available_micro
FROM asked AS a
LEFT JOIN paying AS p USING (account_id)
