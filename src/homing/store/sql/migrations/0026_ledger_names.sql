-- The ledger's table in the terms of double entry: a posting moves an amount from its source account to its destination.
-- Nothing is released yet, so no other version runs beside this one.

ALTER TABLE entry RENAME TO posting;
ALTER TABLE posting RENAME COLUMN entry_id TO posting_id;
ALTER TABLE posting RENAME COLUMN from_book TO source;
ALTER TABLE posting RENAME COLUMN to_book TO destination;
ALTER SEQUENCE entry_entry_id_seq RENAME TO posting_posting_id_seq;
ALTER INDEX entry_submission RENAME TO posting_submission;
ALTER INDEX entry_message RENAME TO posting_message;

DO $$
DECLARE
    named record;
BEGIN
    FOR named IN SELECT conname AS old FROM pg_constraint WHERE conrelid = 'posting'::regclass LOOP
        EXECUTE format(
            'ALTER TABLE posting RENAME CONSTRAINT %I TO %I', named.old,
            replace(replace(replace(replace(named.old, 'entry_id', 'posting_id'), 'entry', 'posting'),
                'from_book', 'source'), 'to_book', 'destination'));
    END LOOP;
END $$;

-- The audit names a row's table.
UPDATE audit SET kind = 'posting' WHERE kind = 'entry';
