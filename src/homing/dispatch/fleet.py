"""Runs the carriers that this process owns: starts, stops and replaces them as settings and leases change."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog

from homing import errors, limits
from homing.carriers.base import Carrier, CarrierHealth, CarrierReport
from homing.carriers.kinds import make
from homing.carriers.sealing import open_text
from homing.common.crypto import Vault
from homing.common.durable import until_durable
from homing.dialects.base import Dialects
from homing.dispatch.answers import AnswerRecorder
from homing.dispatch.dispatcher import Dispatcher
from homing.dispatch.failover import Failover
from homing.dispatch.in_flight import InFlightMessages
from homing.dispatch.leases import CarrierLeases
from homing.dispatch.written_marks import WrittenMarks
from homing.model import Outstanding, Traffic
from homing.observe.logs import describe
from homing.observe.work import WorkMetrics
from homing.routing.lanes import lane_of
from homing.store import statements
from homing.store.alarms import CARRIER, UNUSABLE, clear_alarms, raise_alarm
from homing.store.database import Database
from homing.store.due_poller import DuePoller
from homing.store.loops import SupervisedLoop, run_supervised
from homing.store.statements.dispatch import EnabledCarrier

log = structlog.get_logger()

ReportSink = Callable[[int, str, Sequence[CarrierReport]], Awaitable[None]]
"""Stores a carrier's reports: carrier ID, carrier name, batch."""


class RunningCarrier:
    """A carrier with its dispatcher and the reader of its reports."""

    def __init__(
        self, *, row: EnabledCarrier, carrier: Carrier, dispatcher: Dispatcher, sink: ReportSink, database: Database
    ) -> None:
        self.row = row
        self._database = database
        self._carrier = carrier
        self._dispatcher = dispatcher
        self._sink = sink
        self._tasks: list[asyncio.Task[None]] = []
        self._failures: dict[str, object] = {}

    async def open(self, outstanding: Sequence[Outstanding]) -> None:
        """`outstanding`: the messages that wait for a receipt of this carrier."""
        await self._carrier.open()
        await self._carrier.resume(outstanding)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._run_supervised("sending_failed", self._dispatcher.run)),
            loop.create_task(self._run_supervised("reports_failed", self._read_reports)),
        ]

    def health(self) -> CarrierHealth:
        """The carrier's own health; down while its breaker is open. `work_failed` in the detail: the last unforeseen
        exception of its code, so that it is not only in the log.
        """
        health = self._carrier.health()
        is_closed = self._dispatcher.breaker_is_closed
        return CarrierHealth(
            health.is_up and is_closed,
            {**health.detail, **self._failures, "breaker": "closed" if is_closed else "open"},
        )

    async def close(self) -> None:
        """Stops claiming, waits for the answers of submits in flight, then closes the carrier."""
        if self._tasks:
            self._tasks[0].cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.CARRIER_CLOSE_TIMEOUT_S):
                await self._dispatcher.drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._carrier.close()

    async def _run_supervised(self, code: str, work: Callable[[], Awaitable[None]]) -> None:
        """Restarts work that ends or fails, and raises an alarm: a carrier must not stop unnoticed."""

        async def endless() -> None:
            await work()
            raise RuntimeError("it ended")

        def failed(error: Exception) -> None:
            when = datetime.now(UTC).isoformat(timespec="seconds")
            self._failures = {"work_failed": {**describe(error), "when": when}}

        pause_s = limits.DISPATCH_ERROR_PAUSE_S
        loop = SupervisedLoop(CARRIER, code, self.row.name)
        await run_supervised(loop, endless, self._database, pause_s=pause_s, pause_s_max=pause_s, on_failure=failed)

    async def _read_reports(self) -> None:
        async for batch in self._carrier.reports():
            await self._store_reports(batch)

    async def _store_reports(self, batch: Sequence[CarrierReport]) -> None:
        """Retries until the reports are durable: the carrier discards a batch when it is asked for the next one."""
        name = self.row.name
        await until_durable(
            lambda reports: self._sink(self.row.carrier_id, name, reports),
            batch,
            on_failure=lambda _reports, failure: log.warning(
                "database_unavailable", component="receipts", carrier=name, failure=str(failure)
            ),
            on_refused=lambda _report: log.error("report_refused", carrier=name),
            pause_s=limits.DISPATCH_ERROR_PAUSE_S,
        )


class CarrierFleet:
    """Runs the enabled carriers for which this process holds a lease."""

    def __init__(
        self,
        *,
        database: Database,
        sink: ReportSink,
        owner: str,
        due_poller: DuePoller,
        clock: Callable[[], datetime],
        work_metrics: WorkMetrics,
        rng: random.Random,
        failover: Failover,
        unknown_retry_s: float,
        vault: Vault,
        marks: WrittenMarks,
        dialects: Dialects,
    ) -> None:
        """`vault` decrypts the carriers' secrets. `marks` are open."""
        self._dialects = dialects
        self._marks = marks
        self._vault = vault
        self._database = database
        self._sink = sink
        self._owner = owner
        self._due_poller = due_poller
        self._clock = clock
        self._work_metrics = work_metrics
        self._rng = rng
        self._failover = failover
        self._unknown_retry_s = unknown_retry_s
        self._leases = CarrierLeases(database, owner)
        self._running: dict[int, RunningCarrier] = {}
        self._closing: dict[int, asyncio.Task[None]] = {}
        self._unusable: dict[int, EnabledCarrier] = {}  # an alarm stands for each
        self._in_flight: dict[int, InFlightMessages] = {}
        self._start_after_s = 0.0
        self._is_closing = False
        self._was_unavailable = False
        self._wake_up = asyncio.Event()
        self._reconciler: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._reconcile()
        self._reconciler = asyncio.get_running_loop().create_task(self._reconcile_regularly())

    async def close(self) -> None:
        """Closes all carriers. Leases are renewed until the last one is closed, since its submits are still
        in flight.
        """
        self._is_closing = True
        for carrier_id in list(self._running):
            self._stop(carrier_id)
        await asyncio.gather(*self._closing.values(), return_exceptions=True)
        if self._reconciler:
            self._reconciler.cancel()
            await asyncio.gather(self._reconciler, return_exceptions=True)

    def settings_changed(self, _account: str) -> None:
        self._wake_up.set()

    def settings_missed(self) -> None:
        self._wake_up.set()

    async def _reconcile_regularly(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.CARRIER_LEASE_TICK_S):
                    await self._wake_up.wait()
            self._wake_up.clear()
            try:
                await self._reconcile()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="carrier_leases", failure=str(failure))
                self._was_unavailable = True
            except Exception as error:  # must go on: the leases of all carriers are renewed here
                log.error("carriers_not_reconciled", **describe(error))
            if not self._leases.are_valid:
                await self._abandon()

    async def _reconcile(self) -> None:
        enabled = [] if self._is_closing else await statements.dispatch.carriers_enabled(self._database)
        if self._was_unavailable:  # the database is back: processes with answers in memory get the time to store them
            self._was_unavailable = False
            self._start_after_s = time.monotonic() + limits.CARRIER_RETURN_GRACE_S
        rows = {row.carrier_id: row for row in enabled}
        usable = [carrier_id for carrier_id, row in rows.items() if self._unusable.get(carrier_id) != row]
        owned = await self._leases.tick(
            usable, {carrier_id: running.health() for carrier_id, running in self._running.items()}
        )
        for carrier_id, running in list(self._running.items()):
            if carrier_id not in owned or rows.get(carrier_id) != running.row:
                self._stop(carrier_id)
        for carrier_id in set(self._unusable) - set(rows):
            await clear_alarms(self._database, CARRIER, UNUSABLE, self._unusable.pop(carrier_id).name)
        idle = owned - set(self._running) - set(self._closing)
        if time.monotonic() >= self._start_after_s:
            for carrier_id in sorted(idle.intersection(usable)):
                await self._start(rows[carrier_id])
        if idle.difference(usable):  # disabled after the lease was taken and before they were started
            await self._leases.release(idle.difference(usable))
        surplus = self._leases.surplus()
        if surplus in self._running:
            log.info("carrier_released", carrier=self._running[surplus].row.name)
            self._stop(surplus)

    def _stop(self, carrier_id: int) -> None:
        """Closes a carrier and then releases its lease, in the background: meanwhile all leases are renewed."""
        running = self._running.pop(carrier_id)

        async def stop() -> None:
            try:
                await running.close()
                with contextlib.suppress(errors.PlatformFailure):
                    await clear_alarms(self._database, CARRIER, None, running.row.name)
                    await self._leases.release({carrier_id})
            except Exception as error:
                log.error("carrier_close_failed", carrier=running.row.name, **describe(error))
            finally:
                del self._closing[carrier_id]
                self._wake_up.set()

        self._closing[carrier_id] = asyncio.get_running_loop().create_task(stop())

    async def _abandon(self) -> None:
        """Closes all carriers at once: the leases have ended unrenewed, and other processes may have taken them."""
        lost_ids = self._leases.forget_all()
        log.error("carrier_leases_lost", carriers=len(lost_ids))
        lost = [self._running.pop(carrier_id) for carrier_id in lost_ids if carrier_id in self._running]
        results = await asyncio.gather(*(running.close() for running in lost), return_exceptions=True)
        for running, result in zip(lost, results, strict=True):
            if isinstance(result, Exception):
                log.error("carrier_close_failed", carrier=running.row.name, **describe(result))

    async def _start(self, row: EnabledCarrier) -> None:
        carrier_id = row.carrier_id
        try:
            settings = open_text(self._vault, row.name, row.kind, row.settings)
            carrier = make(row.kind, settings, self._rng, self._clock)
        except errors.InvalidInput as error:
            log.error("carrier_unusable", carrier=row.name, detail=str(error))
            await raise_alarm(self._database, CARRIER, UNUSABLE, row.name, {"text": str(error)})
            self._unusable[carrier_id] = row
            await self._leases.release({carrier_id})
            return
        await clear_alarms(self._database, CARRIER, None, row.name)  # of an earlier process
        recorder = AnswerRecorder(
            database=self._database,
            carrier_id=carrier_id,
            failover=self._failover,
            clock=self._clock,
            rng=self._rng,
            unknown_retry_s=self._unknown_retry_s,
            dialects=self._dialects,
        )
        dispatcher = Dispatcher(
            database=self._database,
            carrier_id=carrier_id,
            name=row.name,
            carrier=carrier,
            owner=self._owner,
            due_poller=self._due_poller,
            clock=self._clock,
            work_metrics=self._work_metrics,
            recorder=recorder,
            health_changed=self._wake_up.set,
            in_flight=self._in_flight.setdefault(carrier_id, InFlightMessages()),
            marks=self._marks,
            dialects=self._dialects,
        )
        await statements.dispatch.claims_release(
            self._database, lanes=[lane_of(carrier_id, traffic) for traffic in Traffic], owner=self._owner
        )
        outstanding = await statements.dispatch.carrier_outstanding(
            self._database, carrier_id=carrier_id, rows_max=limits.OUTSTANDING_MAX
        )
        running = RunningCarrier(
            row=row, carrier=carrier, dispatcher=dispatcher, sink=self._sink, database=self._database
        )
        await running.open(
            [Outstanding(sent.carrier_ref, sent.number, sent.sender, sent.sent_at) for sent in outstanding]
        )
        self._running[carrier_id] = running
        log.info("carrier_started", carrier=row.name, kind=row.kind, outstanding=len(outstanding))
