-- name: account_find
SELECT * FROM account WHERE account_id = $2 OR name = $1 ORDER BY (account_id = $2) DESC LIMIT 1

-- name: account_list
SELECT a.*, b.gift_micro, b.balance_micro, b.credit_micro
FROM account AS a
JOIN balance AS b USING (account_id)
ORDER BY a.account_id

-- name: account_create
INSERT INTO account (name, email, queries_per_s, submits_per_s) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING account_id

-- name: purse_create
INSERT INTO balance (account_id) VALUES ($1)

-- name: account_lock
UPDATE account
SET locked_at = CASE WHEN $2::text IS NULL THEN NULL ELSE now() END, lock_reason = $2
WHERE account_id = $1

-- name: account_settings
SELECT email, allowed_networks, queries_per_s, templates_required, refund_undeliverable, default_sender,
    retention_days, binds_max, bind_window, submits_per_s, smpp_charset, unicode_fallback
FROM account
WHERE account_id = $1
FOR UPDATE

-- name: account_change
UPDATE account
SET email = $2, allowed_networks = $3, queries_per_s = $4, templates_required = $5, refund_undeliverable = $6,
    default_sender = $7, retention_days = $8, binds_max = $9, bind_window = $10, submits_per_s = $11,
    smpp_charset = $12, unicode_fallback = $13
WHERE account_id = $1

-- name: credential_create
INSERT INTO credential (account_id, dialect, key, secret, label) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING credential_id

-- name: credential_list
SELECT credential_id, account_id, dialect, key, label, created_at, revoked_at
FROM credential
WHERE account_id = $1
ORDER BY credential_id

-- name: credential_matching
SELECT credential_id, account_id, dialect, key
FROM credential
WHERE revoked_at IS NULL AND ((key = $1 AND dialect = coalesce($3, dialect)) OR ($3::smallint IS NULL AND credential_id = $2))
    AND ($4::bigint IS NULL OR account_id = $4)
ORDER BY credential_id

-- name: credential_revoke
UPDATE credential SET revoked_at = now() WHERE credential_id = $1

-- name: app_create
INSERT INTO app (app_id, account_id, name, report_url, inbound_url) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING app_id

-- With what its last days show: `sent` and `converted` of today and of the day before.
-- name: app_list
SELECT app.*, coalesce(recent.sent, 0) AS sent, coalesce(recent.converted, 0) AS converted
FROM app
LEFT JOIN (
    SELECT app_id, sum(sent)::bigint AS sent, sum(converted)::bigint AS converted
    FROM stat_now
    WHERE grain = 1440 AND period >= extract(epoch FROM now())::bigint / 86400 - 1 AND account_id = $1
    GROUP BY app_id
) AS recent USING (app_id)
WHERE app.account_id = $1
ORDER BY app.created_at, app.app_id

-- name: app_find
SELECT * FROM app WHERE app_id = $1

-- name: app_lock
SELECT * FROM app WHERE app_id = $1 AND account_id = $2 FOR UPDATE

-- name: app_change
UPDATE app SET report_url = $2, inbound_url = $3, expects_conversions = $4 WHERE app_id = $1

-- name: sender_add
INSERT INTO sender (account_id, sender) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: sender_default
UPDATE account SET default_sender = $2 WHERE account_id = $1

-- name: sender_default_forget
UPDATE account SET default_sender = NULL WHERE account_id = $1 AND default_sender = $2

-- name: sender_exists
SELECT EXISTS (SELECT FROM sender WHERE account_id = $1 AND sender = $2) AS it_does

-- The first is the default where none is named.
-- name: sender_list
SELECT s.sender, s.created_at,
    coalesce(s.sender = a.default_sender, row_number() OVER (ORDER BY s.created_at, s.sender) = 1) AS is_default
FROM sender AS s
JOIN account AS a USING (account_id)
WHERE s.account_id = $1
ORDER BY s.created_at, s.sender

-- name: sender_remove
DELETE FROM sender WHERE account_id = $1 AND sender = $2 RETURNING sender

-- name: template_add
INSERT INTO template (account_id, name, body) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING template_id

-- name: template_list
SELECT template_id, name, body, created_at FROM template WHERE account_id = $1 ORDER BY template_id

-- name: template_remove
DELETE FROM template WHERE account_id = $1 AND (name = $2 OR template_id = $3) RETURNING template_id

-- name: word_add
INSERT INTO sensitive_word (account_id, word) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: word_list
SELECT w.account_id, a.name AS account, w.word, w.created_at
FROM sensitive_word AS w
LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint[] IS NULL OR w.account_id = ANY($1)
ORDER BY w.account_id, w.word

-- name: word_remove
DELETE FROM sensitive_word WHERE account_id = $1 AND word = $2 RETURNING word

-- name: prices_set
INSERT INTO price (account_id, prefix, price_micro)
SELECT $1, prefix, micro FROM unnest($2::text[], $3::bigint[]) AS p (prefix, micro)
ON CONFLICT (account_id, prefix) DO UPDATE SET price_micro = excluded.price_micro, changed_at = now()

-- name: price_list
SELECT p.account_id, a.name AS account, p.prefix, p.price_micro, p.changed_at
FROM price AS p
LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint[] IS NULL OR p.account_id = ANY($1)
ORDER BY p.account_id, p.prefix

-- name: prices_clear
DELETE FROM price WHERE account_id = $1 AND prefix <> ALL($2::text[])

-- name: price_remove
DELETE FROM price WHERE account_id = $1 AND prefix = $2 RETURNING prefix

-- name: carrier_add
INSERT INTO carrier (name, kind, settings, carries_flash) VALUES ($1, $2, $3::text::jsonb, $4)
ON CONFLICT DO NOTHING
RETURNING carrier_id

-- name: carrier_list
SELECT carrier_id, name, kind, enabled, is_draining, settings::text AS settings, created_at, carries_flash
FROM carrier
ORDER BY carrier_id

-- name: carrier_find
SELECT carrier_id, name, kind, enabled, is_draining, settings::text AS settings, created_at
FROM carrier
WHERE name = $1 OR carrier_id = $2

-- name: carrier_lock
SELECT carrier_id, name, kind, enabled, is_draining, settings::text AS settings, created_at
FROM carrier
WHERE carrier_id = $1
FOR UPDATE

-- name: carrier_seal
UPDATE carrier SET settings = $2::text::jsonb WHERE carrier_id = $1

-- name: carrier_switch
UPDATE carrier SET enabled = $2, is_draining = $3 WHERE carrier_id = $1

-- name: carrier_change
UPDATE carrier SET settings = $2::text::jsonb, carries_flash = $3 WHERE carrier_id = $1

-- name: carrier_sessions
SELECT c.carrier_id, s.owner, s.leased_until, s.leased_until < now() AS is_lapsed, s.is_up, s.detail::text AS detail,
    s.changed_at
FROM carrier AS c
LEFT JOIN carrier_session AS s USING (carrier_id)

-- Waiting and under way, by carrier.
-- name: carrier_queues
SELECT lane / $1::int AS carrier_id, count(*) FILTER (WHERE claimed_by IS NULL) AS waiting,
    count(*) FILTER (WHERE claimed_by IS NOT NULL) AS under_way
FROM queue
WHERE lane <> 0
GROUP BY 1

-- What the carriers ($1: one, or null for all) answered since $2 but "accepted", by code: of the latest $3 answers.
-- name: carrier_errors
SELECT c.carrier_id, e.outcome, e.error_code, e.error_text, count(*) AS answers, max(e.answered_at) AS last_at,
    (array_agg(e.message_id ORDER BY e.answered_at DESC))[1] AS message_id
FROM carrier AS c
CROSS JOIN LATERAL (
    SELECT a.outcome, a.error_code, left(a.error_text, 200) AS error_text, a.answered_at, a.message_id
    FROM attempt AS a
    WHERE a.carrier_id = c.carrier_id AND a.outcome <> 1 AND a.answered_at >= $2
    ORDER BY a.answered_at DESC
    LIMIT $3
) AS e
WHERE $1::int IS NULL OR c.carrier_id = $1
GROUP BY c.carrier_id, e.outcome, e.error_code, e.error_text
ORDER BY c.carrier_id, answers DESC, e.error_code, e.error_text

-- name: costs_set
INSERT INTO carrier_cost (carrier_id, prefix, cost_micro)
SELECT $1, prefix, micro FROM unnest($2::text[], $3::bigint[]) AS p (prefix, micro)
ON CONFLICT (carrier_id, prefix) DO UPDATE SET cost_micro = excluded.cost_micro, changed_at = now()

-- name: cost_remove
DELETE FROM carrier_cost WHERE carrier_id = $1 AND prefix = $2 RETURNING prefix

-- name: cost_list
SELECT k.carrier_id, c.name AS carrier, k.prefix, k.cost_micro, k.changed_at
FROM carrier_cost AS k
JOIN carrier AS c USING (carrier_id)
WHERE $1::int IS NULL OR k.carrier_id = $1
ORDER BY c.name, k.prefix

-- The rows of a match share its strategy and its ceiling: what is given here goes to all of them.
-- name: route_set
WITH siblings AS (
    UPDATE route
    SET strategy = coalesce($11::smallint, strategy), ceiling_micro = coalesce($12::bigint, ceiling_micro)
    WHERE account_id = $1 AND app_id = $2 AND sender = $3 AND traffic = $4 AND country = $5 AND network = $6
        AND prefix = $7 AND carrier_id <> $8
    RETURNING strategy, ceiling_micro
)
INSERT INTO route AS r (
    account_id, app_id, sender, traffic, country, network, prefix, carrier_id, priority, weight, strategy, ceiling_micro
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, coalesce($9::int, 10), coalesce($10::int, 1),
    coalesce($11::smallint, (SELECT max(strategy) FROM siblings), 1),
    coalesce($12::bigint, (SELECT max(ceiling_micro) FROM siblings))
ON CONFLICT (account_id, app_id, sender, traffic, country, network, prefix, carrier_id) DO UPDATE
SET priority = coalesce($9::int, r.priority), weight = coalesce($10::int, r.weight),
    strategy = coalesce($11::smallint, r.strategy), ceiling_micro = coalesce($12::bigint, r.ceiling_micro)
RETURNING route_id, priority, weight

-- name: route_list
SELECT r.*, a.name AS account, c.name AS carrier, c.enabled
FROM route AS r
JOIN carrier AS c USING (carrier_id)
LEFT JOIN account AS a ON a.account_id = r.account_id
WHERE $1::bigint[] IS NULL OR r.account_id = ANY($1)
ORDER BY r.account_id, r.app_id, r.sender, r.traffic, r.country, r.network, r.prefix, r.priority, r.route_id

-- name: route_ceiling_forget
UPDATE route
SET ceiling_micro = NULL
WHERE account_id = $1 AND app_id = $2 AND sender = $3 AND traffic = $4 AND country = $5 AND network = $6 AND prefix = $7

-- name: route_lock
SELECT r.*, c.name AS carrier, a.name AS account
FROM route AS r
JOIN carrier AS c USING (carrier_id)
LEFT JOIN account AS a ON a.account_id = r.account_id
WHERE r.route_id = $1
FOR UPDATE OF r

-- name: route_remove
DELETE FROM route WHERE route_id = $1 RETURNING route_id

-- Whether anything is sealed with the vault's key.
-- name: is_sealed
SELECT EXISTS (SELECT FROM credential) OR EXISTS (SELECT FROM carrier WHERE settings::text LIKE '%"sealed:%') AS is_sealed

-- name: is_empty
SELECT NOT EXISTS (SELECT FROM account) AND NOT EXISTS (SELECT FROM carrier) AS is_empty
