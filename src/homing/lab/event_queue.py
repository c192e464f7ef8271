"""Receipts and conversions until they become known to policies, as `Delta`s."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.common import histogram
from homing.lab.world import BLOCK, START_S, World
from homing.statistics.delta import Delta, block_of

ACCOUNT_ID: Final = 1
SENDER: Final = "HOMING"
SENT, DELIVERED, UNDELIVERED, CONVERTED, CONVERTED_AGAIN, REPEATED, REPEATED_LOST = range(7)
"""CONVERTED_AGAIN: of a code that had left again by then. REPEATED: of a message after which its number requested
another within minutes; REPEATED_LOST: which its carrier had reported as lost soon.
"""
START_MINUTE: Final = START_S // 60
EDGES_S: Final = np.array(histogram.EDGES_S)
MINUTE_BITS, APP_BITS, DESTINATION_BITS, CARRIER_BITS, KIND_BITS, BUCKET_BITS = 16, 4, 9, 4, 3, 5


class EventQueue:
    """Events by the tick at which they become known. An event is one integer, so that equal events can be counted.

    Without blocks all messages to a network count for one block of numbers: routing does not distinguish blocks.
    """

    def __init__(self, world: World, with_blocks: bool) -> None:
        self._world = world
        self._with_blocks = with_blocks
        self._due: defaultdict[int, list[int]] = defaultdict(list)
        self._superseded: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)  # key, age in s, receipt
        self._blocks: list[str] = [""]
        self._block_ids: dict[int, int] = {}
        self.tick_s = world.scenario.tick_s
        self._apps = [app.name for app in world.scenario.apps]

    def blocks(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ids of the numbers' blocks of a thousand."""
        if not self._with_blocks:
            return np.zeros(len(numbers), np.int64)
        ids = self._block_ids
        block_ids = []
        for block in (numbers // BLOCK).tolist():
            block_id = ids.get(block)
            if block_id is None:
                block_id = ids[block] = len(self._blocks)
                self._blocks.append(str(block))
            block_ids.append(block_id)
        return np.array(block_ids, np.int64)

    def event_keys(
        self,
        minute: int | NDArray[np.int64],
        app: NDArray[np.int16],
        destination: NDArray[np.int16],
        carrier: NDArray[np.int64],
        block: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """The part of an event that identifies its messages; kind and bucket are 0."""
        key = (block << MINUTE_BITS) | minute
        key = (key << APP_BITS) | app
        key = (key << DESTINATION_BITS) | destination
        return ((key << CARRIER_BITS) | carrier) << (KIND_BITS + BUCKET_BITS)

    def add_sent(self, tick: int, keys: NDArray[np.int64]) -> None:
        """Adds messages that were accepted and sent: known at the next tick."""
        self._due[tick + 1].extend(keys.tolist())

    def add(
        self, kind: int, keys: NDArray[np.int64], at_s: NDArray[np.float64], took_s: NDArray[np.float64], tick: int
    ) -> None:
        """Adds receipts or conversions `at_s` from the beginning, `took_s` after the submit: known at the next tick."""
        codes = keys | (kind << BUCKET_BITS) | np.searchsorted(EDGES_S, took_s)
        due = np.maximum(np.ceil(at_s / self._world.scenario.tick_s).astype(np.int64), tick + 1)
        events = self._due
        for due_tick, code in zip(due.tolist(), codes.tolist(), strict=True):
            events[due_tick].append(code)

    def add_superseded(
        self, tick: int, keys: NDArray[np.int64], age_s: NDArray[np.float64], receipt: NDArray[np.int64]
    ) -> None:
        """Adds messages whose code leaves again: known at the next tick. `receipt`: a `ReceiptState`."""
        rounded = np.rint(age_s).astype(np.int64)
        self._superseded[tick + 1].extend(zip(keys.tolist(), rounded.tolist(), receipt.tolist(), strict=True))

    def take(self, tick: int) -> Sequence[Delta]:
        """Removes and returns the events of a tick."""
        deltas = [self._delta(code, count) for code, count in Counter(self._due.pop(tick, ())).items()]
        for (key, age_s, receipt), count in Counter(self._superseded.pop(tick, ())).items():
            cohort = self._delta(key, 0)
            deltas.append(
                msgspec.structs.replace(cohort, superseded=count, superseded_age_s=age_s, superseded_receipt=receipt)
            )
        return deltas

    def _delta(self, code: int, count: int) -> Delta:
        bucket = code & (1 << BUCKET_BITS) - 1
        code >>= BUCKET_BITS
        kind = code & (1 << KIND_BITS) - 1
        code >>= KIND_BITS
        carrier = code & (1 << CARRIER_BITS) - 1
        code >>= CARRIER_BITS
        destination_id = code & (1 << DESTINATION_BITS) - 1
        destination = self._world.destinations[destination_id]
        code >>= DESTINATION_BITS
        app = self._apps[code & (1 << APP_BITS) - 1]
        code >>= APP_BITS
        minute = code & (1 << MINUTE_BITS) - 1
        block = self._blocks[code >> MINUTE_BITS] or block_of(self._world.sample_number(destination_id))
        at = START_MINUTE + minute
        cohort = (at, ACCOUNT_ID, app, destination.country, destination.network, block, carrier + 1, SENDER)
        if kind == SENT:
            truth = self._world.truth
            cost = int(truth.cost_micro[min(minute, len(truth.cost_micro) - 1), destination.country_index, carrier])
            price = int(truth.price_micro[destination.country_index])
            return Delta(*cohort, submitted=count, sent=count, cost_micro=cost * count, revenue_micro=price * count)
        if kind == DELIVERED:
            return Delta(*cohort, delivered=count, receipt_bucket=bucket)
        if kind == UNDELIVERED:
            return Delta(*cohort, undelivered=count, receipt_bucket=bucket)
        if kind in (REPEATED, REPEATED_LOST):
            lost = count if kind == REPEATED_LOST else 0
            return Delta(*cohort, repeated=count, repeated_lost=lost, repeat_bucket=bucket)
        return Delta(*cohort, converted=count, conversion_bucket=bucket, resent=kind == CONVERTED_AGAIN)
