-- What codes cost and how many people they verified, added up by the hour of the verification, so that no page adds up
-- messages. Recounted while it may still change (statistics/verified.py).
-- compatible: 0029
CREATE TABLE verified_hour (
    hour int NOT NULL,                                    -- since 1970
    account_id bigint NOT NULL,
    app_id text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,                                -- MCC and MNC
    carrier_id int NOT NULL,
    messages bigint NOT NULL,                             -- that carried codes
    charge_micro bigint NOT NULL,                         -- their charges less refunds
    verified bigint NOT NULL,                             -- of the message that has the credit
    PRIMARY KEY (hour, account_id, app_id, country, network, carrier_id)
);
CREATE INDEX reported_rate_account ON reported_rate (account_id, report_id);
