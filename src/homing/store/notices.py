"""Notices: who changes something tells it on a channel, and every process that listens hears of it."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import msgspec

from homing import limits
from homing.store.connecting import Connector
from homing.store.unavailable import UNAVAILABLE_ERRORS

SETTINGS_CHANNEL: Final = "homing_settings"
"""A setting has changed; the payload is the account's id, or 0."""


class Subscription(msgspec.Struct, frozen=True):
    """`lost` is called whenever notices may have been missed."""

    heard: Callable[[str], None]
    lost: Callable[[], None]


class NotifyListener:
    """Listens on any number of channels by one connection, which it opens for the first listener and opens again when
    it breaks.
    """

    def __init__(self, dsn: str) -> None:
        self._connector = Connector(dsn)
        self._ears: dict[str, list[Subscription]] = {}
        self._attended: set[str] = set()
        self._woken = asyncio.Event()
        self._hearing: asyncio.Task[None] | None = None

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """For ever; cancel it to listen no more."""
        ear = Subscription(heard, lost)
        self._ears.setdefault(channel, []).append(ear)
        if channel in self._attended:
            lost()
        self._woken.set()
        if self._hearing is None:
            self._hearing = asyncio.get_running_loop().create_task(self._hear())
        try:
            await asyncio.shield(self._hearing)
        finally:
            self._ears[channel].remove(ear)
            if self._hearing is not None and not any(self._ears.values()):
                self._hearing.cancel()
                self._hearing = None

    async def _hear(self) -> None:
        while True:
            with contextlib.suppress(*UNAVAILABLE_ERRORS, TimeoutError, asyncpg.PostgresError):
                raw = await self._connector.connect()
                try:
                    await self._attend(raw)
                finally:
                    self._attended.clear()
                    raw.terminate()
            for channel in self._ears:
                self._tell_lost(channel)
            await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)

    async def _attend(self, raw: Any) -> None:
        """Until the connection ends."""
        raw.add_termination_listener(lambda _connection: self._woken.set())
        while not raw.is_closed():
            self._woken.clear()
            for channel in [channel for channel in self._ears if channel not in self._attended]:
                await raw.add_listener(channel, self._on_notice)
                self._attended.add(channel)
                self._tell_lost(channel)
            await self._woken.wait()

    def _on_notice(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for ear in tuple(self._ears[channel]):
            ear.heard(payload)

    def _tell_lost(self, channel: str) -> None:
        for ear in tuple(self._ears[channel]):
            ear.lost()
