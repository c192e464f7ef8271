"""How much of limits is used up: read, and decided submission by submission within a batch.

A limit's window begins with the first message and is over after its period.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Self

import msgspec

from homing import errors
from homing.intake.terms import LimitTake
from homing.model import LimitWindow, windows_under_way
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.rows import Executor
from homing.store.statements.intake import LimitKey, NewLimitUse, StoredLimitUse

Key = tuple[int, int, str]
"""Account, scope and key: the order in which all batches lock them, so that two cannot wait for each other."""
Takes = Iterable[tuple[int, LimitTake]]
"""By account."""
Windows = Mapping[int, LimitWindow]
"""By their periods in seconds."""
NO_WINDOWS: Final[Windows] = {}


class LimitsChanged(Exception):
    """Another transaction has used a limit meanwhile: this one has to begin anew."""


class LimitUse:
    """The limits that a batch takes part in, and what it takes of them."""

    def __init__(self, now: datetime, rows: Iterable[StoredLimitUse] = ()) -> None:
        """`rows`: what is stored of them."""
        self._now = now
        self._now_ms = int(now.timestamp() * 1000)
        self._stored = {(row.account_id, row.scope, row.key): row.windows for row in rows}
        self._under_way = {key: windows_under_way(windows, self._now_ms) for key, windows in self._stored.items()}
        self._taken: dict[Key, Windows] = {}
        self._begun: dict[tuple[int, int], tuple[Mapping[int, int], Windows]] = {}  # see `_begin`

    @classmethod
    async def read(cls, database: Executor, takes: Takes, now: datetime) -> Self:
        """Without a lock: others may use them before this batch does."""
        keys = _keys(takes)
        return cls(now, await statements.intake.limits_read(database, keys=keys) if keys else ())

    @classmethod
    async def lock(cls, transaction: DatabaseConnection, takes: Takes, now: datetime) -> Self:
        """Locks what is stored of them until the transaction's end."""
        keys = _keys(takes)
        return cls(now, await statements.intake.limits_lock(transaction, keys=keys) if keys else ())

    def take(self, account_id: int, takes: Sequence[LimitTake]) -> errors.LimitReached | None:
        """Takes part in all of the limits, or in none: then why."""
        taken: dict[Key, Windows] = {}
        for take in takes:
            key = (account_id, int(take.scope), take.key)
            windows = taken.get(key) or self._taken.get(key) or self._under_way.get(key, NO_WINDOWS)
            after = self._go_on(windows, take) if windows else self._begin(take)
            if isinstance(after, errors.LimitReached):
                return after
            taken[key] = after
        self._taken.update(taken)
        return None

    def uses(self) -> list[NewLimitUse]:
        """What was taken, to be stored in the order of the keys."""
        # `_begin` gives many keys the same windows: each is written once.
        by_identity = {id(windows): windows for windows in self._taken.values()}
        written = {identity: _written(windows) for identity, windows in by_identity.items()}
        return [self._use(key, *written[id(self._taken[key])]) for key in sorted(self._taken)]

    def _begin(self, take: LimitTake) -> Windows | errors.LimitReached:
        """The windows that begin now: the same for all keys of the same bounds, and made once. Bounds are told apart by
        identity, since to compare them takes longer than to make the windows; an app's are one object
        (verification/service.py), which is kept here, so that no other has its identity.
        """
        place = (id(take.bounds), take.amount)
        if place in self._begun:
            return self._begun[place][1]
        windows = self._go_on(NO_WINDOWS, take)
        if not isinstance(windows, errors.LimitReached):
            self._begun[place] = (take.bounds, windows)
        return windows

    def _go_on(self, windows: Windows, take: LimitTake) -> Windows | errors.LimitReached:
        """Windows with what is taken."""
        after = dict(windows)
        for period_s, most in take.bounds.items():
            window = windows.get(period_s)
            started_ms, used = (self._now_ms, 0) if window is None else (window.started_ms, window.used)
            if used + take.amount > most:
                wait_s = math.ceil((started_ms - self._now_ms) / 1000 + period_s)
                return take.refusal(retry_after_s=min(max(wait_s, 1), period_s))
            after[period_s] = LimitWindow(period_s, started_ms, used + take.amount)
        return after

    def _use(self, key: Key, windows: str, ends_ms: int) -> NewLimitUse:
        return NewLimitUse(
            account_id=key[0], scope=key[1], key=key[2], windows=windows, ends_ms=ends_ms, earlier=self._stored.get(key)
        )


def _written(windows: Windows) -> tuple[str, int]:
    """As they are stored, and when the last is over."""
    text = msgspec.json.encode(tuple(windows.values())).decode()
    return text, max([window.ends_ms for window in windows.values()])


def _keys(takes: Takes) -> list[LimitKey]:
    keys = sorted({(account_id, int(take.scope), take.key) for account_id, take in takes})
    return [LimitKey(account_id=key[0], scope=key[1], key=key[2]) for key in keys]
