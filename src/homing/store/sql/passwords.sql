-- Lock-outs after wrong passwords, shared by all processes (api/http/auth_guard.py).

-- Gives those that were not there: old ones are forgotten after a day.
-- name: password_locks_add -> rows PasswordLockRow
-- takes: locks NewPasswordLock
WITH forgotten AS (DELETE FROM password_lock WHERE until < now() - interval '1 day')
INSERT INTO password_lock (network, name, dialect, until)
SELECT network, name, dialect, now() + left_s * interval '1 second'
FROM unnest(:locks) AS l (network text, name text, dialect smallint, left_s float8)
ON CONFLICT (network, name) DO UPDATE
SET until = greatest(password_lock.until, excluded.until), dialect = excluded.dialect
RETURNING network, name, dialect, xmax = 0 AS is_new

-- name: password_locks -> rows PasswordLockLeft
SELECT network, name, extract(epoch FROM until - now())::float8 AS left_s
FROM password_lock
WHERE until > now()
ORDER BY until DESC
LIMIT :rows_max

-- Networks that were locked within an hour.
-- name: password_locks_count -> value
SELECT count(DISTINCT network) AS networks FROM password_lock WHERE until > now() - interval '1 hour'

-- Entries that were not used for a quarter are deleted.
-- name: password_known_add
-- takes: pairs KnownPassword
WITH forgotten AS (DELETE FROM password_known WHERE seen_at < now() - interval '90 days')
INSERT INTO password_known (network, name)
SELECT network, name FROM unnest(:pairs) AS k (network text, name text)
ON CONFLICT (network, name) DO UPDATE SET seen_at = now()

-- name: password_known -> value?
SELECT seen_at FROM password_known WHERE network = :network AND name = :name
