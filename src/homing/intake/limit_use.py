"""How much of limits is used up: read, and decided submission by submission within a batch.

A limit's window begins with the first message and is over after its period.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
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
NO_WINDOWS: Final[Mapping[int, LimitWindow]] = {}


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
        self._taken: dict[Key, dict[int, LimitWindow]] = {}

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
        taken: dict[Key, dict[int, LimitWindow]] = {}
        for take in takes:
            key = (account_id, int(take.scope), take.key)
            windows = taken.get(key) or self._taken.get(key) or self._under_way.get(key, NO_WINDOWS)
            taken[key] = dict(windows)
            for period_s, most in take.bounds.items():
                window = windows.get(period_s)
                started_ms, used = (self._now_ms, 0) if window is None else (window.started_ms, window.used)
                if used + take.amount > most:
                    wait_s = math.ceil((started_ms - self._now_ms) / 1000 + period_s)
                    return take.refusal(retry_after_s=min(max(wait_s, 1), period_s))
                taken[key][period_s] = LimitWindow(period_s, started_ms, used + take.amount)
        self._taken.update(taken)
        return None

    def uses(self) -> list[NewLimitUse]:
        """What was taken, to be stored in the order of the keys."""
        return [self._use(key, self._taken[key].values()) for key in sorted(self._taken)]

    def _use(self, key: Key, windows: Collection[LimitWindow]) -> NewLimitUse:
        return NewLimitUse(
            account_id=key[0],
            scope=key[1],
            key=key[2],
            windows=msgspec.json.encode(tuple(windows)).decode(),
            ends_ms=max([window.ends_ms for window in windows]),
            earlier=self._stored.get(key),
        )


def _keys(takes: Takes) -> list[LimitKey]:
    keys = sorted({(account_id, int(take.scope), take.key) for account_id, take in takes})
    return [LimitKey(account_id=key[0], scope=key[1], key=key[2]) for key in keys]
