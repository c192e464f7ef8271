-- The guard: rules, snapshots, verdicts, decisions.

-- name: guard_modes -> rows GuardModeRow
SELECT account_id, rule, mode FROM guard_mode

-- name: guard_lists -> rows GuardListRow
SELECT account_id, kind, value, is_allowed FROM guard_list

-- name: guard_budgets -> rows GuardBudgetRow
SELECT account_id, country, hour_messages, day_messages, hour_micro, day_micro FROM guard_budget

-- Rows that are not there yet cannot be locked, so that it is the table; messages' way only reads it.
-- name: guard_modes_hold
LOCK TABLE guard_mode IN SHARE ROW EXCLUSIVE MODE

-- name: guard_mode_set
INSERT INTO guard_mode (account_id, rule, mode)
SELECT :account_id, rule, :mode FROM unnest(:rules::text[]) AS r (rule)
ON CONFLICT (account_id, rule) DO UPDATE SET mode = excluded.mode, changed_at = now()

-- name: guard_strictness_all -> rows GuardStrictnessRow
SELECT account_id, strictness FROM guard_strictness

-- name: guard_strictness_of -> rows NamedGuardStrictness
SELECT s.account_id, a.name AS account, s.strictness
FROM guard_strictness AS s LEFT JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR s.account_id IN (:GENERAL, :account_id)
ORDER BY s.account_id

-- name: guard_strictness_set
INSERT INTO guard_strictness (account_id, strictness) VALUES (:account_id, :strictness)
ON CONFLICT (account_id) DO UPDATE SET strictness = excluded.strictness, changed_at = now()

-- name: guard_strictness_remove -> value?
DELETE FROM guard_strictness WHERE account_id = :account_id RETURNING strictness

-- name: guard_list_set
INSERT INTO guard_list (account_id, kind, value, is_allowed, note)
VALUES (:account_id, :kind, :value, :is_allowed, :note)
ON CONFLICT (account_id, kind, value, is_allowed) DO UPDATE SET note = excluded.note

-- name: guard_list_remove -> value?
DELETE FROM guard_list WHERE account_id = :account_id AND kind = :kind AND value = :value
    AND is_allowed = :is_allowed RETURNING value

-- name: guard_budget_set
INSERT INTO guard_budget (account_id, country, hour_messages, day_messages, hour_micro, day_micro)
VALUES (:account_id, :country, :hour_messages?, :day_messages?, :hour_micro?, :day_micro?)
ON CONFLICT (account_id, country) DO UPDATE
SET hour_messages = excluded.hour_messages, day_messages = excluded.day_messages, hour_micro = excluded.hour_micro,
    day_micro = excluded.day_micro, changed_at = now()

-- name: guard_budget_remove -> value?
DELETE FROM guard_budget WHERE account_id = :account_id AND country = :country RETURNING country

-- name: guard_alert_set
INSERT INTO guard_alert (account_id, url) VALUES (:account_id, :url)
ON CONFLICT (account_id) DO UPDATE SET url = excluded.url

-- name: guard_alert_remove -> value?
DELETE FROM guard_alert WHERE account_id = :account_id RETURNING url

-- name: guard_risks -> rows GuardRiskRow
SELECT account_id, kind, value, level FROM guard_risk

-- name: guard_risk_set
INSERT INTO guard_risk (account_id, kind, value, level, note) VALUES (:account_id, :kind, :value, :level, :note)
ON CONFLICT (account_id, kind, value) DO UPDATE
SET level = excluded.level, note = excluded.note, changed_at = now()

-- name: guard_risk_remove -> value?
DELETE FROM guard_risk WHERE account_id = :account_id AND kind = :kind AND value = :value RETURNING value

-- name: guard_risks_of -> rows NamedGuardRisk
SELECT a.name AS account, r.kind, r.value, r.level, r.note, r.changed_at
FROM guard_risk AS r LEFT JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR r.account_id IN (:GENERAL, :account_id)
ORDER BY r.account_id, r.kind, r.value

-- What was paid for and may have come, and what of it converted, by app and country, on the days from `first_day` to
-- before `beyond_day`.
-- name: guard_country_traffic -> rows GuardTrafficRow
-- slow
SELECT s.account_id, c.app_id, c.country, sum(s.sent - s.undelivered)::bigint AS messages,
    sum(s.converted)::bigint AS converted
FROM stat AS s
JOIN stat_cell AS c ON c.account_id = s.account_id AND c.cell_id = s.cell_id
WHERE s.grain = :PeriodGrain.DAY AND s.period >= :first_day AND s.period < :beyond_day
GROUP BY 1, 2, 3
HAVING sum(s.sent - s.undelivered) > 0

-- name: guard_alerts_of -> rows NamedGuardAlert
SELECT g.account_id, a.name AS account, g.url
FROM guard_alert AS g LEFT JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR g.account_id IN (:GENERAL, :account_id)
ORDER BY g.account_id

-- name: guard_rules_of -> rows NamedGuardRule
SELECT a.name AS account, m.rule, m.mode FROM guard_mode AS m LEFT JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR m.account_id IN (:GENERAL, :account_id)
ORDER BY m.account_id, m.rule

-- name: guard_lists_of -> rows NamedGuardList
SELECT a.name AS account, l.kind, l.value, l.is_allowed, l.note, l.created_at
FROM guard_list AS l LEFT JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR l.account_id IN (:GENERAL, :account_id)
ORDER BY l.account_id, l.kind, l.value, l.is_allowed

-- name: guard_budgets_of -> rows NamedGuardBudget
SELECT a.name AS account, b.country, b.hour_messages, b.day_messages, b.hour_micro, b.day_micro
FROM guard_budget AS b LEFT JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR b.account_id IN (:GENERAL, :account_id)
ORDER BY b.account_id, b.country

-- name: guard_snapshot_write
WITH written AS (
    INSERT INTO guard_snapshot (made_at, snapshot) VALUES (:made_at, :snapshot)
    ON CONFLICT (only_one) DO UPDATE SET made_at = excluded.made_at, snapshot = excluded.snapshot
    RETURNING only_one
)
SELECT pg_notify('homing_guard', '') FROM written

-- name: guard_snapshot_read -> row? GuardSnapshotRow
SELECT made_at, snapshot FROM guard_snapshot

-- A new verdict is pushed to its account and to the operator, but not again for a range with a verdict of within the
-- hour, unless that blocked nothing and this one does. The push's message_id is the verdict's: pushes of one verdict go out in their order.
-- name: guard_verdicts_add
-- takes: verdicts NewGuardVerdict
WITH fresh AS (
    SELECT * FROM unnest(:verdicts) AS v (
        account_id bigint, app_id text, country text, network text, digits text, reason text, text text,
        may_block boolean, since timestamptz, until timestamptz
    )
), added AS (
    INSERT INTO guard_verdict (account_id, app_id, country, network, digits, reason, may_block, since, until)
    SELECT account_id, app_id, country, network, digits, reason::jsonb, may_block, since, until FROM fresh
    RETURNING account_id, verdict_id, app_id, country, network, digits, reason, may_block, since, until
)
INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, due_at)
SELECT a.account_id, a.account_id % :PUSH_LANES::int, v.verdict_id, :PushKind.ALERT, a.url,
    json_build_object('event', 'guard.verdict', 'account', v.account_id, 'app', v.app_id, 'country', v.country,
        'network', v.network, 'range', v.digits, 'reason', v.reason ->> 'code', 'values', v.reason -> 'values',
        'text', fresh.text, 'since', extract(epoch FROM v.since)::bigint,
        'until', extract(epoch FROM v.until)::bigint)::text,
    now(), now()
FROM added AS v
JOIN fresh USING (account_id, app_id, network, digits)
JOIN guard_alert AS a ON a.account_id IN (:GENERAL, v.account_id)
WHERE NOT EXISTS (
    SELECT FROM guard_verdict AS before
    WHERE before.account_id = v.account_id AND before.app_id = v.app_id AND before.network = v.network
        AND before.digits = v.digits
        AND before.since > v.since - interval '1 hour'
        AND (before.may_block OR NOT v.may_block)
)

-- name: guard_verdicts_end
-- takes: ranges GuardRangeKey
UPDATE guard_verdict AS v
SET until = :until
FROM unnest(:ranges) AS e (account_id bigint, app_id text, network text, digits text)
WHERE v.account_id = e.account_id AND v.app_id = e.app_id AND v.network = e.network AND v.digits = e.digits
    AND v.until > :until

-- name: guard_verdicts_active -> rows ActiveVerdict
SELECT account_id, app_id, network, digits, reason, may_block, since, until
FROM guard_verdict
WHERE until > :now AND lifted_at IS NULL

-- name: guard_verdicts_lifted -> rows LiftedVerdict
-- not null: lifted_at
SELECT account_id, app_id, network, digits, since, lifted_at FROM guard_verdict WHERE lifted_at > :lifted_since

-- name: guard_verdicts_of -> rows NamedVerdict
SELECT v.verdict_id, a.name AS account, app.name AS app, v.country, v.network, v.digits, v.reason, v.may_block,
    v.since, v.until, v.lifted_at
FROM guard_verdict AS v
LEFT JOIN account AS a USING (account_id)
LEFT JOIN app USING (app_id)
WHERE (:account_id?::bigint IS NULL OR v.account_id = :account_id)
    AND (:with_past::boolean OR (v.until > now() AND v.lifted_at IS NULL))
ORDER BY v.since DESC
LIMIT :rows_max

-- name: guard_verdict_lift -> values
UPDATE guard_verdict
SET lifted_at = now()
WHERE digits = :digits AND (:account_id?::bigint IS NULL OR account_id = :account_id)
    AND (:network?::text IS NULL OR network = :network) AND until > now()
    AND lifted_at IS NULL
RETURNING digits

-- name: guard_network_states_write
-- takes: states NewGuardNetworkState
-- slow
INSERT INTO guard_network_state (account_id, app_id, network, saved_at, state)
SELECT account_id, app_id, network, :saved_at, state
FROM unnest(:states) AS s (account_id bigint, app_id text, network text, state bytea)
ORDER BY account_id, app_id, network
ON CONFLICT (account_id, app_id, network) DO UPDATE SET saved_at = excluded.saved_at, state = excluded.state

-- name: guard_network_states_read -> rows GuardNetworkStateRow
-- slow
SELECT account_id, app_id, network, state FROM guard_network_state ORDER BY saved_at DESC LIMIT :rows_max

-- name: guard_decisions_add
-- takes: decisions NewGuardDecision
INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule, reason,
    reason_code, scope, charge_micro)
SELECT account_id, at, message_id, app_id, number, country, network, action, rule, reason::json, reason_code, scope,
    charge_micro
FROM unnest(:decisions OF new_guard_decision) AS d (
    account_id bigint, at timestamptz, message_id bigint, app_id text, number text, country text, network text,
    action smallint, rule text, reason text, reason_code text, scope text, charge_micro bigint
)

-- name: guard_decisions_of -> rows GuardDecisionRow
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM guard_decision AS d
LEFT JOIN account AS a USING (account_id)
WHERE (:account_id?::bigint IS NULL OR d.account_id = :account_id) AND (:rule?::text IS NULL OR d.rule = :rule)
ORDER BY d.at DESC
LIMIT :rows_max

-- A refused message by its id, which has the time of its decision to the second or two.
-- name: guard_refusal -> row? GuardRefusalRow
SELECT d.at, a.name AS account, d.message_id, d.number, d.rule, d.reason, d.scope, d.charge_micro
FROM guard_decision AS d
LEFT JOIN account AS a USING (account_id)
WHERE d.at >= accepted_at(:message_id::bigint) - interval '1 minute'
    AND d.at <= accepted_at(:message_id::bigint) + interval '1 minute'
    AND d.message_id = :message_id AND d.action = :GuardAction.BLOCK

-- The latest first, below a key (`before_at` at, `before_id` id; null: from the top), of all accounts. With a rule
-- (`rule`) those of it among the first `looked_max`.
-- name: guard_decisions_page -> rows GuardDecisionRow
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM (
    SELECT *
    FROM guard_decision
    WHERE at <= coalesce(:before_at?::timestamptz, 'infinity')
        AND (:before_at::timestamptz IS NULL OR (at, decision_id) < (:before_at, :before_id?::bigint))
    ORDER BY at DESC, decision_id DESC
    LIMIT :looked_max
) AS d
LEFT JOIN account AS a USING (account_id)
WHERE :rule?::text IS NULL OR d.rule = :rule
ORDER BY d.at DESC, d.decision_id DESC
LIMIT :rows_max

-- As above, of one account (`account_id`), below an id (`before_id`).
-- name: guard_decisions_page_of -> rows GuardDecisionRow
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM (
    SELECT *
    FROM guard_decision
    WHERE account_id = :account_id AND decision_id < coalesce(:before_id?::bigint, 9223372036854775807)
    ORDER BY decision_id DESC
    LIMIT :looked_max
) AS d
JOIN account AS a USING (account_id)
WHERE :rule?::text IS NULL OR d.rule = :rule
ORDER BY d.decision_id DESC
LIMIT :rows_max

-- The latest first, below a key (`before_at` at, `before_id` id; null: from the top), of a reason's code (`code`). Of
-- an account (`account_id`) or a rule (`rule`) those among the first `looked_max`.
-- name: guard_decisions_page_for -> rows GuardDecisionRow
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM (
    SELECT *
    FROM guard_decision
    WHERE reason_code = :code AND at <= coalesce(:before_at?::timestamptz, 'infinity')
        AND (:before_at::timestamptz IS NULL OR (at, decision_id) < (:before_at, :before_id?::bigint))
    ORDER BY at DESC, decision_id DESC
    LIMIT :looked_max
) AS d
LEFT JOIN account AS a USING (account_id)
WHERE (:account_id?::bigint IS NULL OR d.account_id = :account_id) AND (:rule?::text IS NULL OR d.rule = :rule)
ORDER BY d.at DESC, d.decision_id DESC
LIMIT :rows_max

-- How many for which reason, in [`since`, `before`); of one account (`account_id`) or all.
-- name: guard_reason_counts -> rows ReasonCountRow
-- slow
SELECT reason_code, action, count(*) AS messages, sum(charge_micro)::bigint AS charge_micro, max(at) AS last_at
FROM guard_decision
WHERE at >= :since AND at < :before AND (:account_id?::bigint IS NULL OR account_id = :account_id)
GROUP BY reason_code, action
ORDER BY messages DESC, reason_code, action

-- Verdicts in force, the latest first, below an id (`before_id`).
-- name: guard_verdicts_page -> rows VerdictPageRow
SELECT v.verdict_id, v.account_id, a.name AS account, app.name AS app, v.country, v.network, v.digits, v.reason,
    v.may_block, v.since, v.until
FROM guard_verdict AS v
LEFT JOIN account AS a USING (account_id)
LEFT JOIN app USING (app_id)
WHERE v.until > now() AND v.lifted_at IS NULL AND (:before_id?::bigint IS NULL OR v.verdict_id < :before_id)
ORDER BY v.verdict_id DESC
LIMIT :rows_max

-- name: guard_verdicts_count -> row VerdictTotals
SELECT count(*) AS verdicts, count(*) FILTER (WHERE may_block) AS may_block
FROM guard_verdict
WHERE until > now() AND lifted_at IS NULL

-- name: guard_saved -> rows GuardSavingRow
SELECT a.name AS account, d.country, d.rule, d.action, count(*) AS messages, sum(d.charge_micro)::bigint AS charge_micro
FROM guard_decision AS d
LEFT JOIN account AS a USING (account_id)
WHERE (:account_id?::bigint IS NULL OR d.account_id = :account_id) AND d.at >= :since
GROUP BY 1, 2, 3, 4
ORDER BY 6 DESC, 1, 2, 3, 4

-- What was sent to each country in each hour from `first_hour` (hours after 1970) to before `beyond_hour`; of one
-- account (`account_id`) or all.
-- name: guard_hours -> rows GuardHourRow
-- slow
SELECT s.account_id, c.country, s.period, sum(s.submitted)::bigint AS submitted, sum(s.converted)::bigint AS converted,
    sum(s.revenue_micro)::bigint AS revenue_micro
FROM stat AS s
JOIN stat_cell AS c ON c.account_id = s.account_id AND c.cell_id = s.cell_id
WHERE s.grain = :PeriodGrain.HOUR AND s.period >= :first_hour AND s.period < :beyond_hour
    AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
GROUP BY s.account_id, c.country, s.period

-- name: guard_saved_by_rule -> rows RuleSavingRow
SELECT rule, action, count(*) AS messages, sum(charge_micro)::bigint AS charge_micro
FROM guard_decision
WHERE at >= :since
GROUP BY rule, action

-- What refusals (`account_id`: of one account or all) saved since `since`, by periods of `grain` minutes.
-- name: guard_saved_over_time -> rows PeriodSavingRow
SELECT floor(extract(epoch FROM at) / 60 / :grain::int)::int AS period, count(*) AS messages,
    sum(charge_micro)::bigint AS charge_micro
FROM guard_decision
WHERE action = :GuardAction.BLOCK AND at >= :since AND (:account_id?::bigint IS NULL OR account_id = :account_id)
GROUP BY 1

-- name: guard_delete_old
WITH decisions AS (
    DELETE FROM guard_decision WHERE at < :before
), verdicts AS (
    DELETE FROM guard_verdict WHERE until < :before
)
DELETE FROM guard_network_state WHERE saved_at < :before

-- --- end users' addresses ------------------------------------------------------------------------------------

-- name: guard_addresses_add
-- takes: messages NewGuardAddress
WITH added AS (
    INSERT INTO guard_address (message_id, account_id, app_id, network, address, prefix, site, number)
    SELECT message_id, account_id, app_id, network, address, prefix, site, number
    FROM unnest(:messages) AS m (
        message_id bigint, account_id bigint, app_id text, network text, address bigint, prefix bigint, site bigint?,
        number bigint
    )
    ON CONFLICT DO NOTHING
    RETURNING *
)
INSERT INTO guard_address_delta (account_id, app_id, network, minute, address, prefix, site, number, is_conversion)
SELECT account_id, app_id, network, accepted_minute(message_id), address, prefix, site, number, false
FROM added

-- What has not been observed yet, the oldest first.
-- name: guard_address_take -> rows GuardAddressRow
DELETE FROM guard_address_delta
WHERE ctid = ANY (ARRAY(SELECT ctid FROM guard_address_delta LIMIT :rows_max))
RETURNING account_id, app_id, network, minute, address, prefix, site, number, is_conversion

-- name: guard_address_skip
DELETE FROM guard_address_delta

-- The latest messages with an address, and whether each converted: what a new model begins with.
-- name: guard_addresses_read -> rows GuardAddressRow
-- slow
-- not null: is_conversion
SELECT g.account_id, g.app_id, g.network, accepted_minute(g.message_id) AS minute, g.address, g.prefix, g.site, g.number,
    EXISTS (
        SELECT FROM conversion AS c
        WHERE c.account_id = ANY (ARRAY[g.account_id]) AND c.message_id = ANY (ARRAY[g.message_id])
            AND c.credited_at IS NOT NULL
    ) AS is_conversion
FROM guard_address AS g
WHERE g.message_id >= first_id_at(:since)
ORDER BY g.message_id DESC
LIMIT :rows_max

-- Of verdicts on addresses or prefixes; gives the accounts. One that is lifted again is lifted from now on.
-- name: guard_addresses_lift -> values
-- takes: addresses FlaggedAddressKey
INSERT INTO guard_address_lift AS l (account_id, app_id, address, lifted_at)
SELECT account_id, app_id, address, now()
FROM unnest(:addresses) AS f (account_id bigint, app_id text, address bigint)
ON CONFLICT (account_id, app_id, address) DO UPDATE SET lifted_at = excluded.lifted_at
RETURNING account_id

-- name: guard_address_lifts -> rows GuardAddressLift
SELECT account_id, app_id, address, lifted_at FROM guard_address_lift WHERE lifted_at > :since

-- name: guard_address_lifts_forget
DELETE FROM guard_address_lift WHERE lifted_at < :before

-- name: guard_addresses_forget
-- slow
DELETE FROM guard_address WHERE message_id < first_id_at(:before)

-- name: guard_account_names -> rows GuardAccountName
SELECT account_id, name FROM account WHERE account_id = ANY (:account_ids::bigint[])

-- --- past messages through the guard (guard/backtest.py) ---------------------------------------------------------

-- Where an account's latest `messages_max` messages since an id begin, or as many that were refused; null: there are
-- fewer.
-- name: guard_past_cut -> value
-- null: cut_id
SELECT max(cut.message_id) AS cut_id
FROM (
    (
        SELECT m.message_id FROM message AS m
        WHERE m.account_id = :account_id AND m.message_id >= :first_id
        ORDER BY m.message_id DESC OFFSET :messages_max LIMIT 1
    )
    UNION ALL
    (
        SELECT d.message_id FROM guard_decision AS d
        WHERE d.account_id = :account_id AND d.action = :GuardAction.BLOCK AND d.message_id >= :first_id
        ORDER BY d.decision_id DESC OFFSET :messages_max LIMIT 1
    )
) AS cut

-- A page of an account's messages from an id on, in the order of their ids, with those that the guard refused and which
-- have no row. By pages: a transaction of minutes would keep dead rows of busy tables from being removed.
-- name: guard_past_messages -> rows PastMessageRow
-- null: credited_at
(
    SELECT m.message_id, m.app_id, m.number, m.country, m.mcc, m.mnc, m.carrier_id, m.charge_micro, c.credited_at,
        coalesce(m.is_resent, false) AS is_resent, false AS was_refused
    FROM message AS m
    LEFT JOIN conversion AS c USING (account_id, message_id)
    WHERE m.account_id = :account_id AND m.message_id >= :first_id AND m.message_id < :beyond_id
    ORDER BY m.message_id
    LIMIT :rows_max
)
UNION ALL
(
    SELECT d.message_id, d.app_id, d.number, d.country, left(d.network, 3), substr(d.network, 4), 0, d.charge_micro,
        NULL, false, true
    FROM guard_decision AS d
    WHERE d.account_id = :account_id AND d.action = :GuardAction.BLOCK
        AND d.message_id >= :first_id AND d.message_id < :beyond_id
        AND d.at >= accepted_at(:first_id) - interval '1 minute'
        AND d.at <= accepted_at(:beyond_id) + interval '1 minute'
    ORDER BY d.message_id
    LIMIT :rows_max
)
ORDER BY message_id
LIMIT :rows_max

-- name: guard_backtests_write
-- takes: results NewGuardBacktest
INSERT INTO guard_backtest (account_id, strictness, made_at, since, until, messages, charge_micro, refused,
    refused_micro, people, people_low, people_high)
SELECT account_id, strictness, now(), since, until, messages, charge_micro, refused, refused_micro, people, people_low,
    people_high
FROM unnest(:results) AS r (
    account_id bigint, strictness smallint, since timestamptz, until timestamptz, messages bigint, charge_micro bigint,
    refused bigint, refused_micro bigint, people double precision?, people_low double precision?,
    people_high double precision?
)
ON CONFLICT (account_id, strictness) DO UPDATE
SET made_at = excluded.made_at, since = excluded.since, until = excluded.until, messages = excluded.messages,
    charge_micro = excluded.charge_micro, refused = excluded.refused, refused_micro = excluded.refused_micro,
    people = excluded.people, people_low = excluded.people_low, people_high = excluded.people_high

-- name: guard_backtests -> rows GuardBacktestRow
SELECT b.account_id, a.name AS account, b.strictness, b.made_at, b.since, b.until, b.messages, b.charge_micro,
    b.refused, b.refused_micro, b.people, b.people_low, b.people_high
FROM guard_backtest AS b
JOIN account AS a USING (account_id)
WHERE :account_id?::bigint IS NULL OR b.account_id = :account_id
ORDER BY a.name, b.strictness
