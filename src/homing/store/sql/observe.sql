-- name: depths -> rows DepthRow
SELECT 'messages_to_send' AS kind, count(*) AS waiting FROM queue WHERE lane <> :QueueLane.AWAITING_RECEIPT
UNION ALL SELECT 'messages_awaiting_receipt', count(*) FROM queue WHERE lane = :QueueLane.AWAITING_RECEIPT
UNION ALL SELECT 'pushes', count(*) FROM push WHERE lane >= 0 AND due_at IS NOT NULL
UNION ALL SELECT 'deliveries_to_binds', count(*) FROM push WHERE lane = :PushLane.BINDS AND due_at IS NOT NULL
UNION ALL SELECT 'receipts_parked', count(*) FROM parked_receipt WHERE given_up_at IS NULL
UNION ALL SELECT 'receipts_unmatched', count(*) FROM parked_receipt WHERE given_up_at IS NOT NULL
UNION ALL SELECT 'inbound_unmatched', count(*) FROM unmatched_inbound
UNION ALL SELECT 'changes_to_add_up', count(*) FROM stat_delta

-- name: lanes_due -> rows DueLane
SELECT 'queue' AS source, asked.lane
FROM unnest(:queue_lanes::int[]) AS asked (lane)
WHERE EXISTS (SELECT FROM queue AS q WHERE q.lane = asked.lane AND q.due_at <= :now)
UNION ALL
SELECT 'push', asked.lane
FROM unnest(:push_lanes::int[]) AS asked (lane)
WHERE EXISTS (SELECT FROM push AS p WHERE p.lane = asked.lane AND p.due_at <= :now)

-- name: is_superuser -> value
SELECT rolsuper AS is_superuser FROM pg_roles WHERE rolname = current_user
