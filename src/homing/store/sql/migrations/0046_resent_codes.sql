-- Of messages that carry a code which left more than once (docs/decisions/0040-superseded-messages.md). Null of all others.
ALTER TABLE message
    ADD COLUMN is_resent boolean,                          -- its code had left before
    ADD COLUMN superseded_at timestamptz,                  -- its code left again in another message
    ADD COLUMN superseded_receipt smallint;                -- what was known of it then (model.ReceiptState); null: it left
                                                           -- again after a fixed wait

-- Such a message was counted: how long after its submit it was superseded, and what was known of it then.
ALTER TABLE stat_delta
    ADD COLUMN superseded int,
    ADD COLUMN superseded_age_s int,
    ADD COLUMN superseded_receipt smallint;

-- The learner reads them back for two days.
UPDATE message AS m
SET is_resent = true
FROM verification_message AS v
WHERE v.message_id >= first_id_at(now() - interval '2 days')
    AND m.account_id = ANY (ARRAY[v.account_id]) AND m.message_id = ANY (ARRAY[v.message_id]);

UPDATE message AS m
SET superseded_at = accepted_at(v.again_id)
FROM (
    SELECT account_id, verification_id, min(message_id) AS again_id
    FROM verification_message
    WHERE message_id >= first_id_at(now() - interval '2 days')
    GROUP BY account_id, verification_id
) AS v
WHERE m.account_id = ANY (ARRAY[v.account_id]) AND m.message_id = ANY (ARRAY[v.verification_id]);
