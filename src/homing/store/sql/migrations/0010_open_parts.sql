-- How many parts of unfinished long messages an account has.
CREATE INDEX long_part_open ON long_part (account_id) WHERE due_at IS NOT NULL;
