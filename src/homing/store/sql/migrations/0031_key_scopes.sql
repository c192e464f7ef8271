-- What a credential may be used for, and when it last was. The time of its last use is no setting: it reaches neither the
-- processes' memory of accounts nor the audit.
-- compatible: 0029
ALTER TABLE credential
    ADD COLUMN scopes text[],                             -- null: everything
    ADD COLUMN last_used_at timestamptz;                  -- to the minute

DROP TRIGGER settings_changed ON credential;
CREATE TRIGGER settings_changed AFTER INSERT OR DELETE OR UPDATE OF dialect, account_id, key, secret, revoked_at, scopes
    ON credential FOR EACH ROW EXECUTE FUNCTION notify_settings_changed();
DROP TRIGGER audited ON credential;
CREATE TRIGGER audited
    AFTER INSERT OR DELETE OR UPDATE OF dialect, account_id, key, secret, label, revoked_at, scopes
    ON credential FOR EACH ROW EXECUTE FUNCTION audit_change('key');
