-- $4: only if the balance stays within the credit, where money is taken from it.
-- name: purse_move
UPDATE balance
SET gift_micro = gift_micro + $2, balance_micro = balance_micro + $3
WHERE account_id = $1 AND gift_micro + $2 >= 0 AND NOT ($4 AND $3::bigint < 0 AND balance_micro + $3 < -credit_micro)
RETURNING account_id

-- name: purse_credit
UPDATE balance SET credit_micro = $2 WHERE account_id = $1

-- name: entry_add
INSERT INTO entry (account_id, at, kind, from_book, to_book, amount_micro, author, reason)
VALUES ($1, now(), $2, $3, $4, $5, $6, $7)

-- Newest first, those below an id ($2) if one is given; books and kinds are model.py's numbers.
-- name: ledger_entries
SELECT entry_id, at, kind, from_book, to_book, amount_micro, submission_id, message_id, author, reason
FROM entry
WHERE account_id = $1 AND entry_id < coalesce($2, 9223372036854775807)
ORDER BY entry_id DESC
LIMIT $3

-- Locks the purse.
-- name: purse_lock
SELECT account_id FROM balance WHERE account_id = $1 FOR UPDATE

-- The latest that people moved, by its row in the audit: the entries themselves are too many to look through.
-- name: moved_by_people
SELECT coalesce(max(audit_id), 0) AS latest FROM audit WHERE account_id = $1 AND kind = 'entry'

-- name: ledger_of_message
SELECT entry_id, at, kind, from_book, to_book, amount_micro, submission_id, message_id, author, reason
FROM entry
WHERE account_id = $1 AND submission_id = $3
UNION ALL
SELECT entry_id, at, kind, from_book, to_book, amount_micro, submission_id, message_id, author, reason
FROM entry
WHERE account_id = $1 AND message_id = $2
ORDER BY entry_id

-- name: prove_counts
SELECT
    (SELECT count(*) FROM balance WHERE $1::bigint IS NULL OR account_id = $1) AS accounts,
    (SELECT count(*) FROM entry WHERE $1::bigint IS NULL OR account_id = $1) AS entries,
    (SELECT count(*) FROM message WHERE $1::bigint IS NULL OR account_id = $1) AS messages

-- The two books that customers hold, against what their entries come to.
-- name: prove_balances
WITH legs AS (
    SELECT account_id, to_book AS book, amount_micro FROM entry WHERE $1::bigint IS NULL OR account_id = $1
    UNION ALL
    SELECT account_id, from_book, -amount_micro FROM entry WHERE $1::bigint IS NULL OR account_id = $1
), computed AS (
    SELECT account_id,
        coalesce(sum(amount_micro) FILTER (WHERE book = 1), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE book = 2), 0) AS balance_micro
    FROM legs
    GROUP BY account_id
), compared AS (
    SELECT account_id, coalesce(b.gift_micro, 0) AS gift, coalesce(c.gift_micro, 0) AS gift_computed,
        coalesce(b.balance_micro, 0) AS balance, coalesce(c.balance_micro, 0) AS balance_computed,
        coalesce(b.credit_micro, 0) AS credit
    FROM (SELECT * FROM balance WHERE $1::bigint IS NULL OR account_id = $1) AS b
    FULL JOIN computed AS c USING (account_id)
)
SELECT account_id, 'gift' AS what, gift AS recorded, gift_computed AS computed FROM compared WHERE gift <> gift_computed
UNION ALL
SELECT account_id, 'balance', balance, balance_computed FROM compared WHERE balance <> balance_computed

-- What each submission's messages were charged, by the book that paid, against its entries.
-- name: prove_submissions
WITH charged AS (
    SELECT account_id, submission_id, sum(gift_micro) AS gift_micro, sum(charge_micro - gift_micro) AS balance_micro
    FROM message
    WHERE $1::bigint IS NULL OR account_id = $1
    GROUP BY account_id, submission_id
), booked AS (
    SELECT account_id, submission_id,
        coalesce(sum(amount_micro) FILTER (WHERE from_book = 1 AND to_book = 3), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE from_book = 2 AND to_book = 3), 0) AS balance_micro
    FROM entry
    WHERE submission_id IS NOT NULL AND ($1::bigint IS NULL OR account_id = $1)
    GROUP BY account_id, submission_id
)
SELECT account_id, 'charge of submission ' || submission_id AS what,
    coalesce(booked.gift_micro + booked.balance_micro, 0) AS recorded,
    coalesce(charged.gift_micro + charged.balance_micro, 0) AS computed
FROM charged
FULL JOIN booked USING (account_id, submission_id)
WHERE coalesce(charged.gift_micro, 0) <> coalesce(booked.gift_micro, 0)
    OR coalesce(charged.balance_micro, 0) <> coalesce(booked.balance_micro, 0)

-- Each refund against its message, purse by purse: what the gift had paid goes back to the gift.
-- name: prove_refunds
WITH booked AS (
    SELECT account_id, message_id,
        coalesce(sum(amount_micro) FILTER (WHERE to_book = 1), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE to_book = 2), 0) AS balance_micro
    FROM entry
    WHERE message_id IS NOT NULL AND from_book = 3 AND ($1::bigint IS NULL OR account_id = $1)
    GROUP BY account_id, message_id
), given AS (
    SELECT account_id, message_id, gift_micro, refund_micro - gift_micro AS balance_micro
    FROM message
    WHERE refund_micro <> 0 AND ($1::bigint IS NULL OR account_id = $1)
), compared AS (
    SELECT account_id, message_id,
        coalesce(b.gift_micro, 0) AS gift_booked, coalesce(g.gift_micro, 0) AS gift_given,
        coalesce(b.balance_micro, 0) AS balance_booked, coalesce(g.balance_micro, 0) AS balance_given
    FROM given AS g
    FULL JOIN booked AS b USING (account_id, message_id)
)
SELECT account_id, 'refund to the gift of message ' || message_id AS what,
    gift_booked AS recorded, gift_given AS computed
FROM compared
WHERE gift_booked <> gift_given
UNION ALL
SELECT account_id, 'refund to the balance of message ' || message_id, balance_booked, balance_given
FROM compared
WHERE balance_booked <> balance_given

-- Messages that ended refused, expired or failed (states 6, 5, 7) have their money back; delivered ones and those on
-- their way (3, 0, 1, 2, 8) have not. Undeliverable ones followed their account's policy of the day.
-- name: prove_outcomes
SELECT account_id, 'refund by the outcome of message ' || message_id AS what, refund_micro AS recorded,
    CASE WHEN state IN (5, 6, 7) THEN charge_micro ELSE 0 END AS computed
FROM message
WHERE ($1::bigint IS NULL OR account_id = $1)
    AND ((state IN (5, 6, 7) AND refund_micro <> charge_micro) OR (state IN (0, 1, 2, 3, 8) AND refund_micro <> 0))
UNION ALL
SELECT account_id, 'what entry ' || entry_id || ' is for', amount_micro, 0
FROM entry
WHERE ($1::bigint IS NULL OR account_id = $1)
    AND ((to_book = 3 AND submission_id IS NULL) OR (from_book = 3 AND message_id IS NULL))

-- name: prove_prices
SELECT account_id, 'segments x price of message ' || message_id AS what,
    charge_micro AS recorded, price_micro * segments AS computed
FROM message
WHERE ($1::bigint IS NULL OR account_id = $1)
    AND (charge_micro <> price_micro * segments OR gift_micro < 0 OR gift_micro > charge_micro
        OR refund_micro NOT IN (0, charge_micro))
