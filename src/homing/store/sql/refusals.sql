-- Refused calls (accounts/refusal_log.py): listed, and summed by the hour.

-- name: refused_calls_add
-- takes: calls NewRefusedCall
INSERT INTO refused_call
    (at, account_id, dialect, call, code, reason, key, app_id, address, request_id, calls, messages, is_rest)
SELECT at, account_id, dialect, call, code, reason::jsonb, key, app_id, address, request_id, calls, messages, is_rest
FROM unnest(:calls) AS c (
    at timestamptz, account_id bigint?, dialect text, call text, code text, reason text, key text, app_id text,
    address text, request_id text, calls bigint, messages bigint, is_rest boolean
)

-- In one order, so that processes do not wait for each other in a circle.
-- name: refused_call_sums_add
-- takes: sums NewRefusedCallSum
INSERT INTO refused_call_sum AS s (account_id, hour, dialect, reason_code, calls, messages)
SELECT account_id, hour, dialect, reason_code, calls, messages
FROM unnest(:sums) AS n (account_id bigint, hour int, dialect text, reason_code text, calls bigint, messages bigint)
ORDER BY account_id, hour, dialect, reason_code
ON CONFLICT (account_id, hour, dialect, reason_code) DO UPDATE
SET calls = s.calls + excluded.calls, messages = s.messages + excluded.messages

-- The latest rows below `before_id` and not below `first_id`: of an account, or (`is_unknown`) of none that is known.
-- name: refused_calls_page -> rows RefusedCallRow
SELECT r.refused_call_id, r.at, a.name AS account, r.dialect, r.call, r.code, r.reason::text AS reason, r.key, r.app_id,
    r.address, r.request_id, r.calls, r.messages, r.is_rest
FROM refused_call AS r
LEFT JOIN account AS a USING (account_id)
WHERE r.refused_call_id < :before_id AND r.refused_call_id >= :first_id
    AND (:account_id?::bigint IS NULL OR r.account_id = :account_id)
    AND (NOT :is_unknown::boolean OR r.account_id IS NULL)
    AND (:dialect?::text IS NULL OR r.dialect = :dialect)
    AND (:reason_code?::text IS NULL OR r.reason ->> 'code' = :reason_code)
    AND (:since?::timestamptz IS NULL OR r.at >= :since)
ORDER BY r.refused_call_id DESC
LIMIT :rows_max

-- Where a search that looks at so many rows ends.
-- name: refused_calls_end -> value?
SELECT r.refused_call_id
FROM refused_call AS r
WHERE r.refused_call_id < :before_id
    AND (:account_id?::bigint IS NULL OR r.account_id = :account_id)
    AND (NOT :is_unknown::boolean OR r.account_id IS NULL)
ORDER BY r.refused_call_id DESC
OFFSET :looked_max - 1
LIMIT 1

-- From an hour on, by reason: of an account or of all.
-- name: refused_call_sums -> rows RefusedCallSumRow
SELECT s.reason_code, sum(s.calls)::bigint AS calls, sum(s.messages)::bigint AS messages
FROM refused_call_sum AS s
WHERE s.hour >= :first_hour
    AND (:account_id?::bigint IS NULL OR s.account_id = :account_id)
    AND (:dialect?::text IS NULL OR s.dialect = :dialect)
GROUP BY s.reason_code
ORDER BY calls DESC, s.reason_code

-- The oldest beyond `rows_max` rows, and all from before `before`.
-- name: refused_calls_forget
-- slow
DELETE FROM refused_call
WHERE refused_call_id <= (SELECT max(refused_call_id) FROM refused_call) - :rows_max::bigint
    OR refused_call_id <= (SELECT max(refused_call_id) FROM refused_call WHERE at < :before)

-- name: refused_call_sums_forget
-- slow
DELETE FROM refused_call_sum WHERE hour < :before_hour
