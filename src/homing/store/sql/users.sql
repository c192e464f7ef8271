-- Users of the console (users/).

-- name: user_find -> row? UserRow
SELECT u.user_id, u.name, u.role, u.account_id, u.password, u.totp_secret, u.totp_step, u.disabled_at, u.created_at,
    a.name AS account
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
WHERE u.name = :name

-- name: user_get -> row? UserRow
SELECT u.user_id, u.name, u.role, u.account_id, u.password, u.totp_secret, u.totp_step, u.disabled_at, u.created_at,
    a.name AS account
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
WHERE u.user_id = :user_id

-- name: user_list -> rows UserListRow
-- null: seen_at
SELECT u.user_id, u.name, u.role, u.account_id, a.name AS account, u.password IS NOT NULL AS has_password,
    u.totp_secret IS NOT NULL AS has_second_factor, u.disabled_at, u.created_at, max(s.seen_at) AS seen_at
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
LEFT JOIN console_session AS s ON s.user_id = u.user_id
GROUP BY u.user_id, a.name
ORDER BY u.name

-- Users whose names begin with `beginning`, the latest first, with IDs below `before_id`.
-- name: user_page -> rows UserListRow
-- null: seen_at
SELECT u.user_id, u.name, u.role, u.account_id, a.name AS account, u.password IS NOT NULL AS has_password,
    u.totp_secret IS NOT NULL AS has_second_factor, u.disabled_at, u.created_at,
    (SELECT max(s.seen_at) FROM console_session AS s WHERE s.user_id = u.user_id) AS seen_at
FROM console_user AS u
LEFT JOIN account AS a USING (account_id)
WHERE starts_with(u.name, :beginning) AND (:before_id?::bigint IS NULL OR u.user_id < :before_id)
ORDER BY u.user_id DESC
LIMIT :rows_max

-- name: user_sessions -> row UserSessions
-- null: seen_at
SELECT count(*) AS sessions, max(seen_at) AS seen_at
FROM console_session
WHERE user_id = :user_id AND is_complete AND expires_at > now()

-- name: user_lock -> row? LockedUser
SELECT u.user_id, u.name, u.role, u.account_id, u.disabled_at
FROM console_user AS u
WHERE u.user_id = :user_id
FOR UPDATE

-- name: user_role
UPDATE console_user SET role = :role, account_id = :account_id? WHERE user_id = :user_id

-- name: user_operators -> value
SELECT count(*) AS operators
FROM console_user
WHERE role = :UserRole.OPERATOR AND disabled_at IS NULL AND password IS NOT NULL

-- name: user_create -> value?
INSERT INTO console_user (name, role, account_id) VALUES (:name, :role, :account_id?)
ON CONFLICT DO NOTHING
RETURNING user_id

-- name: user_password
UPDATE console_user SET password = :password? WHERE user_id = :user_id

-- name: user_disable
UPDATE console_user SET disabled_at = CASE WHEN :is_disabled::boolean THEN now() END WHERE user_id = :user_id

-- --- second factor ---------------------------------------------------------------------------------------------

-- name: user_totp
UPDATE console_user SET totp_secret = :secret?, totp_step = 0 WHERE user_id = :user_id

-- A code is valid once: only a later step than the last one counts.
-- name: user_totp_step -> value?
UPDATE console_user SET totp_step = :step WHERE user_id = :user_id AND totp_step < :step RETURNING user_id

-- An attempt of an incomplete session, counted as wrong before the code is checked, so that concurrent attempts cannot
-- all be checked; no row when the session has had `codes_max` of them.
-- name: session_code_try -> value?
UPDATE console_session SET codes_wrong = codes_wrong + 1
WHERE token = :token AND NOT is_complete AND codes_wrong < :codes_max
RETURNING codes_wrong

-- The same for the user; no row when there were `codes_max` within the hour.
-- name: user_code_try -> value?
INSERT INTO console_codes AS c (user_id, codes_wrong, untold) VALUES (:user_id, 1, 1)
ON CONFLICT (user_id) DO UPDATE
SET codes_wrong = CASE WHEN c.since < now() - interval '1 hour' THEN 1 ELSE c.codes_wrong + 1 END,
    since = CASE WHEN c.since < now() - interval '1 hour' THEN now() ELSE c.since END,
    untold = c.untold + 1
WHERE c.since < now() - interval '1 hour' OR c.codes_wrong < :codes_max
RETURNING codes_wrong

-- Records a right code; gives the number of wrong ones since the last right one.
-- name: user_codes_told -> value?
DELETE FROM console_codes WHERE user_id = :user_id RETURNING untold - 1 AS untold

-- name: recovery_codes_forget
DELETE FROM console_recovery_code WHERE user_id = :user_id

-- name: recovery_codes_add
INSERT INTO console_recovery_code (user_id, code) SELECT :user_id, code FROM unnest(:codes::bytea[]) AS c (code)

-- name: recovery_code_use -> value?
DELETE FROM console_recovery_code WHERE user_id = :user_id AND code = :code RETURNING user_id

-- name: recovery_codes_left -> value
SELECT count(*) AS codes FROM console_recovery_code WHERE user_id = :user_id

-- --- sessions --------------------------------------------------------------------------------------------------

-- name: session_open
INSERT INTO console_session (token, user_id, is_complete, expires_at, address, agent)
VALUES (:token, :user_id, :is_complete, now() + :lifetime::interval, :address, :agent)

-- An active session with its user.
-- name: session_find -> row? SessionRow
SELECT s.is_complete, s.created_at AS signed_in_at, s.seen_at, u.user_id, u.name, u.role, u.account_id, u.password,
    u.totp_secret, u.totp_step, u.disabled_at, u.created_at, a.name AS account
FROM console_session AS s
JOIN console_user AS u USING (user_id)
LEFT JOIN account AS a USING (account_id)
WHERE s.token = :token AND s.expires_at > now() AND s.seen_at > now() - :idle::interval AND u.disabled_at IS NULL

-- name: session_seen
UPDATE console_session SET seen_at = now() WHERE token = :token

-- name: session_list -> rows SessionListRow
SELECT token, created_at, seen_at, address, agent
FROM console_session
WHERE user_id = :user_id AND is_complete AND expires_at > now() AND seen_at > now() - :idle::interval
ORDER BY seen_at DESC

-- name: session_end
DELETE FROM console_session WHERE token = :token

-- All of a user's but one (`kept_session`; null: all).
-- name: sessions_end
DELETE FROM console_session WHERE user_id = :user_id AND token IS DISTINCT FROM :kept_session?

-- name: sessions_forget
DELETE FROM console_session WHERE expires_at < now() OR seen_at < now() - :idle::interval

-- --- one-time links --------------------------------------------------------------------------------------------

-- name: links_forget
DELETE FROM console_link WHERE expires_at < now() OR user_id IS NOT DISTINCT FROM :user_id?

-- name: link_add
INSERT INTO console_link (token, user_id, expires_at) VALUES (:token, :user_id?, now() + :lifetime::interval)

-- name: link_find -> row? LinkRow
SELECT l.user_id, u.name, u.disabled_at
FROM console_link AS l
LEFT JOIN console_user AS u USING (user_id)
WHERE l.token = :token AND l.expires_at > now()

-- name: link_use -> value?
DELETE FROM console_link WHERE token = :token AND expires_at > now() RETURNING user_id
