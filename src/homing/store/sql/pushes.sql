-- The outbox: pushes are added, claimed and recorded, and listed for people (delivery/pushes.py). Lists return the
-- latest `rows_max` below push `before_id` (null: from the latest on), of one account (`account_id`) or all, with the
-- last answer.

-- shared: last_answer
    SELECT at, status, answer
    FROM push_attempt AS t
    WHERE t.account_id = p.account_id AND t.push_id = p.push_id
    ORDER BY t.attempt DESC
    LIMIT 1

-- name: pushes_recent -> rows PushRow
-- null: answered_at, status, answer
SELECT p.account_id, p.push_id, p.message_id, p.dialect, p.kind, p.url, p.created_at, p.due_at, p.attempts, p.outcome,
    a.name AS account, last.at AS answered_at, last.status, last.answer
FROM account AS a
CROSS JOIN LATERAL (
    SELECT account_id, push_id, message_id, dialect, kind, url, created_at, due_at, attempts, outcome
    FROM push
    WHERE push.account_id = a.account_id AND push.push_id < coalesce(:before_id?, 9223372036854775807)
    ORDER BY push.push_id DESC
    LIMIT :rows_max
) AS p
LEFT JOIN LATERAL (
    -- here: last_answer
) AS last ON true
WHERE :account_id?::bigint IS NULL OR a.account_id = :account_id
ORDER BY p.push_id DESC
LIMIT :rows_max

-- name: pushes_given_up -> rows PushRow
-- null: answered_at, status, answer
SELECT p.account_id, p.push_id, p.message_id, p.dialect, p.kind, p.url, p.created_at, p.due_at, p.attempts, p.outcome,
    a.name AS account, last.at AS answered_at, last.status, last.answer
FROM account AS a
CROSS JOIN LATERAL (
    SELECT account_id, push_id, message_id, dialect, kind, url, created_at, due_at, attempts, outcome
    FROM push
    WHERE push.account_id = a.account_id AND push.outcome = :PushOutcome.GIVEN_UP
        AND push.push_id < coalesce(:before_id?, 9223372036854775807)
    ORDER BY push.push_id DESC
    LIMIT :rows_max
) AS p
LEFT JOIN LATERAL (
    -- here: last_answer
) AS last ON true
WHERE :account_id?::bigint IS NULL OR a.account_id = :account_id
ORDER BY p.push_id DESC
LIMIT :rows_max

-- Pushes that failed and will be retried. Waits grow with each attempt, so the one due last has failed most often: of
-- each lane `looked_max` are read from that end.
-- name: pushes_failing -> rows PushRow
-- null: answered_at, status, answer
SELECT p.account_id, p.push_id, p.message_id, p.dialect, p.kind, p.url, p.created_at, p.due_at, p.attempts, p.outcome,
    a.name AS account, last.at AS answered_at, last.status, last.answer
FROM generate_series(:PushLane.BINDS, :PUSH_LANES::int - 1) AS lanes (lane)
CROSS JOIN LATERAL (
    SELECT account_id, push_id, message_id, dialect, kind, url, created_at, due_at, attempts, outcome
    FROM push
    WHERE push.lane = lanes.lane AND push.due_at IS NOT NULL
    ORDER BY push.due_at DESC
    LIMIT :looked_max
) AS p
JOIN account AS a ON a.account_id = p.account_id
JOIN LATERAL (
    -- here: last_answer
) AS last ON true
WHERE (:account_id?::bigint IS NULL OR p.account_id = :account_id)
    AND p.push_id < coalesce(:before_id?, 9223372036854775807)
ORDER BY p.push_id DESC
LIMIT :rows_max

-- How many pushes are given up, counted up to `counted_max`, and the latest one's ID.
-- name: pushes_given_up_count -> row GivenUpPushes
-- null: latest_id
SELECT count(*) AS pushes, max(given_up.push_id) AS latest_id
FROM (
    SELECT p.push_id
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT push_id
        FROM push
        WHERE push.account_id = a.account_id AND push.outcome = :PushOutcome.GIVEN_UP
        ORDER BY push_id DESC
        LIMIT :counted_max
    ) AS p
    WHERE :account_id?::bigint IS NULL OR a.account_id = :account_id
    ORDER BY p.push_id DESC
    LIMIT :counted_max
) AS given_up

-- Replays the latest `rows_max` pushes that are given up, from push `latest_id` down.
-- name: pushes_replay -> values
WITH chosen AS MATERIALIZED (
    SELECT p.account_id, p.push_id
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT account_id, push_id
        FROM push
        WHERE push.account_id = a.account_id AND push.outcome = :PushOutcome.GIVEN_UP AND push.push_id <= :latest_id
        ORDER BY push_id DESC
        LIMIT :rows_max
    ) AS p
    WHERE :account_id?::bigint IS NULL OR a.account_id = :account_id
    ORDER BY p.push_id DESC
    LIMIT :rows_max
)
UPDATE push AS p
SET due_at = now(), attempts_replayed = p.attempts, outcome = :PushOutcome.PENDING
FROM chosen
WHERE p.account_id = ANY (ARRAY[chosen.account_id]) AND p.push_id = ANY (ARRAY[chosen.push_id]) AND p.due_at IS NULL
RETURNING p.push_id

-- The first push of an account from an id on. Ids and times rise together, but for what was added at the same moment.
-- name: push_from -> row? PushTime
SELECT push_id, created_at
FROM push
WHERE account_id = :account_id AND push_id >= :push_id
ORDER BY push_id
LIMIT 1

-- name: push_last -> value?
SELECT push_id FROM push WHERE account_id = :account_id ORDER BY push_id DESC LIMIT 1

-- Replays an account's finished pushes of a time, the earliest first, at most `rows_max`; those of webhook endpoints are
-- replayed as events. `outcomes`: those that they had.
-- name: pushes_replay_span -> values
-- slow
WITH chosen AS MATERIALIZED (
    SELECT account_id, push_id
    FROM push
    WHERE account_id = :account_id AND push_id >= :first_id AND push_id < :beyond_id AND created_at >= :since
        AND created_at < :until AND due_at IS NULL AND webhook_id = 0 AND outcome = ANY (:outcomes::smallint[])
        AND (url <> '' OR body <> '')
    ORDER BY push_id
    LIMIT :rows_max
)
UPDATE push AS p
SET due_at = now(), attempts_replayed = p.attempts, outcome = :PushOutcome.PENDING
FROM chosen
WHERE p.account_id = ANY (ARRAY[chosen.account_id]) AND p.push_id = ANY (ARRAY[chosen.push_id]) AND p.due_at IS NULL
RETURNING p.push_id

-- name: push_find -> row? PushKeyRow
SELECT p.account_id, p.push_id, p.message_id, p.outcome, p.due_at
FROM account AS a
JOIN push AS p ON p.account_id = a.account_id AND p.push_id = :push_id

-- name: push_replay -> value?
UPDATE push SET due_at = now(), attempts_replayed = attempts, outcome = :PushOutcome.PENDING
WHERE account_id = :account_id AND push_id = :push_id AND due_at IS NULL
RETURNING push_id

-- name: pushes_add
-- takes: pushes OutboxPush
INSERT INTO push (account_id, lane, message_id, dialect, kind, url, body, created_at, due_at)
SELECT p.account_id, p.lane, p.message_id, p.dialect, p.kind, p.url, p.body, now(), now()
FROM unnest(:pushes) AS p (
    account_id bigint, lane smallint, message_id bigint, dialect smallint, kind smallint, url text, body text
)

-- As above, for pushes that this process posts at once: they are added as claimed, until `due_at`.
-- name: pushes_add_claimed -> rows ClaimedPushKey
-- takes: pushes OutboxPush
INSERT INTO push (account_id, lane, message_id, dialect, kind, url, body, created_at, due_at, attempts, is_claimed)
SELECT p.account_id, p.lane, p.message_id, p.dialect, p.kind, p.url, p.body, now(), :due_at::timestamptz, 1, true
FROM unnest(:pushes) AS p (
    account_id bigint, lane smallint, message_id bigint, dialect smallint, kind smallint, url text, body text
)
RETURNING message_id, push_id

-- Claims due pushes of a lane. A message's pushes are posted one after the other: one waits while an earlier one is
-- claimed or due, in any process, or was never posted. A push that has failed and has a later one of its message is
-- superseded instead, unless it is being replayed. Receipts for SMPP, alerts and most events are never superseded.
-- Endpoints do not wait for each other, and their pushes are in the order of the events: one of an old event may be
-- younger (webhook_replay). The address of a push to one is the endpoint's present one, "" where it is disabled or
-- removed. The body is "" where it is no longer kept. `full_account_ids`, `full_webhook_ids`: accounts whose own
-- addresses, and endpoints that have their share of places. A claim takes no more for one recipient than
-- `recipient_max`, and of an account of `busy` no more than its `room`; what is beyond stays due. `held_push_ids`: pushes
-- that this process is posting; they do not lapse when the clock is stepped forwards.
-- name: pushes_claim -> rows ClaimedPush
-- not null: url, body
-- takes: busy BusyAccount
WITH due AS MATERIALIZED (
    SELECT p.account_id, p.push_id, p.webhook_id, p.due_at,
        p.kind NOT IN (:PushKind.RECEIPT, :PushKind.ALERT, :PushKind.EVENT) AND p.attempts > p.attempts_replayed
            AND EXISTS (
                SELECT FROM push AS later
                WHERE later.message_id = p.message_id AND later.account_id + 0 = p.account_id
                    AND coalesce(later.event_id, later.push_id) > coalesce(p.event_id, p.push_id)
                    AND later.webhook_id = p.webhook_id
                    AND later.kind <> :PushKind.EVENT
            ) AS is_stale
    FROM push AS p
    WHERE p.lane = :lane AND p.due_at <= :now
        AND (p.webhook_id <> 0 OR p.account_id <> ALL (:full_account_ids::bigint[]))
        AND p.webhook_id <> ALL (:full_webhook_ids::bigint[])
        AND p.push_id <> ALL (:held_push_ids::bigint[])
        AND (p.kind = :PushKind.ALERT OR NOT EXISTS (
            SELECT FROM push AS earlier
            WHERE earlier.message_id = p.message_id AND earlier.account_id + 0 = p.account_id
                AND coalesce(earlier.event_id, earlier.push_id) < coalesce(p.event_id, p.push_id)
                AND earlier.due_at IS NOT NULL AND earlier.webhook_id = p.webhook_id
                AND (
                    earlier.is_claimed OR earlier.due_at <= :now
                    OR (earlier.attempts = 0 AND earlier.kind <> :PushKind.RECEIPT)
                )
        ))
    ORDER BY p.due_at
    LIMIT :rows_max
    FOR UPDATE OF p SKIP LOCKED
), superseded AS (
    UPDATE push AS p
    SET outcome = :PushOutcome.SUPERSEDED, due_at = NULL, is_claimed = false
    FROM due
    WHERE due.is_stale AND p.account_id = ANY (ARRAY[due.account_id]) AND p.push_id = ANY (ARRAY[due.push_id])
), placed AS (
    SELECT account_id, push_id,
        row_number() OVER (PARTITION BY account_id, webhook_id ORDER BY due_at, push_id) AS nth
    FROM due
    WHERE NOT is_stale
), allowed AS MATERIALIZED (
    SELECT account_id, push_id
    FROM placed
    WHERE nth <= coalesce(
        (
            SELECT b.room
            FROM unnest(:busy) AS b (account_id bigint, room int)
            WHERE b.account_id = placed.account_id
        ),
        :recipient_max::int
    )
)
UPDATE push AS p
SET due_at = :now::timestamptz + :lease::interval, attempts = p.attempts + 1, is_claimed = true
FROM allowed
WHERE p.account_id = ANY (ARRAY[allowed.account_id]) AND p.push_id = ANY (ARRAY[allowed.push_id])
RETURNING p.account_id, p.push_id, p.message_id, p.dialect, p.kind,
    CASE
        WHEN p.webhook_id = 0 THEN p.url
        ELSE coalesce((
            SELECT w.url
            FROM webhook AS w
            WHERE w.account_id = p.account_id AND w.webhook_id = p.webhook_id AND w.is_enabled
        ), '')
    END AS url,
    CASE
        WHEN p.event_id IS NULL THEN p.body
        ELSE coalesce((
            SELECT event_body(e.event_id, e.type, e.at, e.data)
            FROM event AS e
            WHERE e.account_id = p.account_id AND e.event_id = p.event_id
        ), '')
    END AS body,
    p.attempts, p.attempts_replayed, p.webhook_id, p.event_id

-- Records attempts. A failed push whose message has a later one is superseded, so that a late "Acknowledged" cannot
-- follow "Delivered"; but not receipts for SMPP, since a message that came in parts has one for each. A negative
-- `took_ms`: nothing was sent, since the address rests or the push cannot be signed: the attempt does not count, and
-- nothing is superseded.
-- name: pushes_record
-- takes: results PushResult
WITH result AS MATERIALIZED (
    SELECT * FROM unnest(:results) AS d (
        account_id bigint, push_id bigint, attempt smallint, at timestamptz, took_ms int, status int?, answer text,
        outcome smallint, due_at timestamptz?, message_id bigint, webhook_id bigint, event_id bigint?
    )
), attempt_added AS (
    INSERT INTO push_attempt (account_id, push_id, attempt, at, took_ms, status, answer)
    SELECT account_id, push_id, attempt, at, took_ms, status, answer FROM result WHERE took_ms >= 0
    ON CONFLICT DO NOTHING
)
UPDATE push AS p
SET attempts = CASE WHEN d.took_ms < 0 THEN p.attempts - 1 ELSE p.attempts END,
    outcome = CASE
        WHEN stale.is_stale AND p.kind NOT IN (:PushKind.RECEIPT, :PushKind.EVENT) THEN :PushOutcome.SUPERSEDED
        ELSE d.outcome
    END,
    due_at = CASE WHEN stale.is_stale AND p.kind NOT IN (:PushKind.RECEIPT, :PushKind.EVENT) THEN NULL ELSE d.due_at END,
    is_claimed = false
FROM result AS d
CROSS JOIN LATERAL (
    SELECT d.outcome = :PushOutcome.PENDING AND d.took_ms >= 0 AND EXISTS (
        SELECT FROM push AS later
        WHERE later.message_id = d.message_id AND later.account_id + 0 = d.account_id
            AND coalesce(later.event_id, later.push_id) > coalesce(d.event_id, d.push_id)
            AND later.webhook_id = d.webhook_id AND later.kind <> :PushKind.EVENT
    ) AS is_stale
) AS stale
WHERE p.account_id = ANY (ARRAY[d.account_id]) AND p.push_id = ANY (ARRAY[d.push_id])
