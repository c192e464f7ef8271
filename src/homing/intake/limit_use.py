"""How much of limits is used up: locked, decided and written within the transaction of a batch.

A limit's window begins with the first message and is over after its period.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec

from homing import errors
from homing.intake.terms import LimitTake
from homing.model import LimitWindow, windows_under_way
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.intake import LimitKey, NewLimitUse

Key = tuple[int, int, str]
"""Account, scope and key: the order in which all batches lock them, so that two cannot wait for each other."""


class LimitsChanged(Exception):
    """Another transaction has begun a limit meanwhile: this one has to begin anew."""


class LimitUse:
    """The limits that a batch takes part in."""

    def __init__(self, now: datetime, stored: Mapping[Key, Mapping[int, LimitWindow]]) -> None:
        """`stored`: the windows by their periods, those that are over left out."""
        self._now = now
        self._now_ms = int(now.timestamp() * 1000)
        self._stored = stored
        self._taken: dict[tuple[Key, int], int] = {}

    @classmethod
    async def lock(cls, transaction: DatabaseConnection, takes: Iterable[tuple[int, LimitTake]], now: datetime) -> Self:
        """`takes`: by account."""
        keys = sorted({_key(account_id, take) for account_id, take in takes})
        if not keys:
            return cls(now, {})
        rows = await statements.intake.limits_lock(
            transaction, keys=[LimitKey(account_id=key[0], scope=key[1], key=key[2]) for key in keys]
        )
        now_ms = int(now.timestamp() * 1000)
        return cls(
            now,
            {(row.account_id, row.scope, row.key): windows_under_way(row.windows, now_ms) for row in rows},
        )

    def take(self, account_id: int, takes: Sequence[LimitTake]) -> errors.LimitReached | None:
        """Takes part in all of the limits, or in none: then why."""
        for take in takes:
            key = _key(account_id, take)
            window = self._window(key, take.period_s)
            if window.used + self._taken.get((key, take.period_s), 0) + take.amount > take.most:
                wait_s = math.ceil((window.started_ms - self._now_ms) / 1000 + take.period_s)
                return take.refusal(retry_after_s=min(max(wait_s, 1), take.period_s))
        for take in takes:
            at = (_key(account_id, take), take.period_s)
            self._taken[at] = self._taken.get(at, 0) + take.amount
        return None

    async def write(self, transaction: DatabaseConnection, takes: Iterable[tuple[int, LimitTake]]) -> None:
        """Writes what was used; `takes`: of what is stored and paid for. Raises `LimitsChanged`."""
        windows: dict[Key, dict[int, LimitWindow]] = {}
        for account_id, take in takes:
            key = _key(account_id, take)
            of_key = windows.setdefault(key, dict(self._stored.get(key, {})))
            window = of_key.get(take.period_s) or self._window(key, take.period_s)
            of_key[take.period_s] = msgspec.structs.replace(window, used=window.used + take.amount)
        added = [self._row(key, windows[key]) for key in sorted(windows) if key not in self._stored]
        changed = [self._row(key, windows[key]) for key in sorted(windows) if key in self._stored]
        if changed:
            await statements.intake.limits_change(transaction, uses=changed)
        if added and len(await statements.intake.limits_add(transaction, uses=added)) < len(added):
            raise LimitsChanged

    def _window(self, key: Key, period_s: int) -> LimitWindow:
        return self._stored.get(key, {}).get(period_s) or LimitWindow(period_s, self._now_ms, 0)

    def _row(self, key: Key, windows: Mapping[int, LimitWindow]) -> NewLimitUse:
        ends_ms = max(window.ends_ms for window in windows.values())
        return NewLimitUse(
            account_id=key[0],
            scope=key[1],
            key=key[2],
            windows=msgspec.json.encode(tuple(windows.values())).decode(),
            ends_at=datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ends_ms),
        )


def _key(account_id: int, take: LimitTake) -> Key:
    return account_id, int(take.scope), take.key
