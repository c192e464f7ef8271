-- Webhook endpoints of accounts and the events that are pushed to them (docs/decisions/0035-webhook-endpoints.md).
CREATE TABLE webhook (
    account_id bigint NOT NULL REFERENCES account,
    webhook_id bigint GENERATED ALWAYS AS IDENTITY,
    url text NOT NULL,
    types text[] NOT NULL,                                -- of events (EventType)
    description text NOT NULL DEFAULT '',
    is_enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    failing_since timestamptz,                            -- of the failures since its last success, the first
    disabled_at timestamptz,
    disabled_for_failures boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, webhook_id)
);
-- Not each push that fails is a change of settings.
CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE OF url, types, description, is_enabled ON webhook
    FOR EACH ROW EXECUTE FUNCTION audit_change('webhook_id');

-- Which events an account's changes give: those that its endpoints have chosen, and all while it reads them by
-- GET /v1/events. An account without a row gives none. The row is locked while events are added, so the ids of an
-- account's events are in the order of their commits.
CREATE TABLE event_feed (
    account_id bigint PRIMARY KEY REFERENCES account,
    types text[] NOT NULL,
    read_at timestamptz,                                  -- the last GET /v1/events, to the hour
    expired_from_id bigint NOT NULL                       -- verifications below it need no look for their expiry
);

CREATE TABLE event (
    account_id bigint NOT NULL,
    event_id bigint GENERATED ALWAYS AS IDENTITY,
    type text NOT NULL,
    at timestamptz NOT NULL,
    message_id bigint,                                    -- or that of an inbound message
    verification_id bigint,
    data text NOT NULL,                                   -- JSON
    PRIMARY KEY (account_id, event_id)
);
CREATE INDEX event_at ON event (account_id, at, event_id);
CREATE INDEX event_message ON event (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX event_verification ON event (verification_id) WHERE verification_id IS NOT NULL;

CREATE FUNCTION event_body(event_id bigint, type text, at timestamptz, data text) RETURNS text LANGUAGE sql STABLE
RETURN '{"id":"evt_' || event_id || '","type":"' || type || '","time":"'
    || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '","data":' || data || '}';

-- A push to a webhook endpoint has its address and its body from there and from the event.
ALTER TABLE push ADD COLUMN webhook_id bigint NOT NULL DEFAULT 0;
ALTER TABLE push ADD COLUMN event_id bigint;
CREATE INDEX push_webhook ON push (account_id, webhook_id, push_id) WHERE webhook_id <> 0;
CREATE INDEX push_event ON push (account_id, event_id, webhook_id) WHERE event_id IS NOT NULL;

-- An endpoint's own secrets; 0: the account's.
ALTER TABLE signing_secret ADD COLUMN webhook_id bigint NOT NULL DEFAULT 0;
DROP INDEX signing_secret_current;
CREATE UNIQUE INDEX signing_secret_current ON signing_secret (account_id, webhook_id) WHERE expires_at IS NULL;
