-- What the console's pages of accounts read beside what the command line reads.

-- Accounts whose name or e-mail holds `search`, or whose id it is ('': all), the latest first, below an id
-- (`before_id`) if one is given.
-- name: account_page -> rows AccountPageRow
SELECT a.account_id, a.name, a.email, a.created_at, a.locked_at, b.gift_micro, b.balance_micro, b.credit_micro
FROM account AS a
JOIN balance AS b USING (account_id)
WHERE a.account_id < coalesce(:before_id?, 9223372036854775807)
    AND (:search = '' OR strpos(lower(a.name), lower(:search)) > 0 OR strpos(lower(a.email), lower(:search)) > 0
        OR a.account_id::text = :search)
ORDER BY a.account_id DESC
LIMIT :rows_max

-- What accounts sent in the hours from `first_hour` on.
-- name: account_traffic -> rows AccountTraffic
SELECT account_id, sum(submitted)::bigint AS submitted, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered,
    sum(revenue_micro)::bigint AS spent_micro
FROM stat_now
WHERE grain = :PeriodGrain.HOUR AND period >= :first_hour
GROUP BY account_id

-- Of one price list, by prefix, from one (`first_prefix`) on.
-- name: price_page -> rows PricePageRow
SELECT prefix, price_micro, changed_at
FROM price
WHERE account_id = :account_id AND prefix >= :first_prefix
ORDER BY prefix
LIMIT :rows_max

-- name: price_of -> value?
SELECT price_micro FROM price WHERE account_id = :account_id AND prefix = :prefix

-- name: credential_sealed -> value?
SELECT secret FROM credential WHERE account_id = :account_id AND credential_id = :credential_id AND revoked_at IS NULL
