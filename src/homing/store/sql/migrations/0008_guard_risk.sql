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
