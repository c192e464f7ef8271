"""laaffic: how many messages of getSentRcd's whole span were delivered and failed (contract, section 7)."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from homing.common.token_bucket import TokenBucket
from homing.dialects.laaffic import bounds
from homing.states import FINAL_STATES, MessageState
from homing.store import statements
from homing.store.database import Database

FINAL: Final = list(FINAL_STATES)


class SentSpan(msgspec.Struct, frozen=True):
    """An app's messages with ids from `first_id` on, below `beyond_id`."""

    account_id: int
    app_id: str
    first_id: int
    beyond_id: int


class SentTotals(msgspec.Struct, frozen=True):
    delivered: int
    failed: int


class SentCounts:
    """Counts spans page by page. Those that take a customer several calls are remembered for some minutes, so that they
    are not counted anew for each.
    """

    def __init__(self, database: Database, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock_s = clock_s
        self._remembered: dict[SentSpan, tuple[float, SentTotals]] = {}

    async def read(self, span: SentSpan, rows: TokenBucket) -> SentTotals:
        """`rows` is charged for what had to be looked at."""
        until_s, totals = self._remembered.get(span, (0.0, SentTotals(0, 0)))
        if self._clock_s() < until_s:
            return totals
        from_id, looked, delivered, failed = span.first_id, 0, 0, 0
        while True:
            page = await statements.messages.messages_finished_count(
                self._database,
                account_id=span.account_id,
                app_id=span.app_id,
                first_id=from_id,
                beyond_id=span.beyond_id,
                delivered=MessageState.DELIVERED,
                looked_max=bounds.COUNTED_ROWS,
                final_states=FINAL,
            )
            looked += page.looked
            delivered += page.delivered
            failed += page.failed
            rows.owe(page.looked / bounds.COUNTED_ROWS_PER_READ)
            if page.looked < bounds.COUNTED_ROWS:
                break
            assert page.last_id is not None
            from_id = page.last_id + 1
        totals = SentTotals(delivered, failed)
        if looked > bounds.RECORDS_MAX:
            if len(self._remembered) >= bounds.COUNTS_KEYS_MAX:
                self._remembered.clear()
            self._remembered[span] = (self._clock_s() + bounds.COUNTS_AGE_S, totals)
        return totals
