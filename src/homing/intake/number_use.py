"""How many codes a number may get from an app: decided code by code within a batch, by when the others were sent.

A number's latest code holds the times of those before it (`verification.sent_times`), so a limit counts any period that
ends now, and needs no row of its own. Codes to a number are numbered (`nth`), each number once: of two transactions
that send to it at once, one fails by that and begins anew. Nobody waits, and a limit is kept over all processes.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Self

import msgspec

from homing import errors
from homing.store import statements
from homing.store.rows import Executor
from homing.store.statements.intake import NumberKey

Number = tuple[int, str, str]
"""Account, app, E.164 digits."""
_read_times: Final = msgspec.json.Decoder(list[int]).decode


class NumberPlace(msgspec.Struct, frozen=True):
    """Of a code that is sent: the `nth` to its number, and the times of those that limits still look at, its own
    included, as they are stored.
    """

    nth: int
    sent_times: str


class NumberUse:
    """The codes that the numbers of a batch have had, and what it sends them."""

    def __init__(self, now: datetime, latest: Mapping[Number, NumberPlace]) -> None:
        """`latest`: what is stored of the latest code to each number; a number that had none is left out."""
        self._now_ms = int(now.timestamp() * 1000)
        self._latest = dict(latest)
        self._first = NumberPlace(1, f"[{self._now_ms}]")

    @classmethod
    async def read(cls, database: Executor, numbers: Iterable[Number], now: datetime) -> Self:
        keys = list(dict.fromkeys(numbers))
        if not keys:
            return cls(now, {})
        rows = await statements.intake.number_uses(
            database,
            numbers=[NumberKey(account_id=account, app_id=app, number=number) for account, app, number in keys],
        )
        return cls(now, {keys[row.place - 1]: NumberPlace(row.nth, row.sent_times) for row in rows})

    def place(self, number: Number, bounds: Mapping[int, int]) -> NumberPlace | errors.NumberLimitReached:
        """The place of a code that is sent to the number now; `take` makes it the latest."""
        latest = self._latest.get(number)
        if latest is None:
            return self._first
        sent_ms = _read_times(latest.sent_times)
        waits_ms = [wait_ms for period_s, most in bounds.items() if (wait_ms := self._wait_ms(sent_ms, period_s, most))]
        if waits_ms:
            return errors.NumberLimitReached(retry_after_s=math.ceil(max(waits_ms) / 1000))
        oldest_ms = self._now_ms - max(bounds) * 1000
        kept = [at_ms for at_ms in sent_ms if at_ms > oldest_ms]
        kept.append(self._now_ms)
        return NumberPlace(latest.nth + 1, msgspec.json.encode(kept).decode())

    def take(self, number: Number, place: NumberPlace) -> None:
        self._latest[number] = place

    def _wait_ms(self, sent_ms: Sequence[int], period_s: int, most: int) -> int:
        """How long until fewer than `most` were sent within the period; 0: they are fewer."""
        within = sorted(at_ms for at_ms in sent_ms if at_ms > self._now_ms - period_s * 1000)
        if len(within) < most:
            return 0
        # of clocks that differ the one ahead must not make anybody wait for longer than the period
        return min(within[-most] + period_s * 1000 - self._now_ms, period_s * 1000)
