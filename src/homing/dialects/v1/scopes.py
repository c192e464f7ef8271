"""What a key can be restricted to."""

from typing import Final

MESSAGES_WRITE: Final = "messages:write"
MESSAGES_READ: Final = "messages:read"
VERIFICATIONS_WRITE: Final = "verifications:write"
VERIFICATIONS_READ: Final = "verifications:read"
CONVERSIONS_WRITE: Final = "conversions:write"
ACCOUNT_READ: Final = "account:read"
APPS_WRITE: Final = "apps:write"
APPS_READ: Final = "apps:read"
INBOUND_READ: Final = "inbound:read"
LOOKUPS_READ: Final = "lookups:read"
WEBHOOKS_WRITE: Final = "webhooks:write"
WEBHOOKS_READ: Final = "webhooks:read"
EVENTS_READ: Final = "events:read"
SCOPES: Final = (
    MESSAGES_WRITE,
    MESSAGES_READ,
    VERIFICATIONS_WRITE,
    VERIFICATIONS_READ,
    CONVERSIONS_WRITE,
    ACCOUNT_READ,
    APPS_WRITE,
    APPS_READ,
    INBOUND_READ,
    LOOKUPS_READ,
    WEBHOOKS_WRITE,
    WEBHOOKS_READ,
    EVENTS_READ,
)
