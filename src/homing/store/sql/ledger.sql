-- `within_credit`: only if the balance stays within the credit, where money is taken from it.
-- name: balance_move -> value?
UPDATE balance
SET gift_micro = gift_micro + :gift_micro, balance_micro = balance_micro + :balance_micro
WHERE account_id = :account_id AND gift_micro + :gift_micro >= 0
    AND NOT (:within_credit AND :balance_micro::bigint < 0 AND balance_micro + :balance_micro < -credit_micro)
RETURNING account_id

-- name: balance_set_credit
UPDATE balance SET credit_micro = :credit_micro WHERE account_id = :account_id

-- name: entry_add
INSERT INTO entry (account_id, at, kind, from_book, to_book, amount_micro, author, reason)
VALUES (:account_id, now(), :kind, :from_book, :to_book, :amount_micro, :author?, :reason?)

-- Newest first, those below an id (`before_id`) if one is given.
-- name: ledger_entries -> rows EntryRow
SELECT entry_id, at, kind, from_book, to_book, amount_micro, submission_id, message_id, author, reason
FROM entry
WHERE account_id = :account_id AND entry_id < coalesce(:before_id?, 9223372036854775807)
ORDER BY entry_id DESC
LIMIT :rows_max

-- Locks the purse.
-- name: balance_lock
SELECT account_id FROM balance WHERE account_id = :account_id FOR UPDATE

-- The latest that people moved, by its row in the audit: the entries themselves are too many to look through.
-- name: moved_by_people -> value
SELECT coalesce(max(audit_id), 0) AS latest FROM audit WHERE account_id = :account_id AND kind = 'entry'

-- name: ledger_of_message -> rows EntryRow
SELECT entry_id, at, kind, from_book, to_book, amount_micro, submission_id, message_id, author, reason
FROM entry
WHERE account_id = :account_id AND submission_id = :submission_id
UNION ALL
SELECT entry_id, at, kind, from_book, to_book, amount_micro, submission_id, message_id, author, reason
FROM entry
WHERE account_id = :account_id AND message_id = :message_id
ORDER BY entry_id

-- name: prove_counts -> row ProofCounts
-- slow
SELECT
    (SELECT count(*) FROM balance WHERE :account_id?::bigint IS NULL OR account_id = :account_id) AS accounts,
    (SELECT count(*) FROM entry WHERE :account_id::bigint IS NULL OR account_id = :account_id) AS entries,
    (SELECT count(*) FROM message WHERE :account_id::bigint IS NULL OR account_id = :account_id) AS messages

-- The two books that customers hold, against what their entries come to.
-- name: prove_balances -> rows ProofDifference
-- slow
WITH legs AS (
    SELECT account_id, to_book AS book, amount_micro
    FROM entry
    WHERE :account_id?::bigint IS NULL OR account_id = :account_id
    UNION ALL
    SELECT account_id, from_book, -amount_micro FROM entry WHERE :account_id::bigint IS NULL OR account_id = :account_id
), computed AS (
    SELECT account_id,
        coalesce(sum(amount_micro) FILTER (WHERE book = :LedgerAccount.GIFT), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE book = :LedgerAccount.BALANCE), 0) AS balance_micro
    FROM legs
    GROUP BY account_id
), compared AS (
    SELECT account_id, coalesce(b.gift_micro, 0) AS gift, coalesce(c.gift_micro, 0) AS gift_computed,
        coalesce(b.balance_micro, 0) AS balance, coalesce(c.balance_micro, 0) AS balance_computed,
        coalesce(b.credit_micro, 0) AS credit
    FROM (SELECT * FROM balance WHERE :account_id::bigint IS NULL OR account_id = :account_id) AS b
    FULL JOIN computed AS c USING (account_id)
)
SELECT account_id, 'gift' AS what, gift AS recorded, gift_computed::bigint AS computed
FROM compared
WHERE gift <> gift_computed
UNION ALL
SELECT account_id, 'balance', balance, balance_computed::bigint FROM compared WHERE balance <> balance_computed

-- What each submission's messages were charged, by the book that paid, against its entries.
-- name: prove_submissions -> rows ProofDifference
-- slow
WITH charged AS (
    SELECT account_id, submission_id, sum(gift_micro) AS gift_micro, sum(charge_micro - gift_micro) AS balance_micro
    FROM message
    WHERE :account_id?::bigint IS NULL OR account_id = :account_id
    GROUP BY account_id, submission_id
), booked AS (
    SELECT account_id, submission_id,
        coalesce(
            sum(amount_micro) FILTER (WHERE from_book = :LedgerAccount.GIFT AND to_book = :LedgerAccount.SALES), 0
        ) AS gift_micro,
        coalesce(
            sum(amount_micro) FILTER (WHERE from_book = :LedgerAccount.BALANCE AND to_book = :LedgerAccount.SALES), 0
        ) AS balance_micro
    FROM entry
    WHERE submission_id IS NOT NULL AND (:account_id::bigint IS NULL OR account_id = :account_id)
    GROUP BY account_id, submission_id
)
SELECT account_id, 'charge of submission ' || submission_id AS what,
    coalesce(booked.gift_micro + booked.balance_micro, 0)::bigint AS recorded,
    coalesce(charged.gift_micro + charged.balance_micro, 0)::bigint AS computed
FROM charged
FULL JOIN booked USING (account_id, submission_id)
WHERE coalesce(charged.gift_micro, 0) <> coalesce(booked.gift_micro, 0)
    OR coalesce(charged.balance_micro, 0) <> coalesce(booked.balance_micro, 0)

-- Each refund against its message, purse by purse: what the gift had paid goes back to the gift.
-- name: prove_refunds -> rows ProofDifference
-- slow
WITH booked AS (
    SELECT account_id, message_id,
        coalesce(sum(amount_micro) FILTER (WHERE to_book = :LedgerAccount.GIFT), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE to_book = :LedgerAccount.BALANCE), 0) AS balance_micro
    FROM entry
    WHERE message_id IS NOT NULL AND from_book = :LedgerAccount.SALES
        AND (:account_id?::bigint IS NULL OR account_id = :account_id)
    GROUP BY account_id, message_id
), given AS (
    SELECT account_id, message_id, gift_micro, refund_micro - gift_micro AS balance_micro
    FROM message
    WHERE refund_micro <> 0 AND (:account_id::bigint IS NULL OR account_id = :account_id)
), compared AS (
    SELECT account_id, message_id,
        coalesce(b.gift_micro, 0) AS gift_booked, coalesce(g.gift_micro, 0) AS gift_given,
        coalesce(b.balance_micro, 0) AS balance_booked, coalesce(g.balance_micro, 0) AS balance_given
    FROM given AS g
    FULL JOIN booked AS b USING (account_id, message_id)
)
SELECT account_id, 'refund to the gift of message ' || message_id AS what,
    gift_booked::bigint AS recorded, gift_given AS computed
FROM compared
WHERE gift_booked <> gift_given
UNION ALL
SELECT account_id, 'refund to the balance of message ' || message_id, balance_booked::bigint, balance_given
FROM compared
WHERE balance_booked <> balance_given

-- Messages that ended refused, expired or failed have their money back; delivered ones and those on
-- their way have not. Undeliverable ones followed their account's policy of the day.
-- name: prove_outcomes -> rows ProofDifference
-- slow
SELECT account_id, 'refund by the outcome of message ' || message_id AS what, refund_micro AS recorded,
    CASE
        WHEN state IN (:MessageState.EXPIRED, :MessageState.REJECTED, :MessageState.FAILED) THEN charge_micro
        ELSE 0
    END AS computed
FROM message
WHERE (:account_id?::bigint IS NULL OR account_id = :account_id)
    AND (
        state IN (:MessageState.EXPIRED, :MessageState.REJECTED, :MessageState.FAILED)
            AND refund_micro <> charge_micro
        OR state NOT IN (
            :MessageState.EXPIRED, :MessageState.REJECTED, :MessageState.FAILED, :MessageState.UNDELIVERABLE
        ) AND refund_micro <> 0
    )
UNION ALL
SELECT account_id, 'what entry ' || entry_id || ' is for', amount_micro, 0
FROM entry
WHERE (:account_id::bigint IS NULL OR account_id = :account_id)
    AND (
        to_book = :LedgerAccount.SALES AND submission_id IS NULL
        OR from_book = :LedgerAccount.SALES AND message_id IS NULL
    )

-- name: prove_prices -> rows ProofDifference
-- slow
SELECT account_id, 'segments x price of message ' || message_id AS what,
    charge_micro AS recorded, price_micro * segments AS computed
FROM message
WHERE (:account_id?::bigint IS NULL OR account_id = :account_id)
    AND (charge_micro <> price_micro * segments OR gift_micro < 0 OR gift_micro > charge_micro
        OR refund_micro NOT IN (0, charge_micro))

-- name: balances_of -> rows BalanceRow
SELECT account_id, gift_micro, balance_micro, credit_micro
FROM balance
WHERE account_id = ANY(:account_ids::bigint[])

-- name: balance_create
INSERT INTO balance (account_id) VALUES (:account_id)

-- Back to where it came from: first what the gift paid, then the rest.
-- name: refunds_book
-- takes: refunds Refund
WITH refund AS MATERIALIZED (
    SELECT * FROM unnest(:refunds) AS r (account_id bigint, message_id bigint, gift_micro bigint, rest_micro bigint)
), total AS (
    SELECT account_id, sum(gift_micro)::bigint AS gift_micro, sum(rest_micro)::bigint AS rest_micro
    FROM refund
    GROUP BY account_id
), returned AS (
    UPDATE balance AS b
    SET gift_micro = b.gift_micro + t.gift_micro, balance_micro = b.balance_micro + t.rest_micro
    FROM (SELECT * FROM total ORDER BY account_id) AS t
    WHERE b.account_id = ANY (ARRAY[t.account_id])
)
INSERT INTO entry (account_id, at, kind, from_book, to_book, amount_micro, message_id)
SELECT account_id, now(), :PostingKind.REFUND, :LedgerAccount.SALES, part.book, part.amount_micro, message_id
FROM refund
CROSS JOIN LATERAL (
    VALUES (:LedgerAccount.GIFT, refund.gift_micro), (:LedgerAccount.BALANCE, refund.rest_micro)
) AS part (book, amount_micro)
WHERE part.amount_micro > 0
