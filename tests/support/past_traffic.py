"""Stored messages of the last hours with an attack among them, for what looks back at them."""

PAST_TRAFFIC = """
WITH sent AS (
    SELECT n, n > 2500 AS is_attack, first_id_at($2) + (n % 2500)::bigint * 16384000 + n AS message_id,
        CASE WHEN n > 2500 THEN '628127700' || lpad((n * 7 % 1000)::text, 3, '0')
            ELSE '62812' || lpad((n * 7919 % 9999991)::text, 7, '0') END AS number
    FROM generate_series(1, 2800) AS n
), shifted AS (
    SELECT n, is_attack, number, message_id + CASE WHEN is_attack THEN 16384000 * 2000::bigint ELSE 0 END AS message_id
    FROM sent
), added AS (
    INSERT INTO message (account_id, message_id, submission_id, dialect, app_id, request_id, number, country, mcc, mnc,
        sender, text, encoding, segments, traffic, price_micro, charge_micro, gift_micro, route_id, carrier_id, state,
        expires_at)
    SELECT $1, message_id, message_id, 1, $3, '', number, 'ID', '510', '10', '', 'x', 0, 1, 0, 20000, 20000, 0, 1, 1, 3,
        now()
    FROM shifted WHERE NOT is_attack OR n % 2 = 0
), converted AS (
    INSERT INTO conversion (account_id, message_id, recorded_at, dialect, credited_to, credited_at, credited_by)
    SELECT $1, message_id, now(), 1, message_id, accepted_at(message_id) + interval '20 seconds', message_id
    FROM shifted WHERE NOT is_attack AND n % 5 > 0
), refused AS (
    INSERT INTO guard_decision (account_id, at, message_id, app_id, number, country, network, action, rule, reason,
        reason_code, scope, charge_micro)
    SELECT $1, accepted_at(message_id), message_id, $3, number, 'ID', '51010', 2, 'range', '{}', '', '', 20000
    FROM shifted WHERE is_attack AND n % 2 = 1
)
INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,
    revenue_micro)
SELECT $1, accepted_minute(message_id), 1, $3, 'ID', '51010', left(number, -3), '', 1, 20000 FROM shifted
"""
"""Since three hours (`$2`) a message each four seconds to people, of whom four in five enter the code; and in the last
hour three hundred to one range, each four seconds, of which the guard of then refused every other.
"""
