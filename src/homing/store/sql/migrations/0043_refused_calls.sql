-- Calls that were refused: which, with what code and why. No bodies, no numbers, no secrets.
-- compatible: 0029
CREATE TABLE refused_call (
    refused_call_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,                              -- of the last of `calls`
    account_id bigint,                                    -- null: the call names no known account
    dialect text NOT NULL,                                -- its name
    call text NOT NULL,                                   -- such as lia.SendSMS; '': of several
    code text NOT NULL,                                   -- as the customer got it; '': of several
    reason jsonb NOT NULL,
    key text NOT NULL,                                    -- of an unknown one the beginning
    app_id text NOT NULL,
    address text NOT NULL,
    request_id text NOT NULL,
    calls bigint NOT NULL,                                -- alike, within a second or two
    messages bigint NOT NULL,                             -- that they asked for; 0: none, or not known
    is_rest boolean NOT NULL                              -- calls beyond what is listed one by one
);
CREATE INDEX refused_call_account ON refused_call (account_id, refused_call_id);

-- All refused calls by the hour, also those that are not listed one by one.
CREATE TABLE refused_call_sum (
    account_id bigint NOT NULL,                           -- 0: none that is known
    hour int NOT NULL,                                    -- since 1970
    dialect text NOT NULL,
    reason_code text NOT NULL,
    calls bigint NOT NULL,
    messages bigint NOT NULL,
    PRIMARY KEY (account_id, hour, dialect, reason_code)
);
CREATE INDEX refused_call_sum_hour ON refused_call_sum (hour);
