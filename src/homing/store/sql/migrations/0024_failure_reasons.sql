-- Why an attempt or a message failed, where the platform decided so, is a reason (homing/reasons.py). `error_text` has
-- the carrier's words alone: of the two at most one is there. Nothing is released yet, so sentences of before stay where
-- they are.

ALTER TABLE message ADD COLUMN reason jsonb;
ALTER TABLE attempt ADD COLUMN reason jsonb;

-- The view's columns are fixed when it is made: made anew, it has the message's new one.
DROP VIEW message_seen;
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
