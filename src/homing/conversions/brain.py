"""The loop that learns: one process takes what changed, adds it up, and tells those who draw conclusions from it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from homing import errors, limits
from homing.statistics.delta import Delta
from homing.statistics.reading import Cell, read_past
from homing.statistics.rollup import Rollup
from homing.store.database import Database
from homing.store.duty import Duty

DUTY = "brain"
log = structlog.get_logger()


class Listener(Protocol):
    """Who draws conclusions. It lives in memory: what it has heard is gone with its process, and a new one is started
    from what is added up and from what the old one saved.
    """

    def start(self, cells: Sequence[Cell]) -> None:
        """What went before, oldest first; called once, before anything else."""

    def hear(self, deltas: Sequence[Delta]) -> None:
        """What has changed since. Each delta comes once."""

    def think(self, now_s: float) -> None:
        """Called after each round, once a second or so; `now_s` is unix time."""

    async def save(self, database: Database) -> None:
        """Called after `think`: writes down what others are to know. Raises a `PlatformFailure`."""


class Seat(msgspec.Struct):
    """A listener's place: it is made anew when the one who sat there has missed something or has failed."""

    make: Callable[[], Listener]
    listener: Listener | None = None
    rests_until_s: float = 0.0


class Brain:
    """Runs in every link process; the one that has the duty works, the others wait to take it over.

    A database that is away stops it; nothing is lost, since the deltas are rows. Whoever takes over, or cannot know
    whether the last round was done, starts its listeners anew.
    """

    def __init__(
        self,
        database: Database,
        owner: str,
        clock: Callable[[], datetime],
        listeners: Sequence[Callable[[], Listener]] = (),
    ) -> None:
        """`listeners`: what makes each of them, called anew at each take-over."""
        self._database = database
        self._clock = clock
        self._duty = Duty(database, DUTY, owner)
        self._rollup = Rollup(database, self._duty, clock)
        self._seats = [Seat(make) for make in listeners]
        self._settle_at_s = 0.0
        self._heard: int | None = None  # the number of the last round that was heard; None: the duty is not ours

    async def run(self) -> None:
        """For ever."""
        while True:
            is_more = False
            try:
                is_more = await self.turn()
            except errors.PlatformFailure as failure:
                log.warning("statistics_wait", failure=str(failure))
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
            log.warning("statistics_unheard", rounds=done.number - self._heard - 1)
            self._heard = done.number
            self._forget()
            return done.is_more
        self._heard = done.number
        await self._tell(done.deltas)
        await self._settle()
        return done.is_more

    async def _settle(self, at_once: bool = False) -> None:
        now_s = self._clock().timestamp()
        if at_once or not 0 <= self._settle_at_s - now_s <= limits.SETTLE_S:
            self._settle_at_s = now_s + limits.SETTLE_S
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
            seat.listener = None

    async def _start_listeners(self) -> None:
        now_s = self._clock().timestamp()
        empty = [seat for seat in self._seats if seat.listener is None and seat.rests_until_s <= now_s]
        if not empty:
            return
        await self._settle(at_once=True)
        past = await read_past(self._database, self._clock())
        for seat in empty:
            with self._excused(seat):
                listener = seat.make()
                listener.start(past)
                seat.listener = listener

    async def _tell(self, deltas: Sequence[Delta]) -> None:
        now_s = self._clock().timestamp()
        for seat in self._seats:
            if seat.listener is None:
                continue
            with self._excused(seat):
                if deltas:
                    seat.listener.hear(deltas)
                seat.listener.think(now_s)
                await seat.listener.save(self._database)

    @contextlib.contextmanager
    def _excused(self, seat: Seat) -> Iterator[None]:
        """One listener's failure is not the others': it rests and starts anew."""
        try:
            yield
        except errors.PlatformFailure as failure:
            log.warning("conclusions_wait", failure=str(failure))
        except Exception as error:
            log.error("listener_failed", error=type(error).__name__, detail=repr(error)[:500])
            seat.listener = None
            seat.rests_until_s = self._clock().timestamp() + limits.LISTENER_REST_S
