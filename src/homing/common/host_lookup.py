"""Look-ups of host names in threads of their own.

The event loop has a few threads for the whole process (uvloop: two), and a look-up blocks one for as long as the name
server takes. One vendor with a silent name server would keep every other name from being looked up.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Sequence
from typing import Any

Address = tuple[int, str]
"""A family of sockets, and an address of it as text."""


class HostLookup:
    """`threads_max`: concurrent look-ups; more wait."""

    def __init__(self, threads_max: int) -> None:
        self._threads = asyncio.Semaphore(threads_max)

    async def look_up(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Sequence[Address]:
        """The host's addresses; an address is returned as it is. Raises OSError when there is none, UnicodeError when
        the text is not a name. A cancelled look-up occupies its thread until it ends, but does not keep the process
        alive.
        """
        with contextlib.suppress(ValueError):
            ip = ipaddress.ip_address(host.partition("%")[0])
            return [(socket.AF_INET if ip.version == 4 else socket.AF_INET6, host)]
        loop = asyncio.get_running_loop()
        await self._threads.acquire()
        result: asyncio.Future[Any] = loop.create_future()

        def finish(addresses: Any, failure: Exception | None) -> None:
            self._threads.release()
            if result.done():
                return
            if failure is None:
                result.set_result(addresses)
            else:
                result.set_exception(failure)

        def resolve() -> None:
            addresses, failure = None, None
            try:
                addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            except Exception as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(finish, addresses, failure)

        try:
            threading.Thread(target=resolve, name="names", daemon=True).start()
        except RuntimeError as error:  # no thread can be had
            self._threads.release()
            raise OSError(None, str(error)) from error
        return [(kind, address[0]) for kind, _type, _protocol, _name, address in await result]
