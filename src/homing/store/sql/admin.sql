-- name: account_find
SELECT * FROM account WHERE account_id = $2 OR name = $1 ORDER BY (account_id = $2) DESC LIMIT 1

-- name: account_list
SELECT a.*, b.gift_micro, b.balance_micro, b.credit_micro
FROM account AS a
JOIN balance AS b USING (account_id)
ORDER BY a.account_id

-- name: account_create
INSERT INTO account (name, email, queries_per_s) VALUES ($1, $2, $3)
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
    retention_days
FROM account
WHERE account_id = $1
FOR UPDATE

-- name: account_change
UPDATE account
SET email = $2, allowed_networks = $3, queries_per_s = $4, templates_required = $5, refund_undeliverable = $6,
    default_sender = $7, retention_days = $8
WHERE account_id = $1

-- name: credential_create
INSERT INTO credential (account_id, door, key, secret, label) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING credential_id

-- name: credential_list
SELECT credential_id, account_id, door, key, label, created_at, revoked_at
FROM credential
WHERE account_id = $1
ORDER BY credential_id

-- name: credential_revoke
UPDATE credential SET revoked_at = now()
WHERE (key = $1 OR credential_id = $2) AND revoked_at IS NULL
RETURNING credential_id

-- name: app_create
INSERT INTO app (app_id, account_id, name, report_url, inbound_url) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING app_id

-- name: app_list
SELECT * FROM app WHERE account_id = $1 ORDER BY created_at, app_id

-- name: app_change
UPDATE app SET report_url = $3, inbound_url = $4 WHERE account_id = $1 AND app_id = $2 RETURNING app_id

-- name: sender_add
INSERT INTO sender (account_id, sender) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: sender_default
UPDATE account SET default_sender = $2 WHERE account_id = $1

-- name: sender_list
SELECT s.sender, s.created_at, s.sender = a.default_sender AS is_default
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
SELECT account_id, word FROM sensitive_word WHERE account_id = ANY($1::bigint[]) ORDER BY account_id, word

-- name: word_remove
DELETE FROM sensitive_word WHERE account_id = $1 AND word = $2 RETURNING word

-- name: prices_set
INSERT INTO price (account_id, prefix, price_micro)
SELECT $1, prefix, micro FROM unnest($2::text[], $3::bigint[]) AS p (prefix, micro)
ON CONFLICT (account_id, prefix) DO UPDATE SET price_micro = excluded.price_micro, changed_at = now()

-- name: price_list
SELECT account_id, prefix, price_micro, changed_at
FROM price
WHERE account_id = ANY($1::bigint[])
ORDER BY account_id, prefix

-- name: price_remove
DELETE FROM price WHERE account_id = $1 AND prefix = $2 RETURNING prefix

-- name: carrier_add
INSERT INTO carrier (name, kind, settings) VALUES ($1, $2, $3::text::jsonb)
ON CONFLICT DO NOTHING
RETURNING carrier_id

-- name: carrier_list
SELECT carrier_id, name, kind, enabled, settings::text AS settings, created_at FROM carrier ORDER BY carrier_id

-- name: carrier_find
SELECT carrier_id, name, kind, enabled, settings::text AS settings, created_at
FROM carrier
WHERE name = $1 OR carrier_id = $2

-- name: carrier_enable
UPDATE carrier SET enabled = $2 WHERE carrier_id = $1

-- name: route_set
INSERT INTO route (account_id, prefix, carrier_id, priority, weight) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, prefix, carrier_id) DO UPDATE SET priority = excluded.priority, weight = excluded.weight
RETURNING route_id

-- name: route_list
SELECT r.route_id, r.account_id, r.prefix, r.priority, r.weight, c.name AS carrier, c.enabled
FROM route AS r
JOIN carrier AS c USING (carrier_id)
ORDER BY r.account_id, r.prefix, r.priority, r.route_id

-- name: route_remove
DELETE FROM route WHERE route_id = $1 RETURNING route_id

-- name: is_empty
SELECT NOT EXISTS (SELECT FROM account) AND NOT EXISTS (SELECT FROM carrier) AS is_empty
