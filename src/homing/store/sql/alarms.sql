-- Active alarms (store/alarms.py).

-- name: alarm_raise
INSERT INTO alarm (component, code, subject, detail) VALUES (:component, :code, :subject, :detail::text::jsonb)
ON CONFLICT (component, code, subject) DO UPDATE
SET detail = excluded.detail, last_at = now(), times = alarm.times + 1

-- Clears all alarms of a component, or those of a code and a subject.
-- name: alarm_clear
DELETE FROM alarm WHERE component = :component AND (:code?::text IS NULL OR code = :code)
    AND (:subject?::text IS NULL OR subject = :subject)

-- Of codes that a process repeats while its fault lasts (`repeated_codes`), those of a process that has gone are over.
-- name: alarms -> rows AlarmRow
SELECT component, code, subject, detail::text AS detail, raised_at, last_at, times
FROM alarm
WHERE (code <> 'restarted' OR last_at > now() - interval '1 hour')  -- an event, shown for an hour
    AND (code <> ALL (:repeated_codes::text[]) OR last_at > now() - :repeated_within::interval)
ORDER BY raised_at, component, code, subject
LIMIT :alarms_max
