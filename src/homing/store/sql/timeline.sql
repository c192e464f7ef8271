-- What is stored of a message. Read by account and then by ID, so that each look-up is one probe of a key in an
-- account, whatever the size of the tables.

-- name: timeline_message -> row? TimelineMessage
SELECT m.account_id, m.message_id, m.submission_id, m.dialect, m.app_id, m.request_id, m.raw_number, m.number,
    m.country, m.mcc, m.mnc, m.sender, coalesce(m.masked_text, m.text) AS text, m.encoding, m.segments, m.traffic, m.reference, m.callback_url,
    m.price_micro, m.charge_micro, m.gift_micro, m.refund_micro, m.route_id, m.carrier_id, m.notes, m.state,
    m.expires_at, m.sent_at, m.final_at, m.carrier_ref, m.error_code, m.error_text, m.registered, m.carrier_cost_micro,
    m.reason, accepted_at(m.message_id) AS submitted_at,
    a.name AS account, app.name AS app, used.name AS carrier,
    r.country AS route_country, r.network AS route_network, r.prefix AS route_prefix, r.priority AS route_priority, r.weight AS route_weight, chosen.name AS route_carrier
FROM account AS a
JOIN message AS m ON m.account_id = a.account_id AND m.message_id = :message_id
LEFT JOIN app ON app.app_id = m.app_id
LEFT JOIN carrier AS used ON used.carrier_id = m.carrier_id
LEFT JOIN route AS r ON r.route_id = m.route_id
LEFT JOIN carrier AS chosen ON chosen.carrier_id = r.carrier_id

-- name: timeline_carriers -> rows CarrierName
SELECT carrier_id, name FROM carrier

-- name: timeline_attempts -> rows TimelineAttempt
SELECT t.attempt, t.started_at, t.answered_at, t.outcome, t.carrier_ref, t.error_code, t.error_text, t.reason,
    c.name AS carrier
FROM attempt AS t
LEFT JOIN carrier AS c USING (carrier_id)
WHERE t.account_id = :account_id AND t.message_id = :message_id
ORDER BY t.attempt

-- name: timeline_receipts -> rows TimelineReceipt
SELECT r.received_at, r.state, r.error_code, r.raw, r.applied, c.name AS carrier
FROM receipt AS r
LEFT JOIN carrier AS c USING (carrier_id)
WHERE r.account_id = :account_id AND r.message_id = :message_id
ORDER BY r.receipt_id

-- name: timeline_parts -> rows TimelinePart
SELECT p.attempt, p.part, p.carrier_ref, p.state, p.error_code, p.reported_at
FROM part AS p
WHERE p.account_id = :account_id AND p.message_id = :message_id
ORDER BY p.attempt, p.part

-- name: timeline_pushes -> rows TimelinePush
SELECT push_id, dialect, kind, url, created_at, due_at, attempts, outcome
FROM push
WHERE account_id = :account_id AND message_id = :message_id
ORDER BY push_id

-- name: timeline_push_attempts -> rows TimelinePushAttempt
SELECT t.push_id, t.attempt, t.at, t.took_ms, t.status, t.answer, p.url = '' AS is_for_bind, p.attempts, p.outcome
FROM push AS p
JOIN push_attempt AS t USING (account_id, push_id)
WHERE p.account_id = :account_id AND p.message_id = :message_id
ORDER BY t.push_id, t.attempt

-- name: timeline_conversion -> row? TimelineConversion
SELECT message_id, recorded_at, reported_at, dialect, credited_to, credited_at, credited_by
FROM conversion
WHERE account_id = :account_id AND message_id = :message_id

-- The queue's key begins with the lane: the message is in lane 0, or in the lane of its traffic class of one carrier.
-- name: timeline_queue -> rows TimelineQueue
-- null: carrier
SELECT q.lane, q.due_at, q.expires_at, q.attempts, q.claimed_by, lanes.carrier
FROM (
    SELECT :QueueLane.AWAITING_RECEIPT AS lane, NULL AS carrier
    UNION ALL
    SELECT carrier_id * :LANES_PER_CARRIER::int + :traffic::int, name FROM carrier
) AS lanes
JOIN queue AS q ON q.lane = lanes.lane AND q.message_id = :message_id
