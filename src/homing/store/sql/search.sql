-- Looking for messages (messages/search.py). Every statement looks at no more than $4 messages of a window of ids, $2 up
-- to $3, and gives of those that fit ($5 the carrier, $6 states) the latest $7; beside them how many it looked at and the
-- lowest of their ids. $1: one account, or null.

-- shared: fitting
SELECT seen.looked, seen.lowest_id, fitting.account_id, fitting.message_id
FROM (SELECT count(*) AS looked, min(message_id) AS lowest_id FROM looked) AS seen
LEFT JOIN LATERAL (
    SELECT account_id, message_id
    FROM looked
    WHERE ($5::int IS NULL OR carrier_id = $5) AND ($6::smallint[] IS NULL OR state = ANY ($6))
    ORDER BY message_id DESC
    LIMIT $7
) AS fitting ON true
ORDER BY fitting.message_id DESC

-- The latest of the window, by the primary key in each account.
-- name: search_latest
WITH looked AS MATERIALIZED (
    SELECT m.*
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT account_id, message_id, carrier_id, state
        FROM message
        WHERE message.account_id = a.account_id AND message_id >= $2 AND message_id < $3
        ORDER BY message_id DESC
        LIMIT $4
    ) AS m
    WHERE $1::bigint IS NULL OR a.account_id = $1
    ORDER BY m.message_id DESC
    LIMIT $4
)
-- here: fitting

-- name: search_number
WITH looked AS MATERIALIZED (
    SELECT account_id, message_id, carrier_id, state
    FROM message
    WHERE number = $8 AND message_id >= $2 AND message_id < $3 AND ($1::bigint IS NULL OR account_id + 0 = $1)
    LIMIT $4
)
-- here: fitting

-- name: search_reference
WITH looked AS MATERIALIZED (
    SELECT account_id, message_id, carrier_id, state
    FROM message
    WHERE reference = $8 AND message_id >= $2 AND message_id < $3 AND ($1::bigint IS NULL OR account_id + 0 = $1)
    LIMIT $4
)
-- here: fitting

-- By the carrier's id of an attempt or of one of its parts, as the carrier wrote it or in another case.
-- name: search_carrier_ref
WITH named AS (
    SELECT account_id, message_id
    FROM attempt
    WHERE reference_key(carrier_ref) = reference_key($8) AND message_id >= $2 AND message_id < $3
    UNION
    SELECT account_id, message_id
    FROM part
    WHERE reference_key(carrier_ref) = reference_key($8) AND message_id >= $2 AND message_id < $3
    LIMIT $4
), looked AS MATERIALIZED (
    SELECT m.account_id, m.message_id, m.carrier_id, m.state
    FROM named
    JOIN message AS m ON m.account_id = ANY (ARRAY[named.account_id]) AND m.message_id = ANY (ARRAY[named.message_id])
    WHERE $1::bigint IS NULL OR m.account_id + 0 = $1
)
-- here: fitting

-- Of a message that came over SMPP in parts each has an id, and the customer may ask by any.
-- name: search_part
SELECT p.account_id, p.message_id
FROM account AS a
JOIN long_part AS p ON p.account_id = a.account_id AND p.part_id = $2
WHERE p.message_id IS NOT NULL AND ($1::bigint IS NULL OR a.account_id = $1)

-- What lists show of messages.
-- name: messages_listed
SELECT m.account_id, m.message_id, m.number, m.country, m.sender, m.text, m.segments, m.state, m.state_seen,
    m.charge_micro, m.refund_micro, m.charge_micro - m.refund_micro AS cost_micro, m.reference, m.error_code,
    m.error_text, m.submitted_at, m.final_at, m.sent_at, m.carrier_id, a.name AS account, c.name AS carrier
FROM unnest($1::bigint[], $2::bigint[]) AS wanted (account_id, message_id)
JOIN message_seen AS m
    ON m.account_id = ANY (ARRAY[wanted.account_id]) AND m.message_id = ANY (ARRAY[wanted.message_id])
JOIN account AS a ON a.account_id = ANY (ARRAY[wanted.account_id])
LEFT JOIN carrier AS c ON c.carrier_id = ANY (ARRAY[m.carrier_id])
ORDER BY m.message_id DESC
