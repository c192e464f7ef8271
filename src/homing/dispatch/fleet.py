"""The enabled carriers, as running parts: started, stopped and replaced as the settings say."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import structlog

from homing import errors, limits
from homing.carriers.base import Carrier, Report
from homing.carriers.kinds import make
from homing.dispatch.dispatcher import Dispatcher
from homing.model import Outstanding
from homing.observe.work import WorkTally
from homing.store.database import Database, Record
from homing.store.pulse import Pulse

log = structlog.get_logger()

ReportSink = Callable[[int, str, Sequence[Report]], Awaitable[None]]
"""Makes a carrier's reports durable: its id, its name, a batch."""


class Running:
    """One carrier with its dispatcher and its reader of reports."""

    def __init__(self, row: Record, carrier: Carrier, dispatcher: Dispatcher, sink: ReportSink) -> None:
        self.row = row
        self._carrier = carrier
        self._dispatcher = dispatcher
        self._sink = sink
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, outstanding: Sequence[Outstanding]) -> None:
        await self._carrier.open()
        await self._carrier.resume(outstanding)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._for_ever(self._dispatcher.run)),
            loop.create_task(self._for_ever(self._read)),
        ]

    async def close(self) -> None:
        """Claims no more, waits for the answers under way, then lets the carrier go."""
        if self._tasks:
            self._tasks[0].cancel()
        await self._dispatcher.drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._carrier.close()

    async def _for_ever(self, work: Callable[[], Awaitable[None]]) -> None:
        """What must not end is started again: a carrier that stopped in silence is the worst of failures."""
        while True:
            try:
                await work()
                log.error("carrier_work_ended", carrier=self.row["name"])
            except Exception as error:
                log.error("carrier_work_failed", carrier=self.row["name"], error=type(error).__name__)
            await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)

    async def _read(self) -> None:
        async for batch in self._carrier.reports():
            await self._keep(batch)

    async def _keep(self, batch: Sequence[Report]) -> None:
        """Until they are durable: the carrier forgets a batch when it is asked for the next."""
        while True:
            try:
                await self._sink(self.row["carrier_id"], self.row["name"], batch)
                return
            except errors.PlatformFailure as failure:
                log.warning("receipts_wait", carrier=self.row["name"], failure=str(failure))
                if isinstance(failure, errors.StoreFailed) and failure.poison:
                    await self._keep_halves(batch)
                    return
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)

    async def _keep_halves(self, batch: Sequence[Report]) -> None:
        """A report that the database refuses is found by halving, and is all that is lost."""
        if len(batch) == 1:
            log.error("report_refused", carrier=self.row["name"])
            return
        middle = len(batch) // 2
        await self._keep(batch[:middle])
        await self._keep(batch[middle:])


class Fleet:
    """Keeps as many carriers running as are enabled in the database."""

    def __init__(
        self,
        database: Database,
        sink: ReportSink,
        owner: str,
        pulse: Pulse,
        clock: Callable[[], datetime],
        tally: WorkTally,
        chance: random.Random,
    ) -> None:
        self._database = database
        self._sink = sink
        self._owner = owner
        self._pulse = pulse
        self._clock = clock
        self._tally = tally
        self._chance = chance
        self._running: dict[int, Running] = {}
        self._unusable: dict[int, Record] = {}  # told once
        self._stale = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._reconcile()
        self._follower = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        if self._follower:
            self._follower.cancel()
        await asyncio.gather(*(running.close() for running in self._running.values()))

    def changed(self) -> None:
        self._stale.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), limits.PROFILE_AGE_S_MAX)
            self._stale.clear()
            try:
                await self._reconcile()
            except errors.PlatformFailure:
                self._stale.set()
                await asyncio.sleep(limits.DISPATCH_ERROR_PAUSE_S)

    async def _reconcile(self) -> None:
        wanted = {row["carrier_id"]: row for row in await self._database.fetch("carriers_enabled")}
        for carrier_id, running in list(self._running.items()):
            if wanted.get(carrier_id) != running.row:
                del self._running[carrier_id]
                await running.close()
        for carrier_id, row in wanted.items():
            if carrier_id not in self._running:
                await self._start(row)

    async def _start(self, row: Record) -> None:
        if self._unusable.get(row["carrier_id"]) == row:
            return
        try:
            carrier = make(row["kind"], row["settings"])
        except errors.OperatorError as error:
            self._unusable[row["carrier_id"]] = row
            log.error("carrier_unusable", carrier=row["name"], detail=str(error))
            return
        dispatcher = Dispatcher(
            self._database,
            row["carrier_id"],
            row["name"],
            carrier,
            self._owner,
            self._pulse,
            self._clock,
            self._tally,
            self._chance,
        )
        found = await self._database.fetch("carrier_outstanding", row["carrier_id"], limits.OUTSTANDING_MAX)
        running = Running(row, carrier, dispatcher, self._sink)
        await running.open(
            [Outstanding(one["carrier_ref"], one["number"], one["sender"], one["sent_at"]) for one in found]
        )
        self._running[row["carrier_id"]] = running
        log.info("carrier_started", carrier=row["name"], kind=row["kind"], outstanding=len(found))
