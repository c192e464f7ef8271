-- For the pages of carriers and the guard.

-- A carrier that is drained gets no new messages; what waits for it goes, and its receipts are still taken.
ALTER TABLE carrier
    ADD COLUMN is_draining boolean NOT NULL DEFAULT false;

-- What carriers answered lately but "accepted": few rows, for people who ask what is wrong with one.
CREATE INDEX attempt_failed ON attempt (carrier_id, answered_at) WHERE outcome <> 1;

-- What refusals saved is summed up from the index alone.
DROP INDEX guard_decision_at;
CREATE INDEX guard_decision_at ON guard_decision (at) INCLUDE (account_id, action, rule, charge_micro);
