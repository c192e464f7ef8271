-- A code is written as one row: its first message's hash stands in it, and verification_message has those that carried the
-- code again. The keys begin with the ID, which the search over all accounts uses as well: one index less.
ALTER TABLE verification ADD COLUMN code_hash bytea;      -- of its first message's ID and the code
UPDATE verification AS v
SET code_hash = m.code_hash
FROM verification_message AS m
WHERE m.account_id = v.account_id AND m.message_id = v.verification_id;
ALTER TABLE verification ALTER COLUMN code_hash SET NOT NULL;
DELETE FROM verification_message WHERE message_id = verification_id;

DROP INDEX verification_id;
ALTER TABLE verification DROP CONSTRAINT verification_pkey, ADD PRIMARY KEY (verification_id, account_id);
ALTER TABLE verification_message
    DROP CONSTRAINT verification_message_pkey, ADD PRIMARY KEY (message_id, account_id);

-- Ends the statement of a batch whose limits another batch has begun to use meanwhile.
CREATE FUNCTION limits_kept(are_kept boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT are_kept THEN
        RAISE EXCEPTION 'limits_overtaken' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN true;
END
$$;
