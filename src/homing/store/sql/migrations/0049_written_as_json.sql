-- What is written with a message and seldom read is kept as it comes: `json` is checked, and `jsonb` taken apart and put
-- together again, for each message that the guard has something to say of. A decision's code is given beside it, so that
-- it need not be read from it. Nothing is released yet, so the messages of before are rewritten here.
DROP VIEW message_seen;
ALTER TABLE message ALTER COLUMN notes TYPE json;
CREATE VIEW message_seen AS
SELECT m.*,
    accepted_at(m.message_id) AS submitted_at,
    CASE
        WHEN m.state = 0 AND EXISTS (
            SELECT FROM queue AS q
            WHERE q.lane = m.carrier_id * 2 + m.traffic AND q.message_id = m.message_id AND q.claimed_by IS NOT NULL
        ) THEN 1
        ELSE m.state
    END::smallint AS state_seen
FROM message AS m;

ALTER TABLE guard_decision ALTER COLUMN reason_code DROP EXPRESSION;
ALTER TABLE guard_decision ALTER COLUMN reason TYPE json;
CREATE TYPE new_guard_decision AS (
    account_id bigint,
    at timestamptz,
    message_id bigint,
    app_id text,
    number text,
    country text,
    network text,
    action smallint,
    rule text,
    reason text,
    reason_code text,
    scope text,
    charge_micro bigint
);
