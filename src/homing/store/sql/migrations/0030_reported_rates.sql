-- Shares of codes that were entered, as customers count them themselves. They name no
-- message: they stand beside Homing's own figures, and nothing is learnt from them.
-- compatible: 0029
CREATE TABLE reported_rate (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL,
    app_id text NOT NULL,
    mcc text NOT NULL,
    converted text NOT NULL,                              -- backfillNumber; all as the customer wrote it
    sent text NOT NULL,                                   -- backfillCardinalNumber
    rate text NOT NULL,                                   -- backfillNow
    called_at text NOT NULL,                              -- callbackTime
    reported_at timestamptz NOT NULL
);
CREATE INDEX reported_rate_at ON reported_rate (reported_at);
