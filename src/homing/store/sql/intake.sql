-- A message that is to be charged and stored. `raw_number`: as the customer wrote it; None if that is `number`.
-- `price_micro`: of a segment. `notes`: a JSON object. `registered`: which reports an SMPP customer asked for (SMPP
-- 3.4, 5.2.17). `masked_text`: what takes the text's place when the message has left; None: the text stays. `hold_s`:
-- how long it waits before it is sent; None: not at all. `is_resent`: the code that it carries has left before; None: no.
-- struct: NewMessage

-- Charges each account that can pay for all of its messages in this batch (`charge`). `old` is the balance that the
-- UPDATE locked: a value that is read beside it, even FOR UPDATE, may have been spent by a concurrent batch.
-- shared: paid
paid AS (
    UPDATE balance AS b
    SET gift_micro = b.gift_micro - least(b.gift_micro, a.total_micro),
        balance_micro = b.balance_micro - (a.total_micro - least(b.gift_micro, a.total_micro))
    FROM charge AS a
    WHERE b.account_id = ANY (ARRAY[a.account_id]) AND b.gift_micro + b.balance_micro + b.credit_micro >= a.total_micro
    RETURNING b.account_id, old.gift_micro
), fresh AS MATERIALIZED (
    SELECT m.*, m.price_micro * m.segments AS charge_micro,
        greatest(0, least(m.price_micro * m.segments, p.gift_micro - m.before_micro)) AS from_gift_micro

-- shared: message_columns
    account_id bigint, message_id bigint, submission_id bigint, dialect smallint, app_id text, request_id text,
    raw_number text?, number text, country text, mcc text, mnc text, sender text, text text, encoding smallint,
    segments smallint, traffic smallint, reference text?, callback_url text?, price_micro bigint, route_id int,
    carrier_id int, notes text?, validity_s int, registered smallint?, masked_text text?, hold_s int?,
    is_resent boolean?, before_micro bigint

-- Stores and queues the messages that are paid for.
-- shared: stored
    JOIN paid AS p USING (account_id)
), stored AS (
    INSERT INTO message (
        account_id, message_id, submission_id, dialect, app_id, request_id, raw_number, number,
        country, mcc, mnc, sender, text, encoding, segments,
        traffic, reference, callback_url, price_micro, charge_micro, gift_micro, route_id, carrier_id,
        notes, expires_at, registered, masked_text, is_resent
    )
    SELECT account_id, message_id, submission_id, dialect, app_id, request_id, raw_number, number,
        country, mcc, mnc, sender, text, encoding, segments,
        traffic, reference, callback_url, price_micro, charge_micro, from_gift_micro, route_id, carrier_id,
        notes::json, :now::timestamptz + make_interval(secs => coalesce(hold_s, 0) + validity_s), registered, masked_text,
        is_resent
    FROM fresh
), queued AS (
    INSERT INTO queue (lane, message_id, account_id, due_at, expires_at)
    SELECT carrier_id * :LANES_PER_CARRIER::int + traffic, message_id, account_id,
        :now::timestamptz + make_interval(secs => coalesce(hold_s, 0)), :now::timestamptz + make_interval(secs => coalesce(hold_s, 0) + validity_s)
    FROM fresh
), counted AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,
        revenue_micro, resent)
    SELECT account_id, accepted_minute(message_id), carrier_id, app_id, country, mcc || mnc,
        left(number, -3), sender, 1, charge_micro, is_resent
    FROM fresh
), posted AS (
    INSERT INTO posting (account_id, at, kind, source, destination, amount_micro, submission_id)
    SELECT account_id, :now::timestamptz, :PostingKind.CHARGE, part.account, :LedgerAccount.SALES, part.amount_micro,
        submission_id
    FROM (
        SELECT account_id, submission_id, sum(from_gift_micro)::bigint AS gift_micro,
            sum(charge_micro - from_gift_micro)::bigint AS rest_micro
        FROM fresh
        GROUP BY account_id, submission_id
    ) AS charged
    CROSS JOIN LATERAL (
        VALUES (:LedgerAccount.GIFT, charged.gift_micro), (:LedgerAccount.BALANCE, charged.rest_micro)
    ) AS part (account, amount_micro)
    WHERE part.amount_micro > 0
)

-- One statement, one transaction: a conditional UPDATE charges each account that can pay for all of its messages in
-- this batch, and only messages that are paid for are stored and queued. An account that cannot pay for all of them is
-- not charged; the caller reads its available amount and submits again what that covers.
-- name: submit -> rows PaymentRow
-- takes: charges AccountCharge, messages NewMessage
WITH charge AS MATERIALIZED (
    SELECT * FROM unnest(:charges) AS a (account_id bigint, total_micro bigint)
),
-- here: paid
    FROM unnest(:messages OF new_message, :before_micro) AS m (
        -- here: message_columns
    )
-- here: stored
SELECT a.account_id, p.account_id IS NOT NULL AS is_paid,
    (SELECT gift_micro + balance_micro + credit_micro FROM balance AS b WHERE b.account_id = a.account_id)
        AS available_micro
FROM charge AS a
LEFT JOIN paid AS p USING (account_id)

-- What a batch makes of a limit's use. `ends_ms`: Unix time at which the last window is over. `earlier`: the windows that it was decided by; None: nothing was used before.
-- struct: NewLimitUse

-- The code that a message carries: a new one, or that of a verification (`resend_of`). `bounds`: which of the batch's bounds
-- hold for its number; None: no limit counts it. `ahead`: how many messages of the batch before it are counted with it.
-- struct: NewMessageCode

-- How many codes may go to a number within a period, of bounds that are named by `kind`.
-- struct: NumberBound

-- What became of an account's part of a batch; or, with a `refused_id`, a message for whose code a limit leaves no room:
-- then nothing of the batch is written. `wait_ms`: until there is some.
-- struct: OutcomeOnTerms

-- The place of a code among those to its number.
-- shared: place
        CASE WHEN f.bounds IS NOT NULL THEN coalesce(f.latest_nth, 0) + 1 + f.ahead END AS nth,
        CASE
            WHEN f.bounds IS NULL THEN NULL
            WHEN f.latest_nth IS NULL AND f.ahead = 0 THEN ARRAY[:now_ms::bigint]
            ELSE ARRAY(
                SELECT t.sent_ms
                FROM unnest(f.latest_times) AS t (sent_ms)
                WHERE t.sent_ms > :now_ms - 1000 * (SELECT max(b.period_s) FROM bound AS b WHERE b.kind = f.bounds)
            ) || array_fill(:now_ms, ARRAY[f.ahead + 1])
        END AS sent_times

-- As `submit`, with what the messages are bound to: the codes that they carry, and what they use up of limits. A code is
-- refused when so many went to its number as a bound allows within its period that ends now. Gives no row, and writes
-- nothing, when `uses_held` of the uses are no longer as `earlier` says; fails with a unique violation when a use
-- without an earlier one, or a code's place, has been stored elsewhere meanwhile. Locks are taken in one order by all
-- batches: uses that are stored, balances, new uses and places.
-- name: submit_on_terms -> rows OutcomeOnTerms
-- null: refused_id wait_ms
-- not null: account_id is_paid available_micro
-- takes: charges AccountCharge, messages NewMessage, codes NewMessageCode, uses NewLimitUse, bounds NumberBound
WITH used AS MATERIALIZED (
    SELECT * FROM unnest(:uses OF new_limit_use) AS n (
        account_id bigint, scope smallint, key text, windows text, ends_ms bigint, earlier text?
    )
), held AS MATERIALIZED (
    SELECT u.account_id
    FROM used AS n
    JOIN limit_use AS u
        ON u.account_id = ANY (ARRAY[n.account_id]) AND u.scope = ANY (ARRAY[n.scope]) AND u.key = ANY (ARRAY[n.key])
    WHERE n.earlier IS NOT NULL AND u.windows = n.earlier
    ORDER BY n.account_id, n.scope, n.key
    FOR UPDATE OF u
), bound AS MATERIALIZED (
    SELECT * FROM unnest(:bounds) AS b (kind int, period_s bigint, most bigint)
), incoming AS MATERIALIZED (
    SELECT m.*, latest.nth AS latest_nth, latest.sent_times AS latest_times
    FROM unnest(:messages OF new_message, :before_micro, :codes OF new_message_code) AS m (
        -- here: message_columns
        ; code_text text?, template_id bigint?, flow_id bigint?, code_hash bytea?, code_sealed bytea?,
        code_expires_at timestamptz?, step_due_at timestamptz?, resend_of bigint?, bounds int?, ahead int?
    )
    LEFT JOIN LATERAL (
        SELECT v.nth, v.sent_times
        FROM verification AS v
        WHERE v.number = m.number AND v.account_id = m.account_id AND v.app_id = m.app_id AND v.nth IS NOT NULL
            AND m.bounds IS NOT NULL
        ORDER BY v.nth DESC
        LIMIT 1
    ) AS latest ON true
), refused AS MATERIALIZED (
    SELECT i.message_id, waited.wait_ms
    FROM incoming AS i
    CROSS JOIN LATERAL (
        SELECT max(CASE
            WHEN coalesce(cardinality(i.latest_times), 0) + i.ahead < b.most THEN 0
            WHEN i.ahead >= b.most THEN 1000 * b.period_s
            -- of clocks that differ the one ahead must not make anybody wait for longer than the period
            ELSE least(
                1000 * b.period_s,
                i.latest_times[cardinality(i.latest_times) + i.ahead - b.most + 1] + 1000 * b.period_s - :now_ms
            )
        END) AS wait_ms
        FROM bound AS b
        WHERE b.kind = i.bounds
    ) AS waited
    WHERE (i.latest_nth IS NOT NULL OR i.ahead > 0) AND waited.wait_ms > 0
), charge AS MATERIALIZED (
    SELECT * FROM unnest(:charges) AS a (account_id bigint, total_micro bigint)
    WHERE (SELECT count(*) FROM held) = :uses_held::bigint AND NOT EXISTS (SELECT FROM refused)
),
-- here: paid
    FROM incoming AS m
-- here: stored
, use_changed AS (
    UPDATE limit_use AS u
    SET windows = n.windows, ends_at = to_timestamp(n.ends_ms / 1000.0)
    FROM used AS n
    JOIN paid AS p USING (account_id)
    WHERE n.earlier IS NOT NULL
        AND u.account_id = ANY (ARRAY[n.account_id]) AND u.scope = ANY (ARRAY[n.scope]) AND u.key = ANY (ARRAY[n.key])
), use_added AS (
    INSERT INTO limit_use (account_id, scope, key, windows, ends_at)
    SELECT n.account_id, n.scope, n.key, n.windows, to_timestamp(n.ends_ms / 1000.0)
    FROM used AS n
    JOIN paid AS p USING (account_id)
    WHERE n.earlier IS NULL
    ORDER BY n.account_id, n.scope, n.key
), code_added AS (
    INSERT INTO verification (
        account_id, verification_id, dialect, app_id, number, raw_number, reference, template_id, flow_id, sender, text,
        code_hash, code_sealed, attempts_max, latest_id, created_at, expires_at, step_due_at, nth, sent_times
    )
    SELECT f.account_id, f.message_id, f.dialect, f.app_id, f.number, coalesce(f.raw_number, f.number), f.reference,
        f.template_id, f.flow_id, f.sender, f.code_text, f.code_hash, f.code_sealed, :CODE_ATTEMPTS_MAX::int, f.message_id,
        :now::timestamptz, f.code_expires_at, f.step_due_at,
        -- here: place
    FROM fresh AS f
    WHERE f.code_hash IS NOT NULL
), code_moved AS (
    UPDATE verification AS v
    SET nth = moved.nth, sent_times = moved.sent_times
    FROM (
        SELECT f.account_id, f.resend_of,
        -- here: place
        FROM fresh AS f
        WHERE f.resend_of IS NOT NULL
    ) AS moved
    WHERE v.account_id = ANY (ARRAY[moved.account_id]) AND v.verification_id = ANY (ARRAY[moved.resend_of])
)
SELECT a.account_id, p.account_id IS NOT NULL AS is_paid,
    (SELECT gift_micro + balance_micro + credit_micro FROM balance AS b WHERE b.account_id = a.account_id)
        AS available_micro,
    NULL::bigint AS refused_id, NULL::bigint AS wait_ms
FROM charge AS a
LEFT JOIN paid AS p USING (account_id)
UNION ALL
SELECT 0, false, 0, message_id, wait_ms FROM refused

-- A code that nothing is sent of, with the ID that its message would have.
-- struct: NewVerification

-- A code of a test number.
-- name: verifications_add
-- takes: verifications NewVerification
INSERT INTO verification (
    account_id, verification_id, dialect, app_id, number, raw_number, reference, template_id, flow_id, sender, text,
    code_hash, code_sealed, attempts_max, latest_id, is_test, created_at, expires_at, step_due_at
)
SELECT account_id, verification_id, dialect, app_id, number, raw_number, reference, template_id, flow_id, sender, text,
    code_hash, code_sealed, attempts_max, verification_id, is_test, :now::timestamptz, expires_at, step_due_at
FROM unnest(:verifications OF new_verification) AS v (
    account_id bigint, verification_id bigint, dialect smallint, app_id text, number text, raw_number text,
    reference text?, template_id bigint?, flow_id bigint?, sender text, text text, code_hash bytea,
    code_sealed bytea?, attempts_max smallint, is_test boolean, expires_at timestamptz, step_due_at timestamptz?
)

-- What is used up of limits, locked in the order of the keys. What was never used has no row.
-- name: limits_lock -> rows StoredLimitUse
-- takes: keys LimitKey
SELECT u.account_id, u.scope, u.key, u.windows
FROM unnest(:keys OF limit_key) AS k (account_id bigint, scope smallint, key text)
JOIN limit_use AS u
    ON u.account_id = ANY (ARRAY[k.account_id]) AND u.scope = ANY (ARRAY[k.scope]) AND u.key = ANY (ARRAY[k.key])
ORDER BY k.account_id, k.scope, k.key
FOR UPDATE OF u

-- Takes keys of calls that are answered once. A key that another call has had since `since` is returned with that call's
-- answer, and is not taken; a call under way elsewhere is waited for.
-- name: answered_calls_take -> rows AnsweredCall
-- takes: calls NewAnsweredCall
INSERT INTO answered_call AS c (account_id, scope, key, digest, answer, answered_at)
SELECT account_id, scope, key, digest, answer, :now
FROM unnest(:calls) AS n (account_id bigint, scope text, key text, digest bytea, answer bytea)
ORDER BY account_id, scope, key
ON CONFLICT (account_id, scope, key) DO UPDATE
SET digest = CASE WHEN c.answered_at < :since THEN excluded.digest ELSE c.digest END,
    answer = CASE WHEN c.answered_at < :since THEN excluded.answer ELSE c.answer END,
    answered_at = CASE WHEN c.answered_at < :since THEN excluded.answered_at ELSE c.answered_at END
RETURNING new.account_id, new.scope, new.key, new.digest, new.answer,
    coalesce(old.answered_at >= :since, false) AS is_earlier

-- What a key was answered with since `since`. The sum keeps the planner from the index by time.
-- Calls with one key take place one after the other, over all processes, until the transaction's end.
-- name: answered_call_lock
SELECT pg_advisory_xact_lock(hashtextextended('answered_call ' || :scope::text || ' ' || :key::text, :account_id))

-- name: answered_call_find -> row? EarlierCall
SELECT digest, answer FROM answered_call
WHERE account_id = :account_id AND scope = :scope AND key = :key AND answered_at + interval '0 s' >= :since

-- As above, of many keys.
-- name: answered_calls_find -> rows EarlierCallOfKey
-- takes: calls AnsweredCallKey
SELECT c.key, c.digest, c.answer
FROM unnest(:calls) AS k (account_id bigint, scope text, key text)
JOIN answered_call AS c
    ON c.account_id = ANY (ARRAY[k.account_id]) AND c.scope = ANY (ARRAY[k.scope]) AND c.key = ANY (ARRAY[k.key])
WHERE c.answered_at + interval '0 s' >= :since

-- name: answered_calls_remove
-- takes: calls AnsweredCallKey
DELETE FROM answered_call AS c
USING unnest(:calls) AS k (account_id bigint, scope text, key text)
WHERE c.account_id = ANY (ARRAY[k.account_id]) AND c.scope = k.scope AND c.key = k.key

-- Forgets up to `rows_max` answers of two days ago; gives how many. What others have locked stays until the next time:
-- batches lock in the order of the keys, and must not wait for this one for ever.
-- name: answered_calls_forget -> value
-- slow
WITH old AS MATERIALIZED (
    SELECT account_id, scope, key
    FROM answered_call
    WHERE answered_at < now() - interval '2 days'
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM answered_call AS c
    USING old
    WHERE c.account_id = ANY (ARRAY[old.account_id]) AND c.scope = ANY (ARRAY[old.scope])
        AND c.key = ANY (ARRAY[old.key])
)
SELECT count(*) AS n FROM old

-- As above, of limits whose last window is over.
-- name: limits_forget -> value
-- slow
WITH old AS MATERIALIZED (
    SELECT account_id, scope, key
    FROM limit_use
    WHERE ends_at < now()
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM limit_use AS u
    USING old
    WHERE u.account_id = ANY (ARRAY[old.account_id]) AND u.scope = ANY (ARRAY[old.scope])
        AND u.key = ANY (ARRAY[old.key])
)
SELECT count(*) AS n FROM old
