-- A dialect's number is called so, and a push says whose form it has: what it tells is the same in each.
ALTER TABLE credential RENAME COLUMN door TO dialect;
ALTER TABLE message RENAME COLUMN door TO dialect;
ALTER TABLE conversion RENAME COLUMN door TO dialect;
ALTER TABLE password_lock RENAME COLUMN door TO dialect;

ALTER TABLE push ADD COLUMN dialect smallint NOT NULL DEFAULT 0;   -- 0: no dialect's, the platform's own
UPDATE push
SET dialect = CASE WHEN kind = 1 THEN 1 WHEN kind IN (2, 3) THEN 2 WHEN kind IN (4, 5, 6) THEN 4 ELSE 0 END,
    kind = CASE kind WHEN 2 THEN 1 WHEN 5 THEN 3 ELSE kind END;
