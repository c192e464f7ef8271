"""The aggregation loop: one elected process takes deltas, adds them up, and hands them to the listeners that learn from
them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

import msgspec
import structlog

from homing import errors, limits
from homing.aggregation.failing_accounts import failing_accounts
from homing.observe.logs import describe
from homing.statistics.delta import Delta
from homing.statistics.history import read_history
from homing.statistics.rollup import Rollup
from homing.store.alarms import ACCOUNT_SKIPPED, FAILED, clear_alarms, raise_alarm
from homing.store.database import Database
from homing.store.leader_lease import LeaderLease
from homing.store.statements.statistics import StatisticsCell

SETTLE_S: Final = 30.0  # between two rounds of adding pending sums to minutes, hours and days
LISTENER_REST_S: Final = 30.0  # pause after a second failure that no account causes
LISTENER_SKIP_S: Final = 3_600.0  # how long an account that a listener fails on is skipped
LEASE_NAME: Final = "aggregator"
log = structlog.get_logger()


class AggregateListener(Protocol):
    """Learns from deltas. Its state is in memory: a new process starts a new listener from the stored statistics and
    from what the previous listener saved.
    """

    def start(self, cells: Sequence[StatisticsCell]) -> None:
        """Restores the past, oldest first. Called once, before anything else."""

    def observe(self, deltas: Sequence[Delta]) -> None:
        """Takes the deltas of a round. Each delta comes once."""

    def advance(self, now_s: float) -> None:
        """Sets the time (unix). Called after each round, about once a second."""

    def check(self, now_s: float) -> None:
        """Draws all conclusions from what it was started with, and stores nothing. Raises whatever goes wrong: used to
        find the accounts that a listener fails on.
        """

    async def save(self, database: Database) -> None:
        """Stores its conclusions. Called after `advance`. Raises a `PlatformFailure`."""


class ListenerSlot(msgspec.Struct):
    """A listener and the state of its supervision. It is replaced when it has missed deltas or has failed.

    One account's data must not stop the conclusions of all others: after a failure the accounts that the listener fails
    on are searched for, and skipped for a while. Failures and skipped accounts stand as alarms.
    """

    name: str  # the component, in alarms
    make: Callable[[], AggregateListener]
    listener: AggregateListener | None = None
    paused_until_s: float = 0.0
    failure: Mapping[str, object] | None = None  # the last one, until LISTENER_REST_S have passed without
    failed_s: float = 0.0
    skipped: frozenset[int] = frozenset()
    skipped_until_s: float = 0.0
    alarmed: tuple[bool, frozenset[int]] | None = None  # as in the stored alarms; None: unknown


class Aggregator:
    """Runs in every link process; the process with the leader lease works, the others wait to take over.

    While the database is unavailable nothing is lost, since deltas are rows. A process that takes over, or that cannot
    know whether its last round was committed, starts its listeners anew.
    """

    def __init__(
        self,
        *,
        database: Database,
        owner: str,
        clock: Callable[[], datetime],
        listeners: Mapping[str, Callable[[], AggregateListener]] = MappingProxyType({}),
    ) -> None:
        """`listeners`: component name in alarms -> factory, called again whenever a listener is replaced."""
        self._database = database
        self._clock = clock
        self._lease = LeaderLease(database, LEASE_NAME, owner)
        self._rollup = Rollup(database, self._lease, clock)
        self._slots = [ListenerSlot(name, make) for name, make in listeners.items()]
        self._settle_at_s = 0.0
        self._round: int | None = None  # the number of the last observed round; None: another process leads

    async def run(self) -> None:
        """Runs rounds until it is cancelled."""
        while True:
            is_more = False
            try:
                is_more = await self.run_round()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="statistics", failure=str(failure))
            await asyncio.sleep(0 if is_more else limits.ROLLUP_S)

    async def run_round(self) -> bool:
        """Runs one round if this process has or gets the lease; whether there may be more deltas. Raises a
        `PlatformFailure`.
        """
        if self._round is None:
            self._round = await self._lease.take()
            if self._round is None:
                return False
            log.info("aggregation_lease_taken")
            self._drop_listeners()
        await self._start_listeners()
        done = await self._rollup.run_round()
        if done is None:
            log.warning("aggregation_lease_lost")
            self._round = None
            return False
        if done.number != self._round + 1:  # a round whose commit was not confirmed: its deltas were not observed
            log.warning("aggregation_rounds_missed", rounds=done.number - self._round - 1)
            self._round = done.number
            self._drop_listeners()
            return done.is_more
        self._round = done.number
        await self._notify(done.deltas)
        await self._settle()
        return done.is_more

    async def _settle(self, at_once: bool = False) -> None:
        now_s = self._clock().timestamp()
        if at_once or not 0 <= self._settle_at_s - now_s <= SETTLE_S:
            self._settle_at_s = now_s + SETTLE_S
            while await self._rollup.settle():
                pass

    async def release(self) -> None:
        """Releases the lease, so that another process can take over at once."""
        if self._round is not None:
            self._round = None
            with contextlib.suppress(errors.PlatformFailure):
                await self._lease.release()

    def _drop_listeners(self) -> None:
        for slot in self._slots:
            slot.listener, slot.alarmed = None, None

    async def _start_listeners(self) -> None:
        now_s = self._clock().timestamp()
        for slot in self._slots:
            if slot.skipped and slot.skipped_until_s <= now_s:
                slot.skipped, slot.listener = frozenset(), None
        empty = [slot for slot in self._slots if slot.listener is None and slot.paused_until_s <= now_s]
        if not empty:
            return
        await self._settle(at_once=True)
        history = await read_history(self._database, self._clock())
        for slot in empty:
            if slot.failure is not None:
                await self._skip_failing_accounts(slot, history, now_s)
            with self._isolate_failure(slot):
                listener = slot.make()
                listener.start([cell for cell in history if cell.account_id not in slot.skipped])
                slot.listener = listener

    async def _skip_failing_accounts(self, slot: ListenerSlot, history: Sequence[StatisticsCell], now_s: float) -> None:
        """In a thread, since it starts listeners many times."""
        accounts = await asyncio.to_thread(failing_accounts, slot.make, history, now_s)
        if accounts:
            log.error(
                "listener_skips_accounts", listener=slot.name, accounts=sorted(accounts)[:20], count=len(accounts)
            )
            slot.skipped, slot.skipped_until_s = accounts, now_s + LISTENER_SKIP_S

    async def _notify(self, deltas: Sequence[Delta]) -> None:
        now_s = self._clock().timestamp()
        for slot in self._slots:
            if slot.listener is not None:
                with self._isolate_failure(slot):
                    observed = [delta for delta in deltas if delta.account_id not in slot.skipped]
                    if observed:
                        slot.listener.observe(observed)
                    slot.listener.advance(now_s)
                    await slot.listener.save(self._database)
                    if now_s - slot.failed_s >= LISTENER_REST_S:
                        slot.failure = None
            await self._store_alarms(slot)

    async def _store_alarms(self, slot: ListenerSlot) -> None:
        """Stores the alarms of a slot when they have changed; if the database is unavailable, in the next round."""
        current = slot.failure is not None, slot.skipped
        if current == slot.alarmed:
            return
        try:
            async with self._database.transaction() as transaction:
                await clear_alarms(transaction, slot.name)
                if slot.failure is not None:
                    await raise_alarm(transaction, slot.name, FAILED, detail=slot.failure)
                for account_id in slot.skipped:
                    await raise_alarm(transaction, slot.name, ACCOUNT_SKIPPED, str(account_id))
        except errors.PlatformFailure as failure:
            log.warning("database_unavailable", component="alarms", failure=str(failure))
            return
        slot.alarmed = current

    @contextlib.contextmanager
    def _isolate_failure(self, slot: ListenerSlot) -> Iterator[None]:
        """Keeps a listener's failure from the other listeners. The failed one is replaced at once, without the accounts
        that it fails on; when its replacement fails too, after a pause.
        """
        try:
            yield
        except errors.PlatformFailure as failure:
            log.warning("database_unavailable", component="aggregation_results", failure=str(failure))
        except Exception as error:
            log.error("listener_failed", listener=slot.name, **describe(error))
            slot.listener = None
            slot.failed_s = self._clock().timestamp()
            if slot.failure is not None:
                slot.paused_until_s = slot.failed_s + LISTENER_REST_S
            slot.failure = describe(error)
