-- When a claim was made: an attempt that lapsed keeps its own time, by which receipts find it.
ALTER TABLE queue ADD COLUMN claimed_at timestamptz;

-- The latest time that any process has gone by. A machine whose clock was stepped back goes on from it.
CREATE TABLE clock (
    is_it boolean PRIMARY KEY DEFAULT true CHECK (is_it),  -- one row
    latest_at timestamptz NOT NULL
);
