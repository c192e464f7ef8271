"""LISTEN and NOTIFY: a change is announced on a channel to every process that listens."""

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
    """`on_lost` is called whenever notices may have been missed."""

    on_notice: Callable[[str], None]
    on_lost: Callable[[], None]


class NotifyListener:
    """Listens on any number of channels over one connection, which is opened for the first subscription and reopened
    when it breaks.
    """

    def __init__(self, dsn: str) -> None:
        self._connector = Connector(dsn)
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._listened: set[str] = set()
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def listen(self, channel: str, on_notice: Callable[[str], None], on_lost: Callable[[], None]) -> None:
        """Runs until it is cancelled."""
        subscription = Subscription(on_notice, on_lost)
        self._subscriptions.setdefault(channel, []).append(subscription)
        if channel in self._listened:
            on_lost()
        self._changed.set()
        if self._listening is None:
            self._listening = asyncio.get_running_loop().create_task(self._run())
        try:
            await asyncio.shield(self._listening)
        finally:
            self._subscriptions[channel].remove(subscription)
            if self._listening is not None and not any(self._subscriptions.values()):
                self._listening.cancel()
                self._listening = None

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(*UNAVAILABLE_ERRORS, TimeoutError, asyncpg.PostgresError):
                raw = await self._connector.connect()
                try:
                    await self._serve(raw)
                finally:
                    self._listened.clear()
                    raw.terminate()
            for channel in self._subscriptions:
                self._report_lost(channel)
            await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)

    async def _serve(self, raw: Any) -> None:
        """Returns when the connection ends."""
        raw.add_termination_listener(lambda _connection: self._changed.set())
        while not raw.is_closed():
            self._changed.clear()
            for channel in [channel for channel in self._subscriptions if channel not in self._listened]:
                await raw.add_listener(channel, self._on_notice)
                self._listened.add(channel)
                self._report_lost(channel)
            await self._changed.wait()

    def _on_notice(self, _connection: object, _pid: int, channel: str, payload: str) -> None:
        for subscription in tuple(self._subscriptions[channel]):
            subscription.on_notice(payload)

    def _report_lost(self, channel: str) -> None:
        for subscription in tuple(self._subscriptions[channel]):
            subscription.on_lost()
