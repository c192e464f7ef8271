"""Accepts connections over TLS and counts them from the start: asyncio makes a protocol only after the handshake, so
that connections which never finish one would not be counted.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import structlog

from homing import limits
from homing.api.smpp.unbound import UnboundConnections
from homing.smpp.connection import SmppConnection

SMPP_HANDSHAKE_S: Final = 10.0  # of TLS
PAUSE_S: Final = 0.1
"""After an accept that failed: the machine is short of a resource."""

log = structlog.get_logger()


class TlsHandshake:
    """A connection whose handshake is under way."""

    def __init__(self, work: "asyncio.Task[None]", peer: socket.socket) -> None:
        self._work = work
        self._peer = peer

    def close(self) -> None:
        self._work.cancel()


class TlsListener:
    """Accepts on one address, which several processes may share."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext,
        connect: Callable[[], SmppConnection],
        unbound: UnboundConnections[Any],
        has_room: Callable[[], bool],
    ) -> None:
        """`connect` makes a connection's protocol, which counts itself from its handshake on; until then it is among
        `unbound` as a `TlsHandshake`. `has_room`: whether one more may be taken. Raises OSError when the address cannot
        be had.
        """
        self._tls = tls
        self._connect = connect
        self._unbound = unbound
        self._has_room = has_room
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=limits.SMPP_BACKLOG, reuse_port=True)
        self._listener.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        self._accepting.cancel()
        self._listener.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, address = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("connection_not_accepted", detail=str(error))
                await asyncio.sleep(PAUSE_S)
                continue
            if not self._has_room():
                peer.close()
                continue
            work = loop.create_task(self._shake_hands(peer))
            handshake = TlsHandshake(work, peer)
            self._unbound.add(handshake, address[0])
            work.add_done_callback(functools.partial(self._forget, handshake))

    def _forget(self, handshake: TlsHandshake, _done: "asyncio.Task[None]") -> None:
        self._unbound.discard(handshake)

    async def _shake_hands(self, peer: socket.socket) -> None:
        """Returns when the connection is made; any failure closes it."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connect, peer, ssl=self._tls, ssl_handshake_timeout=SMPP_HANDSHAKE_S
            )
        except (OSError, asyncio.CancelledError):
            with contextlib.suppress(OSError):
                peer.close()
