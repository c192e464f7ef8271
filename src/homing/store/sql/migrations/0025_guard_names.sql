-- The guard's tables and columns in the field's terms. Nothing is released yet, so no other version runs beside this one.

ALTER TABLE guard_book RENAME TO guard_snapshot;
ALTER TABLE guard_snapshot RENAME COLUMN book TO snapshot;
ALTER INDEX guard_book_pkey RENAME TO guard_snapshot_pkey;

ALTER TABLE guard_memory RENAME TO guard_network_state;
ALTER TABLE guard_network_state RENAME COLUMN memory TO state;
ALTER INDEX guard_memory_pkey RENAME TO guard_network_state_pkey;

ALTER TABLE guard_verdict RENAME COLUMN is_sure TO may_block;
