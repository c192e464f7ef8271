-- What became of the messages of a time, in the order of their submits. A scan and a sort, by nobody but `lab replay`:
-- it has its session to itself, and the sort spills to disk.
-- name: replay_messages -> stream ReplayedMessage
-- null: credited_at
SELECT m.account_id, m.message_id, m.app_id, m.sender, m.traffic, m.number, m.country, m.mcc, m.mnc, m.segments,
    m.price_micro, m.charge_micro, m.refund_micro, m.carrier_id, m.state, m.sent_at, m.final_at, c.credited_at
FROM message AS m
LEFT JOIN conversion AS c USING (account_id, message_id)
WHERE m.message_id >= :first_id AND m.message_id < :beyond_id
    AND (:account_id?::bigint IS NULL OR m.account_id = :account_id)
ORDER BY m.message_id
