-- Carriers put ids in braces, quotes, brackets and blanks, on one side or on both: the index has them without
-- (receipts/forms.py has the same).
CREATE FUNCTION reference_key(ref text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ltrim(btrim(lower(ref), E' \t\r\n"''{}[]()<>,;|&'), '0x');
DROP INDEX attempt_reference;
CREATE INDEX attempt_reference ON attempt (reference_key(carrier_ref)) WHERE carrier_ref IS NOT NULL;
DROP INDEX part_reference;
CREATE INDEX part_reference ON part (reference_key(carrier_ref));

-- What people sent and no account was found for: for people to see, and to be looked at again.
CREATE TABLE unmatched_inbound (
    unmatched_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier_id int NOT NULL,
    number text NOT NULL,
    recipient text NOT NULL,
    content text NOT NULL,
    carrier_ref text NOT NULL,                            -- '': the carrier gives none
    received_at timestamptz NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    replay_at timestamptz,                                -- null: nobody has asked that its account is looked for again
    replays smallint NOT NULL DEFAULT 0
);
CREATE INDEX unmatched_inbound_received ON unmatched_inbound (carrier_id, received_at);
CREATE INDEX unmatched_inbound_kept ON unmatched_inbound (kept_at);
CREATE INDEX unmatched_inbound_twin ON unmatched_inbound (carrier_id, carrier_ref) WHERE carrier_ref <> '';
CREATE INDEX unmatched_inbound_replay ON unmatched_inbound (replay_at) WHERE replay_at IS NOT NULL;

-- The same sender with +, 00 or zeros before it and in other letters.
CREATE INDEX sender_spelling ON sender (ltrim(lower(sender), '+0'));
