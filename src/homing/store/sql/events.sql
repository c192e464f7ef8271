-- Events of accounts (messages/events.py): what happened, kept for a time, and pushed to the endpoints that chose it.

-- An event, as its owner reads it: `body` is the JSON that is pushed.
-- struct: EventRow

-- shared: pushed_columns
account_id, lane, message_id, dialect, kind, url, body, created_at, due_at, webhook_id, event_id

-- Adds events in their order, and a push for each endpoint that chose them; only those types that the account's feed
-- has. Feeds are locked first, in one order and until the commit: so ids are given out in the order of the commits, and
-- whoever reads an account's events by id misses none. `subject_id`: what pushes are ordered by; null: nothing.
-- name: events_add
-- takes: events NewEvent
WITH feed AS MATERIALIZED (
    SELECT f.account_id, f.types
    FROM event_feed AS f
    WHERE f.account_id = ANY (:account_ids::bigint[])
    ORDER BY f.account_id
    FOR NO KEY UPDATE
), added AS (
    INSERT INTO event (account_id, type, at, message_id, verification_id, data)
    SELECT e.account_id, e.type, clock_timestamp(), e.message_id, e.verification_id, e.data
    FROM feed
    JOIN unnest(:events) WITH ORDINALITY AS e (
        account_id bigint, type text, message_id bigint?, verification_id bigint?, data text, nth
    ) ON e.account_id = feed.account_id
    WHERE e.type = ANY (feed.types)
    ORDER BY e.account_id, e.nth
    RETURNING account_id, event_id, type, message_id, verification_id
)
INSERT INTO push (
    -- here: pushed_columns
)
SELECT a.account_id, a.account_id % :PUSH_LANES::int, coalesce(a.verification_id, a.message_id, a.event_id), :dialect,
    CASE WHEN a.type = ANY (:superseding::text[]) THEN :PushKind.REPORT::int ELSE :PushKind.EVENT END,
    w.url, '', now(), now(), w.webhook_id, a.event_id
FROM added AS a
JOIN webhook AS w ON w.account_id = a.account_id AND w.is_enabled AND a.type = ANY (w.types)
ORDER BY a.event_id

-- name: event_find -> row? EventRow
-- not null: body
SELECT event_id, type, event_body(event_id, type, at, data) AS body
FROM event
WHERE account_id = :account_id AND event_id = :event_id

-- The latest below an id, of those that `looked_max` have among them: an account may have many of other types.
-- name: events_latest -> rows EventRow
-- not null: event_id, type, body
WITH looked AS MATERIALIZED (
    SELECT event_id, type, at, data
    FROM event
    WHERE account_id = :account_id AND event_id < :before_id AND event_id >= :first_id
    ORDER BY event_id DESC
    LIMIT :looked_max
)
SELECT event_id, type, event_body(event_id, type, at, data) AS body
FROM looked
WHERE :types?::text[] IS NULL OR type = ANY (:types)
ORDER BY event_id DESC
LIMIT :rows_max

-- The earliest above an id and below another.
-- name: events_earliest -> rows EventRow
-- not null: event_id, type, body
WITH looked AS MATERIALIZED (
    SELECT event_id, type, at, data
    FROM event
    WHERE account_id = :account_id AND event_id > :after_id AND event_id < :before_id
    ORDER BY event_id
    LIMIT :looked_max
)
SELECT event_id, type, event_body(event_id, type, at, data) AS body
FROM looked
WHERE :types?::text[] IS NULL OR type = ANY (:types)
ORDER BY event_id
LIMIT :rows_max

-- Where a look at `looked_max` events ends; none: it sees them all.
-- name: events_latest_end -> value?
SELECT event_id
FROM event
WHERE account_id = :account_id AND event_id < :before_id AND event_id >= :first_id
ORDER BY event_id DESC
OFFSET :looked_max::int - 1
LIMIT 1

-- name: events_earliest_end -> value?
SELECT event_id
FROM event
WHERE account_id = :account_id AND event_id > :after_id AND event_id < :before_id
ORDER BY event_id
OFFSET :looked_max::int - 1
LIMIT 1

-- The first event from a time on: an account's ids are in the order of their times.
-- name: event_first_at -> value?
SELECT event_id FROM event WHERE account_id = :account_id AND at >= :since ORDER BY at, event_id LIMIT 1

-- name: events_of_message -> rows EventRow
-- not null: body
SELECT event_id, type, event_body(event_id, type, at, data) AS body
FROM event
WHERE message_id = :message_id AND account_id + 0 = :account_id
ORDER BY event_id + 0
LIMIT :rows_max

-- name: events_of_verification -> rows EventRow
-- not null: body
SELECT event_id, type, event_body(event_id, type, at, data) AS body
FROM event
WHERE verification_id = :verification_id AND account_id + 0 = :account_id
ORDER BY event_id + 0
LIMIT :rows_max

-- What an account's feed has: all types while it is read, else those that its endpoints chose. The caller holds the
-- account's lock.
-- name: event_feed_refresh
INSERT INTO event_feed AS f (account_id, types, read_at, expired_from_id)
VALUES (
    :account_id,
    CASE WHEN :is_read::boolean THEN :all_types::text[] ELSE (
        SELECT coalesce(array_agg(DISTINCT chosen.type), '{}')
        FROM webhook AS w
        CROSS JOIN unnest(w.types) AS chosen (type)
        WHERE w.account_id = :account_id
    ) END,
    CASE WHEN :is_read THEN now() END, first_id_at(now() - interval '1 day')
)
ON CONFLICT (account_id) DO UPDATE
SET read_at = CASE WHEN :is_read THEN now() ELSE f.read_at END,
    types = CASE WHEN f.read_at IS NOT NULL THEN :all_types ELSE excluded.types END

-- name: event_feed_read_at -> value?
SELECT read_at FROM event_feed WHERE account_id = :account_id AND read_at IS NOT NULL

-- Feeds that nobody has read for long have what endpoints chose again. One that is locked waits for the next time: who
-- locks several does it in their order (events_add).
-- name: event_feeds_rest
-- slow
WITH unread AS MATERIALIZED (
    SELECT account_id
    FROM event_feed
    WHERE read_at < now() - make_interval(days => :days::int)
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE event_feed AS f
SET read_at = NULL, types = (
    SELECT coalesce(array_agg(DISTINCT chosen.type), '{}')
    FROM webhook AS w
    CROSS JOIN unnest(w.types) AS chosen (type)
    WHERE w.account_id = f.account_id
)
FROM unread
WHERE f.account_id = unread.account_id

-- Accounts whose feeds have a type, and whose money has come to be less than the last day's spending, or is enough
-- again. `after_hour`: the hour before that day.
-- name: feeds_balances -> rows FeedBalance
-- not null: available_micro, day_micro, is_low
-- slow
SELECT standing.account_id, standing.available_micro, standing.day_micro, standing.is_low
FROM (
    SELECT f.account_id, f.low_balance_since, b.gift_micro + b.balance_micro + b.credit_micro AS available_micro,
        spent.day_micro,
        spent.day_micro > 0 AND b.gift_micro + b.balance_micro + b.credit_micro < spent.day_micro AS is_low
    FROM event_feed AS f
    JOIN balance AS b ON b.account_id = f.account_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(revenue_micro), 0)::bigint AS day_micro
        FROM stat_now
        WHERE grain = :PeriodGrain.HOUR AND period > :after_hour AND account_id = f.account_id
    ) AS spent
    WHERE :type::text = ANY (f.types)
) AS standing
WHERE (standing.low_balance_since IS NOT NULL) <> standing.is_low
ORDER BY standing.account_id

-- None: another process was first.
-- name: feed_note_balance -> value?
UPDATE event_feed
SET low_balance_since = CASE WHEN :is_low::boolean THEN now() END
WHERE account_id = :account_id AND (low_balance_since IS NOT NULL) <> :is_low
RETURNING account_id

-- name: feeds_of_type -> values
SELECT account_id FROM event_feed WHERE :type::text = ANY (types)

-- None: the account was warned of this day of the quota.
-- name: feed_note_quota -> value?
UPDATE event_feed
SET quotas_warned = quotas_warned || jsonb_build_object(:app_id::text, :began::text)
WHERE account_id = :account_id AND quotas_warned ->> :app_id IS DISTINCT FROM :began
RETURNING account_id

-- Events are kept for `days`, and no longer than the account's texts; one that is being pushed stays.
-- name: events_forget -> values
-- slow
DELETE FROM event AS e
USING (
    SELECT old.account_id, old.event_id
    FROM event_feed AS f
    JOIN account AS a ON a.account_id = f.account_id
    CROSS JOIN LATERAL (
        SELECT account_id, event_id
        FROM event
        WHERE event.account_id = f.account_id
            AND event.at < now() - least(:days::int, a.retention_days) * interval '24 hours'
            AND NOT EXISTS (
                SELECT FROM push AS p
                WHERE p.account_id = event.account_id AND p.event_id = event.event_id AND p.due_at IS NOT NULL
            )
        ORDER BY event.at
        LIMIT :rows_max
    ) AS old
    LIMIT :rows_max
) AS old
WHERE e.account_id = old.account_id AND e.event_id = old.event_id
RETURNING e.event_id
