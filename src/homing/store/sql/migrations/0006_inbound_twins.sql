-- An inbound message that a carrier brings twice is known by the carrier's id of it.

ALTER TABLE inbound ADD COLUMN carrier_ref text NOT NULL DEFAULT '';  -- '': the carrier gives none
CREATE INDEX inbound_reference ON inbound (account_id, carrier_id, number, carrier_ref) WHERE carrier_ref <> '';
