-- What wants somebody's attention now (console/alerts.py).

-- Pushes that were given up within a day, by account.
-- name: attention_pushes -> rows FailedPushesRow
SELECT a.name AS account, count(*) AS pushes, max(p.created_at) AS last_at
FROM push AS p
JOIN account AS a USING (account_id)
WHERE p.outcome = :PushOutcome.GIVEN_UP AND p.created_at > now() - interval '1 day'
    AND (:account_id?::bigint IS NULL OR p.account_id = :account_id)
GROUP BY a.name
ORDER BY 2 DESC
LIMIT :rows_max

-- Receipts that were given up within a day; no more than `counted_max` are counted.
-- name: attention_unmatched -> value
SELECT count(*) AS receipts
FROM (SELECT FROM parked_receipt WHERE given_up_at > now() - interval '1 day' LIMIT :counted_max) AS found

-- Replies of which no account was found within a day; no more than `counted_max` are counted.
-- name: attention_unmatched_inbound -> value
SELECT count(*) AS messages
FROM (SELECT FROM unmatched_inbound WHERE kept_at > now() - interval '1 day' LIMIT :counted_max) AS found

-- Ranges and networks with a verdict in force: those that may be blocked, and all.
-- name: attention_verdicts -> row VerdictCounts
SELECT count(*) FILTER (WHERE may_block) AS may_block, count(*) AS ranges
FROM guard_verdict
WHERE until > now() AND lifted_at IS NULL AND (:account_id?::bigint IS NULL OR account_id = :account_id)

-- name: attention_fakes -> values
SELECT DISTINCT c.name AS carrier
FROM learn_fake AS f
JOIN carrier AS c USING (carrier_id)
WHERE f.seen_at > now() - interval '1 day'
ORDER BY 1

-- Accounts that cannot pay for another day like the last one, the soonest first. `after_hour`: the hour before it.
-- name: attention_balances -> rows LowBalanceRow
SELECT a.name AS account, b.gift_micro + b.balance_micro + b.credit_micro AS available_micro, spent.day_micro
FROM (
    SELECT account_id, sum(revenue_micro)::bigint AS day_micro
    FROM stat_now
    WHERE grain = :PeriodGrain.HOUR AND period > :after_hour
        AND (:account_id?::bigint IS NULL OR account_id = :account_id)
    GROUP BY account_id
) AS spent
JOIN account AS a USING (account_id)
JOIN balance AS b USING (account_id)
WHERE spent.day_micro > 0 AND b.gift_micro + b.balance_micro + b.credit_micro < spent.day_micro AND a.locked_at IS NULL
ORDER BY (b.gift_micro + b.balance_micro + b.credit_micro)::float8 / spent.day_micro
LIMIT :rows_max
