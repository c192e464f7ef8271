-- What accounts were told of their money and quotas, so that it is one event each time.
-- compatible: 0037
ALTER TABLE event_feed ADD COLUMN low_balance_since timestamptz;   -- null: it was not low when it was last looked at
ALTER TABLE event_feed ADD COLUMN quotas_warned jsonb NOT NULL DEFAULT '{}';   -- by app, when the quota's day began
