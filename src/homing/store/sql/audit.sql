-- Who changed what (audit.py). Rows of changed settings are written by triggers (0007_console.sql).

-- name: audit_actor
SELECT set_config('homing.actor', $1, true), set_config('homing.address', $2, true)

-- name: audit_record
INSERT INTO audit (kind, act, account_id, subject, before, after)
VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb)

-- The latest before $1, with a row more than are shown: whether there are older ones.
-- name: audit_page
SELECT u.audit_id, u.at, u.change, u.actor, u.address, u.kind, u.act, a.name AS account, u.subject,
    u.before::text AS before, u.after::text AS after
FROM audit AS u
LEFT JOIN account AS a USING (account_id)
WHERE ($1::bigint IS NULL OR u.audit_id < $1) AND ($2::bigint IS NULL OR u.account_id = $2)
    AND ($3::text IS NULL OR u.actor = $3) AND ($4::text IS NULL OR u.kind = $4)
ORDER BY u.audit_id DESC
LIMIT $5
