-- The latest time of all processes (store/clock_watch.py).

-- name: clock_latest -> value?
SELECT latest_at FROM clock

-- name: clock_advance
INSERT INTO clock (latest_at) VALUES (:latest_at)
ON CONFLICT (single_row) DO UPDATE SET latest_at = excluded.latest_at WHERE clock.latest_at < excluded.latest_at
