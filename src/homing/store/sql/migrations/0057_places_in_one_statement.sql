-- Whether a number may get another code is decided by the statement that stores it (docs/decisions/0046-limits-in-the-codes-row.md).
-- Nothing is released yet, so no other version runs beside this one.
ALTER TABLE verification ALTER COLUMN sent_times TYPE bigint[] USING translate(sent_times, '[]', '{}')::bigint[];
DROP TYPE number_key;
DROP TYPE new_message_code;

-- What a message with a code has besides.
CREATE TYPE new_message_code AS (
    code_text text,
    template_id bigint,
    flow_id bigint,
    code_hash bytea,
    code_sealed bytea,
    code_expires_at timestamptz,
    step_due_at timestamptz,
    resend_of bigint,
    bounds int,
    ahead int
);
