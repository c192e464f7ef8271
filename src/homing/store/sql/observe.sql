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

-- Processes by the leases that they hold, those that ended less than `gone_after` ago included.
-- name: processes -> rows ProcessRow
SELECT held.owner, max(held.leased_until) AS leased_until, max(held.leased_until) > now() AS is_alive,
    array_agg(held.kind || ':' || held.name ORDER BY held.kind, held.name) AS leases
FROM (
    SELECT owner, leased_until, 'id_node' AS kind, node::text AS name FROM id_node
    UNION ALL
    SELECT s.owner, s.leased_until, 'carrier', c.name FROM carrier_session AS s JOIN carrier AS c USING (carrier_id)
    UNION ALL
    SELECT owner, leased_until, 'leader_lease', name FROM leader_lease
) AS held
WHERE held.owner IS NOT NULL AND held.leased_until > now() - :gone_after::interval
GROUP BY held.owner
ORDER BY held.owner

-- name: migrations_applied -> rows MigrationRow
SELECT number, name, applied_at FROM migration ORDER BY number DESC

-- name: database_facts -> row DatabaseFacts
-- null: retention_min, retention_max
SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes,
    pg_postmaster_start_time() AS started_at,
    (SELECT count(*) FROM account WHERE retention_days IS NOT NULL) AS accounts_with_retention,
    (SELECT min(retention_days) FROM account) AS retention_min,
    (SELECT max(retention_days) FROM account) AS retention_max
