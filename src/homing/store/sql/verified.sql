-- Codes' cost and the people whom they verified, by the hour (statistics/verified.py).

-- name: verified_hours_remove
-- slow
DELETE FROM verified_hour WHERE hour >= :first_hour AND hour < :beyond_hour

-- Adds up the verifications of an id range, which are those of whole hours. Of a verified person the message counts that
-- has the conversion's credit, or else the latest.
-- name: verified_hours_add
-- slow
WITH counted AS MATERIALIZED (
    SELECT account_id, verification_id, app_id, status, latest_id
    FROM verification
    WHERE verification_id >= :first_id AND verification_id < :beyond_id AND NOT is_test
), carried AS (
    SELECT account_id, verification_id, app_id, status, latest_id, verification_id AS message_id FROM counted
    UNION ALL
    SELECT v.account_id, v.verification_id, v.app_id, v.status, v.latest_id, c.message_id
    FROM counted AS v
    JOIN verification_message AS c ON c.verification_id = v.verification_id AND c.account_id = v.account_id
    WHERE c.message_id <> v.verification_id
), priced AS (
    SELECT c.account_id, c.verification_id, c.app_id, c.message_id, m.country, m.mcc || m.mnc AS network, m.carrier_id,
        m.charge_micro - m.refund_micro AS charge_micro, coalesce(m.carrier_cost_micro, 0) AS carrier_cost_micro,
        c.status = :VerificationStatus.VERIFIED AND c.message_id = coalesce(
            max(c.message_id) FILTER (WHERE r.credited_at IS NOT NULL) OVER (PARTITION BY c.verification_id),
            c.latest_id
        ) AS is_verified
    FROM carried AS c
    JOIN message AS m ON m.account_id = c.account_id AND m.message_id = c.message_id
    LEFT JOIN conversion AS r ON r.account_id = c.account_id AND r.message_id = c.message_id
)
INSERT INTO verified_hour AS h
    (hour, account_id, app_id, country, network, carrier_id, messages, charge_micro, carrier_cost_micro, verified)
SELECT extract(epoch FROM accepted_at(verification_id))::bigint / 3600, account_id, app_id, country, network, carrier_id,
    count(*), sum(charge_micro), sum(carrier_cost_micro), count(*) FILTER (WHERE is_verified)
FROM priced
GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (hour, account_id, app_id, country, network, carrier_id) DO UPDATE
SET messages = excluded.messages, charge_micro = excluded.charge_micro,
    carrier_cost_micro = excluded.carrier_cost_micro, verified = excluded.verified

-- By what `by` names, from an hour on, of one account or all.
-- name: verified_figures -> rows VerifiedRow
-- not null: key
-- null: carrier_cost_micro
SELECT CASE :by
        WHEN 'country' THEN h.country
        WHEN 'network' THEN h.network
        WHEN 'carrier' THEN coalesce(c.name, h.carrier_id::text)
        WHEN 'app' THEN coalesce(a.name, h.app_id)
        ELSE ''
    END AS key,
    sum(h.messages)::bigint AS messages, sum(h.charge_micro)::bigint AS charge_micro,
    CASE WHEN bool_and(h.carrier_cost_micro IS NOT NULL) THEN sum(h.carrier_cost_micro)::bigint END
        AS carrier_cost_micro,
    sum(h.verified)::bigint AS verified
FROM verified_hour AS h
LEFT JOIN carrier AS c ON c.carrier_id = h.carrier_id
LEFT JOIN app AS a ON a.app_id = h.app_id
WHERE h.hour >= :first_hour AND (:account_id?::bigint IS NULL OR h.account_id = :account_id)
GROUP BY 1
ORDER BY messages DESC, 1

-- name: verified_hours_forget
-- slow
DELETE FROM verified_hour WHERE hour < :before_hour

-- What customers counted themselves, the latest first.
-- name: reported_rates -> rows ReportedRateRow
SELECT r.report_id, r.reported_at, a.name AS account, r.app_id, r.mcc, r.converted, r.sent, r.rate, r.called_at
FROM reported_rate AS r
JOIN account AS a USING (account_id)
WHERE (:account_id?::bigint IS NULL OR r.account_id = :account_id)
ORDER BY r.report_id DESC
LIMIT :rows_max
