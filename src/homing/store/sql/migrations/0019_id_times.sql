-- A message's id begins with the time at which it was accepted: milliseconds since 2025-01-01 UTC, 12 bits below them
-- for the node and the place within the millisecond (kit/ids.py). These three know it, and no statement does.

CREATE FUNCTION accepted_at(message_id bigint) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_timestamp(((message_id >> 12) + 1735689600000) / 1000.0);

-- In minutes since 1970, as statistics count them.
CREATE FUNCTION accepted_minute(message_id bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((message_id >> 12) + 1735689600000) / 60000;

-- The least id that a message of this millisecond or later can have.
CREATE FUNCTION first_id_at(at timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((extract(epoch FROM at) * 1000)::bigint - 1735689600000) << 12;
