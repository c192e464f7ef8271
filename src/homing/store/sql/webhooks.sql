-- Webhook endpoints of accounts (admin/webhooks.py, delivery/webhooks.py).

-- shared: webhook_columns
    w.account_id, w.webhook_id, w.url, w.types, w.description, w.is_enabled, w.created_at, w.failing_since, w.disabled_at,
    w.disabled_for_failures

-- name: webhook_create -> row WebhookRow
INSERT INTO webhook AS w (account_id, url, types, description, is_enabled, disabled_at)
VALUES (
    :account_id, :url, :types::text[], :description, :is_enabled::boolean,
    CASE WHEN NOT :is_enabled THEN now() END
)
RETURNING
    -- here: webhook_columns

-- name: webhook_list -> rows WebhookRow
SELECT
    -- here: webhook_columns
FROM webhook AS w
WHERE w.account_id = :account_id
ORDER BY w.webhook_id

-- name: webhook_find -> row? WebhookRow
SELECT
    -- here: webhook_columns
FROM webhook AS w
WHERE w.account_id = :account_id AND w.webhook_id = :webhook_id

-- The endpoint of any account.
-- name: webhook_named -> row? WebhookRow
SELECT
    -- here: webhook_columns
FROM account AS a
JOIN webhook AS w ON w.account_id = a.account_id AND w.webhook_id = :webhook_id

-- name: webhooks_all -> rows WebhookRow
SELECT
    -- here: webhook_columns
FROM webhook AS w
ORDER BY w.account_id, w.webhook_id
LIMIT :rows_max

-- name: webhook_lock -> row? WebhookRow
SELECT
    -- here: webhook_columns
FROM webhook AS w
WHERE w.account_id = :account_id AND w.webhook_id = :webhook_id
FOR NO KEY UPDATE

-- One that is enabled again begins anew.
-- name: webhook_change -> row? WebhookRow
UPDATE webhook AS w
SET url = :url, types = :types::text[], description = :description, is_enabled = :is_enabled::boolean,
    failing_since = CASE WHEN w.is_enabled = :is_enabled AND w.url = :url THEN w.failing_since END,
    disabled_at = CASE WHEN w.is_enabled = :is_enabled THEN w.disabled_at WHEN NOT :is_enabled THEN now() END,
    disabled_for_failures = w.disabled_for_failures AND NOT :is_enabled
WHERE w.account_id = :account_id AND w.webhook_id = :webhook_id
RETURNING
    -- here: webhook_columns

-- name: webhook_remove -> value?
DELETE FROM webhook WHERE account_id = :account_id AND webhook_id = :webhook_id RETURNING webhook_id

-- Notes successes and failures of endpoints, and gives those that are enabled and have failed since `disabled_since`
-- without a success. An endpoint that is as it was is not written.
-- name: webhooks_note -> rows FailingWebhook
-- not null: failing_since
-- takes: attempts WebhookAttempt
WITH changed AS MATERIALIZED (
    SELECT w.account_id, w.webhook_id, a.is_success, a.at
    FROM unnest(:attempts) AS a (account_id bigint, webhook_id bigint, is_success boolean, at timestamptz)
    JOIN webhook AS w ON w.account_id = a.account_id AND w.webhook_id = a.webhook_id
    WHERE a.is_success = (w.failing_since IS NOT NULL)
        OR (NOT a.is_success AND w.is_enabled AND w.failing_since <= :disabled_since)
    ORDER BY w.account_id, w.webhook_id
    FOR NO KEY UPDATE OF w
)
UPDATE webhook AS w
SET failing_since = CASE WHEN NOT changed.is_success THEN coalesce(w.failing_since, changed.at) END
FROM changed
WHERE w.account_id = changed.account_id AND w.webhook_id = changed.webhook_id
RETURNING w.account_id, w.webhook_id, w.url, coalesce(w.failing_since, changed.at) AS failing_since,
    w.is_enabled AND w.failing_since IS NOT NULL AND w.failing_since <= :disabled_since AS is_to_be_disabled

-- name: webhook_disable -> value?
UPDATE webhook
SET is_enabled = false, disabled_at = now(), disabled_for_failures = true
WHERE account_id = :account_id AND webhook_id = :webhook_id AND is_enabled AND failing_since <= :disabled_since
RETURNING webhook_id

-- Pushes the events of a span again, at most `rows_max` of the `looked_max` from `first_id` on: those that were never
-- pushed to the endpoint as well. What is still pending is left alone. `last_id`: where it ended, if there may be more.
-- name: webhook_replay -> row ReplayedEvents
-- null: last_id
WITH looked AS MATERIALIZED (
    SELECT e.account_id, e.event_id, e.type, e.message_id, e.verification_id
    FROM event AS e
    WHERE e.account_id = :account_id AND e.event_id >= :first_id AND e.event_id < :beyond_id
    ORDER BY e.event_id
    LIMIT :looked_max
), chosen AS MATERIALIZED (
    SELECT account_id, event_id, type, message_id, verification_id
    FROM looked
    WHERE type = ANY (:types::text[])
    ORDER BY event_id
    LIMIT :rows_max
), pushed AS MATERIALIZED (
    SELECT c.*, own.push_id
    FROM chosen AS c
    LEFT JOIN LATERAL (
        SELECT p.push_id
        FROM push AS p
        WHERE p.account_id = c.account_id AND p.event_id = c.event_id AND p.webhook_id = :webhook_id
        LIMIT 1  -- so that it is looked up for each event
    ) AS own ON true
), again AS (
    UPDATE push AS p
    SET due_at = now(), attempts_replayed = p.attempts, outcome = :PushOutcome.PENDING
    FROM pushed
    WHERE p.account_id = ANY (ARRAY[pushed.account_id]) AND p.push_id = ANY (ARRAY[pushed.push_id])
        AND p.due_at IS NULL
    RETURNING p.event_id
), added AS (
    INSERT INTO push (
        account_id, lane, message_id, dialect, kind, url, body, created_at, due_at, webhook_id, event_id
    )
    SELECT c.account_id, c.account_id % :PUSH_LANES::int, coalesce(c.verification_id, c.message_id, c.event_id),
        :dialect, CASE WHEN c.type = ANY (:superseding::text[]) THEN :PushKind.REPORT::int ELSE :PushKind.EVENT END,
        :url, '', now(), now(), :webhook_id, c.event_id
    FROM pushed AS c
    WHERE c.push_id IS NULL
    ORDER BY c.event_id
    RETURNING event_id
)
SELECT (SELECT count(*) FROM again) + (SELECT count(*) FROM added) AS queued,
    CASE
        WHEN (SELECT count(*) FROM chosen) = :rows_max THEN (SELECT max(event_id) FROM chosen)
        WHEN (SELECT count(*) FROM looked) = :looked_max THEN (SELECT max(event_id) FROM looked)
    END AS last_id

-- The latest pushes to an endpoint below an id, with their last attempt. `outcome`: of any or one.
-- name: webhook_deliveries -> rows WebhookDelivery
-- null: at, took_ms, status, answer, type
SELECT p.push_id, p.event_id, e.type, p.created_at, p.due_at, p.attempts, p.outcome, last.at, last.took_ms, last.status,
    last.answer
FROM push AS p
LEFT JOIN event AS e ON e.account_id = p.account_id AND e.event_id = p.event_id
LEFT JOIN LATERAL (
    SELECT at, took_ms, status, answer
    FROM push_attempt AS t
    WHERE t.account_id = p.account_id AND t.push_id = p.push_id
    ORDER BY t.attempt DESC
    LIMIT 1
) AS last ON true
WHERE p.account_id = :account_id AND p.webhook_id = :webhook_id AND p.webhook_id <> 0 AND p.push_id < :before_id
    AND (:outcome?::smallint IS NULL OR p.outcome = :outcome)
ORDER BY p.push_id DESC
LIMIT :rows_max
