-- A row comes back for each message that is the account's; `recorded` tells whether this report was the first.
-- name: conversions_record
WITH known AS MATERIALIZED (
    SELECT report.account_id, report.message_id, report.door, report.reported_at
    FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::timestamptz[])
        AS report (account_id, message_id, door, reported_at)
    WHERE EXISTS (
        SELECT FROM message AS m
        WHERE m.account_id = ANY (ARRAY[report.account_id]) AND m.message_id = ANY (ARRAY[report.message_id])
            AND m.state >= 0
    )
), fresh AS (
    INSERT INTO conversion (account_id, message_id, recorded_at, reported_at, door)
    SELECT account_id, message_id, $5, reported_at, door
    FROM known
    ORDER BY account_id, message_id
    ON CONFLICT DO NOTHING
    RETURNING account_id, message_id
)
SELECT known.account_id, known.message_id, fresh.message_id IS NOT NULL AS recorded
FROM known
LEFT JOIN fresh USING (account_id, message_id)

-- name: purses
SELECT account_id, gift_micro, balance_micro, credit_micro
FROM balance
WHERE account_id = ANY($1::bigint[])
