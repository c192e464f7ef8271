-- Records conversions; returns a row for each reported message of the account. `recorded`: this report was its first.
-- The conversion is credited to one message: of those to the same number in the same app, sent within an hour of the
-- reported one (`credit_ids`, in IDs) and before the conversion, the last delivered one; if none is delivered, the last
-- one on its way; else the reported one. A message is credited once. The time of the conversion is `reported_at` if
-- that lies between the submit and now. Of a number with many messages (`candidates_max`, since the beginning of the
-- partition; `partition_ids`: the IDs of one partition) only the first ones read are candidates: a million tests to one
-- number must not make each report read all of them. An address requested a code's first message, whichever of them is
-- credited.
-- name: conversions_record -> rows ConversionRow
-- takes: reports ReportedConversion
WITH report AS MATERIALIZED (
    SELECT r.*, first_id_at(r.at + interval '1 millisecond') AS before_id
    FROM (
        SELECT r.account_id, r.message_id, r.dialect, r.reported_at, m.app_id, m.number, m.carrier_id, m.state,
            CASE
                WHEN r.reported_at <= :now
                    AND r.reported_at >= accepted_at(m.message_id) THEN r.reported_at
                ELSE :now
            END AS at,
            EXISTS (
                SELECT FROM conversion AS c
                WHERE c.account_id = ANY (ARRAY[r.account_id]) AND c.message_id = ANY (ARRAY[r.message_id])
                    AND c.recorded_at IS NOT NULL
            ) AS is_recorded
        FROM unnest(:reports) AS r (account_id bigint, message_id bigint, dialect smallint, reported_at timestamptz?)
        JOIN message AS m ON m.account_id = ANY (ARRAY[r.account_id]) AND m.message_id = ANY (ARRAY[r.message_id])
        WHERE m.state >= 0
    ) AS r
), credit AS MATERIALIZED (
    SELECT report.account_id, report.message_id, report.dialect, report.reported_at, report.at,
        best.message_id AS credited_to, best.carrier_id
    FROM report
    CROSS JOIN LATERAL (
        SELECT candidate.message_id, candidate.carrier_id,
            CASE
                WHEN candidate.state = :MessageState.DELIVERED THEN 2
                WHEN candidate.state IN (:MessageState.SENT, :MessageState.UNKNOWN) THEN 1
                ELSE 0
            END AS delivery_rank
        FROM (
            SELECT report.message_id, report.carrier_id, report.state
            UNION ALL
            SELECT same_number.message_id, same_number.carrier_id, same_number.state
            FROM (
                SELECT m.message_id, m.carrier_id, m.state, m.account_id, m.app_id
                FROM message AS m
                WHERE m.number = report.number
                    AND m.message_id >=
                        (report.message_id - :credit_ids::bigint) / :partition_ids::bigint * :partition_ids::bigint
                LIMIT :candidates_max
            ) AS same_number
            WHERE same_number.account_id = report.account_id AND same_number.app_id = report.app_id
                AND same_number.message_id >= report.message_id - :credit_ids::bigint
                AND same_number.message_id <= report.message_id + :credit_ids::bigint
                AND same_number.message_id < report.before_id
        ) AS candidate
        ORDER BY delivery_rank DESC,
            candidate.state NOT IN (:MessageState.SENT, :MessageState.DELIVERED, :MessageState.UNKNOWN)
            AND candidate.message_id = report.message_id DESC, candidate.message_id DESC
        LIMIT 1
    ) AS best
    WHERE NOT report.is_recorded
), written AS (
    INSERT INTO conversion AS c (account_id, message_id, recorded_at, reported_at, dialect, credited_to, credited_at,
        credited_by, carrier_id)
    SELECT account_id, message_id, max(recorded_at), max(reported_at), max(dialect), max(credited_to), min(credited_at),
        min(credited_by), max(carrier_id)
    FROM (
        SELECT account_id, message_id, :now::timestamptz AS recorded_at, reported_at, dialect, credited_to,
            NULL::timestamptz AS credited_at, NULL::bigint AS credited_by, NULL::int AS carrier_id
        FROM credit
        UNION ALL
        SELECT account_id, credited_to, NULL, NULL, NULL, NULL, at, message_id, carrier_id
        FROM credit
    ) AS facts
    GROUP BY account_id, message_id
    ORDER BY account_id, message_id
    ON CONFLICT (account_id, message_id) DO UPDATE
    SET recorded_at = coalesce(c.recorded_at, excluded.recorded_at),
        reported_at = CASE WHEN c.recorded_at IS NULL THEN excluded.reported_at ELSE c.reported_at END,
        dialect = coalesce(c.dialect, excluded.dialect),
        credited_to = coalesce(c.credited_to, excluded.credited_to),
        credited_at = coalesce(c.credited_at, excluded.credited_at),
        credited_by = coalesce(c.credited_by, excluded.credited_by),
        carrier_id = coalesce(c.carrier_id, excluded.carrier_id)
    WHERE (c.recorded_at IS NULL AND excluded.recorded_at IS NOT NULL)
        OR (c.credited_at IS NULL AND excluded.credited_at IS NOT NULL)
    RETURNING new.account_id, new.message_id, new.credited_at, new.carrier_id,
        old.recorded_at IS NULL AND new.recorded_at IS NOT NULL AS recorded,
        old.credited_at IS NULL AND new.credited_at IS NOT NULL AS credited
), counted AS (
    INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, converted,
        conversion_bucket, resent)
    SELECT m.account_id, accepted_minute(m.message_id), w.carrier_id, m.app_id, m.country,
        m.mcc || m.mnc, left(m.number, -3), m.sender, 1,
        stat_bucket(w.credited_at - accepted_at(m.message_id)),
        CASE WHEN m.is_resent OR m.superseded_at <= w.credited_at THEN true END
    FROM written AS w
    JOIN message AS m ON m.account_id = ANY (ARRAY[w.account_id]) AND m.message_id = ANY (ARRAY[w.message_id])
    WHERE w.credited
), converted_addresses AS (
    INSERT INTO guard_address_delta (account_id, app_id, network, minute, address, prefix, site, number, is_conversion)
    SELECT g.account_id, g.app_id, g.network, accepted_minute(g.message_id), g.address, g.prefix, g.site, g.number, true
    FROM written AS w
    LEFT JOIN verification_message AS v
        ON v.account_id = ANY (ARRAY[w.account_id]) AND v.message_id = ANY (ARRAY[w.message_id])
    JOIN guard_address AS g
        ON g.message_id = ANY (ARRAY[coalesce(v.verification_id, w.message_id)])
        AND g.account_id = ANY (ARRAY[w.account_id])
    WHERE w.credited
)
SELECT account_id, message_id, bool_or(recorded) AS recorded
FROM (
    SELECT account_id, message_id, false AS recorded FROM report
    UNION ALL
    SELECT account_id, message_id, true FROM written WHERE recorded
) AS answer
GROUP BY account_id, message_id
