-- Adaptive routing: terms, shares, what they rest on, and fake receipts.

-- name: learn_terms -> rows LearnTermsRow
SELECT account_id, app_id, worth_micro, quality_floor, explore_min, share_max, opted_out FROM learn_terms

-- name: learn_terms_set
INSERT INTO learn_terms AS t (account_id, app_id, worth_micro, quality_floor, explore_min, share_max, opted_out)
VALUES (:account_id, :app_id, :worth_micro?, :quality_floor?, :explore_min?, :share_max?, :opted_out?)
ON CONFLICT (account_id, app_id) DO UPDATE
SET worth_micro = excluded.worth_micro, quality_floor = excluded.quality_floor, explore_min = excluded.explore_min,
    share_max = excluded.share_max, opted_out = excluded.opted_out, changed_at = now()

-- name: learn_declared -> rows DeclaredApp
-- not null: expects_conversions
SELECT app_id, expects_conversions FROM app WHERE expects_conversions IS NOT NULL

-- Each change is kept as a version of its own; the shares in force are the latest. Who reads them is told.
-- name: learn_shares_write
-- takes: shares NewShares
WITH made AS (
    INSERT INTO learn_choice (account_id, made_at, app_id, country, network, rule, reason, rests_on)
    SELECT account_id, :made_at, app_id, country, network, rule::jsonb, reason::jsonb, rests_on::jsonb
    FROM unnest(:shares) AS t (
        account_id bigint, app_id text, country text, network text, rule text, reason text, rests_on text
    )
    RETURNING account_id, version, app_id, country, network, rule, reason
), weighed AS (
    SELECT w.account_id, w.app_id, w.country, w.network, w.rule::jsonb AS rule,
        string_to_array(w.carriers, ',')::int[] AS carriers, string_to_array(w.weights, ',')::int[] AS weights
    FROM unnest(:shares) AS w (
        account_id bigint, app_id text, country text, network text, rule text, carriers text, weights text
    )
), written AS (
    INSERT INTO learn_shares AS s (account_id, app_id, country, network, rule, version, carriers, weights, reason,
        made_at)
    SELECT account_id, app_id, country, network, rule, version, carriers, weights, reason, :made_at
    FROM made
    JOIN weighed USING (account_id, app_id, country, network, rule)
    ORDER BY account_id, app_id, country, network, rule
    ON CONFLICT (account_id, app_id, country, network, rule) DO UPDATE
    SET version = excluded.version, carriers = excluded.carriers, weights = excluded.weights, reason = excluded.reason,
        made_at = excluded.made_at
    RETURNING version
)
SELECT pg_notify('homing_shares', '') FROM (SELECT count(*) FROM written) AS all_of_them

-- name: learn_shares_drop
-- takes: shares SharesKey
DELETE FROM learn_shares
USING unnest(:shares) AS gone (account_id bigint, app_id text, country text, network text, rule text)
WHERE learn_shares.account_id = gone.account_id AND learn_shares.app_id = gone.app_id
    AND learn_shares.country = gone.country AND learn_shares.network = gone.network
    AND learn_shares.rule = gone.rule::jsonb

-- name: learn_shares_read -> rows SharesRow
SELECT account_id, app_id, country, network, rule, version, carriers, weights, reason
FROM learn_shares
WHERE version > :after_version

-- name: learn_shares_of -> rows SharesReason
SELECT s.account_id, s.app_id, s.country, s.network, s.rule, s.version, s.reason, s.made_at, c.rests_on
FROM learn_shares AS s
JOIN learn_choice AS c ON c.account_id = s.account_id AND c.version = s.version
WHERE (:account_id?::bigint IS NULL OR s.account_id = :account_id) AND (:app_id?::text IS NULL OR s.app_id = :app_id)
ORDER BY s.account_id, s.app_id, s.country, s.network, s.rule

-- Those that changed last first, below a version (`before_version`); of an app (`app_id`) or all.
-- name: learn_shares_page -> rows SharesPageRow
SELECT s.account_id, a.name AS account, s.app_id, s.country, s.network, s.rule, s.version, s.reason, s.made_at,
    c.rests_on
FROM learn_shares AS s
JOIN learn_choice AS c ON c.account_id = s.account_id AND c.version = s.version
JOIN account AS a ON a.account_id = s.account_id
WHERE (:app_id?::text IS NULL OR s.app_id = :app_id)
    AND (:before_version?::bigint IS NULL OR s.version < :before_version)
ORDER BY s.version DESC
LIMIT :rows_max

-- name: learn_terms_named -> rows NamedLearnTerms
SELECT t.account_id, a.name AS account, t.app_id, t.worth_micro, t.quality_floor, t.explore_min, t.share_max,
    t.opted_out
FROM learn_terms AS t
JOIN account AS a USING (account_id)
ORDER BY a.name, t.app_id
LIMIT :rows_max

-- name: learn_choice -> row? LearnChoiceRow
SELECT made_at, version, country, network, reason, rests_on FROM learn_choice WHERE account_id = :account_id
    AND version = :version

-- name: learn_apps -> rows LearnAppRow
-- slow
SELECT app.account_id, app.app_id, app.expects_conversions, coalesce(sum(s.sent), 0)::bigint AS sent,
    coalesce(sum(s.converted), 0)::bigint AS converted
FROM app
LEFT JOIN stat_now AS s
    ON s.account_id = app.account_id AND s.app_id = app.app_id AND s.grain = :PeriodGrain.DAY AND s.period >= :first_day
GROUP BY app.account_id, app.app_id, app.expects_conversions

-- name: learn_choices_forget
DELETE FROM learn_choice AS c
WHERE c.made_at < :before
    AND NOT EXISTS (SELECT FROM learn_shares AS s WHERE s.account_id = c.account_id AND s.version = c.version)

-- name: learn_fakes_write
-- takes: fakes NewFake
INSERT INTO learn_fake AS f (carrier_id, kind, found_at, seen_at, reason)
SELECT t.carrier_id, t.kind, :seen_at, :seen_at, t.reason::jsonb
FROM unnest(:fakes) AS t (carrier_id int, kind text, reason text)
JOIN carrier USING (carrier_id)
ON CONFLICT (carrier_id, kind) DO UPDATE
SET seen_at = excluded.seen_at, reason = excluded.reason

-- name: learn_fakes -> rows FakeRow
SELECT f.carrier_id, c.name AS carrier, f.kind, f.found_at, f.seen_at, f.reason
FROM learn_fake AS f
JOIN carrier AS c USING (carrier_id)
ORDER BY f.seen_at DESC, f.carrier_id, f.kind

-- The evidence: messages that a carrier reported as delivered and that brought nobody back, of apps that report who
-- comes back (a code that left twice may have brought its person back by the other message), in [`first_id`, `beyond_id`) by id.
-- name: learn_fake_messages -> rows FakeMessageRow
-- null: receipt_s
-- takes: apps AppKey
-- slow
SELECT m.account_id, a.name AS account, m.app_id, m.message_id, m.carrier_ref, m.country, m.mcc, m.mnc, m.sender,
    accepted_at(m.message_id) AS submitted_at, m.sent_at, m.final_at,
    extract(epoch FROM m.final_at - m.sent_at)::float8 AS receipt_s, m.segments, m.carrier_cost_micro
FROM account AS a
JOIN message AS m USING (account_id)
WHERE m.message_id >= :first_id AND m.message_id < :beyond_id AND m.carrier_id = :carrier_id
    AND m.state = :MessageState.DELIVERED AND m.is_resent IS NULL AND m.superseded_at IS NULL
    AND NOT EXISTS (
        SELECT FROM conversion AS c
        WHERE c.account_id = m.account_id AND c.message_id = m.message_id
    )
    AND (m.account_id, m.app_id) IN (SELECT account_id, app_id FROM unnest(:apps) AS r (
        account_id bigint, app_id text
    ))
ORDER BY m.message_id
LIMIT :rows_max

-- Apps whose likely lost codes go out again.
-- name: learn_resending_apps -> rows AppRef
SELECT account_id, app_id FROM app WHERE resend_messages > 0

-- name: learn_outlooks_write
-- takes: outlooks NewOutlook
INSERT INTO learn_outlook AS o (account_id, app_id, country, network, outlook, made_at)
SELECT t.account_id, t.app_id, t.country, t.network, t.outlook::jsonb, :made_at
FROM unnest(:outlooks) AS t (account_id bigint, app_id text, country text, network text, outlook text)
JOIN account USING (account_id)
ORDER BY t.account_id, t.app_id, t.country, t.network
ON CONFLICT (account_id, app_id, country, network) DO UPDATE
SET outlook = excluded.outlook, made_at = excluded.made_at

-- name: learn_outlooks_forget
DELETE FROM learn_outlook WHERE made_at < :before

-- name: learn_outlook -> value?
-- not null: outlook
SELECT outlook::text AS outlook
FROM learn_outlook
WHERE account_id = :account_id AND app_id = :app_id AND country = :country AND network = :network AND made_at > :after

-- What the learner leaves out of the stored statistics of messages since `since`, as deltas of codes that left more than
-- once: what became of messages that carried them again (and of those that left after that), conversions that may be of
-- either, and first messages that were superseded. By the hour of the submit, from the minute `minutes_from` on by minute.
-- name: learn_resent -> rows ResentSums
-- slow
WITH again AS MATERIALIZED (
    SELECT account_id, verification_id, message_id FROM verification_message WHERE message_id >= first_id_at(:since)
), carried AS (
    SELECT account_id, message_id FROM again
    UNION
    SELECT account_id, verification_id FROM again
), of_code AS (
    SELECT m.*, accepted_minute(m.message_id) AS minute, c.credited_at,
        m.is_resent OR m.superseded_at < m.sent_at OR (m.superseded_at IS NOT NULL AND m.sent_at IS NULL)
            AS is_left_out
    FROM carried
    JOIN message AS m
        ON m.account_id = ANY (ARRAY[carried.account_id]) AND m.message_id = ANY (ARRAY[carried.message_id])
    LEFT JOIN conversion AS c
        ON c.account_id = ANY (ARRAY[carried.account_id]) AND c.message_id = ANY (ARRAY[carried.message_id])
), each AS (
    SELECT CASE WHEN minute >= :minutes_from::int THEN minute ELSE minute / 60 * 60 END AS minute, account_id, app_id,
        country, mcc || mnc AS network, carrier_id,
        (is_left_out AND (sent_at IS NOT NULL OR state = :MessageState.DELIVERED))::int AS sent,
        (is_left_out AND state = :MessageState.DELIVERED)::int AS delivered,
        (is_left_out AND final_at IS NOT NULL AND state <> :MessageState.DELIVERED)::int AS undelivered,
        CASE
            WHEN is_left_out OR credited_at >= superseded_at THEN stat_bucket(credited_at - accepted_at(message_id))
        END AS conversion_bucket,
        CASE
            WHEN is_left_out IS NOT TRUE AND superseded_receipt IS NOT NULL
                THEN greatest(0, extract(epoch FROM superseded_at - accepted_at(message_id)))::int
        END AS superseded_age_s,
        CASE WHEN is_left_out THEN 0 ELSE coalesce(superseded_receipt, 0) END::smallint AS superseded_receipt
    FROM of_code
)
SELECT minute, account_id, app_id, country, network, carrier_id, coalesce(sum(sent), 0) AS sent,
    coalesce(sum(delivered), 0) AS delivered, coalesce(sum(undelivered), 0) AS undelivered,
    count(conversion_bucket) AS converted, coalesce(conversion_bucket, -1) AS conversion_bucket,
    count(superseded_age_s) AS superseded, coalesce(superseded_age_s, -1) AS superseded_age_s, superseded_receipt
FROM each
GROUP BY minute, account_id, app_id, country, network, carrier_id, each.conversion_bucket, each.superseded_age_s,
    superseded_receipt

-- Messages after which their number requested another of the same app within `window_ids` (a time, as ids count it), by
-- the carrier of the first. The later ones are those of `apps` since their `since`, until `until`; those that carry a code
-- again are requests of nobody. There is no other message to the number in twice that time, so that a number counts once.
-- `is_lost`: its carrier had reported it as lost within `lost_soon`. Of a number with many messages the first
-- `candidates_max` since the beginning of the partition are looked at, as for conversions.
-- name: learn_repeats -> rows RepeatSums
-- takes: apps RepeatingApp
-- slow
SELECT accepted_minute(m.message_id)::int AS minute, later.account_id, later.app_id, later.country,
    later.mcc || later.mnc AS network, left(later.number, -3) AS block, m.carrier_id, coalesce(m.is_lost, false) AS is_lost,
    stat_bucket(accepted_at(later.message_id) - accepted_at(m.message_id)) AS bucket, count(*) AS repeated
FROM unnest(:apps) AS r (account_id bigint, app_id text, since timestamptz)
JOIN message AS later ON later.account_id = r.account_id AND later.app_id = r.app_id
    AND later.message_id >= first_id_at(r.since) AND later.message_id < first_id_at(:until)
CROSS JOIN LATERAL (
    SELECT max(same_number.message_id) AS message_id, max(same_number.carrier_id) AS carrier_id,
        bool_or(same_number.is_lost) AS is_lost
    FROM (
        SELECT e.account_id, e.app_id, e.message_id, e.carrier_id, e.is_resent IS NULL AND e.sent_at IS NOT NULL AS counts,
            e.state = :MessageState.UNDELIVERABLE AND e.final_at - e.sent_at <= :lost_soon AS is_lost
        FROM message AS e
        WHERE e.number = ANY (ARRAY[later.number])
            AND e.message_id >=
                (later.message_id - 2 * :window_ids::bigint) / :partition_ids::bigint * :partition_ids::bigint
        LIMIT :candidates_max
    ) AS same_number
    WHERE same_number.account_id = later.account_id AND same_number.app_id = later.app_id
        AND same_number.message_id < later.message_id
        AND same_number.message_id >= later.message_id - 2 * :window_ids::bigint
    HAVING count(*) = 1 AND bool_and(same_number.counts)
        AND max(same_number.message_id) >= later.message_id - :window_ids::bigint
) AS m
WHERE later.is_resent IS NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
LIMIT :rows_max
