-- Addresses of the people who requested messages, as keyed hashes (docs/decisions/0039-end-user-addresses.md). No address
-- can be read from them.
CREATE TABLE guard_address (                               -- kept for a day
    message_id bigint NOT NULL,
    account_id bigint NOT NULL,
    app_id text NOT NULL,
    network text NOT NULL,                                 -- MCC and MNC
    address bigint NOT NULL,                               -- hashes: of the address, of its /24 or /64, of its /48
    prefix bigint NOT NULL,
    site bigint,                                           -- null: IPv4
    number bigint NOT NULL,                                -- hash of the message's number
    PRIMARY KEY (message_id, account_id)
);

-- What the aggregator has not observed yet: each such message, and each of their conversions.
CREATE TABLE guard_address_delta (
    account_id bigint NOT NULL,
    app_id text NOT NULL,
    network text NOT NULL,
    minute int NOT NULL,                                   -- of the submit
    address bigint NOT NULL,
    prefix bigint NOT NULL,
    site bigint,
    number bigint NOT NULL,
    is_conversion boolean NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
