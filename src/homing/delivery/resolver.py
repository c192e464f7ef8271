"""Resolves the names in customers' addresses, in threads of its own: the system's resolver blocks a thread for as long
as a name server takes, and a customer can name servers that never answer.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from homing import limits

PUSH_RESOLVE_TIMEOUT_S: Final = 4.0
PUSH_RESOLVER_THREADS: Final = 32  # their own: names that never resolve hold up nothing else
PUSH_RESOLVES_PER_ACCOUNT_MAX: Final = 2  # threads that an account's names have at once: others have theirs
PUSH_RESOLVE_FAILURES: Final = 3  # of an account's names in a domain, then it has none of it looked up for a while
PUSH_RESOLVE_REST_S: Final = 60.0


Lookup = Callable[[str, int, int], Any]
CONNECTING_ACCOUNT_ID: Final = ContextVar("connecting_account_id", default=0)
"""The account whose address is being connected to: aiohttp passes the name alone to a resolver."""


def system_lookup(host: str, port: int, family: int) -> Any:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)


class PushResolver(AbstractResolver):
    """A resolver with a timeout. After some failures of an account's names in a domain, further ones fail at once for a
    minute. An account uses a few of the threads at most.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._executor = ThreadPoolExecutor(PUSH_RESOLVER_THREADS, "push-names")
        self._free_threads: dict[int, asyncio.Semaphore] = {}
        self._failures: dict[tuple[int, str], tuple[int, float]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError when the name has no address, or none is found in time."""
        loop, account_id = asyncio.get_running_loop(), CONNECTING_ACCOUNT_ID.get()
        key = account_id, domain_of(host)
        count, until_s = self._failures.get(key, (0, 0.0))
        if count >= PUSH_RESOLVE_FAILURES and loop.time() < until_s:
            raise OSError(None, f"names of {key[1]} have not been found lately")
        lookup: asyncio.Future[Any] | None = None
        try:
            async with asyncio.timeout(PUSH_RESOLVE_TIMEOUT_S):
                lookup = await self._start_lookup(account_id, host, port, family)
                addresses = await asyncio.shield(lookup)
        except (OSError, TimeoutError) as error:
            if lookup is None and isinstance(error, TimeoutError):
                raise OSError(None, "other names of the account are still being looked up") from error
            self._failures[key] = count + 1, loop.time() + PUSH_RESOLVE_REST_S
            if len(self._failures) > limits.PROFILES_MAX:
                self._failures.clear()
            raise OSError(None, str(error) or "no answer from the name server in time") from error
        self._failures.pop(key, None)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=address_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address_family, _kind, protocol, _name, address in addresses
        ]

    async def _start_lookup(self, account_id: int, host: str, port: int, family: int) -> asyncio.Future[Any]:
        """Waits for one of the account's threads and starts the look-up in it. The thread counts as the account's until
        the look-up ends, even if its caller has given up.
        """
        free_threads = self._free_threads.setdefault(account_id, asyncio.Semaphore(PUSH_RESOLVES_PER_ACCOUNT_MAX))
        await free_threads.acquire()

        def ended(lookup: asyncio.Future[Any]) -> None:
            free_threads.release()
            if not lookup.cancelled():
                lookup.exception()  # retrieved, or asyncio logs it when the caller has given up

        try:
            lookup = asyncio.get_running_loop().run_in_executor(self._executor, self._lookup, host, port, family)
        except RuntimeError as error:  # no thread can be started
            free_threads.release()
            raise OSError(None, str(error)) from error
        lookup.add_done_callback(ended)
        return lookup

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def domain_of(host: str) -> str:
    """The last two labels of a name: their owner can make any number of names below them."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])
