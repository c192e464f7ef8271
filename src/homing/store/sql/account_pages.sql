-- What the console's pages of accounts read beside what the command line reads.

-- Accounts whose name or e-mail holds $1, or whose id it is ('': all), the latest first, below an id ($2) if one is given.
-- name: account_page
SELECT a.account_id, a.name, a.email, a.created_at, a.locked_at, b.gift_micro, b.balance_micro, b.credit_micro
FROM account AS a
JOIN balance AS b USING (account_id)
WHERE a.account_id < coalesce($2, 9223372036854775807)
    AND ($1 = '' OR strpos(lower(a.name), lower($1)) > 0 OR strpos(lower(a.email), lower($1)) > 0
        OR a.account_id::text = $1)
ORDER BY a.account_id DESC
LIMIT $3

-- What accounts sent in the hours from $1 on.
-- name: account_traffic
SELECT account_id, sum(submitted)::bigint AS submitted, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered,
    sum(revenue_micro)::bigint AS spent_micro
FROM stat_now
WHERE grain = 60 AND period >= $1
GROUP BY account_id

-- Of one price list, by prefix, from one ($2) on.
-- name: price_page
SELECT prefix, price_micro, changed_at
FROM price
WHERE account_id = $1 AND prefix >= $2
ORDER BY prefix
LIMIT $3

-- name: price_of
SELECT price_micro FROM price WHERE account_id = $1 AND prefix = $2

-- name: credential_sealed
SELECT secret FROM credential WHERE account_id = $1 AND credential_id = $2 AND revoked_at IS NULL
