-- Whether a repeated reference of an account's is answered like the first time: over dialects without a key of their own
-- for that.
ALTER TABLE account ADD COLUMN unique_references boolean NOT NULL DEFAULT false;
