"""What comes back, when it comes back: receipts and conversions wait in a calendar and reach policies as `Delta`s."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from homing.common import histogram
from homing.lab.world import BLOCK, START_S, World
from homing.statistics.delta import Delta, block_of

ACCOUNT_ID: Final = 1
SENDER: Final = "HOMING"
SENT, DELIVERED, UNDELIVERED, CONVERTED = range(4)
START_MINUTE: Final = START_S // 60
EDGES_S: Final = np.array(histogram.EDGES_S)
MINUTE_BITS, APP_BITS, PLACE_BITS, CARRIER_BITS, KIND_BITS, BUCKET_BITS = 16, 4, 9, 4, 2, 5


class EventQueue:
    """Facts by the tick at which they become known. A fact is one integer, so that equal ones are counted, not stored.

    Without blocks all of a network's messages are told as of one range of numbers: routing does not look at ranges.
    """

    def __init__(self, world: World, with_blocks: bool) -> None:
        self._world = world
        self._with_blocks = with_blocks
        self._due: defaultdict[int, list[int]] = defaultdict(list)
        self._blocks: list[str] = [""]
        self._block_ids: dict[int, int] = {}
        scenario = world.scenario
        self._apps = [app.name for app in scenario.apps]
        self._reports_until_s = np.array(
            [
                (np.inf if app.stops_reporting_at_h is None else app.stops_reporting_at_h * 3600)
                if app.reports
                else -1.0
                for app in scenario.apps
            ]
        )

    def blocks(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ranges of numbers, as small integers."""
        if not self._with_blocks:
            return np.zeros(len(numbers), np.int64)
        ids = self._block_ids
        found = []
        for block in (numbers // BLOCK).tolist():
            known = ids.get(block)
            if known is None:
                known = ids[block] = len(self._blocks)
                self._blocks.append(str(block))
            found.append(known)
        return np.array(found, np.int64)

    def keys(
        self,
        minute: int | NDArray[np.int64],
        app: NDArray[np.int16],
        place: NDArray[np.int16],
        carrier: NDArray[np.int64],
        block: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Which messages a fact is about, before what it says of them."""
        key = (block << MINUTE_BITS) | minute
        key = (key << APP_BITS) | app
        key = (key << PLACE_BITS) | place
        return ((key << CARRIER_BITS) | carrier) << (KIND_BITS + BUCKET_BITS)

    def now(self, tick: int, keys: NDArray[np.int64]) -> None:
        """Messages that were accepted and sent: known at the next tick."""
        self._due[tick + 1].extend(keys.tolist())

    def later(
        self, kind: int, keys: NDArray[np.int64], at_s: NDArray[np.float64], took_s: NDArray[np.float64], tick: int
    ) -> None:
        """A receipt or conversion at a time from the beginning; it is known at the tick that follows."""
        codes = keys | (kind << BUCKET_BITS) | np.searchsorted(EDGES_S, took_s)
        due = np.maximum(np.ceil(at_s / self._world.scenario.tick_s).astype(np.int64), tick + 1)
        calendar = self._due
        for at, code in zip(due.tolist(), codes.tolist(), strict=True):
            calendar[at].append(code)

    def reported(self, app: NDArray[np.int16], at_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which conversions the customer tells of."""
        return at_s < self._reports_until_s[app]

    def take(self, tick: int) -> Sequence[Delta]:
        """The facts of a tick. What is due later stays; nothing is told twice."""
        codes = self._due.pop(tick, None)
        return [] if codes is None else [self._delta(code, count) for code, count in Counter(codes).items()]

    def _delta(self, code: int, count: int) -> Delta:
        bucket = code & (1 << BUCKET_BITS) - 1
        code >>= BUCKET_BITS
        kind = code & (1 << KIND_BITS) - 1
        code >>= KIND_BITS
        carrier = code & (1 << CARRIER_BITS) - 1
        code >>= CARRIER_BITS
        at_place = code & (1 << PLACE_BITS) - 1
        place = self._world.places[at_place]
        code >>= PLACE_BITS
        app = self._apps[code & (1 << APP_BITS) - 1]
        code >>= APP_BITS
        minute = code & (1 << MINUTE_BITS) - 1
        block = self._blocks[code >> MINUTE_BITS] or block_of(self._world.sample(at_place))
        at = START_MINUTE + minute
        which = (at, ACCOUNT_ID, app, place.country, place.network, block, carrier + 1, SENDER)
        if kind == SENT:
            truth = self._world.truth
            cost = int(truth.cost_micro[min(minute, len(truth.cost_micro) - 1), place.country_index, carrier])
            price = int(truth.price_micro[place.country_index])
            return Delta(*which, submitted=count, sent=count, cost_micro=cost * count, revenue_micro=price * count)
        if kind == DELIVERED:
            return Delta(*which, delivered=count, receipt_bucket=bucket)
        if kind == UNDELIVERED:
            return Delta(*which, undelivered=count, receipt_bucket=bucket)
        return Delta(*which, converted=count, conversion_bucket=bucket)
