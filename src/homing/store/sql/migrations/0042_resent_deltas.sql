-- Messages that went out again since the code was likely lost: few people are left who would answer them, so the learner
-- leaves them out. Null of all others.
ALTER TABLE stat_delta ADD COLUMN resent boolean;
