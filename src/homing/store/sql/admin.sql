-- name: account_find -> row? AccountRow
SELECT account_id, name, email, created_at, locked_at, lock_reason, allowed_networks, queries_per_s, templates_required,
    refund_undeliverable, default_sender, retention_days, binds_max, bind_window, submits_per_s, bound_at,
    unicode_fallback, unique_references, smpp_charset FROM account WHERE account_id = :account_id? OR name = :name ORDER BY (account_id =
    :account_id) DESC LIMIT 1

-- name: account_list -> rows AccountListRow
SELECT a.account_id, a.name, a.email, a.created_at, a.locked_at, a.lock_reason, a.allowed_networks, a.queries_per_s,
    a.templates_required, a.refund_undeliverable, a.default_sender, a.retention_days, a.binds_max, a.bind_window,
    a.submits_per_s, a.bound_at, a.unicode_fallback, a.unique_references, a.smpp_charset, b.gift_micro, b.balance_micro,
    b.credit_micro
FROM account AS a
JOIN balance AS b USING (account_id)
ORDER BY a.account_id

-- name: account_create -> value?
INSERT INTO account (name, email, queries_per_s, submits_per_s)
VALUES (:name, :email?, :queries_per_s?, :submits_per_s?)
ON CONFLICT DO NOTHING
RETURNING account_id

-- name: account_lock
UPDATE account
SET locked_at = CASE WHEN :lock_reason?::text IS NULL THEN NULL ELSE now() END, lock_reason = :lock_reason
WHERE account_id = :account_id

-- name: account_settings -> row? AccountSettingsRow
SELECT email, allowed_networks, queries_per_s, templates_required, refund_undeliverable, default_sender,
    retention_days, binds_max, bind_window, submits_per_s, smpp_charset, unicode_fallback, unique_references
FROM account
WHERE account_id = :account_id
FOR UPDATE

-- name: account_change
UPDATE account
SET email = :email?, allowed_networks = :allowed_networks, queries_per_s = :queries_per_s?,
    templates_required = :templates_required, refund_undeliverable = :refund_undeliverable,
    default_sender = :default_sender?, retention_days = :retention_days?, binds_max = :binds_max,
    bind_window = :bind_window, submits_per_s = :submits_per_s?, smpp_charset = :smpp_charset,
    unicode_fallback = :unicode_fallback, unique_references = :unique_references
WHERE account_id = :account_id

-- name: credential_create -> value?
INSERT INTO credential (account_id, dialect, key, secret, label, scopes)
VALUES (:account_id, :dialect, :key, :secret, :label, :scopes?::text[])
ON CONFLICT DO NOTHING
RETURNING credential_id

-- name: credential_list -> rows CredentialRow
SELECT credential_id, account_id, dialect, key, label, created_at, revoked_at, scopes, last_used_at
FROM credential
WHERE account_id = :account_id
ORDER BY credential_id

-- name: credential_matching -> rows MatchingCredential
SELECT credential_id, account_id, dialect, key
FROM credential
WHERE revoked_at IS NULL
    AND (
        (key = :key AND dialect = coalesce(:dialect?, dialect))
        OR (:dialect::smallint IS NULL AND credential_id = :credential_id?)
    )
    AND (:account_id?::bigint IS NULL OR account_id = :account_id)
ORDER BY credential_id

-- name: credential_revoke
UPDATE credential SET revoked_at = now() WHERE credential_id = :credential_id

-- name: app_create -> value?
INSERT INTO app (app_id, account_id, name, report_url, inbound_url)
VALUES (:app_id, :account_id, :name, :report_url?, :inbound_url?)
ON CONFLICT DO NOTHING
RETURNING app_id

-- With `sent` and `converted` of today and the day before.
-- name: app_list -> rows AppListRow
SELECT app.app_id, app.account_id, app.name, app.report_url, app.inbound_url, app.created_at, app.expects_conversions,
    app.code_expiry_s, app.total_limit, app.number_limit, app.resend_messages, app.resend_worth_micro,
    coalesce(recent.sent, 0) AS sent, coalesce(recent.converted, 0) AS converted
FROM app
LEFT JOIN (
    SELECT app_id, sum(sent)::bigint AS sent, sum(converted)::bigint AS converted
    FROM stat_now
    WHERE grain = :PeriodGrain.DAY AND period >= extract(epoch FROM now())::bigint / 86400 - 1
        AND account_id = :account_id
    GROUP BY app_id
) AS recent USING (app_id)
WHERE app.account_id = :account_id
ORDER BY app.created_at, app.app_id

-- name: app_find -> row? AppRow
SELECT app_id, account_id, name, report_url, inbound_url, created_at, expects_conversions FROM app WHERE app_id =
    :app_id

-- name: app_lock -> row? AppRow
SELECT app_id, account_id, name, report_url, inbound_url, created_at, expects_conversions FROM app WHERE app_id =
    :app_id AND account_id = :account_id FOR UPDATE

-- name: app_change
UPDATE app
SET report_url = :report_url?, inbound_url = :inbound_url?, expects_conversions = :expects_conversions?
WHERE app_id = :app_id

-- name: sender_add
INSERT INTO sender (account_id, sender) VALUES (:account_id, :sender) ON CONFLICT DO NOTHING

-- name: sender_default
UPDATE account SET default_sender = :sender? WHERE account_id = :account_id

-- name: sender_default_forget
UPDATE account SET default_sender = NULL WHERE account_id = :account_id AND default_sender = :sender

-- name: sender_exists -> value
SELECT EXISTS (SELECT FROM sender WHERE account_id = :account_id AND sender = :sender) AS it_does

-- The first is the default if none is set.
-- name: sender_list -> rows SenderRow
SELECT s.sender, s.created_at,
    coalesce(s.sender = a.default_sender, row_number() OVER (ORDER BY s.created_at, s.sender) = 1) AS is_default
FROM sender AS s
JOIN account AS a USING (account_id)
WHERE s.account_id = :account_id
ORDER BY s.created_at, s.sender

-- name: sender_remove -> value?
DELETE FROM sender WHERE account_id = :account_id AND sender = :sender RETURNING sender

-- name: template_add -> value?
INSERT INTO template (account_id, name, body) VALUES (:account_id, :name, :body)
ON CONFLICT DO NOTHING
RETURNING template_id

-- name: template_list -> rows TemplateRow
SELECT template_id, name, body, created_at FROM template WHERE account_id = :account_id ORDER BY template_id

-- name: template_remove -> value?
DELETE FROM template WHERE account_id = :account_id
    AND (name = :name OR template_id = :template_id?) RETURNING template_id

-- name: word_add
INSERT INTO sensitive_word (account_id, word) VALUES (:account_id, :word) ON CONFLICT DO NOTHING

-- name: word_list -> rows SensitiveWordRow
SELECT w.account_id, a.name AS account, w.word, w.created_at
FROM sensitive_word AS w
LEFT JOIN account AS a USING (account_id)
WHERE :account_ids?::bigint[] IS NULL OR w.account_id = ANY(:account_ids)
ORDER BY w.account_id, w.word

-- name: word_remove -> value?
DELETE FROM sensitive_word WHERE account_id = :account_id AND word = :word RETURNING word

-- name: prices_set
-- takes: prices PrefixAmount
-- slow
INSERT INTO price (account_id, prefix, price_micro)
SELECT :account_id, prefix, micro FROM unnest(:prices) AS p (prefix text, micro bigint)
ON CONFLICT (account_id, prefix) DO UPDATE SET price_micro = excluded.price_micro, changed_at = now()

-- name: price_list -> rows PriceRow
SELECT p.account_id, a.name AS account, p.prefix, p.price_micro, p.changed_at
FROM price AS p
LEFT JOIN account AS a USING (account_id)
WHERE :account_ids?::bigint[] IS NULL OR p.account_id = ANY(:account_ids)
ORDER BY p.account_id, p.prefix

-- name: prices_clear
-- slow
DELETE FROM price WHERE account_id = :account_id AND prefix <> ALL(:kept_prefixes::text[])

-- name: price_remove -> value?
DELETE FROM price WHERE account_id = :account_id AND prefix = :prefix RETURNING prefix

-- name: carrier_add -> value?
INSERT INTO carrier (name, kind, settings, carries_flash) VALUES (:name, :kind, :settings::text::jsonb, :carries_flash)
ON CONFLICT DO NOTHING
RETURNING carrier_id

-- name: carrier_list -> rows CarrierRow
SELECT carrier_id, name, kind, enabled, is_draining, settings::text AS settings, created_at, carries_flash
FROM carrier
ORDER BY carrier_id

-- name: carrier_find -> row? CarrierRow
SELECT carrier_id, name, kind, enabled, is_draining, settings::text AS settings, created_at, carries_flash
FROM carrier
WHERE name = :name OR carrier_id = :carrier_id?

-- name: carrier_lock -> row? CarrierRow
SELECT carrier_id, name, kind, enabled, is_draining, settings::text AS settings, created_at, carries_flash
FROM carrier
WHERE carrier_id = :carrier_id
FOR UPDATE

-- name: carrier_seal
UPDATE carrier SET settings = :settings::text::jsonb WHERE carrier_id = :carrier_id

-- name: carrier_switch
UPDATE carrier SET enabled = :enabled, is_draining = :is_draining WHERE carrier_id = :carrier_id

-- name: carrier_change
UPDATE carrier SET settings = :settings::text::jsonb, carries_flash = :carries_flash WHERE carrier_id = :carrier_id

-- name: carrier_sessions -> rows CarrierSessionRow
-- null: detail, changed_at, owner, leased_until, is_lapsed, is_up
SELECT c.carrier_id, s.owner, s.leased_until, s.leased_until < now() AS is_lapsed, s.is_up, s.detail::text AS detail,
    s.changed_at
FROM carrier AS c
LEFT JOIN carrier_session AS s USING (carrier_id)

-- Queued and in flight, by carrier.
-- name: carrier_queues -> rows CarrierQueueRow
SELECT lane / :LANES_PER_CARRIER::int AS carrier_id, count(*) FILTER (WHERE claimed_by IS NULL) AS waiting,
    count(*) FILTER (WHERE claimed_by IS NOT NULL) AS under_way
FROM queue
WHERE lane <> :QueueLane.AWAITING_RECEIPT
GROUP BY 1

-- Answers other than "accepted" since `since` by code, of a carrier (`carrier_id`) or (null) all; of the latest
-- `answers_max` answers.
-- name: carrier_errors -> rows CarrierErrorRow
-- null: error_text
SELECT c.carrier_id, e.outcome, e.error_code, e.error_text, e.reason, count(*) AS answers,
    max(e.answered_at) AS last_at,
    (array_agg(e.message_id ORDER BY e.answered_at DESC))[1] AS message_id
FROM carrier AS c
CROSS JOIN LATERAL (
    SELECT a.outcome, a.error_code, left(a.error_text, 200) AS error_text, a.reason, a.answered_at, a.message_id
    FROM attempt AS a
    WHERE a.carrier_id = c.carrier_id AND a.outcome <> :Outcome.ACCEPTED AND a.answered_at >= :since
    ORDER BY a.answered_at DESC
    LIMIT :answers_max
) AS e
WHERE :carrier_id?::int IS NULL OR c.carrier_id = :carrier_id
GROUP BY c.carrier_id, e.outcome, e.error_code, e.error_text, e.reason
ORDER BY c.carrier_id, answers DESC, e.error_code, e.error_text, e.reason

-- name: costs_set
-- takes: costs PrefixAmount
-- slow
INSERT INTO carrier_cost (carrier_id, prefix, cost_micro)
SELECT :carrier_id, prefix, micro FROM unnest(:costs) AS p (prefix text, micro bigint)
ON CONFLICT (carrier_id, prefix) DO UPDATE SET cost_micro = excluded.cost_micro, changed_at = now()

-- name: cost_remove -> value?
DELETE FROM carrier_cost WHERE carrier_id = :carrier_id AND prefix = :prefix RETURNING prefix

-- name: cost_list -> rows CostRow
SELECT k.carrier_id, c.name AS carrier, k.prefix, k.cost_micro, k.changed_at
FROM carrier_cost AS k
JOIN carrier AS c USING (carrier_id)
WHERE :carrier_id?::int IS NULL OR k.carrier_id = :carrier_id
ORDER BY c.name, k.prefix

-- The routes of a scope share strategy and ceiling: both are written to all of them.
-- name: route_set -> row RouteSet
WITH siblings AS (
    UPDATE route
    SET strategy = coalesce(:strategy?::smallint, strategy),
        ceiling_micro = coalesce(:ceiling_micro?::bigint, ceiling_micro)
    WHERE account_id = :account_id AND app_id = :app_id AND sender = :sender AND traffic = :traffic
        AND country = :country AND network = :network
        AND prefix = :prefix AND carrier_id <> :carrier_id
    RETURNING strategy, ceiling_micro
)
INSERT INTO route AS r (
    account_id, app_id, sender, traffic, country, network, prefix, carrier_id, priority, weight, strategy, ceiling_micro
)
SELECT :account_id, :app_id, :sender, :traffic, :country, :network, :prefix, :carrier_id,
    coalesce(:priority?::int, 10), coalesce(:weight?::int, 1),
    coalesce(:strategy::smallint, (SELECT max(strategy) FROM siblings), :Strategy.PRIORITY),
    coalesce(:ceiling_micro::bigint, (SELECT max(ceiling_micro) FROM siblings))
ON CONFLICT (account_id, app_id, sender, traffic, country, network, prefix, carrier_id) DO UPDATE
SET priority = coalesce(:priority::int, r.priority), weight = coalesce(:weight::int, r.weight),
    strategy = coalesce(:strategy::smallint, r.strategy),
    ceiling_micro = coalesce(:ceiling_micro::bigint, r.ceiling_micro)
RETURNING route_id, priority, weight

-- name: route_list -> rows RouteListRow
SELECT r.route_id, r.account_id, r.prefix, r.carrier_id, r.priority, r.weight, r.app_id, r.sender, r.country, r.network,
    r.traffic, r.strategy, r.ceiling_micro, a.name AS account, c.name AS carrier, c.enabled
FROM route AS r
JOIN carrier AS c USING (carrier_id)
LEFT JOIN account AS a ON a.account_id = r.account_id
WHERE :account_ids?::bigint[] IS NULL OR r.account_id = ANY(:account_ids)
ORDER BY r.account_id, r.app_id, r.sender, r.traffic, r.country, r.network, r.prefix, r.priority, r.route_id

-- name: route_ceiling_forget
UPDATE route
SET ceiling_micro = NULL
WHERE account_id = :account_id AND app_id = :app_id AND sender = :sender AND traffic = :traffic
    AND country = :country AND network = :network AND prefix = :prefix

-- name: route_lock -> row? LockedRoute
SELECT r.route_id, r.account_id, r.prefix, r.carrier_id, r.priority, r.weight, r.app_id, r.sender, r.country, r.network,
    r.traffic, r.strategy, r.ceiling_micro, c.name AS carrier, a.name AS account
FROM route AS r
JOIN carrier AS c USING (carrier_id)
LEFT JOIN account AS a ON a.account_id = r.account_id
WHERE r.route_id = :route_id
FOR UPDATE OF r

-- name: route_remove -> value?
DELETE FROM route WHERE route_id = :route_id RETURNING route_id

-- Whether any secret is encrypted with the vault's key.
-- name: is_sealed -> value
SELECT EXISTS (SELECT FROM credential) OR EXISTS (SELECT FROM signing_secret)
    OR EXISTS (SELECT FROM carrier WHERE settings::text LIKE '%"sealed:%') AS is_sealed

-- name: is_empty -> value
SELECT NOT EXISTS (SELECT FROM account) AND NOT EXISTS (SELECT FROM carrier) AS is_empty

-- --- quotas --------------------------------------------------------------------------------------------------

-- name: quota_set
INSERT INTO send_quota (account_id, app_id, messages_per_s, messages_per_day, money_per_day_micro)
VALUES (:account_id, :app_id, :messages_per_s?, :messages_per_day?, :money_per_day_micro?)
ON CONFLICT (account_id, app_id) DO UPDATE
SET messages_per_s = excluded.messages_per_s, messages_per_day = excluded.messages_per_day,
    money_per_day_micro = excluded.money_per_day_micro, changed_at = now()

-- name: quota_remove -> value?
DELETE FROM send_quota WHERE account_id = :account_id AND app_id = :app_id RETURNING app_id

-- Quotas with what is used up of them, of an account (`account_id`) or all; `windows`: as in limit_use.
-- name: quota_list -> rows QuotaUseRow
-- null: message_windows, money_windows
SELECT q.account_id, a.name AS account, q.app_id, q.messages_per_s, q.messages_per_day, q.money_per_day_micro,
    m.windows AS message_windows, c.windows AS money_windows
FROM send_quota AS q
JOIN account AS a USING (account_id)
LEFT JOIN limit_use AS m
    ON m.account_id = q.account_id AND m.scope = :LimitScope.MESSAGES AND m.key = q.app_id
LEFT JOIN limit_use AS c ON c.account_id = q.account_id AND c.scope = :LimitScope.MONEY AND c.key = q.app_id
WHERE :account_id?::bigint IS NULL OR q.account_id = :account_id
ORDER BY a.name, q.app_id
