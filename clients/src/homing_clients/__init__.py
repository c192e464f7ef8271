"""Typed clients of both vendors' HTTP APIs, synchronous and asynchronous, for use with Homing or with the vendors.

Nothing of Homing's service is imported here. The guide is docs/integrate/clients.md.
"""

from homing_clients.call import CallTerms
from homing_clients.errors import ClientError, FateUnknown
from homing_clients.laaffic import AsyncLaafficClient, LaafficClient
from homing_clients.lia import AsyncLiaClient, LiaClient

__all__ = [
    "AsyncLaafficClient",
    "AsyncLiaClient",
    "CallTerms",
    "ClientError",
    "FateUnknown",
    "LaafficClient",
    "LiaClient",
]
