"""Names of carriers' hosts, for aiohttp: each carrier's are looked up in threads of its own, so that one silent name
server does not hold up the other carriers.
"""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from homing import limits
from homing.common.host_lookup import HostLookup


class CarrierResolver(AbstractResolver):
    def __init__(self) -> None:
        self._names = HostLookup(limits.CARRIER_NAMES_THREADS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address in await self._names.look_up(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing to close."""
