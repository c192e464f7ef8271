"""The loop that learns: one process takes what changed, adds it up, and tells those who draw conclusions from it."""

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
from homing.statistics.reading import StatisticsCell, read_past
from homing.statistics.rollup import Rollup
from homing.store.alarms import ACCOUNT_SKIPPED, FAILED, clear_alarms, raise_alarm
from homing.store.database import Database
from homing.store.leader_lease import LeaderLease

SETTLE_S: Final = 30.0  # between two rounds of adding them to minutes, hours and days
LISTENER_REST_S: Final = 30.0  # after a failure of its own that no account is to blame for
LISTENER_SKIP_S: Final = 3600.0  # then an account that a listener failed on is heard again


LEASE_NAME: Final = "aggregator"
log = structlog.get_logger()


class AggregateListener(Protocol):
    """Who draws conclusions. It lives in memory: what it has heard is gone with its process, and a new one is started
    from what is added up and from what the old one saved.
    """

    def start(self, cells: Sequence[StatisticsCell]) -> None:
        """What went before, oldest first; called once, before anything else."""

    def hear(self, deltas: Sequence[Delta]) -> None:
        """What has changed since. Each delta comes once."""

    def think(self, now_s: float) -> None:
        """Called after each round, once a second or so; `now_s` is unix time."""

    def check(self, now_s: float) -> None:
        """Draws every conclusion from what it was started with, and writes nothing. Raises whatever goes wrong: it is
        called of listeners that are made to find out which account one fails on.
        """

    async def save(self, database: Database) -> None:
        """Called after `think`: writes down what others are to know. Raises a `PlatformFailure`."""


class ListenerSlot(msgspec.Struct):
    """A listener's place: it is made anew when the one who sat there has missed something or has failed.

    One account's input must not stop what is concluded of all others: after a failure the accounts that the listener
    fails on are looked for, and for a while it goes on without them (`skipped`). What is wrong stands as alarms.
    """

    name: str  # the component, in alarms
    make: Callable[[], AggregateListener]
    listener: AggregateListener | None = None
    rests_until_s: float = 0.0
    failure: Mapping[str, object] | None = None  # the last one, until it has gone some time without
    failed_s: float = 0.0
    skipped: frozenset[int] = frozenset()
    skipped_until_s: float = 0.0
    alarmed: tuple[bool, frozenset[int]] | None = None  # what stands as alarms; None: unknown


class Aggregator:
    """Runs in every link process; the one that has the duty works, the others wait to take it over.

    A database that is away stops it; nothing is lost, since the deltas are rows. Whoever takes over, or cannot know
    whether the last round was done, starts its listeners anew.
    """

    def __init__(
        self,
        *,
        database: Database,
        owner: str,
        clock: Callable[[], datetime],
        listeners: Mapping[str, Callable[[], AggregateListener]] = MappingProxyType({}),
    ) -> None:
        """`listeners`: by the component's name in alarms, what makes each of them, called anew at each take-over."""
        self._database = database
        self._clock = clock
        self._duty = LeaderLease(database, LEASE_NAME, owner)
        self._rollup = Rollup(database, self._duty, clock)
        self._seats = [ListenerSlot(name, make) for name, make in listeners.items()]
        self._settle_at_s = 0.0
        self._heard: int | None = None  # the number of the last round that was heard; None: the duty is not ours

    async def run(self) -> None:
        """For ever."""
        while True:
            is_more = False
            try:
                is_more = await self.turn()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="statistics", failure=str(failure))
            await asyncio.sleep(0 if is_more else limits.ROLLUP_S)

    async def turn(self) -> bool:
        """One round, if the duty is ours or free; whether there may be more to add up at once."""
        if self._heard is None:
            self._heard = await self._duty.take()
            if self._heard is None:
                return False
            log.info("statistics_taken_over")
            self._forget()
        await self._start_listeners()
        done = await self._rollup.turn()
        if done is None:
            log.warning("statistics_lost")
            self._heard = None
            return False
        if done.number != self._heard + 1:  # a round whose end we did not see was done after all: nobody heard it
            log.warning("statistics_rounds_missed", rounds=done.number - self._heard - 1)
            self._heard = done.number
            self._forget()
            return done.is_more
        self._heard = done.number
        await self._tell(done.deltas)
        await self._settle()
        return done.is_more

    async def _settle(self, at_once: bool = False) -> None:
        now_s = self._clock().timestamp()
        if at_once or not 0 <= self._settle_at_s - now_s <= SETTLE_S:
            self._settle_at_s = now_s + SETTLE_S
            while await self._rollup.settle():
                pass

    async def release(self) -> None:
        """Lets others take over at once."""
        if self._heard is not None:
            self._heard = None
            with contextlib.suppress(errors.PlatformFailure):
                await self._duty.release()

    def _forget(self) -> None:
        for seat in self._seats:
            seat.listener, seat.alarmed = None, None

    async def _start_listeners(self) -> None:
        now_s = self._clock().timestamp()
        for seat in self._seats:
            if seat.skipped and seat.skipped_until_s <= now_s:
                seat.skipped, seat.listener = frozenset(), None
        empty = [seat for seat in self._seats if seat.listener is None and seat.rests_until_s <= now_s]
        if not empty:
            return
        await self._settle(at_once=True)
        past = await read_past(self._database, self._clock())
        for seat in empty:
            if seat.failure is not None:
                await self._find_blame(seat, past, now_s)
            with self._excused(seat):
                listener = seat.make()
                listener.start([cell for cell in past if cell.account_id not in seat.skipped])
                seat.listener = listener

    async def _find_blame(self, seat: ListenerSlot, past: Sequence[StatisticsCell], now_s: float) -> None:
        """After a failure: in a thread, since it starts listeners again and again."""
        found = await asyncio.to_thread(failing_accounts, seat.make, past, now_s)
        if found:
            log.error("listener_skips_accounts", listener=seat.name, accounts=sorted(found)[:20], count=len(found))
            seat.skipped, seat.skipped_until_s = found, now_s + LISTENER_SKIP_S

    async def _tell(self, deltas: Sequence[Delta]) -> None:
        now_s = self._clock().timestamp()
        for seat in self._seats:
            if seat.listener is not None:
                with self._excused(seat):
                    heard = [delta for delta in deltas if delta.account_id not in seat.skipped]
                    if heard:
                        seat.listener.hear(heard)
                    seat.listener.think(now_s)
                    await seat.listener.save(self._database)
                    if now_s - seat.failed_s >= LISTENER_REST_S:
                        seat.failure = None
            await self._alarm(seat)

    async def _alarm(self, seat: ListenerSlot) -> None:
        """Brings the alarms up to what is so. While the database is away they wait: the next turn writes them."""
        now = seat.failure is not None, seat.skipped
        if now == seat.alarmed:
            return
        try:
            async with self._database.transaction() as transaction:
                await clear_alarms(transaction, seat.name)
                if seat.failure is not None:
                    await raise_alarm(transaction, seat.name, FAILED, detail=seat.failure)
                for account_id in seat.skipped:
                    await raise_alarm(transaction, seat.name, ACCOUNT_SKIPPED, str(account_id))
        except errors.PlatformFailure as failure:
            log.warning("database_unavailable", component="alarms", failure=str(failure))
            return
        seat.alarmed = now

    @contextlib.contextmanager
    def _excused(self, seat: ListenerSlot) -> Iterator[None]:
        """One listener's failure is not the others': it starts anew, at once without the accounts that it fails on, and
        when it fails again after that, it rests before.
        """
        try:
            yield
        except errors.PlatformFailure as failure:
            log.warning("database_unavailable", component="aggregation_results", failure=str(failure))
        except Exception as error:
            log.error("listener_failed", listener=seat.name, **describe(error), text=repr(error)[:500])
            seat.listener = None
            seat.failed_s = self._clock().timestamp()
            if seat.failure is not None:
                seat.rests_until_s = seat.failed_s + LISTENER_REST_S
            seat.failure = describe(error)
