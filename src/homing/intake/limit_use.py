"""How much of limits is used up: read, and decided submission by submission within a batch.

A limit's window begins with the first message and is over after its period. Those of a single number's codes are
kept by the statement that stores them (`submit_on_terms`).
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

    @classmethod
    async def lock(cls, transaction: DatabaseConnection, takes: Takes, now: datetime) -> Self:
        """Locks what is stored of them until the transaction's end."""
        keys = _keys(takes)
        return cls(now, await statements.intake.limits_lock(transaction, keys=keys) if keys else ())

    def after(self, account_id: int, takes: Sequence[LimitTake]) -> Mapping[Key, Windows] | errors.LimitReached:
        """What would be used of the limits after these, or why they do not fit; `take` makes it so."""
        taken: dict[Key, Windows] = {}
        for take in takes:
            key = (account_id, int(take.scope), take.key)
            windows = taken.get(key) or self._taken.get(key) or self._under_way.get(key, NO_WINDOWS)
            after = self._go_on(windows, take)
            if isinstance(after, errors.LimitReached):
                return after
            taken[key] = after
        return taken

    def take_none(self) -> None:
        """Takes back what was taken."""
        self._taken.clear()

    def take(self, after: Mapping[Key, Windows]) -> None:
        self._taken.update(after)

    def uses(self) -> list[NewLimitUse]:
        """What was taken, to be stored in the order of the keys."""
        return [self._use(key, *_written(self._taken[key])) for key in sorted(self._taken)]

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
