-- Changes an account's stored balances; null: it is refused, since the bonus balance would fall below zero or, with
-- `within_credit`, a deduction would take the balance below the credit limit.
-- name: balance_change -> value?
UPDATE balance
SET gift_micro = gift_micro + :gift_micro, balance_micro = balance_micro + :balance_micro
WHERE account_id = :account_id AND gift_micro + :gift_micro >= 0
    AND NOT (:within_credit AND :balance_micro::bigint < 0 AND balance_micro + :balance_micro < -credit_micro)
RETURNING account_id

-- name: balance_set_credit
UPDATE balance SET credit_micro = :credit_micro WHERE account_id = :account_id

-- name: posting_add
INSERT INTO posting (account_id, at, kind, source, destination, amount_micro, author, reason)
VALUES (:account_id, now(), :kind, :source, :destination, :amount_micro, :author?, :reason?)

-- The newest first, below `before_id` (null: from the newest on).
-- name: postings_page -> rows PostingRow
SELECT posting_id, at, kind, source, destination, amount_micro, submission_id, message_id, author, reason
FROM posting
WHERE account_id = :account_id AND posting_id < coalesce(:before_id?, 9223372036854775807)
ORDER BY posting_id DESC
LIMIT :rows_max

-- Locks the account's balance until the transaction ends.
-- name: balance_lock
SELECT account_id FROM balance WHERE account_id = :account_id FOR UPDATE

-- The audit ID of the latest posting made by hand; 0: none. Read from the audit, which has those alone.
-- name: manual_posting_latest -> value
SELECT coalesce(max(audit_id), 0) AS latest FROM audit WHERE account_id = :account_id AND kind = 'posting'

-- name: postings_of_message -> rows PostingRow
SELECT posting_id, at, kind, source, destination, amount_micro, submission_id, message_id, author, reason
FROM posting
WHERE account_id = :account_id AND submission_id = :submission_id
UNION ALL
SELECT posting_id, at, kind, source, destination, amount_micro, submission_id, message_id, author, reason
FROM posting
WHERE account_id = :account_id AND message_id = :message_id
ORDER BY posting_id

-- name: prove_counts -> row ProofCounts
-- slow
SELECT
    (SELECT count(*) FROM balance WHERE :account_id?::bigint IS NULL OR account_id = :account_id) AS accounts,
    (SELECT count(*) FROM posting WHERE :account_id::bigint IS NULL OR account_id = :account_id) AS postings,
    (SELECT count(*) FROM message WHERE :account_id::bigint IS NULL OR account_id = :account_id) AS messages

-- A stored amount that is not the recomputed one, in micro-units. `what` names it, for people.
-- struct: LedgerDifference

-- The stored bonus balance and balance against the sums of their postings.
-- name: prove_balances -> rows LedgerDifference
-- slow
WITH legs AS (
    SELECT account_id, destination AS account, amount_micro
    FROM posting
    WHERE :account_id?::bigint IS NULL OR account_id = :account_id
    UNION ALL
    SELECT account_id, source, -amount_micro FROM posting WHERE :account_id::bigint IS NULL OR account_id = :account_id
), computed AS (
    SELECT account_id,
        coalesce(sum(amount_micro) FILTER (WHERE account = :LedgerAccount.GIFT), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE account = :LedgerAccount.BALANCE), 0) AS balance_micro
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

-- The charges of each submission's messages, by the account that paid, against its postings.
-- name: prove_submissions -> rows LedgerDifference
-- slow
WITH charged AS (
    SELECT account_id, submission_id, sum(gift_micro) AS gift_micro, sum(charge_micro - gift_micro) AS balance_micro
    FROM message
    WHERE :account_id?::bigint IS NULL OR account_id = :account_id
    GROUP BY account_id, submission_id
), posted AS (
    SELECT account_id, submission_id,
        coalesce(
            sum(amount_micro) FILTER (WHERE source = :LedgerAccount.GIFT AND destination = :LedgerAccount.SALES), 0
        ) AS gift_micro,
        coalesce(
            sum(amount_micro) FILTER (WHERE source = :LedgerAccount.BALANCE AND destination = :LedgerAccount.SALES), 0
        ) AS balance_micro
    FROM posting
    WHERE submission_id IS NOT NULL AND (:account_id::bigint IS NULL OR account_id = :account_id)
    GROUP BY account_id, submission_id
)
SELECT account_id, 'charge of submission ' || submission_id AS what,
    coalesce(posted.gift_micro + posted.balance_micro, 0)::bigint AS recorded,
    coalesce(charged.gift_micro + charged.balance_micro, 0)::bigint AS computed
FROM charged
FULL JOIN posted USING (account_id, submission_id)
WHERE coalesce(charged.gift_micro, 0) <> coalesce(posted.gift_micro, 0)
    OR coalesce(charged.balance_micro, 0) <> coalesce(posted.balance_micro, 0)

-- The refund of each message against its postings. What the bonus balance paid is refunded to the bonus balance.
-- name: prove_refunds -> rows LedgerDifference
-- slow
WITH posted AS (
    SELECT account_id, message_id,
        coalesce(sum(amount_micro) FILTER (WHERE destination = :LedgerAccount.GIFT), 0) AS gift_micro,
        coalesce(sum(amount_micro) FILTER (WHERE destination = :LedgerAccount.BALANCE), 0) AS balance_micro
    FROM posting
    WHERE message_id IS NOT NULL AND source = :LedgerAccount.SALES
        AND (:account_id?::bigint IS NULL OR account_id = :account_id)
    GROUP BY account_id, message_id
), given AS (
    SELECT account_id, message_id, gift_micro, refund_micro - gift_micro AS balance_micro
    FROM message
    WHERE refund_micro <> 0 AND (:account_id::bigint IS NULL OR account_id = :account_id)
), compared AS (
    SELECT account_id, message_id,
        coalesce(b.gift_micro, 0) AS gift_posted, coalesce(g.gift_micro, 0) AS gift_given,
        coalesce(b.balance_micro, 0) AS balance_posted, coalesce(g.balance_micro, 0) AS balance_given
    FROM given AS g
    FULL JOIN posted AS b USING (account_id, message_id)
)
SELECT account_id, 'refund to the gift of message ' || message_id AS what,
    gift_posted::bigint AS recorded, gift_given AS computed
FROM compared
WHERE gift_posted <> gift_given
UNION ALL
SELECT account_id, 'refund to the balance of message ' || message_id, balance_posted::bigint, balance_given
FROM compared
WHERE balance_posted <> balance_given

-- Rejected, expired and failed messages are refunded; delivered and pending ones are not. Undeliverable ones are not
-- checked: their refund followed the account's setting at that time. Every charge names a submission, every refund a
-- message.
-- name: prove_outcomes -> rows LedgerDifference
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
SELECT account_id, 'purpose of posting ' || posting_id, amount_micro, 0
FROM posting
WHERE (:account_id::bigint IS NULL OR account_id = :account_id)
    AND (
        destination = :LedgerAccount.SALES AND submission_id IS NULL
        OR source = :LedgerAccount.SALES AND message_id IS NULL
    )

-- name: prove_prices -> rows LedgerDifference
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

-- Refunds each message to the accounts that paid for it: `gift_micro` to the bonus balance, `rest_micro` to the
-- balance.
-- name: refunds_post
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
INSERT INTO posting (account_id, at, kind, source, destination, amount_micro, message_id)
SELECT account_id, now(), :PostingKind.REFUND, :LedgerAccount.SALES, part.account, part.amount_micro, message_id
FROM refund
CROSS JOIN LATERAL (
    VALUES (:LedgerAccount.GIFT, refund.gift_micro), (:LedgerAccount.BALANCE, refund.rest_micro)
) AS part (account, amount_micro)
WHERE part.amount_micro > 0
