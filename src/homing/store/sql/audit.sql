-- The audit log (audit.py). Triggers write the rows of changed settings (0007_console.sql).

-- name: audit_actor
SELECT set_config('homing.actor', :actor, true), set_config('homing.address', :address, true)

-- name: audit_record
INSERT INTO audit (kind, act, account_id, subject, before, after)
VALUES (:kind, :act, :account_id?, :subject, :before?::text::jsonb, :after?::text::jsonb)

-- The latest rows below `before_id`.
-- name: audit_page -> rows AuditRow
-- null: before, after
SELECT u.audit_id, u.at, u.change, u.actor, u.address, u.kind, u.act, a.name AS account, u.subject,
    u.before::text AS before, u.after::text AS after
FROM audit AS u
LEFT JOIN account AS a USING (account_id)
WHERE (:before_id?::bigint IS NULL OR u.audit_id < :before_id)
    AND (:account_id?::bigint IS NULL OR u.account_id = :account_id)
    AND (:actor?::text IS NULL OR u.actor = :actor) AND (:kind?::text IS NULL OR u.kind = :kind)
ORDER BY u.audit_id DESC
LIMIT :rows_max
