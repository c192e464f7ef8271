-- The windows of a limit are written with each code, and read and compared by processes alone: they are text.
-- Nothing is released yet, so no other version runs beside this one.
ALTER TABLE limit_use ALTER COLUMN windows TYPE text;

CREATE TYPE limit_key AS (
    account_id bigint,
    scope smallint,
    key text
);

-- A use that another batch stores meanwhile fails by its key.
DROP FUNCTION limits_kept;
