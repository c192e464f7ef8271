-- Tables, columns and triggers in the field's terms. Nothing is released yet, so no other version runs beside this one.

-- How each carrier's receipts write the message IDs of its submit answers (receipts/id_formats.py).
ALTER TABLE reference_form RENAME TO id_format;
ALTER TABLE id_format RENAME COLUMN form TO format;
ALTER INDEX reference_form_pkey RENAME TO id_format_pkey;
UPDATE id_format SET format = 'number_mismatch' WHERE format = 'numbers differ';

-- Parts of multipart messages as customers submitted them over SMPP (api/smpp/part_store.py).
ALTER TABLE long_part RENAME TO submitted_part;
ALTER TABLE submitted_part RENAME COLUMN form TO request;
ALTER INDEX long_part_pkey RENAME TO submitted_part_pkey;
ALTER INDEX long_part_set RENAME TO submitted_part_set;
ALTER INDEX long_part_due RENAME TO submitted_part_due;
ALTER INDEX long_part_open RENAME TO submitted_part_open;

ALTER INDEX unmatched_inbound_twin RENAME TO unmatched_inbound_reference;

ALTER TABLE clock RENAME COLUMN is_it TO single_row;

-- Changes of settings are announced by NOTIFY.
ALTER FUNCTION tell_settings_changed() RENAME TO notify_settings_changed;
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger WHERE tgname IN ('told', 'told_of_change')
    LOOP
        EXECUTE format(
            'ALTER TRIGGER %I ON %s RENAME TO %I', found.tgname, found.relation,
            CASE found.tgname WHEN 'told' THEN 'settings_changed' ELSE 'settings_updated' END);
    END LOOP;
END $$;
