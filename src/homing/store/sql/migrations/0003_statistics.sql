-- Statistics: what changed of messages, written beside the change, and added up by minute, hour and day; which message
-- a conversion is credited to; work that one process does for all.

-- --- what changed --------------------------------------------------------------------------------------------
-- Rows are only added, and taken away by the one process that adds them up: writers never wait for each other. No index
-- and no key, since it is always read as a whole; what does not change is null. The columns are Delta's
-- (statistics/delta.py).

CREATE TABLE stat_delta (
    account_id bigint NOT NULL,
    minute int NOT NULL,                                  -- unix minute of the message's submit
    carrier_id int NOT NULL,
    app_id text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,
    block text NOT NULL,                                  -- the number without its last three digits
    sender text NOT NULL,
    submitted int,
    sent int,
    delivered int,
    undelivered int,
    converted int,
    refused int,
    cost_micro bigint,
    revenue_micro bigint,
    receipt_bucket smallint,
    conversion_bucket smallint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 1000000000, vacuum_truncate = false);

-- The bucket of a time, as kit/histogram.py has it: counts the upper edges that are not below it.
CREATE FUNCTION stat_bucket(took interval) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (16 - width_bucket(
        -extract(epoch FROM took)::float8,
        '{-86400,-21600,-7200,-3600,-1800,-900,-480,-240,-120,-60,-30,-15,-8,-4,-2,-1}'::float8[]
    ))::smallint
$$;

-- --- added up ------------------------------------------------------------------------------------------------

CREATE TABLE stat_cell (                                   -- what is counted apart
    account_id bigint NOT NULL,
    cell_id bigint GENERATED ALWAYS AS IDENTITY,
    app_id text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    network text COLLATE "C" NOT NULL,
    prefix text COLLATE "C" NOT NULL,                      -- the number's first six digits
    carrier_id int NOT NULL,
    sender text COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, cell_id),
    CONSTRAINT stat_cell_of UNIQUE (account_id, app_id, country, network, prefix, carrier_id, sender)
);

CREATE TABLE stat (
    grain smallint NOT NULL,                              -- minutes: 1, 60 or 1440
    period int NOT NULL,                                  -- how many grains after 1970 it begins
    account_id bigint NOT NULL,
    cell_id bigint NOT NULL,
    submitted int NOT NULL,
    sent int NOT NULL,
    delivered int NOT NULL,
    undelivered int NOT NULL,
    converted int NOT NULL,
    refused int NOT NULL,
    cost_micro bigint NOT NULL,
    revenue_micro bigint NOT NULL,
    receipt_times int[],                                  -- by bucket; null: none
    conversion_times int[],
    PRIMARY KEY (grain, period, account_id, cell_id)
) PARTITION BY LIST (grain);
CREATE TABLE stat_minute PARTITION OF stat FOR VALUES IN (1)
    WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE stat_hour PARTITION OF stat FOR VALUES IN (60)
    WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE stat_day PARTITION OF stat FOR VALUES IN (1440)
    WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- Taken out, told to those who listen, and not added yet: a cell's seconds are added together. Like stat_delta, without
-- an index.
CREATE TABLE stat_pending (
    account_id bigint NOT NULL,
    minute int NOT NULL,
    cell_id bigint NOT NULL,
    submitted int NOT NULL,
    sent int NOT NULL,
    delivered int NOT NULL,
    undelivered int NOT NULL,
    converted int NOT NULL,
    refused int NOT NULL,
    cost_micro bigint NOT NULL,
    revenue_micro bigint NOT NULL,
    receipt_bucket smallint NOT NULL,                     -- -1: not told
    conversion_bucket smallint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 1000000000, vacuum_truncate = false);

-- Counts by bucket, made of single ones and added to others.
CREATE FUNCTION stat_times_count(times int[], bucket smallint, n int) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF bucket >= 0 THEN
        times := coalesce(times, '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}');
        times[bucket + 1] := times[bucket + 1] + n;
    END IF;
    RETURN times;
END $$;
CREATE AGGREGATE stat_times (bucket smallint, n int) (SFUNC = stat_times_count, STYPE = int[]);
CREATE FUNCTION stat_times_add(mine int[], more int[]) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF mine IS NULL OR more IS NULL THEN
        RETURN coalesce(mine, more);
    END IF;
    RETURN ARRAY(SELECT a + b FROM unnest(mine, more) AS times (a, b));
END $$;

-- Everything up to this moment: what is added up, and what is still to be.
CREATE VIEW stat_now AS
SELECT s.grain, s.period, s.account_id, c.app_id, c.country, c.network, c.prefix, c.carrier_id, c.sender,
    s.submitted, s.sent, s.delivered, s.undelivered, s.converted, s.refused, s.cost_micro, s.revenue_micro,
    s.receipt_times, s.conversion_times, NULL::smallint AS receipt_bucket, NULL::smallint AS conversion_bucket
FROM stat AS s
JOIN stat_cell AS c USING (account_id, cell_id)
UNION ALL
SELECT g.grain, p.minute / g.grain, p.account_id, c.app_id, c.country, c.network, c.prefix, c.carrier_id, c.sender,
    p.submitted, p.sent, p.delivered, p.undelivered, p.converted, p.refused, p.cost_micro, p.revenue_micro,
    NULL, NULL, nullif(p.receipt_bucket, -1), nullif(p.conversion_bucket, -1)
FROM stat_pending AS p
JOIN stat_cell AS c USING (account_id, cell_id)
CROSS JOIN (VALUES (1::smallint), (60::smallint), (1440::smallint)) AS g (grain)
UNION ALL
SELECT g.grain, d.minute / g.grain, d.account_id, d.app_id, d.country, d.network, left(d.block, 6), d.carrier_id,
    d.sender, coalesce(d.submitted, 0), coalesce(d.sent, 0), coalesce(d.delivered, 0), coalesce(d.undelivered, 0),
    coalesce(d.converted, 0), coalesce(d.refused, 0), coalesce(d.cost_micro, 0), coalesce(d.revenue_micro, 0),
    NULL, NULL, d.receipt_bucket, d.conversion_bucket
FROM stat_delta AS d
CROSS JOIN (VALUES (1::smallint), (60::smallint), (1440::smallint)) AS g (grain);

-- --- messages and conversions ----------------------------------------------------------------------------------

ALTER TABLE message
    ADD COLUMN carrier_cost_micro bigint;                 -- of all segments, at the time it was sent; null: not known

-- A row is what is known of one message's conversion: that it was reported, that it has the credit for one, or both. Of
-- several messages to a person one has the credit and the others are marked with it.
ALTER TABLE conversion
    ALTER COLUMN recorded_at DROP NOT NULL,               -- null: credited by a report about another message
    ALTER COLUMN door DROP NOT NULL,
    ADD COLUMN credited_to bigint,                        -- of a reported one: the message that has its credit
    ADD COLUMN credited_at timestamptz,                   -- has the credit: when the person came back
    ADD COLUMN credited_by bigint,                        -- has the credit: the message that the report was about
    ADD COLUMN carrier_id int;                            -- has the credit: who carried the message by then

ALTER TABLE app
    ADD COLUMN expects_conversions boolean;               -- null: as its traffic shows

-- --- work that one process does for all --------------------------------------------------------------------------

CREATE TABLE duty (
    name text PRIMARY KEY,
    owner text NOT NULL,
    leased_until timestamptz NOT NULL,
    turns bigint NOT NULL DEFAULT 0                       -- how often it was done: whoever does it sees what it missed
) WITH (fillfactor = 50);

-- --- what there was before statistics -----------------------------------------------------------------------------

UPDATE conversion AS c
SET credited_to = c.message_id, credited_by = c.message_id, carrier_id = m.carrier_id,
    credited_at = CASE
        WHEN c.reported_at >= to_timestamp(((c.message_id >> 12) + 1735689600000) / 1000.0)
            AND c.reported_at <= c.recorded_at THEN c.reported_at
        ELSE c.recorded_at
    END
FROM message AS m
WHERE m.account_id = c.account_id AND m.message_id = c.message_id;

INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted, sent,
    delivered, undelivered, cost_micro, revenue_micro, receipt_bucket)
SELECT account_id, ((message_id >> 12) + 1735689600000) / 60000, carrier_id, app_id, country, mcc || mnc,
    left(number, -3), sender, count(*), count(*) FILTER (WHERE sent_at IS NOT NULL OR state = 3),
    count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state IN (4, 5, 6, 7)), sum(carrier_cost_micro),
    sum(charge_micro - refund_micro),
    CASE WHEN state IN (3, 4) AND sent_at IS NOT NULL THEN stat_bucket(final_at - sent_at) END
FROM message
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 15;

INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, refused)
SELECT m.account_id, ((m.message_id >> 12) + 1735689600000) / 60000, a.carrier_id, m.app_id, m.country, m.mcc || m.mnc,
    left(m.number, -3), m.sender, count(*)
FROM attempt AS a
JOIN message AS m USING (account_id, message_id)
WHERE a.outcome <> 1
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, converted,
    conversion_bucket)
SELECT m.account_id, ((m.message_id >> 12) + 1735689600000) / 60000, c.carrier_id, m.app_id, m.country, m.mcc || m.mnc,
    left(m.number, -3), m.sender, count(*),
    stat_bucket(c.credited_at - to_timestamp(((m.message_id >> 12) + 1735689600000) / 1000.0))
FROM conversion AS c
JOIN message AS m USING (account_id, message_id)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 10;
