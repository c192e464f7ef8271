-- What is wrong now in the platform itself (store/alarms.py).

-- name: alarm_raise
INSERT INTO alarm (component, code, subject, detail) VALUES ($1, $2, $3, $4::text::jsonb)
ON CONFLICT (component, code, subject) DO UPDATE
SET detail = excluded.detail, last_at = now(), times = alarm.times + 1

-- Of a component: all ($2 NULL), or those of a code and subject.
-- name: alarm_clear
DELETE FROM alarm WHERE component = $1 AND ($2::text IS NULL OR code = $2) AND ($3::text IS NULL OR subject = $3)

-- name: alarms
SELECT component, code, subject, detail::text AS detail, raised_at, last_at, times
FROM alarm
WHERE code <> 'restarted' OR last_at > now() - interval '1 hour'  -- an event, which is over with its hour
ORDER BY raised_at, component, code, subject
LIMIT $1
