-- How much an account, or an app of it, may send: a hard stop against what its owner has not seen. Null: no limit.
CREATE TABLE send_quota (
    account_id bigint NOT NULL REFERENCES account,
    app_id text NOT NULL DEFAULT '',                      -- '': the account with all of its apps
    messages_per_s int CHECK (messages_per_s > 0),
    messages_per_day bigint CHECK (messages_per_day > 0),
    money_per_day_micro bigint CHECK (money_per_day_micro > 0),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, app_id)
);
CREATE TRIGGER settings_changed AFTER INSERT OR UPDATE OR DELETE ON send_quota
    FOR EACH ROW EXECUTE FUNCTION notify_settings_changed();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON send_quota
    FOR EACH ROW EXECUTE FUNCTION audit_change('app_id');
