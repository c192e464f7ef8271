-- The guard: rules, books, verdicts, decisions.

-- name: guard_modes
SELECT account_id, rule, mode FROM guard_mode

-- name: guard_lists
SELECT account_id, kind, value, is_allowed FROM guard_list

-- name: guard_budgets
SELECT account_id, country, hour_messages, day_messages, hour_micro, day_micro FROM guard_budget

-- Rows that are not there yet cannot be locked, so that it is the table; messages' way only reads it.
-- name: guard_modes_hold
LOCK TABLE guard_mode IN SHARE ROW EXCLUSIVE MODE

-- name: guard_mode_set
INSERT INTO guard_mode (account_id, rule, mode)
SELECT $1, rule, $3 FROM unnest($2::text[]) AS r (rule)
ON CONFLICT (account_id, rule) DO UPDATE SET mode = excluded.mode, changed_at = now()

-- name: guard_list_set
INSERT INTO guard_list (account_id, kind, value, is_allowed, note) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, kind, value, is_allowed) DO UPDATE SET note = excluded.note

-- name: guard_list_remove
DELETE FROM guard_list WHERE account_id = $1 AND kind = $2 AND value = $3 AND is_allowed = $4 RETURNING value

-- name: guard_budget_set
INSERT INTO guard_budget (account_id, country, hour_messages, day_messages, hour_micro, day_micro)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, country) DO UPDATE
SET hour_messages = excluded.hour_messages, day_messages = excluded.day_messages, hour_micro = excluded.hour_micro,
    day_micro = excluded.day_micro, changed_at = now()

-- name: guard_budget_remove
DELETE FROM guard_budget WHERE account_id = $1 AND country = $2 RETURNING country

-- name: guard_alert_set
INSERT INTO guard_alert (account_id, url) VALUES ($1, $2) ON CONFLICT (account_id) DO UPDATE SET url = excluded.url

-- name: guard_alert_remove
DELETE FROM guard_alert WHERE account_id = $1 RETURNING url

-- name: guard_risks
SELECT account_id, kind, value, level FROM guard_risk

-- name: guard_risk_set
INSERT INTO guard_risk (account_id, kind, value, level, note) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, kind, value) DO UPDATE
SET level = excluded.level, note = excluded.note, changed_at = now()

-- name: guard_risk_remove
DELETE FROM guard_risk WHERE account_id = $1 AND kind = $2 AND value = $3 RETURNING value

-- name: guard_risks_of
SELECT a.name AS account, r.kind, r.value, r.level, r.note, r.changed_at
FROM guard_risk AS r LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint IS NULL OR r.account_id IN (0, $1)
ORDER BY r.account_id, r.kind, r.value

-- What was paid for and may have come, and what of it converted, by app and country, on the days from $1 to before $2.
-- name: guard_spends
SELECT s.account_id, c.app_id, c.country, sum(s.sent - s.undelivered)::bigint AS messages,
    sum(s.converted)::bigint AS converted
FROM stat AS s
JOIN stat_cell AS c ON c.account_id = s.account_id AND c.cell_id = s.cell_id
WHERE s.grain = 1440 AND s.period >= $1 AND s.period < $2
GROUP BY 1, 2, 3
HAVING sum(s.sent - s.undelivered) > 0

-- name: guard_alerts_of
SELECT g.account_id, a.name AS account, g.url
FROM guard_alert AS g LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint IS NULL OR g.account_id IN (0, $1)
ORDER BY g.account_id

-- name: guard_rules_of
SELECT a.name AS account, m.rule, m.mode FROM guard_mode AS m LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint IS NULL OR m.account_id IN (0, $1)
ORDER BY m.account_id, m.rule

-- name: guard_lists_of
SELECT a.name AS account, l.kind, l.value, l.is_allowed, l.note, l.created_at
FROM guard_list AS l LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint IS NULL OR l.account_id IN (0, $1)
ORDER BY l.account_id, l.kind, l.value, l.is_allowed

-- name: guard_budgets_of
SELECT a.name AS account, b.country, b.hour_messages, b.day_messages, b.hour_micro, b.day_micro
FROM guard_budget AS b LEFT JOIN account AS a USING (account_id)
WHERE $1::bigint IS NULL OR b.account_id IN (0, $1)
ORDER BY b.account_id, b.country

-- name: guard_book_write
WITH written AS (
    INSERT INTO guard_book (made_at, book) VALUES ($1, $2)
    ON CONFLICT (only_one) DO UPDATE SET made_at = excluded.made_at, book = excluded.book
    RETURNING only_one
)
SELECT pg_notify('homing_guard', '') FROM written

-- name: guard_book_read
SELECT made_at, book FROM guard_book

-- A new verdict is pushed to its account and to the operator, but a range's that was judged within the hour is not told
-- again. The push's message_id is the verdict's: pushes of one verdict go out in their order.
-- name: guard_verdicts_add
WITH fresh AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::boolean[], $9::timestamptz[], $10::timestamptz[])
        AS v (account_id, app_id, country, network, digits, reason, text, is_sure, since, until)
), added AS (
    INSERT INTO guard_verdict (account_id, app_id, country, network, digits, reason, is_sure, since, until)
    SELECT account_id, app_id, country, network, digits, reason::jsonb, is_sure, since, until FROM fresh
    RETURNING account_id, verdict_id, app_id, country, network, digits, reason, since, until
)
INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, due_at)
SELECT a.account_id, a.account_id % $11::int, v.verdict_id, 7, a.url,
    json_build_object('event', 'guard.verdict', 'account', v.account_id, 'app', v.app_id, 'country', v.country,
        'network', v.network, 'range', v.digits, 'reason', v.reason ->> 'code', 'values', v.reason -> 'values',
        'text', fresh.text, 'since', extract(epoch FROM v.since)::bigint,
        'until', extract(epoch FROM v.until)::bigint)::text,
    now(), now()
FROM added AS v
JOIN fresh USING (account_id, app_id, network, digits)
JOIN guard_alert AS a ON a.account_id IN (0, v.account_id)
WHERE NOT EXISTS (
    SELECT FROM guard_verdict AS before
    WHERE before.account_id = v.account_id AND before.app_id = v.app_id AND before.network = v.network
        AND before.digits = v.digits
        AND before.since > v.since - interval '1 hour'
)

-- name: guard_verdicts_end
UPDATE guard_verdict AS v
SET until = $5
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS e (account_id, app_id, network, digits)
WHERE v.account_id = e.account_id AND v.app_id = e.app_id AND v.network = e.network AND v.digits = e.digits
    AND v.until > $5

-- name: guard_verdicts_active
SELECT account_id, app_id, network, digits, reason, is_sure, since, until
FROM guard_verdict
WHERE until > $1 AND lifted_at IS NULL

-- name: guard_verdicts_lifted
SELECT account_id, app_id, network, digits, lifted_at FROM guard_verdict WHERE lifted_at > $1

-- name: guard_verdicts_of
SELECT v.verdict_id, a.name AS account, app.name AS app, v.country, v.network, v.digits, v.reason, v.is_sure,
    v.since, v.until, v.lifted_at
FROM guard_verdict AS v
LEFT JOIN account AS a USING (account_id)
LEFT JOIN app USING (app_id)
WHERE ($1::bigint IS NULL OR v.account_id = $1) AND ($2::boolean OR (v.until > now() AND v.lifted_at IS NULL))
ORDER BY v.since DESC
LIMIT $3

-- name: guard_verdict_lift
UPDATE guard_verdict
SET lifted_at = now()
WHERE digits = $1 AND ($2::bigint IS NULL OR account_id = $2) AND ($3::text IS NULL OR network = $3) AND until > now()
    AND lifted_at IS NULL
RETURNING digits

-- name: guard_memory_write
INSERT INTO guard_memory (account_id, app_id, network, saved_at, memory)
SELECT account_id, app_id, network, $5, memory
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS m (account_id, app_id, network, memory)
ORDER BY account_id, app_id, network
ON CONFLICT (account_id, app_id, network) DO UPDATE SET saved_at = excluded.saved_at, memory = excluded.memory

-- name: guard_memory_read
SELECT account_id, app_id, network, memory FROM guard_memory ORDER BY saved_at DESC LIMIT $1

-- name: guard_decisions_add
INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule, reason, scope,
    charge_micro)
SELECT account_id, at, message_id, app_id, number, country, network, action, rule, reason::jsonb, scope, charge_micro
FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::smallint[], $9::text[], $10::text[], $11::text[], $12::bigint[])
    AS d (account_id, at, message_id, app_id, number, country, network, action, rule, reason, scope, charge_micro)

-- name: guard_decisions_of
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM guard_decision AS d
LEFT JOIN account AS a USING (account_id)
WHERE ($1::bigint IS NULL OR d.account_id = $1) AND ($2::text IS NULL OR d.rule = $2)
ORDER BY d.at DESC
LIMIT $3

-- A refused message by its id, which has the time of its decision to the second or two.
-- name: guard_refusal
SELECT d.at, a.name AS account, d.message_id, d.number, d.rule, d.reason, d.scope, d.charge_micro
FROM guard_decision AS d
LEFT JOIN account AS a USING (account_id)
WHERE d.at >= accepted_at($1::bigint) - interval '1 minute'
    AND d.at <= accepted_at($1::bigint) + interval '1 minute'
    AND d.message_id = $1 AND d.action = 2

-- The latest first, below a key ($1 at, $2 id; null: from the top), of all accounts. With a rule ($3) those of it among
-- the first $4.
-- name: guard_decisions_page
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM (
    SELECT *
    FROM guard_decision
    WHERE at <= coalesce($1::timestamptz, 'infinity') AND ($1::timestamptz IS NULL OR (at, decision_id) < ($1, $2::bigint))
    ORDER BY at DESC, decision_id DESC
    LIMIT $4
) AS d
LEFT JOIN account AS a USING (account_id)
WHERE $3::text IS NULL OR d.rule = $3
ORDER BY d.at DESC, d.decision_id DESC
LIMIT $5

-- As above, of one account ($1), below an id ($2).
-- name: guard_decisions_page_of
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM (
    SELECT *
    FROM guard_decision
    WHERE account_id = $1 AND decision_id < coalesce($2::bigint, 9223372036854775807)
    ORDER BY decision_id DESC
    LIMIT $4
) AS d
JOIN account AS a USING (account_id)
WHERE $3::text IS NULL OR d.rule = $3
ORDER BY d.decision_id DESC
LIMIT $5

-- The latest first, below a key ($1 at, $2 id; null: from the top), of a reason's code ($3). Of an account ($4) or a rule
-- ($5) those among the first $6.
-- name: guard_decisions_page_for
SELECT d.decision_id, d.at, a.name AS account, d.message_id, d.number, d.country, d.network, d.action, d.rule, d.reason,
    d.scope, d.charge_micro
FROM (
    SELECT *
    FROM guard_decision
    WHERE reason_code = $3 AND at <= coalesce($1::timestamptz, 'infinity')
        AND ($1::timestamptz IS NULL OR (at, decision_id) < ($1, $2::bigint))
    ORDER BY at DESC, decision_id DESC
    LIMIT $6
) AS d
LEFT JOIN account AS a USING (account_id)
WHERE ($4::bigint IS NULL OR d.account_id = $4) AND ($5::text IS NULL OR d.rule = $5)
ORDER BY d.at DESC, d.decision_id DESC
LIMIT $7

-- How many for which reason, in [$1, $2); of one account ($3) or all.
-- name: guard_reason_counts
SELECT reason_code, action, count(*) AS messages, sum(charge_micro)::bigint AS charge_micro, max(at) AS last_at
FROM guard_decision
WHERE at >= $1 AND at < $2 AND ($3::bigint IS NULL OR account_id = $3)
GROUP BY reason_code, action
ORDER BY messages DESC, reason_code, action

-- What is judged now, the latest first, below an id ($1).
-- name: guard_verdicts_page
SELECT v.verdict_id, v.account_id, a.name AS account, app.name AS app, v.country, v.network, v.digits, v.reason,
    v.is_sure, v.since, v.until
FROM guard_verdict AS v
LEFT JOIN account AS a USING (account_id)
LEFT JOIN app USING (app_id)
WHERE v.until > now() AND v.lifted_at IS NULL AND ($1::bigint IS NULL OR v.verdict_id < $1)
ORDER BY v.verdict_id DESC
LIMIT $2

-- name: guard_verdicts_count
SELECT count(*) AS verdicts, count(*) FILTER (WHERE is_sure) AS may_block
FROM guard_verdict
WHERE until > now() AND lifted_at IS NULL

-- name: guard_saved
SELECT a.name AS account, d.country, d.rule, d.action, count(*) AS messages, sum(d.charge_micro)::bigint AS charge_micro
FROM guard_decision AS d
LEFT JOIN account AS a USING (account_id)
WHERE ($1::bigint IS NULL OR d.account_id = $1) AND d.at >= $2
GROUP BY 1, 2, 3, 4
ORDER BY 6 DESC, 1, 2, 3, 4

-- What was sent to each country in each hour from $1 (hours after 1970) to before $2; of one account ($3) or all.
-- name: guard_hours
SELECT s.account_id, c.country, s.period, sum(s.submitted)::bigint AS submitted, sum(s.converted)::bigint AS converted,
    sum(s.revenue_micro)::bigint AS revenue_micro
FROM stat AS s
JOIN stat_cell AS c ON c.account_id = s.account_id AND c.cell_id = s.cell_id
WHERE s.grain = 60 AND s.period >= $1 AND s.period < $2 AND ($3::bigint IS NULL OR s.account_id = $3)
GROUP BY s.account_id, c.country, s.period

-- name: guard_saved_by_rule
SELECT rule, action, count(*) AS messages, sum(charge_micro)::bigint AS charge_micro
FROM guard_decision
WHERE at >= $1
GROUP BY rule, action

-- What refusals ($3: of one account or all) saved since $2, by periods of $1 minutes.
-- name: guard_saved_over_time
SELECT floor(extract(epoch FROM at) / 60 / $1)::int AS period, count(*) AS messages,
    sum(charge_micro)::bigint AS charge_micro
FROM guard_decision
WHERE action = 2 AND at >= $2 AND ($3::bigint IS NULL OR account_id = $3)
GROUP BY 1

-- name: guard_forget
WITH decisions AS (
    DELETE FROM guard_decision WHERE at < $1
), verdicts AS (
    DELETE FROM guard_verdict WHERE until < $1
)
DELETE FROM guard_memory WHERE saved_at < $1
