-- How risky destinations are: what operators say of them; and indexes by which the guard finds verdicts every second.

CREATE TABLE guard_risk (
    account_id bigint NOT NULL,                           -- 0: every account
    kind text NOT NULL CHECK (kind IN ('country', 'network', 'prefix')),
    value text NOT NULL,
    level smallint NOT NULL,                              -- guard.risk.Level
    note text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, kind, value)
);

-- Of the digits alone: an index that begins with the account looks to the planner as good as the primary key.
CREATE INDEX guard_verdict_digits ON guard_verdict (digits);
CREATE INDEX guard_verdict_lifted ON guard_verdict (lifted_at) WHERE lifted_at IS NOT NULL;

CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON guard_risk
    FOR EACH ROW EXECUTE FUNCTION audit_change('kind', 'value');

-- The password in an address is a secret too: receivers of alerts know them by it. So no address names a row either.
CREATE OR REPLACE FUNCTION audit_shown(value jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF jsonb_typeof(value) = 'object' THEN
        RETURN (
            SELECT coalesce(jsonb_object_agg(key, CASE
                WHEN key IN ('password', 'secret', 'secrets', 'api_password', 'push_token', 'callback_url', 'totp_secret')
                    AND member <> 'null' THEN to_jsonb('(hidden)'::text)
                ELSE audit_shown(member)
            END), '{}')
            FROM jsonb_each(value) AS m (key, member)
        );
    END IF;
    IF jsonb_typeof(value) = 'string' THEN
        RETURN to_jsonb(regexp_replace(value #>> '{}', '^(https?://[^/?#@:]*):[^/?#@]*@', '\1:***@', 'i'));
    END IF;
    RETURN value;
END $$;
DROP TRIGGER audited ON guard_alert;
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON guard_alert
    FOR EACH ROW EXECUTE FUNCTION audit_change('account_id');
