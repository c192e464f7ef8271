-- Codes that are likely lost go out again by another carrier, where an app has set what a converted person is worth.
ALTER TABLE app
    ADD COLUMN resend_messages smallint NOT NULL DEFAULT 0 CHECK (resend_messages BETWEEN 0 AND 3),
    ADD COLUMN resend_worth_micro bigint NOT NULL DEFAULT 0 CHECK (resend_worth_micro >= 0),
    ADD CONSTRAINT app_resend_worth CHECK (resend_messages = 0 OR resend_worth_micro > 0);

-- What the learner expects of each carrier's messages in a cell (learning/outlook.py), for such apps alone.
CREATE TABLE learn_outlook (
    account_id bigint NOT NULL REFERENCES account,
    app_id text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,
    outlook jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, app_id, country, network)
);
