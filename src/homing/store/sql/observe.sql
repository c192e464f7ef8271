-- name: ping
SELECT 1 AS up

-- name: depths
SELECT 'messages_to_send' AS kind, count(*) AS waiting FROM queue WHERE lane <> 0
UNION ALL SELECT 'messages_awaiting_receipt', count(*) FROM queue WHERE lane = 0
UNION ALL SELECT 'pushes', count(*) FROM push WHERE due_at IS NOT NULL
UNION ALL SELECT 'receipts_parked', count(*) FROM parked_receipt WHERE given_up_at IS NULL
UNION ALL SELECT 'receipts_unmatched', count(*) FROM parked_receipt WHERE given_up_at IS NOT NULL
