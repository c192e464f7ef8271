"""The composition root: each role builds its parts in order, runs until it is told to stop, and closes in reverse."""

import asyncio
import contextlib
import gc
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import structlog
from granian.constants import Interfaces
from prometheus_client import CollectorRegistry, disable_created_metrics

from homing import config, errors, limits
from homing.accounts.directory import Directory
from homing.accounts.query_budget import QueryBudget
from homing.aggregation.aggregator import AggregateListener, Aggregator
from homing.aggregation.guard_listener import GuardListener
from homing.aggregation.routing_listener import RoutingListener
from homing.api.http.adapter import HttpAdapter
from homing.api.http.auth_guard import AuthGuard
from homing.api.http.carrier_webhooks import CarrierWebhooks, PushingCarriers
from homing.api.http.health import HealthEndpoints
from homing.api.http.wire import HttpEndpoint
from homing.api.smpp.server import SmppServer
from homing.common import crypto
from homing.common.steady_clock import SteadyClock
from homing.config import Settings
from homing.console.app import Console
from homing.console.app_state import AppState
from homing.conversions.recorder import ConversionRecorder
from homing.delivery.pusher import Pusher
from homing.delivery.safe_http import SafeHttpClient
from homing.dialects.base import Dialects
from homing.dialects.registry import DIALECTS
from homing.dialects.serving import HttpDialect, Services
from homing.dispatch.expiry import ExpirySweep
from homing.dispatch.failover import Failover
from homing.dispatch.fleet import CarrierFleet
from homing.dispatch.reroute import RerouteSweep
from homing.dispatch.written_marks import WrittenMarks
from homing.guard.service import GuardService
from homing.guard.snapshot import GuardSnapshot
from homing.intake.intake import Intake
from homing.learning.posteriors import RoutingLearner
from homing.ledger.balances import BalanceReader
from homing.messages.lookup import MessageLookup
from homing.observe import logs
from homing.observe.http import HttpMetrics
from homing.observe.metrics import MetricsExporter
from homing.observe.work import WorkMetrics
from homing.receipts.inbound_messages import InboundMessages
from homing.receipts.inbox import ReceiptInbox
from homing.receipts.late_answers import LateAnswers
from homing.receipts.report_store import ReportStore
from homing.roles import MARKS, METRICS, READY, RUN
from homing.routing.catalogue_cache import CatalogueCache
from homing.serving import HttpServer
from homing.statistics.rollup import forget_old
from homing.store.alarms import GUARD, LEARNER, PROCESS, clear_alarms
from homing.store.clock_watch import ClockWatch
from homing.store.database import FREE_PLANS, Database
from homing.store.due_poller import DuePoller
from homing.store.id_nodes import IdNodeLease
from homing.store.loops import SupervisedLoop, run_supervised
from homing.store.maintenance import run_maintenance
from homing.store.notices import SETTINGS_CHANNEL
from homing.text.numbers import Numbering

log = structlog.get_logger()


class ProcessRole(Protocol):
    """A part that runs as a process of its own."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...


class Runtime:
    """What every role needs: settings, dialects, database, id node, metrics, and background tasks that end with it."""

    def __init__(self, data: Path, settings: Settings, dsn: str, process: str, dialects: Dialects) -> None:
        self.dialects = dialects
        self.data = data
        self.settings = settings
        self.process = process
        self.dsn = dsn
        self.database = Database(dsn, name=f"homing {process}")
        self.owner = f"{_machine()}:{os.getpid()}:{process}"
        self.clock = SteadyClock(step_s_min=limits.CLOCK_STEP_S_MIN)
        self.place = f"{_machine()} {self.process}"
        self._clock_watch = ClockWatch(self.database, self.clock, self.place)
        self.node = IdNodeLease(self.database, self.owner, self.clock.unix_ms)
        self.registry = CollectorRegistry()
        self.metrics = MetricsExporter(self.registry, data / RUN / METRICS, process)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        await self.database.open()
        await self._clock_watch.open()
        await self.node.open()
        with contextlib.suppress(errors.PlatformFailure):
            await clear_alarms(self.database, PROCESS, None, self.place)  # of this process's former life
        self.background("metrics", self.metrics.write_for_ever)
        self.background("clock", self._clock_watch.run)

    async def close(self) -> None:
        for task in reversed(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.node.close()
        await self.database.close()
        self.metrics.close()

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Runs a loop until we close. One that fails is started again after a pause, which grows: a process that can
        still answer does not end for it. That it fails stands as an alarm until it has gone a minute without.
        """
        loop = SupervisedLoop(PROCESS, f"{name}_failed", self.place)
        task = asyncio.get_running_loop().create_task(run_supervised(loop, work, self.database))
        self._tasks.append(task)
        return task


def _machine() -> str:
    """The host, and where processes are counted apart from it (containers) that count: whose process ids are ours."""
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid").strip("pid:[]")
        return f"{socket.gethostname()}/{namespace}"
    return socket.gethostname()


class ApiRole:
    """The data plane: the dialects over HTTP, and what carriers push."""

    def __init__(self, runtime: Runtime) -> None:
        settings, database = runtime.settings, runtime.database
        self._runtime = runtime
        self._board = CatalogueCache(database)
        key = crypto.load_key(os.environ.get("HOMING_SECRET_KEY", ""), runtime.data / "secret.key")
        self._directory = Directory(database, crypto.Vault(key), runtime.dialects.email_keyed)
        numbering = Numbering.load()
        self._guard = GuardService(database, runtime.clock.unix_s)
        self._intake = Intake(database, self._board, numbering, runtime.node.next_id, runtime.clock, self._guard.check)
        self._carriers = PushingCarriers(database, crypto.Vault(key), runtime.clock)
        self._inbox = ReceiptInbox(database, runtime.clock, WorkMetrics(runtime.registry), runtime.dialects)
        self._mail = InboundMessages(database, numbering, runtime.node.next_id, runtime.dialects)
        self._feedback = ConversionRecorder(database, runtime.clock)
        self._auth = AuthGuard(database, runtime.registry, runtime.dialects)
        self._draining = False
        tally = HttpMetrics()
        runtime.registry.register(tally)
        self._http = HttpAdapter(self._endpoints(), config.networks(settings.http.trusted_proxies), tally)
        self._server = HttpServer(self._http, *config.host_port(settings.http.address))

    def _endpoints(self) -> Mapping[str, HttpEndpoint]:
        database = self._runtime.database
        services = Services(
            directory=self._directory,
            auth_guard=self._auth,
            intake=self._intake,
            balances=BalanceReader(database),
            lookup=MessageLookup(database),
            query_budget=QueryBudget(),
            feedback=self._feedback,
            database=database,
            steady_s=self._runtime.clock.unix_s,
        )
        health = HealthEndpoints(database, self._runtime.metrics, lambda: self._draining, self._runtime.data)
        late = LateAnswers(database, self._runtime.clock, self._runtime.dialects)
        pushes = CarrierWebhooks(self._carriers, ReportStore(self._inbox, self._mail, late).keep)
        return {**self._dialect_endpoints(services), **health.endpoints(), **pushes.endpoints()}

    def _dialect_endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        """Raises ValueError where two dialects serve one path."""
        found: dict[str, HttpEndpoint] = {}
        for dialect in self._runtime.dialects:
            if isinstance(dialect, HttpDialect):
                own = msgspec.structs.replace(services, settings=self._runtime.settings.dialects.get(dialect.name))
                endpoints = dialect.endpoints(own)
                if taken := found.keys() & endpoints.keys():
                    raise ValueError(f"{dialect.name} serves a path of another dialect: {', '.join(sorted(taken))}")
                found |= endpoints
        return found

    async def open(self) -> None:
        await self._board.open()
        await self._guard.open()

        def heard(account: str) -> None:
            self._directory.changed(account)
            self._board.changed()
            self._carriers.changed()

        def lost() -> None:
            self._directory.forget_all()
            self._board.changed()
            self._carriers.changed()

        self._runtime.background("notices", lambda: self._runtime.database.listen(SETTINGS_CHANNEL, heard, lost))
        self._runtime.background("learn", self._learn)
        with contextlib.suppress(errors.PlatformFailure):
            await self._auth.share()
        self._runtime.background("password_guard", self._auth.share_for_ever)
        await self._server.open()

    async def _learn(self) -> None:
        """What the pushed receipts teach; the link's process learns beside its parked ones."""
        while True:
            await asyncio.sleep(limits.RECEIPT_LEARN_S)
            with contextlib.suppress(errors.PlatformFailure):
                await self._inbox.learn()

    async def close(self) -> None:
        """No new calls; those under way are answered, and what they were promised is committed."""
        self._draining = True
        await self._server.close()
        await self._http.drained()
        await self._intake.drained()
        await self._feedback.drained()
        await self._inbox.drained()
        await self._guard.close()
        await self._board.close()


class LinkRole:
    """The way out and back: carriers, receipts, pushes, timers."""

    def __init__(self, runtime: Runtime) -> None:
        database = runtime.database
        self._runtime = runtime
        tally = WorkMetrics(runtime.registry)
        chance = random.Random()  # noqa: S311 - jitter, not secrets
        self._pulse = DuePoller(database, runtime.clock)
        self._poster = SafeHttpClient(config.networks(runtime.settings.push.allowed_networks))
        self._pusher = Pusher(database, self._poster, self._pulse, runtime.clock, tally, chance, runtime.dialects)
        self._inbox = ReceiptInbox(database, runtime.clock, tally, runtime.dialects, self._pusher)
        self._mail = InboundMessages(database, Numbering.load(), runtime.node.next_id, runtime.dialects)
        self._board = CatalogueCache(database)
        failover = Failover(self._board)
        settings = runtime.settings.dispatch
        key = crypto.load_key(os.environ.get("HOMING_SECRET_KEY", ""), runtime.data / "secret.key")
        self._marks = WrittenMarks(runtime.data / RUN / MARKS, runtime.owner, runtime.clock)
        self._fleet = CarrierFleet(
            database,
            ReportStore(
                self._inbox,
                self._mail,
                LateAnswers(database, runtime.clock, runtime.dialects),
            ).keep,
            runtime.owner,
            self._pulse,
            runtime.clock,
            tally,
            chance,
            failover,
            settings.unknown_retry_s,
            crypto.Vault(key),
            self._marks,
            runtime.dialects,
        )
        self._rerouting = RerouteSweep(database, failover, runtime.clock, settings.queue_age_s)
        self._guard = GuardService(database, runtime.clock.unix_s)
        self._learning: RoutingListener | None = None
        self._watch: GuardListener | None = None
        self._brain = Aggregator(database, runtime.owner, runtime.clock, self._listeners())
        self._pushing: asyncio.Task[None] | None = None
        self._thinking: asyncio.Task[None] | None = None

    def _listeners(self) -> Mapping[str, Callable[[], AggregateListener]]:
        """Who draws conclusions from what changes, by component: what makes each."""

        def learning() -> RoutingListener:
            chance = random.Random()  # noqa: S311 - draws, not secrets
            self._learning = RoutingListener(lambda: self._board.catalogue, chance, snapshot)
            return self._learning

        def snapshot() -> GuardSnapshot:
            return self._watch.model.snapshot if self._watch else GuardSnapshot()

        def watch() -> GuardListener:
            self._watch = GuardListener(lambda: self._learning.learner if self._learning else RoutingLearner())
            return self._watch

        return {LEARNER: learning, GUARD: watch}

    async def open(self) -> None:
        await self._poster.open()
        await self._board.open()
        await self._guard.open()
        self._marks.open()
        await self._fleet.open()
        runtime = self._runtime

        def heard(_account: str) -> None:
            self._board.changed()
            self._fleet.changed()

        def lost() -> None:
            self._board.changed()
            self._fleet.changed()

        runtime.background("notices", lambda: runtime.database.listen(SETTINGS_CHANNEL, heard, lost))
        runtime.background("reroute", self._rerouting.run)
        runtime.background("pulse", self._pulse.run)
        self._pushing = runtime.background("pusher", self._pusher.run)
        runtime.background("parked_receipts", self._inbox.retry_parked)
        runtime.background("unmatched_inbound", self._mail.replay_for_ever)
        runtime.background("expiry", ExpirySweep(runtime.database, runtime.clock, runtime.dialects).run)
        runtime.background("housekeeping", lambda: run_maintenance(runtime.database, runtime.dsn, self._forget_old))
        self._thinking = runtime.background("statistics", self._brain.run)

    async def _forget_old(self) -> None:
        await forget_old(self._runtime.database, self._runtime.clock())

    async def close(self) -> None:
        """No new binds and no new claims; what carriers were given is answered for, and receipts at hand are stored."""
        if self._pushing:
            self._pushing.cancel()
        if self._thinking:
            self._thinking.cancel()
            await asyncio.gather(self._thinking, return_exceptions=True)
            await self._brain.release()
        await self._fleet.close()
        self._marks.close()
        await self._inbox.drained()
        await self._pusher.drained()
        await self._poster.close()
        await self._guard.close()
        await self._board.close()


class SmppRole:
    """The data plane of customers' binds: a process of its own, so that nothing a customer does over SMPP keeps the
    carriers' sessions, or the HTTP dialects, from their turn.
    """

    def __init__(self, runtime: Runtime) -> None:
        database = runtime.database
        self._runtime = runtime
        self._board = CatalogueCache(database)
        self._guard = GuardService(database, runtime.clock.unix_s)
        key = crypto.load_key(os.environ.get("HOMING_SECRET_KEY", ""), runtime.data / "secret.key")
        self._server = SmppServer(
            settings=runtime.settings.smpp,
            database=database,
            directory=Directory(database, crypto.Vault(key), runtime.dialects.email_keyed),
            intake=Intake(
                database, self._board, Numbering.load(), runtime.node.next_id, runtime.clock, self._guard.check
            ),
            next_id=runtime.node.next_id,
            owner=runtime.owner,
            clock=runtime.clock,
            tally=WorkMetrics(runtime.registry),
            chance=random.Random(),  # noqa: S311 - jitter, not secrets
            registry=runtime.registry,
            dialects=runtime.dialects,
        )

    async def open(self) -> None:
        await self._board.open()
        await self._guard.open()
        runtime = self._runtime

        def heard(account: str) -> None:
            self._board.changed()
            self._server.changed(account)

        def lost() -> None:
            self._board.changed()
            self._server.forget()

        runtime.background("notices", lambda: runtime.database.listen(SETTINGS_CHANNEL, heard, lost))
        await self._server.open(runtime.background)

    async def close(self) -> None:
        """Binds are ended in good order: what was asked is answered, what was delivered is written down."""
        await self._server.close()
        await self._guard.close()
        await self._board.close()


class ConsoleRole:
    """The control plane: the operators' and customers' web pages."""

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        key = crypto.load_key(os.environ.get("HOMING_SECRET_KEY", ""), runtime.data / "secret.key")
        self._database = Database(
            runtime.dsn, limits.CONSOLE_CONNECTIONS_MAX, FREE_PLANS, name=f"homing {runtime.process} pages"
        )
        url = settings.console.reached_at
        self._poster = SafeHttpClient(config.networks(settings.push.allowed_networks))
        self._shared = AppState(
            self._database,
            crypto.Vault(key),
            runtime.clock,
            url.startswith("https:"),
            settings.http.reached_at,
            self._poster,
            url,
            config.by_heading(settings),
            dialects=runtime.dialects,
        )
        console = Console(self._shared, url, config.networks(settings.http.trusted_proxies))
        host, port = config.host_port(settings.console.address)
        self._server = HttpServer(console.application, host, port, Interfaces.ASGINL)

    async def open(self) -> None:
        await self._database.open()
        await self._poster.open()
        await self._server.open()

    async def close(self) -> None:
        await self._shared.live.close()
        await self._server.close()
        await self._poster.close()
        await self._database.close()


ROLES: Final[Mapping[str, Callable[[Runtime], ProcessRole]]] = {
    "api": ApiRole,
    "link": LinkRole,
    "smpp": SmppRole,
    "console": ConsoleRole,
}


async def run_role(name: str, process: str, data: Path, settings: Settings, dsn: str, dialects: Dialects) -> int:
    """Runs one role until SIGTERM or until the parent is gone; the exit code."""
    logs.start(settings.log.level, settings.log.format, process)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    _stop_with_parent(stop)
    runtime = Runtime(data, settings, dsn, process, dialects)
    await runtime.open()
    role = ROLES[name](runtime)
    opening, stopping = loop.create_task(role.open()), loop.create_task(stop.wait())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():  # told to stop, or orphaned, before it was ready: there is nothing to drain
        opening.cancel()
        return 0
    await opening
    gc.collect()
    gc.freeze()  # what was built at start stays: without it the collector walks all of it again and again
    gc.set_threshold(*limits.GC_THRESHOLDS)
    sys.setswitchinterval(limits.THREAD_SWITCH_S)
    print(READY, flush=True)  # noqa: T201 - the parent waits for this word
    await stop.wait()
    log.info("draining")
    code = 0
    try:
        async with asyncio.timeout(limits.DRAIN_TIMEOUT_S):
            await role.close()
    except TimeoutError:
        log.error("drain_incomplete", seconds=limits.DRAIN_TIMEOUT_S)
        code = 1
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limits.DRAIN_TIMEOUT_S):
            await runtime.close()
    log.info("stopped")
    return code


def _stop_with_parent(stop: asyncio.Event) -> None:
    """The parent holds the other end of our stdin; when it dies, however it dies, the end of the file tells us."""
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 1024):
            asyncio.get_running_loop().remove_reader(descriptor)
            stop.set()

    asyncio.get_running_loop().add_reader(descriptor, readable)


def main(arguments: list[str], dialects: Dialects = DIALECTS) -> Any:
    """`python -m homing.app ROLE PROCESS`: what `homing serve` starts for each process."""
    import uvloop

    name, process = arguments
    data = Path(os.environ["HOMING_DATA"])
    try:
        return uvloop.run(
            run_role(name, process, data, config.load(data, dialects), os.environ["HOMING_DATABASE_URL"], dialects)
        )
    except (errors.HomingError, OSError) as error:
        log.error("start_failed", process=process, error=type(error).__name__, detail=str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
