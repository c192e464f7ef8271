-- How many codes a number may get is decided by the latest code to it, and is no row of its own any more
-- (docs/decisions/0046-limits-in-the-codes-row.md). Nothing is released yet, so no other version runs beside this one.
ALTER TABLE verification
    ADD COLUMN nth int,                                    -- of the app's codes to the number, sent again or not; of a code
                                                           -- that left again the latest; null: no limit counts it
    ADD COLUMN sent_times text;                            -- a JSON list of unix ms: when the number's codes were sent, up to
                                                           -- this one, as far back as limits look

-- The number's latest code knows of those before it.
WITH sent AS (
    SELECT account_id, app_id, number, verification_id, created_at AS at
    FROM verification
    WHERE NOT is_test
    UNION ALL
    SELECT v.account_id, v.app_id, v.number, v.verification_id, accepted_at(m.message_id)
    FROM verification_message AS m
    JOIN verification AS v ON v.account_id = m.account_id AND v.verification_id = m.verification_id
    WHERE NOT v.is_test
), of_number AS (
    SELECT account_id, app_id, number, max(verification_id) AS latest_id,
        json_agg((extract(epoch FROM at) * 1000)::bigint ORDER BY at) AS sent_times
    FROM sent
    WHERE at > now() - interval '90 days'
    GROUP BY account_id, app_id, number
)
UPDATE verification AS v
SET nth = 1, sent_times = n.sent_times::text
FROM of_number AS n
WHERE v.account_id = n.account_id AND v.verification_id = n.latest_id;
DELETE FROM limit_use WHERE scope = 2;

-- Two processes that send to a number at once make the same place of it: one of them begins anew.
CREATE UNIQUE INDEX verification_place ON verification (number, account_id, app_id, nth);
DROP INDEX verification_number;

CREATE TYPE number_key AS (
    account_id bigint,
    app_id text,
    number text
);

-- What a new message's code has besides the message.
CREATE TYPE new_message_code AS (
    code_text text,
    template_id bigint,
    flow_id bigint,
    code_hash bytea,
    code_sealed bytea,
    code_expires_at timestamptz,
    step_due_at timestamptz,
    nth int,
    sent_times text
);
