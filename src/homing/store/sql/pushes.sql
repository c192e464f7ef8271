-- Pushes as people look at them (delivery/pushes.py). Of each list the latest $3 below push $2 (null: of all), of one
-- account ($1) or all, with the last answer.

-- shared: last_answer
    SELECT at, status, answer
    FROM push_attempt AS t
    WHERE t.account_id = p.account_id AND t.push_id = p.push_id
    ORDER BY t.attempt DESC
    LIMIT 1

-- name: pushes_recent
SELECT p.*, a.name AS account, last.at AS answered_at, last.status, last.answer
FROM account AS a
CROSS JOIN LATERAL (
    SELECT account_id, push_id, message_id, dialect, kind, url, created_at, due_at, attempts, outcome
    FROM push
    WHERE push.account_id = a.account_id AND push.push_id < coalesce($2, 9223372036854775807)
    ORDER BY push.push_id DESC
    LIMIT $3
) AS p
LEFT JOIN LATERAL (
    -- here: last_answer
) AS last ON true
WHERE $1::bigint IS NULL OR a.account_id = $1
ORDER BY p.push_id DESC
LIMIT $3

-- name: pushes_given_up
SELECT p.*, a.name AS account, last.at AS answered_at, last.status, last.answer
FROM account AS a
CROSS JOIN LATERAL (
    SELECT account_id, push_id, message_id, dialect, kind, url, created_at, due_at, attempts, outcome
    FROM push
    WHERE push.account_id = a.account_id AND push.outcome = 2 AND push.push_id < coalesce($2, 9223372036854775807)
    ORDER BY push.push_id DESC
    LIMIT $3
) AS p
LEFT JOIN LATERAL (
    -- here: last_answer
) AS last ON true
WHERE $1::bigint IS NULL OR a.account_id = $1
ORDER BY p.push_id DESC
LIMIT $3

-- Those that failed and will be tried again. The waits grow from try to try, so that what is due last has failed most:
-- $4 of each lane are looked at, from that end.
-- name: pushes_failing
SELECT p.*, a.name AS account, last.at AS answered_at, last.status, last.answer
FROM generate_series(-1, $5::int - 1) AS lanes (lane)
CROSS JOIN LATERAL (
    SELECT account_id, push_id, message_id, dialect, kind, url, created_at, due_at, attempts, outcome
    FROM push
    WHERE push.lane = lanes.lane AND push.due_at IS NOT NULL
    ORDER BY push.due_at DESC
    LIMIT $4
) AS p
JOIN account AS a ON a.account_id = p.account_id
JOIN LATERAL (
    -- here: last_answer
) AS last ON true
WHERE ($1::bigint IS NULL OR p.account_id = $1) AND p.push_id < coalesce($2, 9223372036854775807)
ORDER BY p.push_id DESC
LIMIT $3

-- How many have been given up, counted up to $2, and the latest of them.
-- name: pushes_given_up_count
SELECT count(*) AS pushes, max(found.push_id) AS latest_id
FROM (
    SELECT p.push_id
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT push_id
        FROM push
        WHERE push.account_id = a.account_id AND push.outcome = 2
        ORDER BY push_id DESC
        LIMIT $2
    ) AS p
    WHERE $1::bigint IS NULL OR a.account_id = $1
    ORDER BY p.push_id DESC
    LIMIT $2
) AS found

-- The latest $3 of those given up, from push $2 down.
-- name: pushes_replay
WITH chosen AS MATERIALIZED (
    SELECT p.account_id, p.push_id
    FROM account AS a
    CROSS JOIN LATERAL (
        SELECT account_id, push_id
        FROM push
        WHERE push.account_id = a.account_id AND push.outcome = 2 AND push.push_id <= $2
        ORDER BY push_id DESC
        LIMIT $3
    ) AS p
    WHERE $1::bigint IS NULL OR a.account_id = $1
    ORDER BY p.push_id DESC
    LIMIT $3
)
UPDATE push AS p
SET due_at = now(), attempts_replayed = p.attempts, outcome = 0
FROM chosen
WHERE p.account_id = ANY (ARRAY[chosen.account_id]) AND p.push_id = ANY (ARRAY[chosen.push_id]) AND p.due_at IS NULL
RETURNING p.push_id

-- name: push_find
SELECT p.account_id, p.push_id, p.message_id, p.outcome, p.due_at
FROM account AS a
JOIN push AS p ON p.account_id = a.account_id AND p.push_id = $1

-- name: push_replay
UPDATE push SET due_at = now(), attempts_replayed = attempts, outcome = 0
WHERE account_id = $1 AND push_id = $2 AND due_at IS NULL
RETURNING push_id
