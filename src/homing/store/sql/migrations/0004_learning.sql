-- Adaptive routing: the terms on which it chooses, the shares it has come to, what each rested on, and carriers whose
-- receipts are not to be believed.

CREATE TABLE learn_terms (                                 -- what an app's (or with app_id '' an account's) owner wants
    account_id bigint NOT NULL REFERENCES account,
    app_id text NOT NULL DEFAULT '',
    worth_micro bigint CHECK (worth_micro > 0),           -- of a conversion; null: the least cost of one
    quality_floor real CHECK (quality_floor BETWEEN 0 AND 1), -- null, here and below: the default
    explore_min real CHECK (explore_min BETWEEN 0 AND 0.2),
    share_max real CHECK (share_max > 0 AND share_max <= 1),
    opted_out boolean NOT NULL DEFAULT false,             -- routes by priority
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, app_id)
);
CREATE TRIGGER told AFTER INSERT OR UPDATE OR DELETE ON learn_terms
    FOR EACH ROW EXECUTE FUNCTION tell_settings_changed();

-- One process writes (the brain), all read. A version is never changed: it is what messages refer to. A cell with
-- network '' stands for a country, one with neither for everywhere.
CREATE TABLE learn_choice (                                -- what was chosen, and what it rested on
    account_id bigint NOT NULL,
    version bigint GENERATED ALWAYS AS IDENTITY,
    made_at timestamptz NOT NULL,
    app_id text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,
    rule jsonb NOT NULL,                                  -- the rule's match, as an array
    told text NOT NULL,
    rests_on jsonb NOT NULL,                              -- candidates with counts, intervals, prices and shares; terms
    PRIMARY KEY (account_id, version)
);
CREATE INDEX learn_choice_made ON learn_choice (made_at);

CREATE TABLE learn_shares (                                -- the shares in force
    account_id bigint NOT NULL,
    app_id text NOT NULL,
    country text NOT NULL,
    network text NOT NULL,
    rule jsonb NOT NULL,
    version bigint NOT NULL,
    carriers int[] NOT NULL,
    weights int[] NOT NULL,                               -- per 10,000, in the order of the carriers
    told text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, app_id, country, network, rule)
);
CREATE INDEX learn_shares_version ON learn_shares (version);

CREATE TABLE learn_fake (                                  -- a carrier whose receipts are incredible, and by what figures
    carrier_id int NOT NULL REFERENCES carrier,
    kind text NOT NULL,                                   -- routing/fakes.py
    found_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,                         -- when it was last so
    told text NOT NULL,
    figures jsonb NOT NULL,
    PRIMARY KEY (carrier_id, kind)
);
