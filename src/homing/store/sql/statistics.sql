-- What changed of messages, taken out and added up (statistics/rollup.py), and read (statistics/history.py).

-- The oldest deltas first, since rows are added at the end. Another process that has taken some of them meanwhile keeps
-- them.
-- name: stat_take -> rows StatDeltaRow
WITH taken AS (
    DELETE FROM stat_delta
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM stat_delta LIMIT :rows_max))
    RETURNING *
)
SELECT minute, account_id, app_id, country, network, block, carrier_id, sender,
    coalesce(sum(submitted), 0) AS submitted, coalesce(sum(sent), 0) AS sent, coalesce(sum(delivered), 0) AS delivered,
    coalesce(sum(undelivered), 0) AS undelivered, coalesce(sum(converted), 0) AS converted,
    coalesce(sum(refused), 0) AS refused, coalesce(sum(cost_micro), 0)::bigint AS cost_micro,
    coalesce(sum(revenue_micro), 0)::bigint AS revenue_micro, coalesce(receipt_bucket, -1) AS receipt_bucket,
    coalesce(conversion_bucket, -1) AS conversion_bucket, coalesce(resent, false) AS resent,
    coalesce(sum(superseded), 0) AS superseded, coalesce(superseded_age_s, -1) AS superseded_age_s,
    coalesce(superseded_receipt, 0) AS superseded_receipt, count(*) AS taken
FROM taken
GROUP BY minute, account_id, app_id, country, network, block, carrier_id, sender, taken.receipt_bucket,
    taken.conversion_bucket, taken.resent, taken.superseded_age_s, taken.superseded_receipt

-- name: stat_cells_find -> rows FoundCell
-- takes: cells NewStatCell
SELECT c.cell_id, w.nth
FROM unnest(:cells) WITH ORDINALITY AS w (
    account_id bigint, app_id text, country text, network text, prefix text, carrier_id int, sender text, nth
)
JOIN stat_cell AS c
    ON c.account_id = ANY (ARRAY[w.account_id]) AND c.app_id = ANY (ARRAY[w.app_id])
    AND c.country = ANY (ARRAY[w.country]) AND c.network = ANY (ARRAY[w.network])
    AND c.prefix = ANY (ARRAY[w.prefix]) AND c.carrier_id = ANY (ARRAY[w.carrier_id])
    AND c.sender = ANY (ARRAY[w.sender])

-- name: stat_cells_make -> rows StatCellRow
-- takes: cells NewStatCell
INSERT INTO stat_cell (account_id, app_id, country, network, prefix, carrier_id, sender)
SELECT account_id, app_id, country, network, prefix, carrier_id, sender
FROM unnest(:cells) AS w (
    account_id bigint, app_id text, country text, network text, prefix text, carrier_id int, sender text
)
RETURNING account_id, app_id, country, network, prefix, carrier_id, sender, cell_id

-- name: stat_await
-- takes: changes PendingChange
INSERT INTO stat_pending (account_id, minute, cell_id, receipt_bucket, conversion_bucket, submitted, sent, delivered,
    undelivered, converted, refused, cost_micro, revenue_micro)
SELECT *
FROM unnest(:changes) AS r (
    account_id bigint, minute int, cell_id bigint, receipt_bucket smallint, conversion_bucket smallint, submitted int,
    sent int, delivered int, undelivered int, converted int, refused int, cost_micro bigint, revenue_micro bigint
)

-- Adds what waits to its minutes (from `first_minute` on), hours (from the minute `first_hour_minute` on) and days; how
-- many rows that were.
-- name: stat_settle -> value
-- slow
WITH taken AS (
    DELETE FROM stat_pending
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM stat_pending LIMIT :rows_max))
    RETURNING *
), added AS (
    INSERT INTO stat AS s (grain, period, account_id, cell_id, submitted, sent, delivered, undelivered, converted,
        refused, cost_micro, revenue_micro, receipt_times, conversion_times)
    SELECT g.grain, d.minute / g.grain, d.account_id, d.cell_id, sum(d.submitted), sum(d.sent), sum(d.delivered),
        sum(d.undelivered), sum(d.converted), sum(d.refused), sum(d.cost_micro), sum(d.revenue_micro),
        stat_times(d.receipt_bucket, d.delivered + d.undelivered), stat_times(d.conversion_bucket, d.converted)
    FROM taken AS d
    CROSS JOIN (
        VALUES (:PeriodGrain.MINUTE::smallint, :first_minute::int),
            (:PeriodGrain.HOUR::smallint, :first_hour_minute::int),
            (:PeriodGrain.DAY::smallint, 0)
    ) AS g (grain, first_minute)
    WHERE d.minute >= g.first_minute
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (grain, period, account_id, cell_id) DO UPDATE
    SET submitted = s.submitted + excluded.submitted,
        sent = s.sent + excluded.sent,
        delivered = s.delivered + excluded.delivered,
        undelivered = s.undelivered + excluded.undelivered,
        converted = s.converted + excluded.converted,
        refused = s.refused + excluded.refused,
        cost_micro = s.cost_micro + excluded.cost_micro,
        revenue_micro = s.revenue_micro + excluded.revenue_micro,
        receipt_times = CASE
            WHEN excluded.receipt_times IS NULL THEN s.receipt_times
            ELSE stat_times_add(s.receipt_times, excluded.receipt_times)
        END,
        conversion_times = CASE
            WHEN excluded.conversion_times IS NULL THEN s.conversion_times
            ELSE stat_times_add(s.conversion_times, excluded.conversion_times)
        END
)
SELECT count(*) AS taken FROM taken

-- name: stat_forget
-- slow
DELETE FROM stat WHERE grain = :grain AND period < :before_period

-- After a backlog the tables that are read whole every second give their pages back. Not by autovacuum, which would ask
-- for the lock that this takes every few seconds.
-- name: stat_shrink
-- slow
VACUUM (TRUNCATE) stat_delta, stat_pending

-- One cell in one period: the figures so far of the messages submitted in it. `minute` is the unix minute in which the
-- period begins, `grain` its length in minutes. Times are counts by bucket (common/histogram.py), empty where there are
-- none. Amounts are micro-units.
-- struct: StatisticsCell

-- name: stat_cells -> rows StatisticsCell
-- slow
SELECT s.period * s.grain AS minute, s.grain, s.account_id, c.app_id, c.country, c.network, c.prefix, c.carrier_id,
    c.sender, s.submitted, s.sent, s.delivered, s.undelivered, s.converted, s.refused, s.cost_micro, s.revenue_micro,
    coalesce(s.receipt_times, '{}') AS receipt_times, coalesce(s.conversion_times, '{}') AS conversion_times
FROM stat AS s
JOIN stat_cell AS c ON c.account_id = s.account_id AND c.cell_id = s.cell_id
WHERE s.grain = :grain AND s.period >= :first_period AND s.period < :beyond_period
    AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
ORDER BY s.period DESC
LIMIT :rows_max

-- shared: by
        WHEN 'country' THEN s.country
        WHEN 'network' THEN s.network
        WHEN 'carrier' THEN coalesce(c.name, s.carrier_id::text)
        WHEN 'app' THEN s.app_id
        WHEN 'account' THEN a.name
        WHEN 'prefix' THEN s.prefix
        WHEN 'sender' THEN s.sender
        ELSE (s.period::bigint * s.grain)::text

-- Figures by what `by` names, of periods of a grain (`grain`) from one (`first_period`) to before another
-- (`beyond_period`), of one account or all.
-- name: stat_report -> rows StatReportRow
-- slow
SELECT CASE :by
        -- here: by
    END AS key,
    sum(s.submitted)::bigint AS submitted, sum(s.sent)::bigint AS sent, sum(s.delivered)::bigint AS delivered,
    sum(s.undelivered)::bigint AS undelivered, sum(s.converted)::bigint AS converted, sum(s.refused)::bigint AS refused,
    sum(s.cost_micro)::bigint AS cost_micro, sum(s.revenue_micro)::bigint AS revenue_micro,
    sum(s.revenue_micro - s.cost_micro)::bigint AS margin_micro
FROM stat_now AS s
LEFT JOIN carrier AS c ON c.carrier_id = s.carrier_id
LEFT JOIN account AS a ON a.account_id = s.account_id
WHERE s.grain = :grain AND s.period >= :first_period AND s.period < :beyond_period
    AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
GROUP BY 1
ORDER BY 2 DESC, 1

-- As above: how many times lie in each bucket, of what kind (r: to the receipt, c: to the conversion).
-- name: stat_report_times -> rows ReportTimes
-- slow
SELECT CASE :by
        -- here: by
    END AS key, times.kind, times.bucket, sum(times.n)::bigint AS n
FROM stat_now AS s
LEFT JOIN carrier AS c ON c.carrier_id = s.carrier_id
LEFT JOIN account AS a ON a.account_id = s.account_id
CROSS JOIN LATERAL (
    SELECT 'r', n, place - 1 FROM unnest(s.receipt_times) WITH ORDINALITY AS kept (n, place)
    UNION ALL
    SELECT 'c', n, place - 1 FROM unnest(s.conversion_times) WITH ORDINALITY AS kept (n, place)
    UNION ALL
    SELECT 'r', s.delivered + s.undelivered, s.receipt_bucket WHERE s.receipt_bucket IS NOT NULL
    UNION ALL
    SELECT 'c', s.converted, s.conversion_bucket WHERE s.conversion_bucket IS NOT NULL
) AS times (kind, n, bucket)
WHERE s.grain = :grain AND s.period >= :first_period AND s.period < :beyond_period
    AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
GROUP BY 1, 2, 3
HAVING sum(times.n) <> 0

-- Figures by period, by country and by carrier (`account_id`: of one account or all), in one reading; each line is
-- apart by one of the three, and the others are null. Added up by all three first, since that leaves few rows to be
-- added up three times.
-- name: stat_overview -> rows OverviewLine
-- null: period, country, carrier_id
WITH told AS MATERIALIZED (
    SELECT s.period, s.country, s.carrier_id, sum(s.submitted) AS submitted, sum(s.sent) AS sent,
        sum(s.delivered) AS delivered, sum(s.undelivered) AS undelivered, sum(s.converted) AS converted,
        sum(s.refused) AS refused, sum(s.cost_micro)::bigint AS cost_micro,
        sum(s.revenue_micro)::bigint AS revenue_micro
    FROM stat_now AS s
    WHERE s.grain = :grain AND s.period >= :first_period AND s.period < :beyond_period
        AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
    GROUP BY s.period, s.country, s.carrier_id
)
SELECT t.period, t.country, t.carrier_id,
    sum(t.submitted)::bigint AS submitted, sum(t.sent)::bigint AS sent, sum(t.delivered)::bigint AS delivered,
    sum(t.undelivered)::bigint AS undelivered, sum(t.converted)::bigint AS converted, sum(t.refused)::bigint AS refused,
    sum(t.cost_micro)::bigint AS cost_micro, sum(t.revenue_micro)::bigint AS revenue_micro
FROM told AS t
GROUP BY GROUPING SETS ((t.period), (t.country), (t.carrier_id))

-- Figures by country, network, carrier and app, and of all (`account_id`: of one account or all), in one reading; each
-- line is apart by one of them, named in `by`.
-- name: stat_funnel -> rows FunnelLine
-- null: sent, delivered, converted, revenue_micro
SELECT CASE
        WHEN grouping(s.country) = 0 THEN 'country'
        WHEN grouping(s.network) = 0 THEN 'network'
        WHEN grouping(s.carrier_id) = 0 THEN 'carrier'
        WHEN grouping(s.app_id) = 0 THEN 'app'
        ELSE 'all'
    END AS by,
    coalesce(s.country, s.network, s.carrier_id::text, s.app_id, '') AS key,
    sum(s.sent)::bigint AS sent, sum(s.delivered)::bigint AS delivered, sum(s.converted)::bigint AS converted,
    sum(s.revenue_micro)::bigint AS revenue_micro
FROM stat_now AS s
WHERE s.grain = :grain AND s.period >= :first_period AND s.period < :beyond_period
    AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
GROUP BY GROUPING SETS ((s.country), (s.network), (s.carrier_id), (s.app_id), ())

-- Apps by their ids (`app_ids`), with what is declared of them, and what their last days show since the day
-- `first_day`; of one account (`account_id`) or all.
-- name: apps_reporting -> rows ReportingApp
SELECT app.app_id, app.name, app.account_id, a.name AS account, app.expects_conversions,
    coalesce(recent.sent, 0) AS sent, coalesce(recent.converted, 0) AS converted
FROM app
JOIN account AS a USING (account_id)
LEFT JOIN (
    SELECT app_id, sum(sent)::bigint AS sent, sum(converted)::bigint AS converted
    FROM stat_now
    WHERE grain = :PeriodGrain.DAY AND period >= :first_day
        AND (:account_id?::bigint IS NULL OR account_id = :account_id)
    GROUP BY app_id
) AS recent USING (app_id)
WHERE app.app_id = ANY (:app_ids::text[]) AND (:account_id::bigint IS NULL OR app.account_id = :account_id)

-- Whether anything has happened lately: it differs when it has.
-- name: stat_pulse -> row StatPulse
-- null: submitted, sent, delivered, undelivered, converted, refused
SELECT sum(submitted) AS submitted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
    sum(converted) AS converted, sum(refused) AS refused
FROM stat_now
WHERE grain = :PeriodGrain.MINUTE AND period >= :first_minute

-- --- the proof -------------------------------------------------------------------------------------------------

-- A figure of one cell and period that differs from the messages. `minute`: the unix minute in which it begins.
-- struct: StatisticsDifference

-- What is kept (and still to be added up) in periods of a grain (`grain`) from one (`first_period`) on, against what
-- messages, attempts and conversions say, cell by cell. Times are compared by their number and their weights: each by
-- its bucket's place.
-- name: stat_prove -> rows StatisticsDifference
-- slow
WITH sent_out AS (
    SELECT accepted_minute(message_id) / :grain AS period, *
    FROM message
    WHERE message_id >= first_id_at(to_timestamp(:first_period::bigint * :grain * 60))
        AND (:account_id?::bigint IS NULL OR account_id = :account_id)
), counted AS (
    SELECT period, account_id, app_id, country, mcc || mnc AS network, left(left(number, -3), 6) AS prefix, carrier_id,
        sender, count(*) AS submitted,
        count(*) FILTER (WHERE sent_at IS NOT NULL OR state = :MessageState.DELIVERED) AS sent,
        count(*) FILTER (WHERE state = :MessageState.DELIVERED) AS delivered,
        count(*) FILTER (
            WHERE state IN (
                :MessageState.UNDELIVERABLE, :MessageState.EXPIRED, :MessageState.REJECTED, :MessageState.FAILED
            )
        ) AS undelivered,
        0 AS converted, 0 AS refused, sum(coalesce(carrier_cost_micro, 0)) AS cost_micro,
        sum(charge_micro - refund_micro) AS revenue_micro,
        coalesce(
            sum(stat_bucket(final_at - sent_at) + 1)
                FILTER (WHERE state IN (:MessageState.DELIVERED, :MessageState.UNDELIVERABLE)),
            0
        ) AS receipt_times,
        0 AS conversion_times
    FROM sent_out
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    UNION ALL
    SELECT m.period, m.account_id, m.app_id, m.country, m.mcc || m.mnc, left(left(m.number, -3), 6), a.carrier_id,
        m.sender, 0, 0, 0, 0, 0, count(*), 0, 0, 0, 0
    FROM attempt AS a
    JOIN sent_out AS m USING (account_id, message_id)
    WHERE a.outcome <> :Outcome.ACCEPTED
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    UNION ALL
    SELECT m.period, m.account_id, m.app_id, m.country, m.mcc || m.mnc, left(left(m.number, -3), 6), c.carrier_id,
        m.sender, 0, 0, 0, 0, count(*), 0, 0, 0, 0,
        sum(stat_bucket(c.credited_at - accepted_at(m.message_id)) + 1)
    FROM conversion AS c
    JOIN sent_out AS m USING (account_id, message_id)
    WHERE c.credited_at IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), kept AS (
    SELECT period, account_id, app_id, country, network, prefix, carrier_id, sender, submitted, sent, delivered,
        undelivered, converted, refused, cost_micro, revenue_micro,
        coalesce((SELECT sum(n * place) FROM unnest(receipt_times) WITH ORDINALITY AS times (n, place)), 0)
            + coalesce((receipt_bucket + 1) * (delivered + undelivered), 0) AS receipt_times,
        coalesce((SELECT sum(n * place) FROM unnest(conversion_times) WITH ORDINALITY AS times (n, place)), 0)
            + coalesce((conversion_bucket + 1) * converted, 0) AS conversion_times
    FROM stat_now
    WHERE grain = :grain AND period >= :first_period AND (:account_id::bigint IS NULL OR account_id = :account_id)
), both_sides AS (
    SELECT 1 AS side, * FROM counted
    UNION ALL
    SELECT -1, * FROM kept
), compared AS (
    SELECT period, account_id, app_id, country, network, prefix, carrier_id, sender, figure.name,
        sum(figure.value) FILTER (WHERE side = -1) AS recorded, sum(figure.value) FILTER (WHERE side = 1) AS counted
    FROM both_sides
    CROSS JOIN LATERAL (VALUES
        ('submitted', submitted::numeric), ('sent', sent), ('delivered', delivered), ('undelivered', undelivered),
        ('converted', converted), ('refused', refused), ('cost_micro', cost_micro), ('revenue_micro', revenue_micro),
        ('receipt_times', receipt_times), ('conversion_times', conversion_times)
    ) AS figure (name, value)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
)
SELECT :grain::int AS grain, period * :grain AS minute, account_id, app_id, country, network, prefix, carrier_id, sender,
    name AS figure, coalesce(recorded, 0)::bigint AS recorded, coalesce(counted, 0)::bigint AS counted
FROM compared
WHERE coalesce(recorded, 0) <> coalesce(counted, 0)
ORDER BY 2, 3, 4, 5, 6, 7, 8, 9, 10
LIMIT :rows_max
