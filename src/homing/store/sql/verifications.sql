-- What a check found, and the verification as it is afterwards. `outcome`: a CheckOutcome. `event_types`: of the
-- account's feed.
-- struct: JudgedCheck

-- A verification, as its owner is shown it. `expired`: its time ran out while it was pending.
-- struct: VerificationRow

-- A message that carried a verification's code, and what became of it.
-- struct: VerificationMessageRow

-- A verification for people: with names in place of ids, what its messages cost, and nothing that its code could be
-- found by.
-- struct: ShownVerification

-- shared: verification_columns
    v.account_id, v.verification_id, v.dialect, v.app_id, v.number, v.raw_number, v.reference, v.template_id,
    v.flow_id, v.sender, v.text, v.code_sealed, v.status, v.attempts, v.attempts_max, v.messages, v.latest_id, v.is_test,
    v.created_at, v.expires_at, v.ended_at, v.steps_done, v.step_due_at,
    v.status = :VerificationStatus.PENDING AND v.expires_at <= :now::timestamptz AS is_expired

-- shared: shown_columns
    v.account_id, a.name AS account, v.verification_id, v.app_id, p.name AS app, v.number, v.reference,
    t.name AS template, t.locale, f.name AS flow, v.sender, v.text, v.status, v.attempts, v.attempts_max,
    CASE WHEN v.is_test THEN 0 ELSE v.messages END AS messages, v.latest_id, v.is_test, v.created_at, v.expires_at,
    v.ended_at,
    v.status = :VerificationStatus.PENDING AND v.expires_at <= :now::timestamptz AS is_expired,
    coalesce((
        SELECT sum(m.charge_micro - m.refund_micro)
        FROM (
            SELECT v.verification_id AS message_id
            UNION ALL
            SELECT vm.message_id
            FROM verification_message AS vm
            WHERE vm.verification_id = v.verification_id AND vm.account_id = v.account_id
        ) AS carried
        JOIN message AS m ON m.account_id = ANY (ARRAY[v.account_id]) AND m.message_id = ANY (ARRAY[carried.message_id])
    ), 0)::bigint AS cost_micro

-- Messages that carry a verification's code again.
-- name: verification_messages_add
-- takes: messages NewVerificationMessage
INSERT INTO verification_message (account_id, message_id, verification_id, code_hash)
SELECT account_id, message_id, verification_id, code_hash
FROM unnest(:messages) AS m (account_id bigint, message_id bigint, verification_id bigint, code_hash bytea)

-- Locks verifications that are to be sent again, and then their latest messages: what moves messages locks balances after
-- them, as whoever sends does. Only those that can still be checked and have had fewer messages than `messages_max` are
-- returned; for a step of a flow (`steps_before`: how many were done) only if nobody else has sent it.
-- name: verifications_open -> rows OpenVerification
-- takes: keys VerificationKey
WITH open AS MATERIALIZED (
    SELECT v.account_id, v.verification_id, v.latest_id
    FROM verification AS v
    JOIN unnest(:keys) AS k (account_id bigint, verification_id bigint, steps_before smallint?)
        ON v.account_id = ANY (ARRAY[k.account_id]) AND v.verification_id = ANY (ARRAY[k.verification_id])
    WHERE v.status = :VerificationStatus.PENDING AND v.expires_at > :now AND v.messages < :messages_max
        AND (k.steps_before IS NULL OR v.steps_done = k.steps_before)
    ORDER BY k.account_id, k.verification_id
    FOR UPDATE OF v
), latest AS MATERIALIZED (
    SELECT m.message_id
    FROM open
    JOIN message AS m ON m.account_id = ANY (ARRAY[open.account_id]) AND m.message_id = ANY (ARRAY[open.latest_id])
    ORDER BY m.account_id, m.message_id
    FOR NO KEY UPDATE OF m
)
SELECT account_id, verification_id FROM open WHERE (SELECT count(*) FROM latest) >= 0

-- Notes of verifications that their codes have left again, and of their latest messages that these are superseded. How
-- long after its submit that came, and what was known of it, is what the learner needs of a first message that has left;
-- not where that was a fixed wait (`is_timed`).
-- name: verifications_resent
-- takes: resends VerificationResend
WITH resent AS (
    UPDATE verification AS v
    SET messages = v.messages + 1, latest_id = r.message_id, expires_at = greatest(v.expires_at, r.expires_at),
        steps_done = coalesce(r.steps_done, v.steps_done),
        step_due_at = CASE WHEN r.steps_done IS NULL THEN v.step_due_at ELSE r.step_due_at END
    FROM unnest(:resends) AS r (
        account_id bigint, verification_id bigint, message_id bigint, expires_at timestamptz, steps_done smallint?,
        step_due_at timestamptz?, is_timed boolean
    )
    WHERE v.account_id = ANY (ARRAY[r.account_id]) AND v.verification_id = ANY (ARRAY[r.verification_id])
    RETURNING v.account_id, old.latest_id, r.is_timed
), superseded AS (
    UPDATE message AS m
    SET superseded_at = :now, superseded_receipt = CASE
            WHEN r.is_timed THEN NULL
            WHEN m.state = :MessageState.DELIVERED THEN :ReceiptState.DELIVERED::smallint
            WHEN m.state IN (
                :MessageState.UNDELIVERABLE, :MessageState.EXPIRED, :MessageState.REJECTED, :MessageState.FAILED
            ) THEN :ReceiptState.LOST
            ELSE :ReceiptState.NONE
        END
    FROM resent AS r
    WHERE m.account_id = ANY (ARRAY[r.account_id]) AND m.message_id = ANY (ARRAY[r.latest_id])
    RETURNING m.account_id, m.message_id, m.carrier_id, m.app_id, m.country, m.mcc, m.mnc, m.number, m.sender, m.state,
        m.sent_at, m.is_resent, m.superseded_receipt
)
INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, superseded,
    superseded_age_s, superseded_receipt)
SELECT account_id, accepted_minute(message_id), carrier_id, app_id, country, mcc || mnc, left(number, -3), sender, 1,
    greatest(0, extract(epoch FROM :now::timestamptz - accepted_at(message_id)))::int, superseded_receipt
FROM superseded
WHERE is_resent IS NULL AND superseded_receipt IS NOT NULL
    AND (sent_at IS NOT NULL OR state = :MessageState.DELIVERED)

-- Judges entered codes in their order. Each verification is locked, so that of all checks anywhere exactly one succeeds
-- and no more wrong codes are looked at than it allows. What is over is compared no more. Codes are compared by their
-- keyed hashes, which nobody outside can choose: how long that takes says nothing of a code.
-- name: verifications_check -> rows JudgedCheck
-- null: event_types
-- takes: guesses CodeGuess
WITH guess AS MATERIALIZED (
    SELECT g.nth, g.account_id, g.code_hash, m.code_hash AS code_hash_again,
        coalesce(m.verification_id, g.message_id) AS verification_id
    FROM unnest(:guesses) WITH ORDINALITY AS g (account_id bigint, message_id bigint, code_hash bytea, nth)
    LEFT JOIN verification_message AS m
        ON m.account_id = ANY (ARRAY[g.account_id]) AND m.message_id = ANY (ARRAY[g.message_id])
), locked AS MATERIALIZED (
    SELECT g.nth, g.code_hash = coalesce(g.code_hash_again, v.code_hash) AS is_right, v.account_id, v.verification_id, v.status, v.attempts, v.attempts_max, v.expires_at,
        v.ended_at, v.latest_id
    FROM guess AS g
    JOIN verification AS v
        ON v.account_id = ANY (ARRAY[g.account_id]) AND v.verification_id = ANY (ARRAY[g.verification_id])
    ORDER BY g.account_id, g.verification_id, g.nth
    FOR UPDATE OF v
), ordered AS (
    SELECT l.*,
        l.attempts + count(*) FILTER (WHERE NOT l.is_right) OVER earlier AS wrong_before
    FROM locked AS l
    WINDOW earlier AS (
        PARTITION BY l.account_id, l.verification_id ORDER BY l.nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
), placed AS (
    SELECT *,
        coalesce(bool_or(is_right AND wrong_before < attempts_max) OVER (
            PARTITION BY account_id, verification_id ORDER BY nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), false) AS is_verified_before
    FROM ordered
), judged AS MATERIALIZED (
    SELECT *,
        CASE
            WHEN status = :VerificationStatus.VERIFIED THEN :CheckOutcome.ALREADY_VERIFIED::int
            WHEN status = :VerificationStatus.CANCELLED THEN :CheckOutcome.CANCELLED
            WHEN status = :VerificationStatus.FAILED THEN :CheckOutcome.TOO_MANY_ATTEMPTS
            WHEN expires_at <= :now THEN :CheckOutcome.EXPIRED
            WHEN is_verified_before THEN :CheckOutcome.ALREADY_VERIFIED
            WHEN wrong_before >= attempts_max THEN :CheckOutcome.TOO_MANY_ATTEMPTS
            WHEN is_right THEN :CheckOutcome.VERIFIED
            ELSE :CheckOutcome.WRONG
        END AS outcome
    FROM placed
), ended AS (
    UPDATE verification AS v
    SET attempts = least(v.attempts + tried.wrong, v.attempts_max),
        status = CASE
            WHEN tried.verified THEN :VerificationStatus.VERIFIED
            WHEN v.attempts + tried.wrong >= v.attempts_max THEN :VerificationStatus.FAILED
            ELSE v.status
        END,
        ended_at = CASE WHEN tried.verified OR v.attempts + tried.wrong >= v.attempts_max THEN :now ELSE v.ended_at END,
        code_sealed = CASE
            WHEN tried.verified OR v.attempts + tried.wrong >= v.attempts_max THEN NULL
            ELSE v.code_sealed
        END,
        step_due_at = CASE
            WHEN tried.verified OR v.attempts + tried.wrong >= v.attempts_max THEN NULL
            ELSE v.step_due_at
        END
    FROM (
        SELECT account_id, verification_id, count(*) FILTER (WHERE outcome = :CheckOutcome.WRONG) AS wrong,
            bool_or(outcome = :CheckOutcome.VERIFIED) AS verified
        FROM judged
        WHERE outcome IN (:CheckOutcome.WRONG, :CheckOutcome.VERIFIED)
        GROUP BY account_id, verification_id
    ) AS tried
    WHERE v.account_id = ANY (ARRAY[tried.account_id]) AND v.verification_id = ANY (ARRAY[tried.verification_id])
)
SELECT nth, account_id, verification_id, latest_id, outcome,
    greatest(0, attempts_max - wrong_before - (NOT is_right)::int)::int AS attempts_left, expires_at, ended_at,
    (SELECT f.types FROM event_feed AS f WHERE f.account_id = judged.account_id) AS event_types
FROM judged

-- Verifications by their own ids.
-- name: verifications_by_id -> rows VerificationRow
-- takes: refs VerificationRef
SELECT
    -- here: verification_columns
FROM unnest(:refs) AS r (account_id bigint, verification_id bigint)
JOIN verification AS v
    ON v.account_id = ANY (ARRAY[r.account_id]) AND v.verification_id = ANY (ARRAY[r.verification_id])

-- Verifications that expired unanswered, of accounts whose feeds have that event: each is given once, and its code is
-- forgotten. What others have locked comes with the next look. `expired_type`: the event's.
-- name: verifications_expire -> rows ExpiredVerification
-- not null: account_id verification_id number created_at expires_at
-- slow
WITH expired AS MATERIALIZED (
    SELECT v.account_id, v.verification_id
    FROM event_feed AS f
    JOIN verification AS v ON v.account_id = f.account_id AND v.verification_id >= f.expired_from_id
    WHERE :expired_type::text = ANY (f.types) AND v.status = :VerificationStatus.PENDING AND v.expires_at <= :now
        AND v.code_sealed IS NOT NULL
    ORDER BY v.account_id, v.verification_id
    LIMIT :rows_max
    FOR UPDATE OF v SKIP LOCKED
)
UPDATE verification AS v
SET code_sealed = NULL, step_due_at = NULL
FROM expired
WHERE v.account_id = ANY (ARRAY[expired.account_id]) AND v.verification_id = ANY (ARRAY[expired.verification_id])
RETURNING v.account_id, v.verification_id, v.number, v.reference, v.created_at, v.expires_at

-- Moves feeds on to their earliest verification that may still expire, so that the next look begins there. A new one
-- has a later id than `beyond_id`. A feed is written only if it moves by `ids_min` at least and the look is spared a
-- verification, of whatever account. One that is locked stays where it is until the next look: who locks several does
-- it in their order (events_add).
-- name: event_feeds_expired
-- slow
WITH moved AS MATERIALIZED (
    SELECT o.account_id, coalesce((
        SELECT v.verification_id
        FROM verification AS v
        WHERE v.account_id = o.account_id AND v.verification_id >= o.expired_from_id
            AND v.verification_id < :beyond_id::bigint AND v.status = :VerificationStatus.PENDING
            AND v.code_sealed IS NOT NULL
        ORDER BY v.verification_id
        LIMIT 1
    ), :beyond_id) AS from_id
    FROM event_feed AS o
    WHERE :expired_type::text = ANY (o.types)
), locked AS MATERIALIZED (
    SELECT f.account_id, moved.from_id
    FROM moved
    JOIN event_feed AS f ON f.account_id = moved.account_id
    WHERE moved.from_id - f.expired_from_id >= :ids_min::bigint
        AND EXISTS (
            SELECT FROM verification AS v
            WHERE v.verification_id >= f.expired_from_id AND v.verification_id < moved.from_id
        )
    FOR NO KEY UPDATE OF f SKIP LOCKED
)
UPDATE event_feed AS f
SET expired_from_id = locked.from_id
FROM locked
WHERE f.account_id = locked.account_id

-- name: verification_cancel -> value?
UPDATE verification
SET status = :VerificationStatus.CANCELLED, ended_at = :now, code_sealed = NULL, step_due_at = NULL
WHERE account_id = :account_id AND verification_id = :verification_id AND status = :VerificationStatus.PENDING
    AND expires_at > :now::timestamptz
RETURNING verification_id

-- The pending ones that a dialect sent to a number before a verification. They are locked in the order of checks.
-- name: verifications_cancel_earlier -> values
WITH pending AS MATERIALIZED (
    SELECT account_id, verification_id
    FROM verification
    WHERE number = :number AND account_id + 0 = :account_id AND verification_id + 0 < :verification_id
        AND dialect = :dialect AND status = :VerificationStatus.PENDING AND expires_at > :now::timestamptz
    ORDER BY verification_id + 0
    FOR UPDATE
)
UPDATE verification AS v
SET status = :VerificationStatus.CANCELLED, ended_at = :now, code_sealed = NULL, step_due_at = NULL
FROM pending
WHERE v.account_id = ANY (ARRAY[pending.account_id]) AND v.verification_id = ANY (ARRAY[pending.verification_id])
RETURNING v.verification_id

-- The verification that a message's id belongs to.
-- name: verification_find -> row? VerificationRow
SELECT
    -- here: verification_columns
FROM verification AS v
WHERE v.account_id = :account_id AND v.verification_id = coalesce(
    (SELECT verification_id FROM verification_message WHERE message_id = :message_id AND account_id = :account_id),
    :message_id
)

-- An app's latest verification with a reference of the customer's.
-- name: verification_by_reference -> row? VerificationRow
SELECT
    -- here: verification_columns
FROM verification AS v
WHERE v.reference = :reference AND v.account_id + 0 = :account_id AND v.app_id = :app_id
ORDER BY v.verification_id + 0 DESC
LIMIT 1

-- The latest verifications below an id (`before_id`) and not below another (`first_id`), of an account or all, to a
-- number or any, with a reference or status or any.
-- name: verifications_searched -> rows ShownVerification
-- not null: cost_micro is_expired account app messages
SELECT
    -- here: shown_columns
FROM (
    SELECT *
    FROM verification
    WHERE verification_id >= :first_id AND verification_id < :before_id
        AND (:account_id?::bigint IS NULL OR account_id = :account_id) AND (:number?::text IS NULL OR number = :number)
        AND (:reference?::text IS NULL OR reference = :reference)
        AND (:status?::smallint IS NULL OR status = :status)
        AND (
            :is_expired?::boolean IS NULL
            OR (status = :VerificationStatus.PENDING AND expires_at <= :now::timestamptz) = :is_expired
        )
    ORDER BY verification_id DESC
    LIMIT :rows_max
) AS v
JOIN account AS a ON a.account_id = v.account_id
JOIN app AS p ON p.app_id = v.app_id
LEFT JOIN code_template AS t ON t.template_id = v.template_id
LEFT JOIN code_flow AS f ON f.flow_id = v.flow_id
ORDER BY v.verification_id DESC

-- The id of the last verification that a search looks at, of `looked_max` below `before_id`; none: there are fewer.
-- name: verifications_search_end -> value?
SELECT verification_id
FROM verification
WHERE verification_id < :before_id AND (:account_id?::bigint IS NULL OR account_id = :account_id)
    AND (:number?::text IS NULL OR number = :number) AND (:reference?::text IS NULL OR reference = :reference)
ORDER BY verification_id DESC
OFFSET :looked_max::int - 1
LIMIT 1

-- As `verification_find`.
-- name: verification_shown -> row? ShownVerification
-- not null: cost_micro is_expired account app messages
SELECT
    -- here: shown_columns
FROM verification AS v
JOIN account AS a ON a.account_id = v.account_id
JOIN app AS p ON p.app_id = v.app_id
LEFT JOIN code_template AS t ON t.template_id = v.template_id
LEFT JOIN code_flow AS f ON f.flow_id = v.flow_id
WHERE v.verification_id = coalesce(
        (SELECT verification_id FROM verification_message WHERE message_id = :message_id),
        :message_id
    )
    AND (:account_id?::bigint IS NULL OR v.account_id = :account_id)

-- The verification whose code a message carries.
-- name: verification_of_message -> value?
-- null: verification_id
SELECT verification_id FROM verification WHERE account_id = :account_id AND verification_id = :message_id
UNION ALL
SELECT verification_id FROM verification_message WHERE account_id = :account_id AND message_id = :message_id

-- The messages that carried the codes of verifications.
-- name: verification_message_ids -> values
SELECT message_id
FROM verification_message
WHERE account_id = :account_id AND verification_id = ANY (:verification_ids::bigint[])

-- name: verification_story -> rows VerificationMessageRow
SELECT m.message_id, m.state, accepted_at(m.message_id) AS submitted_at, m.sent_at, m.final_at, m.country, m.mcc, m.mnc,
    m.sender, m.segments, m.charge_micro, m.refund_micro, m.carrier_id, k.name AS carrier, m.error_code, m.error_text,
    m.reason, c.credited_at
FROM (
    SELECT :verification_id::bigint AS message_id
    UNION ALL
    SELECT message_id FROM verification_message WHERE verification_id = :verification_id AND account_id = :account_id
) AS carried
JOIN message AS m ON m.account_id = :account_id AND m.message_id = ANY (ARRAY[carried.message_id])
JOIN carrier AS k ON k.carrier_id = m.carrier_id
LEFT JOIN conversion AS c ON c.account_id = :account_id AND c.message_id = ANY (ARRAY[carried.message_id])
ORDER BY m.message_id

-- Verifications whose flow has a step due. They are due again after `lease`, should this process end before it has sent.
-- name: verification_steps_claim -> rows DueStep
WITH due AS MATERIALIZED (
    SELECT account_id, verification_id
    FROM verification
    WHERE step_due_at <= :now
    ORDER BY step_due_at
    LIMIT :rows_max
    FOR UPDATE SKIP LOCKED
)
UPDATE verification AS v
SET step_due_at = :now::timestamptz + :lease::interval
FROM due
WHERE v.account_id = ANY (ARRAY[due.account_id]) AND v.verification_id = ANY (ARRAY[due.verification_id])
RETURNING v.account_id, v.verification_id, v.step_due_at

-- A step that is not sent: the flow is over, or goes on at `step_due_at`. Nothing changes if the verification is over, or
-- if its step is not due any more at `due_before`, as when it was claimed: it was carried out, or a message has failed
-- meanwhile (`verifications_hasten`).
-- name: verification_step_skip
UPDATE verification
SET steps_done = :steps_done, step_due_at = :step_due_at?
WHERE account_id = :account_id AND verification_id = :verification_id AND steps_done = :steps_before
    AND step_due_at = :due_before?

-- Codes without a flow whose message has failed: they are looked at now. One that another transaction has locked keeps
-- its time: it is being checked, sent or looked at, and waiting for it here could be for ever.
-- name: verifications_hasten
-- takes: failures FailedMessage
WITH looked AS MATERIALIZED (
    SELECT v.account_id, v.verification_id, f.at
    FROM unnest(:failures) AS f (account_id bigint, message_id bigint, at timestamptz)
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT m.verification_id
            FROM verification_message AS m
            WHERE m.message_id = ANY (ARRAY[f.message_id]) AND m.account_id = ANY (ARRAY[f.account_id])
        ), f.message_id) AS verification_id
    ) AS carried
    JOIN verification AS v
        ON v.account_id = ANY (ARRAY[f.account_id]) AND v.verification_id = ANY (ARRAY[carried.verification_id])
    WHERE v.step_due_at + interval '0' > f.at AND v.flow_id IS NULL
    FOR UPDATE OF v SKIP LOCKED
)
UPDATE verification AS v
SET step_due_at = looked.at
FROM looked
WHERE v.account_id = ANY (ARRAY[looked.account_id]) AND v.verification_id = ANY (ARRAY[looked.verification_id])

-- Forgets the codes of verifications that expired within `lookback`. A verification expires its app's time after it or
-- its latest message was made, so their ids tell which those are: an index on the expiry would be written by each check.
-- What others have locked, and what an app's changed time has moved, is left to `verifications_forget`.
-- name: verifications_forget_expired -> values
WITH span AS MATERIALIZED (
    SELECT first_id_at(:now::timestamptz - s.expiry - :lookback::interval) AS first_id,
        first_id_at(:now::timestamptz - s.expiry + interval '1 second') AS beyond_id
    FROM (SELECT DISTINCT make_interval(secs => code_expiry_s) AS expiry FROM app) AS s
), due AS MATERIALIZED (
    SELECT first.verification_id
    FROM span
    CROSS JOIN LATERAL (
        SELECT v.verification_id
        FROM verification AS v
        WHERE v.verification_id >= span.first_id AND v.verification_id < span.beyond_id AND v.code_sealed IS NOT NULL
        ORDER BY v.verification_id
    ) AS first
    UNION
    SELECT again.verification_id
    FROM span
    CROSS JOIN LATERAL (
        SELECT m.verification_id
        FROM verification_message AS m
        WHERE m.message_id >= span.first_id AND m.message_id < span.beyond_id
        ORDER BY m.message_id
    ) AS again
), old AS MATERIALIZED (
    SELECT v.account_id, v.verification_id
    FROM due
    JOIN verification AS v ON v.verification_id = ANY (ARRAY[due.verification_id])
    WHERE v.code_sealed IS NOT NULL AND v.expires_at <= :now
        AND NOT EXISTS (
            SELECT FROM event_feed AS f WHERE f.account_id = v.account_id AND :expired_type::text = ANY (f.types)
        )
    FOR UPDATE OF v SKIP LOCKED
)
UPDATE verification AS v
SET code_sealed = NULL
FROM old
WHERE v.account_id = ANY (ARRAY[old.account_id]) AND v.verification_id = ANY (ARRAY[old.verification_id])
RETURNING v.verification_id

-- Forgets the codes of verifications that nobody can check any more. Of the last days alone: it is done by the hour, and
-- an index for it would be written by each check. What others have locked stays until the next time: checks lock several
-- in another order, and must not wait for this one for ever. Those whose expiry is an event are forgotten by
-- `verifications_expire`.
-- name: verifications_forget
-- slow
WITH old AS MATERIALIZED (
    SELECT account_id, verification_id
    FROM verification
    WHERE verification_id >= first_id_at(now() - interval '8 days') AND code_sealed IS NOT NULL AND expires_at < now()
        AND NOT EXISTS (
            SELECT FROM event_feed AS f
            WHERE f.account_id = verification.account_id AND :expired_type::text = ANY (f.types)
        )
    FOR UPDATE SKIP LOCKED
)
UPDATE verification AS v
SET code_sealed = NULL
FROM old
WHERE v.account_id = ANY (ARRAY[old.account_id]) AND v.verification_id = ANY (ARRAY[old.verification_id])

-- --- settings ------------------------------------------------------------------------------------------------

-- name: code_template_create -> value?
INSERT INTO code_template (template_id, account_id, app_id, name, locale, text, code_alphabet, code_length, sender, voice)
VALUES (
    coalesce(:template_id?::bigint, nextval(pg_get_serial_sequence('code_template', 'template_id'))),
    :account_id, :app_id, :name, :locale, :text, :code_alphabet, :code_length, :sender, :voice?::jsonb
)
ON CONFLICT DO NOTHING
RETURNING template_id

-- name: code_template_change -> value?
UPDATE code_template
SET name = :name, text = :text, code_alphabet = :code_alphabet, code_length = :code_length, sender = :sender,
    voice = :voice?::jsonb
WHERE account_id = :account_id AND template_id = :template_id
RETURNING template_id

-- name: code_template_remove -> value?
DELETE FROM code_template WHERE account_id = :account_id AND template_id = :template_id RETURNING template_id

-- name: code_template_list -> rows CodeTemplateRow
SELECT account_id, template_id, app_id, name, locale, text, code_alphabet, code_length, sender, voice
FROM code_template
WHERE account_id = ANY (:account_ids::bigint[])
ORDER BY template_id

-- name: code_flow_create -> value?
INSERT INTO code_flow (account_id, name, steps) VALUES (:account_id, :name, :steps::jsonb)
ON CONFLICT DO NOTHING
RETURNING flow_id

-- name: code_flow_change -> value?
UPDATE code_flow SET name = :name, steps = :steps::jsonb
WHERE account_id = :account_id AND flow_id = :flow_id
RETURNING flow_id

-- name: code_flow_list -> rows CodeFlowRow
SELECT account_id, flow_id, name, steps
FROM code_flow
WHERE account_id = ANY (:account_ids::bigint[])
ORDER BY flow_id

-- name: test_number_set
INSERT INTO test_number (account_id, number, code) VALUES (:account_id, :number, :code)
ON CONFLICT (account_id, number) DO UPDATE SET code = excluded.code

-- name: test_number_remove -> value?
DELETE FROM test_number WHERE account_id = :account_id AND number = :number RETURNING number

-- name: test_number_list -> rows TestNumberRow
SELECT account_id, number, code FROM test_number WHERE account_id = ANY (:account_ids::bigint[]) ORDER BY number

-- name: app_verification -> row? AppVerificationRow
SELECT app_id, account_id, name, code_expiry_s, total_limit, number_limit, resend_messages, resend_worth_micro,
    created_at
FROM app
WHERE account_id = :account_id AND app_id = :app_id

-- name: apps_verification -> rows AppVerificationRow
SELECT app_id, account_id, name, code_expiry_s, total_limit, number_limit, resend_messages, resend_worth_micro,
    created_at
FROM app
WHERE account_id = :account_id
ORDER BY created_at, app_id

-- name: app_verification_change -> value?
UPDATE app
SET name = :name, code_expiry_s = :code_expiry_s, total_limit = :total_limit?::jsonb,
    number_limit = :number_limit?::jsonb, resend_messages = :resend_messages, resend_worth_micro = :resend_worth_micro
WHERE account_id = :account_id AND app_id = :app_id
RETURNING app_id

-- --- shares that customers report ----------------------------------------------------------------------------

-- name: reported_rate_add
INSERT INTO reported_rate (account_id, app_id, mcc, converted, sent, rate, called_at, reported_at)
VALUES (:account_id, :app_id, :mcc, :converted, :sent, :rate, :called_at, :reported_at)

-- Reports are kept for a year.
-- name: reported_rates_forget
-- slow
DELETE FROM reported_rate WHERE reported_at < now() - interval '365 days'
