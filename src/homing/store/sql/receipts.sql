-- name: receipts_match
SELECT r.carrier_id, r.carrier_ref, a.account_id, a.message_id
FROM unnest($1::int[], $2::text[]) AS r (carrier_id, carrier_ref)
CROSS JOIN LATERAL (
    SELECT account_id, message_id
    FROM attempt
    WHERE carrier_ref = r.carrier_ref AND carrier_id = r.carrier_id AND message_id >= $3
    ORDER BY message_id + 0 DESC
    LIMIT 1
) AS a

-- name: receipts_add
INSERT INTO receipt (
    account_id, message_id, carrier_id, carrier_ref, received_at, state, error_code, raw, applied
)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::int[], $4::text[], $5::timestamptz[], $6::smallint[], $7::text[], $8::text[],
    $9::boolean[]
)

-- name: parked_add
INSERT INTO parked_receipt (carrier_id, carrier_ref, received_at, state, error_code, raw)
SELECT * FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::smallint[], $5::text[], $6::text[])

-- name: parked_waiting
SELECT p.parked_id, p.carrier_id, c.name AS carrier, p.carrier_ref, p.received_at, p.state, p.error_code, p.raw
FROM parked_receipt AS p
JOIN carrier AS c USING (carrier_id)
WHERE p.given_up_at IS NULL
ORDER BY p.received_at
LIMIT $1

-- name: parked_leave
DELETE FROM parked_receipt WHERE parked_id = ANY($1::bigint[])

-- name: parked_give_up
UPDATE parked_receipt SET given_up_at = now()
WHERE given_up_at IS NULL AND received_at < $1
RETURNING parked_id

-- name: inbound_owner
SELECT m.account_id, m.app_id, app.inbound_url
FROM sender AS s
JOIN LATERAL (
    SELECT account_id, app_id, message_id
    FROM message
    WHERE number = $1 AND account_id + 0 = s.account_id
    ORDER BY message_id + 0 DESC
    LIMIT 1
) AS m ON true
LEFT JOIN app ON app.app_id = m.app_id
WHERE s.sender = $2
ORDER BY m.message_id DESC
LIMIT 1

-- name: inbound_add
INSERT INTO inbound (
    account_id, inbound_id, app_id, carrier_id, number, recipient, content, received_at, mcc, mnc, operator
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
