-- Whether somebody has a push in hand, until due_at: then a later one of its message waits.
ALTER TABLE push ADD COLUMN is_claimed boolean NOT NULL DEFAULT false;
