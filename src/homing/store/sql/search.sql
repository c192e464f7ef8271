-- Searches of messages (messages/search.py). Every statement reads at most `looked_max` messages of a window of IDs
-- (`first_id` up to `beyond_id`) and returns the latest `rows_max` that match `carrier_id` and `states`, with how many
-- it read and the lowest of their IDs. `account_id`: one account; null: all.

-- shared: fitting
SELECT seen.looked, seen.lowest_id, fitting.account_id, fitting.message_id
FROM (SELECT count(*) AS looked, min(message_id) AS lowest_id FROM looked) AS seen
LEFT JOIN LATERAL (
    SELECT account_id, message_id
    FROM looked
    WHERE (:carrier_id?::int IS NULL OR carrier_id = :carrier_id)
        AND (:states?::smallint[] IS NULL OR state = ANY (:states))
    ORDER BY message_id DESC
    LIMIT :rows_max
) AS fitting ON true
ORDER BY fitting.message_id DESC

-- The latest of the window, by the primary key in each account.
-- name: search_latest -> rows SearchHit
-- null: lowest_id, account_id, message_id
WITH looked AS MATERIALIZED (
    SELECT m.*
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT account_id, message_id, carrier_id, state
        FROM message
        WHERE message.account_id = a.account_id AND message_id >= :first_id AND message_id < :beyond_id
        ORDER BY message_id DESC
        LIMIT :looked_max
    ) AS m
    WHERE :account_id?::bigint IS NULL OR a.account_id = :account_id
    ORDER BY m.message_id DESC
    LIMIT :looked_max
)
-- here: fitting

-- name: search_number -> rows SearchHit
-- null: lowest_id, account_id, message_id
WITH looked AS MATERIALIZED (
    SELECT account_id, message_id, carrier_id, state
    FROM message
    WHERE number = :number AND message_id >= :first_id AND message_id < :beyond_id
        AND (:account_id?::bigint IS NULL OR account_id + 0 = :account_id)
    LIMIT :looked_max
)
-- here: fitting

-- name: search_reference -> rows SearchHit
-- null: lowest_id, account_id, message_id
WITH looked AS MATERIALIZED (
    SELECT account_id, message_id, carrier_id, state
    FROM message
    WHERE reference = :reference AND message_id >= :first_id AND message_id < :beyond_id
        AND (:account_id?::bigint IS NULL OR account_id + 0 = :account_id)
    LIMIT :looked_max
)
-- here: fitting

-- By the carrier's id of an attempt or of one of its parts, as the carrier wrote it or in another case.
-- name: search_carrier_ref -> rows SearchHit
-- null: lowest_id, account_id, message_id
WITH by_ref AS (
    SELECT account_id, message_id
    FROM attempt
    WHERE reference_key(carrier_ref) = reference_key(:carrier_ref) AND message_id >= :first_id
        AND message_id < :beyond_id
    UNION
    SELECT account_id, message_id
    FROM part
    WHERE reference_key(carrier_ref) = reference_key(:carrier_ref) AND message_id >= :first_id
        AND message_id < :beyond_id
    LIMIT :looked_max
), looked AS MATERIALIZED (
    SELECT m.account_id, m.message_id, m.carrier_id, m.state
    FROM by_ref
    JOIN message AS m ON m.account_id = ANY (ARRAY[by_ref.account_id]) AND m.message_id = ANY (ARRAY[by_ref.message_id])
    WHERE :account_id?::bigint IS NULL OR m.account_id + 0 = :account_id
)
-- here: fitting

-- The message of a part: each part of a message that was submitted over SMPP in parts has an ID of its own.
-- name: search_part -> row? PartOwner
-- not null: message_id
SELECT p.account_id, p.message_id
FROM account AS a
JOIN submitted_part AS p ON p.account_id = a.account_id AND p.part_id = :part_id
WHERE p.message_id IS NOT NULL AND (:account_id?::bigint IS NULL OR a.account_id = :account_id)

-- The columns of message lists.
-- name: messages_listed -> rows ListedMessage
-- takes: keys MessageRef
SELECT m.account_id, m.message_id, m.number, m.country, m.sender, coalesce(m.masked_text, m.text) AS text, m.segments, m.state, m.state_seen,
    m.charge_micro, m.refund_micro, m.charge_micro - m.refund_micro AS cost_micro, m.reference, m.error_code,
    m.error_text, m.reason, m.submitted_at, m.final_at, m.sent_at, m.carrier_id, a.name AS account, c.name AS carrier
FROM unnest(:keys) AS requested (account_id bigint, message_id bigint)
JOIN message_seen AS m
    ON m.account_id = ANY (ARRAY[requested.account_id]) AND m.message_id = ANY (ARRAY[requested.message_id])
JOIN account AS a ON a.account_id = ANY (ARRAY[requested.account_id])
LEFT JOIN carrier AS c ON c.carrier_id = ANY (ARRAY[m.carrier_id])
ORDER BY m.message_id DESC
