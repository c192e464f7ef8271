-- The guard against SMS pumping: what operators decide, what is judged, what was decided of messages, what is remembered.

-- --- rules -----------------------------------------------------------------------------------------------------

CREATE TABLE guard_mode (
    account_id bigint NOT NULL,                           -- 0: every account
    rule text NOT NULL,                                   -- guard/rules.py
    mode smallint NOT NULL CHECK (mode BETWEEN 0 AND 2),  -- guard.rules.Mode
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, rule)
);

CREATE TABLE guard_list (
    account_id bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('country', 'network', 'prefix')),
    value text NOT NULL,
    is_allowed boolean NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, kind, value, is_allowed)
);

CREATE TABLE guard_budget (                                -- null: no bound
    account_id bigint NOT NULL,
    country text NOT NULL,
    hour_messages bigint,
    day_messages bigint,
    hour_micro bigint,
    day_micro bigint,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, country)
);

CREATE TABLE guard_alert (                                 -- where verdicts are pushed; account 0: the operator's
    account_id bigint PRIMARY KEY,
    url text NOT NULL
);

CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON guard_mode FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON guard_list FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON guard_budget FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();

-- --- what is judged ----------------------------------------------------------------------------------------------

CREATE TABLE guard_verdict (
    account_id bigint NOT NULL,
    verdict_id bigint GENERATED ALWAYS AS IDENTITY,
    app_id text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,
    digits text NOT NULL,                                 -- the range's first digits
    reason text NOT NULL,
    figure text NOT NULL,
    is_sure boolean NOT NULL,                             -- false: its app's conversions are not reported; never blocks
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    lifted_at timestamptz,                                -- an operator's word that it was no theft
    PRIMARY KEY (account_id, verdict_id)
);
CREATE INDEX guard_verdict_until ON guard_verdict (until);

CREATE TABLE guard_book (                                  -- the latest conclusions, as the processes read them
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    made_at timestamptz NOT NULL,
    book bytea NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE guard_memory (                                -- the mind's, for the one that starts after it
    account_id bigint NOT NULL,
    app_id text NOT NULL,
    network text NOT NULL,
    saved_at timestamptz NOT NULL,
    memory bytea NOT NULL,
    PRIMARY KEY (account_id, app_id, network)
) WITH (fillfactor = 50);

-- --- what was decided of messages --------------------------------------------------------------------------------

CREATE TABLE guard_decision (                              -- of a message that was, or would have been, refused
    account_id bigint NOT NULL,
    decision_id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    message_id bigint NOT NULL,                           -- refused ones have an id and no message
    app_id text NOT NULL,
    number text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,
    action smallint NOT NULL,                             -- guard.judge.Action: 1 would have been, 2 was
    rule text NOT NULL,
    reason text NOT NULL,
    figure text NOT NULL,
    scope text NOT NULL,
    charge_micro bigint NOT NULL,                         -- what the message would have cost its customer
    PRIMARY KEY (account_id, decision_id)
);
CREATE INDEX guard_decision_at ON guard_decision (at);
