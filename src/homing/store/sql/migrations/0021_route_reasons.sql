-- As 0020, of routing: why shares are as they are, and why a carrier's receipts are not believed. What a sign rests on
-- are its reason's values. Sentences of before are kept as the text of a reason `legacy.text`; those in messages' notes
-- are read as such.

ALTER TABLE learn_choice
    ALTER COLUMN told TYPE jsonb USING jsonb_build_object('code', 'legacy.text', 'values', jsonb_build_object('text', told));
ALTER TABLE learn_choice RENAME COLUMN told TO reason;

ALTER TABLE learn_shares
    ALTER COLUMN told TYPE jsonb USING jsonb_build_object('code', 'legacy.text', 'values', jsonb_build_object('text', told));
ALTER TABLE learn_shares RENAME COLUMN told TO reason;

ALTER TABLE learn_fake
    ALTER COLUMN told TYPE jsonb USING jsonb_build_object('code', 'legacy.text', 'values', jsonb_build_object('text', told));
ALTER TABLE learn_fake DROP COLUMN figures;
ALTER TABLE learn_fake RENAME COLUMN told TO reason;
