-- Real carriers: who owns their sessions, what they cost, parts of long messages, references in their normal forms,
-- routes by more than a prefix, and what goes to customers' binds.

-- --- routes ----------------------------------------------------------------------------------------------
-- Rows of one match (everything but the carrier, its priority and its weight) are the candidates of one rule; the
-- strategy and the ceiling are the rule's, and the same in all of its rows.

ALTER TABLE route
    ADD COLUMN app_id text NOT NULL DEFAULT '',               -- '': any
    ADD COLUMN sender text NOT NULL DEFAULT '',               -- '': any
    ADD COLUMN country text NOT NULL DEFAULT '',              -- ISO 3166; '': any
    ADD COLUMN network text NOT NULL DEFAULT '',              -- MCC and MNC as digits; '': any
    ADD COLUMN traffic smallint NOT NULL DEFAULT -1,          -- -1: both
    ADD COLUMN strategy smallint NOT NULL DEFAULT 1,          -- model.Strategy
    ADD COLUMN ceiling_micro bigint CHECK (ceiling_micro >= 0), -- the most a segment may cost; null: its price
    ADD CONSTRAINT route_place CHECK ((prefix <> '')::int + (country <> '')::int + (network <> '')::int <= 1),
    DROP CONSTRAINT route_account_id_prefix_carrier_id_key,
    ADD CONSTRAINT route_match UNIQUE (account_id, app_id, sender, traffic, country, network, prefix, carrier_id);

CREATE TABLE carrier_cost (                                -- what a carrier asks for a segment
    carrier_id int NOT NULL REFERENCES carrier,
    prefix text NOT NULL,                                 -- '' matches every number
    cost_micro bigint NOT NULL CHECK (cost_micro >= 0),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (carrier_id, prefix)
);

-- --- carriers ----------------------------------------------------------------------------------------------

CREATE TABLE carrier_session (                             -- which process owns a carrier's sessions, and how they do
    carrier_id int PRIMARY KEY REFERENCES carrier,
    owner text NOT NULL,
    leased_until timestamptz NOT NULL,
    is_up boolean NOT NULL DEFAULT false,
    detail jsonb NOT NULL DEFAULT '{}',                   -- what its kind tells: links, window, errors
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE reference_form (                              -- how a carrier's receipts write the ids of its answers
    carrier_id int NOT NULL REFERENCES carrier,
    form text NOT NULL,                                   -- receipts/forms.py
    confirmed bigint NOT NULL DEFAULT 0,                  -- matches whose number agreed as well
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (carrier_id, form)
);

-- Carriers write an id once with and once without leading zeros or 0x, once in capitals and once not: the index has one
-- form.
DROP INDEX attempt_reference;
CREATE INDEX attempt_reference ON attempt (ltrim(lower(carrier_ref), '0x')) WHERE carrier_ref IS NOT NULL;

-- A message that left in several parts has the carrier's id of each here, the first one's in its attempt as well.
CREATE TABLE part (
    account_id bigint NOT NULL,
    message_id bigint NOT NULL,
    attempt smallint NOT NULL,
    part smallint NOT NULL,                               -- from 1
    carrier_id int NOT NULL,
    carrier_ref text NOT NULL,
    state smallint NOT NULL DEFAULT 2,
    error_code text,
    reported_at timestamptz,
    PRIMARY KEY (account_id, message_id, attempt, part)
) PARTITION BY RANGE (message_id);
CREATE INDEX part_reference ON part (ltrim(lower(carrier_ref), '0x'));

-- Submits whose answer was lost: a receipt with an id that nobody knows may be theirs.
CREATE INDEX attempt_unanswered ON attempt (carrier_id) WHERE outcome = 4 AND carrier_ref IS NULL;

ALTER TABLE parked_receipt
    ADD COLUMN number text,                               -- the recipient, where the receipt names it
    ADD COLUMN replays smallint NOT NULL DEFAULT 0,
    ADD COLUMN waiting_since timestamptz NOT NULL DEFAULT now(), -- a replay begins anew
    ADD COLUMN due_at timestamptz NOT NULL DEFAULT now(); -- the next try
DROP INDEX parked_receipt_waiting;
CREATE INDEX parked_receipt_waiting ON parked_receipt (due_at) WHERE given_up_at IS NULL;
CREATE INDEX parked_receipt_unmatched ON parked_receipt (carrier_id, received_at) WHERE given_up_at IS NOT NULL;

-- --- customers' binds --------------------------------------------------------------------------------------

ALTER TABLE account
    ADD COLUMN binds_max smallint NOT NULL DEFAULT 8 CHECK (binds_max >= 0),
    ADD COLUMN bind_window smallint NOT NULL DEFAULT 500 CHECK (bind_window > 0),
    ADD COLUMN submits_per_s int CHECK (submits_per_s > 0),  -- over SMPP; null: no limit of its own
    ADD COLUMN bound_at timestamptz;                      -- the last bind that may receive: MO are kept for it

ALTER TABLE message
    ADD COLUMN registered smallint;                       -- SMPP registered_delivery; null: the door has its own way

-- Receipts and MO for binds wait in the outbox's lane -1, by account: whoever has no bind does not stand in the way.
CREATE INDEX push_bind ON push (account_id, due_at) WHERE lane = -1 AND due_at IS NOT NULL;

CREATE TABLE bind (                                        -- who is bound, over all processes: what binds_max counts
    account_id bigint NOT NULL,
    bind_id bigint NOT NULL,
    owner text NOT NULL,                                  -- the process; its binds count while it holds a node number
    kind smallint NOT NULL,                               -- model.BindKind
    system_id text NOT NULL,
    address text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, bind_id)
);

-- Parts of long messages as a customer submitted them, each with the id that its submit_sm_resp gave.
CREATE TABLE long_part (
    account_id bigint NOT NULL,
    part_id bigint NOT NULL,
    number text NOT NULL,
    sender text NOT NULL,
    reference int NOT NULL,                               -- the customer's; by 8 bits, 16 bits and SAR apart
    total smallint NOT NULL,
    part smallint NOT NULL,                               -- from 1
    content bytea NOT NULL,                               -- emptied when the set has ended
    form text NOT NULL,                                   -- doors/smpp_long.py
    due_at timestamptz,                                   -- the set is given up then; null: it has ended
    ended bigint NOT NULL DEFAULT 0,                      -- 0: open; else part_id, so that a reference can be used again
    message_id bigint,                                    -- what the set became; null: nothing
    state smallint NOT NULL DEFAULT 0,                    -- how a set ended that became no message
    PRIMARY KEY (account_id, part_id),
    CONSTRAINT long_part_set UNIQUE (account_id, number, sender, reference, total, part, ended)
);
CREATE INDEX long_part_due ON long_part (due_at) WHERE due_at IS NOT NULL;

CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON carrier_cost
    FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();
CREATE TRIGGER told AFTER INSERT OR DELETE ON carrier_session
    FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();
CREATE TRIGGER told_of_change AFTER UPDATE ON carrier_session
    FOR EACH ROW WHEN (old.is_up <> new.is_up OR old.owner <> new.owner) EXECUTE FUNCTION tell_settings_changed();
-- The time of the last bind is no setting, and changes with every bind.
DROP TRIGGER told ON account;
CREATE TRIGGER told AFTER INSERT OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();
CREATE TRIGGER told_of_change AFTER UPDATE ON account
    FOR EACH ROW WHEN (old.bound_at IS NOT DISTINCT FROM new.bound_at) EXECUTE FUNCTION tell_settings_changed();

-- The view's columns are fixed when it is made: made anew, it has the message's new one.
DROP VIEW message_seen;
CREATE VIEW message_seen AS
SELECT m.*,
    to_timestamp(((m.message_id >> 12) + 1735689600000) / 1000.0) AS submitted_at,
    CASE
        WHEN m.state = 0 AND EXISTS (
            SELECT FROM queue AS q
            WHERE q.lane = m.carrier_id * 2 + m.traffic AND q.message_id = m.message_id AND q.claimed_by IS NOT NULL
        ) THEN 1
        ELSE m.state
    END::smallint AS state_seen
FROM message AS m;
