"""What every role stands on, and the one stack on which all that a process opens is closed again in reverse."""

import asyncio
import contextlib
import functools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, Self, TypeVar

import structlog
from prometheus_client import CollectorRegistry

from homing import errors, limits
from homing.common import crypto
from homing.common.steady_clock import SteadyClock
from homing.config import Settings
from homing.dialects.base import Dialects
from homing.observe.metrics import MetricsExporter
from homing.roles import METRICS, RUN
from homing.store.alarms import PROCESS, clear_alarms
from homing.store.clock_watch import ClockWatch
from homing.store.database import Database
from homing.store.id_nodes import IdNodeLease
from homing.store.loops import SupervisedLoop, run_supervised
from homing.store.owners import machine, owner_of
from homing.store.settings_notices import SettingsSubscriber, follow_settings

log = structlog.get_logger()


class Part(Protocol):
    """What is opened before it works and closed when the process ends."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


AnyPart = TypeVar("AnyPart", bound=Part)


class Runtime:
    """Settings, dialects, database, id node, clock and metrics of a process, and whatever its role opens.

    `async with` opens what every role needs. The role then enters its parts (`enter`), registers what must be drained
    (`on_close`) and starts its loops (`background`); all of it ends in the reverse order, also when a later part fails
    to open. What does not end in time is cancelled: `undrained` names it.

        async with Runtime(data=data, settings=settings, dsn=dsn, process="link-1", dialects=dialects) as runtime:
            catalogue = await runtime.enter(CatalogueCache(runtime.database))
    """

    def __init__(self, *, data: Path, settings: Settings, dsn: str, process: str, dialects: Dialects) -> None:
        """`process`: its name, unique on this machine, such as `api-1`."""
        self.data = data
        self.settings = settings
        self.dsn = dsn
        self.process = process
        self.dialects = dialects
        self.database = Database(dsn=dsn, name=f"homing {process}")
        self.owner = owner_of(process)
        self.place = f"{machine()} {process}"
        self.clock = SteadyClock(step_s_min=limits.CLOCK_STEP_S_MIN)
        self.node = IdNodeLease(self.database, self.owner, self.clock.unix_ms)
        self.registry = CollectorRegistry()
        self.metrics = MetricsExporter(self.registry, data / RUN / METRICS, process)
        self.is_draining = False
        self.undrained: list[str] = []
        self._own = contextlib.AsyncExitStack()  # what every role needs; closed after the role's parts
        self._parts = contextlib.AsyncExitStack()
        self._stack = self._own
        self._deadline_s: float | None = None  # of the event loop's clock; None: nothing hurries

    async def __aenter__(self) -> Self:
        """Raises `DatabaseUnavailable` when there is no database."""
        try:
            self.on_close(self.metrics.close)
            clock_watch = ClockWatch(self.database, self.clock, self.place)
            await self.enter(self.database)
            await clock_watch.open()
            await self.enter(self.node)
            with contextlib.suppress(errors.PlatformFailure):
                await clear_alarms(self.database, PROCESS, None, self.place)  # of an earlier process of this name
            self.background("metrics", self.metrics.run)
            self.background("clock", clock_watch.run)
        except BaseException:
            await self._own.aclose()
            raise
        self._stack = self._parts
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Closes the role's parts within `DRAIN_TIMEOUT_S`, then what every role needs within as much again."""
        self.is_draining = True
        try:
            await self._close(self._parts)
        finally:
            await self._close(self._own)

    async def _close(self, stack: contextlib.AsyncExitStack) -> None:
        self._deadline_s = asyncio.get_running_loop().time() + limits.DRAIN_TIMEOUT_S
        await stack.aclose()

    async def enter(self, part: AnyPart) -> AnyPart:
        """Opens a part, and has it closed when the process ends. Raises what its `open` does."""
        await part.open()
        self.on_close(part.close)
        return part

    def on_close(self, close: Callable[[], Awaitable[None] | None]) -> None:
        """Has `close` called before anything that was entered earlier is closed."""
        self._stack.push_async_callback(self._within_deadline, close)

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs a loop until the process ends. One that fails is started again after a pause, which grows: a process
        that can still answer does not end for it. Its failure stands as an alarm until it has gone a minute without.
        """
        loop = SupervisedLoop(PROCESS, f"{name}_failed", self.place)
        task = asyncio.get_running_loop().create_task(run_supervised(loop, work, self.database))

        async def cancel() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.on_close(cancel)

    def follow_settings(self, *subscribers: SettingsSubscriber) -> None:
        """Tells parts that keep settings in memory when they have changed."""
        self.background("settings_notices", lambda: follow_settings(self.database, subscribers))

    @functools.cached_property
    def vault(self) -> crypto.Vault:
        """Opens and seals the secrets at rest. Raises OSError or ValueError for a key that cannot be used."""
        return crypto.Vault(crypto.load_key(os.environ.get("HOMING_SECRET_KEY", ""), self.data / "secret.key"))

    async def _within_deadline(self, close: Callable[[], Awaitable[None] | None]) -> None:
        try:
            async with asyncio.timeout_at(self._deadline_s):
                closing = close()
                if closing is not None:
                    await closing
        except TimeoutError:
            self.undrained.append(getattr(close, "__qualname__", repr(close)))
