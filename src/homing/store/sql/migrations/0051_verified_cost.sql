-- What the carriers cost of the messages with codes, beside what the customer was charged. Null: counted before, by a
-- release that did not keep it.
-- compatible: 0044
ALTER TABLE verified_hour ADD COLUMN carrier_cost_micro bigint;
