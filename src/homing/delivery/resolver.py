"""Names of customers' addresses: looked up in threads of their own, since the system blocks one for as long as a name
server takes, and a customer can name servers that never answer.
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
ASKED_BY: Final = ContextVar("asked_by", default=0)
"""The account whose address is being connected to: the HTTP client hands a resolver the name alone."""


def system_lookup(host: str, port: int, family: int) -> Any:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)


class PushResolver(AbstractResolver):
    """Gives up on a name after a while, and after some of an account's names in a domain on all of these for a minute.
    An account's names have a few of the threads at most.
    """

    def __init__(self, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        self._executor = ThreadPoolExecutor(PUSH_RESOLVER_THREADS, "push-names")
        self._places: dict[int, asyncio.Semaphore] = {}
        self._failures: dict[tuple[int, str], tuple[int, float]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError when the name has no address, or none in time."""
        loop, account_id = asyncio.get_running_loop(), ASKED_BY.get()
        key = account_id, domain_of(host)
        count, until_s = self._failures.get(key, (0, 0.0))
        if count >= PUSH_RESOLVE_FAILURES and loop.time() < until_s:
            raise OSError(None, f"names of {key[1]} have not been found lately")
        looking: asyncio.Future[Any] | None = None
        try:
            async with asyncio.timeout(PUSH_RESOLVE_TIMEOUT_S):
                looking = await self._begin(account_id, host, port, family)
                found = await asyncio.shield(looking)
        except (OSError, TimeoutError) as error:
            if looking is None and isinstance(error, TimeoutError):
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
                family=found_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found_family, _kind, protocol, _name, address in found
        ]

    async def _begin(self, account_id: int, host: str, port: int, family: int) -> asyncio.Future[Any]:
        """Returns when the account has a thread free, which counts as its own until the look-up ends, however long ago
        its caller gave up.
        """
        places = self._places.setdefault(account_id, asyncio.Semaphore(PUSH_RESOLVES_PER_ACCOUNT_MAX))
        await places.acquire()

        def ended(looking: asyncio.Future[Any]) -> None:
            places.release()
            if not looking.cancelled():
                looking.exception()  # counts as seen: whoever waited may have gone

        try:
            looking = asyncio.get_running_loop().run_in_executor(self._executor, self._lookup, host, port, family)
        except RuntimeError as error:  # no thread can be had
            places.release()
            raise OSError(None, str(error)) from error
        looking.add_done_callback(ended)
        return looking

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def domain_of(host: str) -> str:
    """The last two labels: whoever owns them can make any number of names below."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])
