"""Names of hosts, looked up in threads of their own.

The loop's own way has a few threads for all of a process (uvloop: two at once), and the system blocks one for as long
as a name server takes. One vendor whose name server is silent would so keep every other name from being looked up.
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
    """`threads_max`: how many names are looked up at once; more wait for their turn."""

    def __init__(self, threads_max: int) -> None:
        self._places = asyncio.Semaphore(threads_max)

    async def look_up(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> Sequence[Address]:
        """An address stands for itself. Raises OSError (UnicodeError for what is no name) when there is none. A look-up
        that nobody waits for any more has its place until it ends; none keeps the process from ending.
        """
        with contextlib.suppress(ValueError):
            ip = ipaddress.ip_address(host.partition("%")[0])
            return [(socket.AF_INET if ip.version == 4 else socket.AF_INET6, host)]
        loop = asyncio.get_running_loop()
        await self._places.acquire()
        looking: asyncio.Future[Any] = loop.create_future()

        def ended(found: Any, failure: Exception | None) -> None:
            self._places.release()
            if looking.done():
                return
            if failure is None:
                looking.set_result(found)
            else:
                looking.set_exception(failure)

        def look() -> None:
            found, failure = None, None
            try:
                found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            except Exception as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(ended, found, failure)

        try:
            threading.Thread(target=look, name="names", daemon=True).start()
        except RuntimeError as error:  # no thread can be had
            self._places.release()
            raise OSError(None, str(error)) from error
        return [(kind, address[0]) for kind, _type, _protocol, _name, address in await looking]
