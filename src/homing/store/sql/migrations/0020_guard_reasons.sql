-- Why the guard decided something is a code and values (homing/reasons.py): {"code": ..., "values": {...}}. Nothing is
-- released yet, so sentences of before are kept as they are, as the text of a reason `legacy.text`.

ALTER TABLE guard_decision
    ALTER COLUMN figure TYPE jsonb USING jsonb_build_object(
        'code', 'legacy.text', 'values', jsonb_build_object('text', reason || ': ' || figure));
ALTER TABLE guard_decision DROP COLUMN reason;
ALTER TABLE guard_decision RENAME COLUMN figure TO reason;
ALTER TABLE guard_decision ADD COLUMN reason_code text NOT NULL GENERATED ALWAYS AS (reason ->> 'code') STORED;
CREATE INDEX guard_decision_reason ON guard_decision (reason_code, at, decision_id);

ALTER TABLE guard_verdict
    ALTER COLUMN figure TYPE jsonb USING jsonb_build_object(
        'code', 'legacy.text', 'values', jsonb_build_object('text', reason || ': ' || figure));
ALTER TABLE guard_verdict DROP COLUMN reason;
ALTER TABLE guard_verdict RENAME COLUMN figure TO reason;
