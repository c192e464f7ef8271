"""Typed clients of Homing's own API and of both vendors', synchronous and asynchronous; the latter for use with Homing
or with the vendors.

Nothing of Homing's service is imported here. The guide is docs/integrate/clients.md.
"""

from homing_clients.call import CallTerms
from homing_clients.errors import ClientError, FateUnknown
from homing_clients.laaffic import AsyncLaafficClient, LaafficClient
from homing_clients.lia import AsyncLiaClient, LiaClient
from homing_clients.v1 import AsyncHomingClient, HomingClient
from homing_clients.webhooks import WebhookVerifier

__all__ = [
    "AsyncHomingClient",
    "AsyncLaafficClient",
    "AsyncLiaClient",
    "CallTerms",
    "ClientError",
    "FateUnknown",
    "HomingClient",
    "LaafficClient",
    "LiaClient",
    "WebhookVerifier",
]
