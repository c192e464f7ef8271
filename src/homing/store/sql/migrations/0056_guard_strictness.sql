-- How much evidence a verdict of the guard needs, by account; and what each strictness would have done of late.
-- compatible: 0055

CREATE TABLE guard_strictness (
    account_id bigint PRIMARY KEY,                         -- 0: every account
    strictness smallint NOT NULL CHECK (strictness BETWEEN 1 AND 3), -- guard.strictness.Strictness
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON guard_strictness
    FOR EACH ROW EXECUTE FUNCTION audit_change('account_id');

CREATE TABLE guard_backtest (                              -- an account's latest: a row by strictness
    account_id bigint NOT NULL REFERENCES account,
    strictness smallint NOT NULL,
    made_at timestamptz NOT NULL,
    since timestamptz NOT NULL,                            -- messages from here on are counted
    until timestamptz NOT NULL,
    messages bigint NOT NULL,                              -- requests, also those that were refused
    charge_micro bigint NOT NULL,
    refused bigint NOT NULL,                               -- by this strictness
    refused_micro bigint NOT NULL,
    people double precision,                               -- of the refused; null: nothing tells
    people_low double precision,
    people_high double precision,
    PRIMARY KEY (account_id, strictness)
);
