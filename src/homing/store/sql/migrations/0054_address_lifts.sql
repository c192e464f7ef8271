-- Verdicts on end users' addresses that operators lifted: the evidence of before counts no more, also after a restart.
-- compatible: 0053
CREATE TABLE guard_address_lift (                          -- kept for a day, as the addresses are
    account_id bigint NOT NULL REFERENCES account,
    app_id text NOT NULL,
    address bigint NOT NULL,                               -- hash, also of a prefix (guard_address)
    lifted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, app_id, address)
);
