-- name: node_take -> value?
INSERT INTO node (node, owner, leased_until)
SELECT free.node, :owner, now() + :lease::interval
FROM (
    SELECT number AS node
    FROM generate_series(0, :nodes::int - 1) AS number
    WHERE NOT EXISTS (SELECT FROM node WHERE node.node = number AND leased_until > now())
    ORDER BY random()
    LIMIT 1
) AS free
ON CONFLICT (node) DO UPDATE SET owner = excluded.owner, leased_until = excluded.leased_until
    WHERE node.leased_until <= now()
RETURNING node

-- name: node_renew -> value?
UPDATE node SET leased_until = now() + :lease::interval
WHERE owner = :owner AND leased_until > now()
RETURNING node

-- name: node_release
UPDATE node SET leased_until = now() + interval '3 seconds' WHERE owner = :owner AND leased_until > now()

-- Who is at work, by what they hold under a lease that has not been over for long (`gone_after`).
-- name: processes -> rows ProcessRow
SELECT held.owner, max(held.leased_until) AS leased_until, max(held.leased_until) > now() AS is_alive,
    array_agg(held.kind || ':' || held.name ORDER BY held.kind, held.name) AS works
FROM (
    SELECT owner, leased_until, 'node' AS kind, node::text AS name FROM node
    UNION ALL
    SELECT s.owner, s.leased_until, 'carrier', c.name FROM carrier_session AS s JOIN carrier AS c USING (carrier_id)
    UNION ALL
    SELECT owner, leased_until, 'duty', name FROM duty
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
