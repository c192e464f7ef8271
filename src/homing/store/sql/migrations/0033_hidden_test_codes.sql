-- Whoever knows a test number's code can sign in with that number: the audit tells that a code was changed, and hides it.
-- compatible: 0029
CREATE OR REPLACE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    incidental CONSTANT text[] := '{bound_at,changed_at,created_at,totp_step}';
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN jsonb_strip_nulls(to_jsonb(OLD) - incidental) END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN jsonb_strip_nulls(to_jsonb(NEW) - incidental) END;
    whole jsonb := coalesce(new_row, old_row);
    old_part jsonb := old_row;
    new_part jsonb := new_row;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF old_row = new_row THEN
            RETURN NULL;
        END IF;
        SELECT jsonb_object_agg(key, value) INTO old_part
        FROM jsonb_each(old_row) WHERE value IS DISTINCT FROM new_row -> key;
        SELECT jsonb_object_agg(key, value) INTO new_part
        FROM jsonb_each(new_row) WHERE value IS DISTINCT FROM old_row -> key;
    END IF;
    IF TG_TABLE_NAME = 'test_number' THEN
        old_part := jsonb_set(old_part, '{code}', '"(hidden)"', false);
        new_part := jsonb_set(new_part, '{code}', '"(hidden)"', false);
    END IF;
    INSERT INTO audit (kind, act, account_id, subject, before, after)
    VALUES (
        TG_TABLE_NAME,
        lower(TG_OP),
        nullif((whole ->> 'account_id')::bigint, 0),
        (SELECT string_agg(coalesce(nullif(whole ->> name, ''), '*'), ' ' ORDER BY place)
            FROM unnest(TG_ARGV) WITH ORDINALITY AS named (name, place)),
        audit_shown(old_part),
        audit_shown(new_part)
    );
    RETURN NULL;
END $$;
UPDATE audit
SET before = jsonb_set(before, '{code}', '"(hidden)"', false), after = jsonb_set(after, '{code}', '"(hidden)"', false)
WHERE kind = 'test_number';
