"""Typed clients of both vendors' HTTP APIs, synchronous and asynchronous, for use with Homing or with the vendors.

Nothing of Homing's service is imported here. The guide is docs/integrate/clients.md.
"""

from homing.clients.call import CallTerms
from homing.clients.errors import ClientError, FateUnknown
from homing.clients.laaffic import AsyncLaafficClient, LaafficClient
from homing.clients.lia import AsyncLiaClient, LiaClient

__all__ = [
    "AsyncLaafficClient",
    "AsyncLiaClient",
    "CallTerms",
    "ClientError",
    "FateUnknown",
    "LaafficClient",
    "LiaClient",
]
