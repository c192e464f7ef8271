-- Secrets that sign an account's pushes (Standard Webhooks; delivery/signing.py). Account 0: the operator, whose alerts
-- are signed as well.
-- compatible: 0029
CREATE TABLE signing_secret (
    secret_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    secret bytea NOT NULL,                                -- sealed
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz                                -- null: the current one
);
CREATE UNIQUE INDEX signing_secret_current ON signing_secret (account_id) WHERE expires_at IS NULL;
CREATE INDEX signing_secret_account ON signing_secret (account_id);

-- An account's first secret concerns nobody: whoever found none has made it. A rotation updates the one before.
CREATE TRIGGER settings_changed AFTER UPDATE OR DELETE ON signing_secret
    FOR EACH ROW EXECUTE FUNCTION notify_settings_changed();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON signing_secret
    FOR EACH ROW EXECUTE FUNCTION audit_change('secret_id');
