"""The HTTP server: granian, embedded in this process's event loop."""

import asyncio
import contextlib
import os
import socket
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketSpec  # type: ignore[attr-defined]  # not in its stubs
from granian.server.embed import Server

HTTP_HEADER_TIMEOUT_MS: Final = 10_000  # a client that dribbles its headers is cut off
HTTP_UNREAD_TIMEOUT_MS: Final = 20_000  # a client that takes nothing of its answer for so long is cut off
HTTP_HEAD_BUFFER_BYTES: Final = 8192 + 4096 * 30  # the server's read buffer, which also bounds a header flood
HTTP_BACKLOG: Final = 4096
HTTP_START_TIMEOUT_S: Final = 15.0
SERVER: Final = "http"
"""The header `Server` of every response; without it granian would name itself."""


class _TimedServer(Server):
    """The server on a socket of ours: its options apply to every connection that it accepts."""

    def _init_shared_socket(self) -> None:
        shared: Any = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._shd = shared
        self._sfd = shared.get_fd()
        self._ssp = None
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if option is None:  # not on Linux
            return
        # The server buffers unread data without a limit, so a client that reads nothing is disconnected.
        with socket.socket(fileno=os.dup(shared.get_fd())) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, option, HTTP_UNREAD_TIMEOUT_MS)


class HttpServer:
    """Serves an application on one address; HTTP/1.1 alone, which the dialects' clients speak. It is an RSGI
    application, or an ASGI one without lifespan events.
    """

    def __init__(self, *, application: Any, host: str, port: int, interface: Interfaces = Interfaces.RSGI) -> None:
        self._server = _TimedServer(
            application,
            address=host,
            port=port,
            interface=interface,
            http=HTTPModes.http1,
            websockets=False,
            backlog=HTTP_BACKLOG,
            http1_settings=HTTP1Settings(
                header_read_timeout=HTTP_HEADER_TIMEOUT_MS,
                max_buffer_size=HTTP_HEAD_BUFFER_BYTES,
            ),
            log_enabled=False,
        )
        self._host = host
        self._port = port
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Returns when connections are accepted. Raises OSError when the address cannot be used."""
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(self._server.serve())
        deadline_s = loop.time() + HTTP_START_TIMEOUT_S
        while loop.time() < deadline_s:
            if self._serving.done():
                self._serving.result()
                raise OSError(f"the HTTP server stopped at start on {self._host}:{self._port}")
            with contextlib.suppress(OSError):
                _reader, writer = await asyncio.open_connection(self._host, self._port)
                writer.close()
                return
            await asyncio.sleep(0.01)
        raise OSError(f"nothing answers on {self._host}:{self._port}")

    async def close(self) -> None:
        """Stops listening; calls under way are finished."""
        self._server.stop()  # type: ignore[no-untyped-call]
        if self._serving:
            with contextlib.suppress(Exception):
                await self._serving
