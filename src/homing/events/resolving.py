"""Names of customers' addresses: looked up in threads of their own, since the system blocks one for as long as a name
server takes, and a customer can name servers that never answer.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from homing import limits

Lookup = Callable[[str, int, int], Any]


def system_lookup(host: str, port: int, family: int) -> Any:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)


class PushResolver(AbstractResolver):
    """Gives up on a name after a while, and after some of a domain's names on all of them for a minute."""

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._executor = ThreadPoolExecutor(limits.PUSH_RESOLVER_THREADS, "push-names")
        self._failures: dict[str, tuple[int, float]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError when the name has no address, or none in time."""
        loop, domain = asyncio.get_running_loop(), domain_of(host)
        count, until_s = self._failures.get(domain, (0, 0.0))
        if count >= limits.PUSH_RESOLVE_FAILURES and loop.time() < until_s:
            raise OSError(None, f"names of {domain} have not been found lately")
        try:
            async with asyncio.timeout(limits.PUSH_RESOLVE_TIMEOUT_S):
                found = await loop.run_in_executor(self._executor, self._lookup, host, port, family)
        except (OSError, TimeoutError) as error:
            self._failures[domain] = count + 1, loop.time() + limits.PUSH_RESOLVE_REST_S
            if len(self._failures) > limits.PROFILES_MAX:
                self._failures.clear()
            raise OSError(None, str(error) or "no answer from the name server in time") from error
        self._failures.pop(domain, None)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _kind, protocol, _name, address in found
        ]

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def domain_of(host: str) -> str:
    """The last two labels: whoever owns them can make any number of names below."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])
