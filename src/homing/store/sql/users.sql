-- Who may use the console (users/).

-- name: user_find
SELECT u.*, a.name AS account
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
WHERE u.name = $1

-- name: user_get
SELECT u.*, a.name AS account
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
WHERE u.user_id = $1

-- name: user_list
SELECT u.user_id, u.name, u.role, u.account_id, a.name AS account, u.password IS NOT NULL AS has_password,
    u.totp_secret IS NOT NULL AS has_second_factor, u.disabled_at, u.created_at, max(s.seen_at) AS seen_at
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
LEFT JOIN console_session AS s ON s.user_id = u.user_id
GROUP BY u.user_id, a.name
ORDER BY u.name

-- Those whose names begin with $1, the latest first, below an id ($2).
-- name: user_page
SELECT u.user_id, u.name, u.role, u.account_id, a.name AS account, u.password IS NOT NULL AS has_password,
    u.totp_secret IS NOT NULL AS has_second_factor, u.disabled_at, u.created_at,
    (SELECT max(s.seen_at) FROM console_session AS s WHERE s.user_id = u.user_id) AS seen_at
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
WHERE starts_with(u.name, $1) AND ($2::bigint IS NULL OR u.user_id < $2)
ORDER BY u.user_id DESC
LIMIT $3

-- name: user_sessions
SELECT count(*) AS sessions, max(seen_at) AS seen_at
FROM console_session
WHERE user_id = $1 AND is_complete AND expires_at > now()

-- name: user_lock
SELECT u.user_id, u.name, u.role, u.account_id, u.disabled_at FROM console_user AS u WHERE u.user_id = $1 FOR UPDATE

-- name: user_role
UPDATE console_user SET role = $2, account_id = $3 WHERE user_id = $1

-- name: user_operators
SELECT count(*) AS operators FROM console_user WHERE role = 1 AND disabled_at IS NULL AND password IS NOT NULL

-- name: user_create
INSERT INTO console_user (name, role, account_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING user_id

-- name: user_password
UPDATE console_user SET password = $2 WHERE user_id = $1

-- name: user_disable
UPDATE console_user SET disabled_at = CASE WHEN $2::boolean THEN now() END WHERE user_id = $1

-- --- second factor ---------------------------------------------------------------------------------------------

-- name: user_totp
UPDATE console_user SET totp_secret = $2, totp_step = 0 WHERE user_id = $1

-- A code is good once: only a later step than the last one counts.
-- name: user_totp_step
UPDATE console_user SET totp_step = $2 WHERE user_id = $1 AND totp_step < $2 RETURNING user_id

-- A try of a half session, counted as wrong before the code is looked at, so that tries at once are not all looked at;
-- nothing when the session has had $2 of them.
-- name: session_code_try
UPDATE console_session SET codes_wrong = codes_wrong + 1
WHERE token = $1 AND NOT is_complete AND codes_wrong < $2
RETURNING codes_wrong

-- The same of the user; nothing when there were $2 within the hour.
-- name: user_code_try
INSERT INTO console_codes AS c (user_id, codes_wrong, untold) VALUES ($1, 1, 1)
ON CONFLICT (user_id) DO UPDATE
SET codes_wrong = CASE WHEN c.since < now() - interval '1 hour' THEN 1 ELSE c.codes_wrong + 1 END,
    since = CASE WHEN c.since < now() - interval '1 hour' THEN now() ELSE c.since END,
    untold = c.untold + 1
WHERE c.since < now() - interval '1 hour' OR c.codes_wrong < $2
RETURNING codes_wrong

-- The code was right: gives how many were not, since the last one that was.
-- name: user_codes_told
DELETE FROM console_codes WHERE user_id = $1 RETURNING untold - 1 AS untold

-- name: recovery_codes_forget
DELETE FROM console_recovery_code WHERE user_id = $1

-- name: recovery_codes_add
INSERT INTO console_recovery_code (user_id, code) SELECT $1, code FROM unnest($2::bytea[]) AS c (code)

-- name: recovery_code_use
DELETE FROM console_recovery_code WHERE user_id = $1 AND code = $2 RETURNING user_id

-- name: recovery_codes_left
SELECT count(*) AS codes FROM console_recovery_code WHERE user_id = $1

-- --- sessions --------------------------------------------------------------------------------------------------

-- name: session_open
INSERT INTO console_session (token, user_id, is_complete, expires_at, address, agent)
VALUES ($1, $2, $3, now() + $4::interval, $5, $6)

-- A live session with its user.
-- name: session_find
SELECT s.is_complete, s.created_at AS signed_in_at, s.seen_at, u.*, a.name AS account
FROM console_session AS s
JOIN console_user AS u USING (user_id)
LEFT JOIN account AS a USING (account_id)
WHERE s.token = $1 AND s.expires_at > now() AND s.seen_at > now() - $2::interval AND u.disabled_at IS NULL

-- name: session_seen
UPDATE console_session SET seen_at = now() WHERE token = $1

-- name: session_list
SELECT token, created_at, seen_at, address, agent
FROM console_session
WHERE user_id = $1 AND is_complete AND expires_at > now() AND seen_at > now() - $2::interval
ORDER BY seen_at DESC

-- name: session_end
DELETE FROM console_session WHERE token = $1

-- All of a user's but one ($2; null: all).
-- name: sessions_end
DELETE FROM console_session WHERE user_id = $1 AND token IS DISTINCT FROM $2

-- name: sessions_forget
DELETE FROM console_session WHERE expires_at < now() OR seen_at < now() - $1::interval

-- --- one-time links --------------------------------------------------------------------------------------------

-- name: links_forget
DELETE FROM console_link WHERE expires_at < now() OR user_id IS NOT DISTINCT FROM $1

-- name: link_add
INSERT INTO console_link (token, user_id, expires_at) VALUES ($1, $2, now() + $3::interval)

-- name: link_find
SELECT l.user_id, u.name, u.disabled_at
FROM console_link AS l
LEFT JOIN console_user AS u USING (user_id)
WHERE l.token = $1 AND l.expires_at > now()

-- name: link_use
DELETE FROM console_link WHERE token = $1 AND expires_at > now() RETURNING user_id
