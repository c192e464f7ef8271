"""Adaptive routing's place beside the statistics: hears what changes, thinks every few seconds, and writes down the
shares that all processes route by, with what each rests on.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from homing import limits
from homing.guard.snapshot import GuardSnapshot
from homing.learning.adaptive import AdaptiveRouting, ShareDecision
from homing.learning.fake_receipts import FakeReceiptSign, find_fakes
from homing.learning.posteriors import RoutingLearner
from homing.reasons import encode_reason
from homing.routing.catalogue import Catalogue
from homing.routing.catalogue_cache import read_match, write_match
from homing.routing.cells import CellKey
from homing.routing.rules import RouteScope
from homing.statistics.delta import Delta
from homing.statistics.reading import StatisticsCell
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.learning import NewFake, NewShares, SharesKey, SharesRow

LEARN_BUSY_SHARE_MAX: Final = (
    0.2  # of the time that thoughts may take: where many cells make them long, they come less often
)
LEARN_LAG_S: Final = 2.0  # what has happened since then may not have been heard
LEARN_SETTINGS_S: Final = 30.0  # between two looks at what apps declare


log = structlog.get_logger()


class RoutingListener:
    """A listener of the brain (aggregation/aggregator.py). A thought runs in a thread, so that a link's sessions do not
    wait for it; nothing is heard while one is under way.
    """

    def __init__(
        self, catalogue: Callable[[], Catalogue], chance: random.Random, guard: Callable[[], GuardSnapshot]
    ) -> None:
        """`catalogue`: the one in force, which has the rules, costs and terms. `verdicts`: the guard's, of whose
        messages nothing is learnt.
        """
        self._catalogue = catalogue
        self._guard = guard
        self.learner = RoutingLearner()
        self._adaptive = AdaptiveRouting(chance)
        self._written: dict[tuple[RouteScope, CellKey], Mapping[int, int]] | None = None
        self._now_s = 0.0
        self._thought_s = 0.0
        self._pause_s = limits.LEARN_S
        self._declared_s = 0.0
        self._forgot_s = 0.0

    def start(self, cells: Sequence[StatisticsCell]) -> None:
        """Takes in the past, oldest first."""
        if not cells:
            return
        reported: dict[tuple[int, str], float] = {}
        for cell in cells:
            if cell.converted:
                reported[cell.account_id, cell.app_id] = (cell.minute + cell.grain) * 60.0
        self.learner.begin(max((cell.minute + cell.grain) * 60.0 for cell in cells), reported)
        for cell in cells:
            self.learner.recall(cell.as_delta(), cell.receipt_times, cell.conversion_times)

    def hear(self, deltas: Sequence[Delta]) -> None:
        self.learner.hear(self._guard().without_fraud(deltas))

    def think(self, now_s: float) -> None:
        self._now_s = now_s

    def check(self, now_s: float) -> None:
        self._conclude(self._catalogue(), now_s)

    async def save(self, database: Database) -> None:
        """Thinks, when it is time, and writes the shares that have changed. Raises a `PlatformFailure`: then they are
        written the next time.
        """
        now_s = self._now_s
        if now_s - self._thought_s < self._pause_s:
            return
        if now_s - self._declared_s >= LEARN_SETTINGS_S:
            for row in await statements.learning.learn_declared(database):
                self.learner.declare(row.app_id, row.expects_conversions)
            self._declared_s = now_s
        self._thought_s = now_s
        began = time.monotonic()
        decisions, findings = await asyncio.to_thread(self._conclude, self._catalogue(), now_s)
        self._pause_s = pause_s(time.monotonic() - began)
        at = datetime.fromtimestamp(now_s, UTC)
        await self._write(database, decisions, at)
        if findings:
            await _write_findings(database, findings, at)
        if now_s - self._forgot_s >= limits.CONCLUSIONS_FORGET_S:
            await statements.learning.learn_choices_forget(
                database, before=at - timedelta(days=limits.LEARN_CHOICE_DAYS)
            )
            self._forgot_s = now_s

    def _conclude(
        self, catalogue: Catalogue, now_s: float
    ) -> tuple[dict[tuple[RouteScope, CellKey], ShareDecision], Sequence[FakeReceiptSign]]:
        self.learner.think(now_s - LEARN_LAG_S)
        return self._adaptive.decide(catalogue, self.learner, now_s), find_fakes(self.learner.yields())

    async def _write(
        self, database: Database, decisions: Mapping[tuple[RouteScope, CellKey], ShareDecision], at: datetime
    ) -> None:
        if self._written is None:  # a process before us may have left some behind
            rows = await statements.learning.learn_shares_read(database, after_version=0)
            self._written = {_key_of(row): {} for row in rows}
        written = self._written
        changed = [one for key, one in decisions.items() if written.get(key) != one.shares.weights]
        if changed:
            names = {one.match: write_match(one.match) for one in changed}
            await statements.learning.learn_shares_write(
                database,
                made_at=at,
                shares=[
                    NewShares(
                        account_id=one.cell.account_id,
                        app_id=one.cell.app_id,
                        country=one.cell.country,
                        network=one.cell.network,
                        rule=names[one.match],
                        reason=encode_reason(one.shares.reason),
                        rests_on=msgspec.json.encode(rests_on(one)).decode(),
                        carriers=",".join(map(str, one.shares.weights)),
                        weights=",".join(map(str, one.shares.weights.values())),
                    )
                    for one in changed
                ],
            )
            for one in changed:
                written[one.match, one.cell] = one.shares.weights
        gone = [key for key in written if key not in decisions]
        if gone:
            await statements.learning.learn_shares_drop(
                database,
                shares=[
                    SharesKey(
                        account_id=cell.account_id,
                        app_id=cell.app_id,
                        country=cell.country,
                        network=cell.network,
                        rule=write_match(match),
                    )
                    for match, cell in gone
                ],
            )
            for key in gone:
                del written[key]


def pause_s(took_s: float) -> float:
    """Seconds from the beginning of a thought that took so long to that of the next. A link's sessions share the
    process: they keep most of it however many cells there are.
    """
    return max(limits.LEARN_S, took_s / LEARN_BUSY_SHARE_MAX)


def rests_on(decision: ShareDecision) -> dict[str, Any]:
    """What a decision rests on, as it is kept: candidates with counts, intervals, costs and shares, and the terms."""
    weights = decision.shares.weights
    return {
        "candidates": [
            {
                "carrier_id": belief.carrier_id,
                "route_id": decision.routes[belief.carrier_id],
                "share": weights.get(belief.carrier_id, 0),
                "cost_micro": decision.costs.get(belief.carrier_id),
                "is_down": belief.carrier_id in decision.down,
                "messages": round(belief.trials, 1),
                "conversions": round(belief.conversions, 1),
                "mean": round(belief.mean, 5),
                "low": round(belief.low, 5),
                "high": round(belief.high, 5),
                "delivered": None if belief.delivered_rate is None else round(belief.delivered_rate, 5),
                "alpha": round(belief.alpha, 2),
                "beta": round(belief.beta, 2),
                "source": belief.source,
            }
            for belief in decision.beliefs
        ],
        "terms": msgspec.structs.asdict(decision.terms),
    }


async def _write_findings(database: Database, findings: Sequence[FakeReceiptSign], at: datetime) -> None:
    await statements.learning.learn_fakes_write(
        database,
        seen_at=at,
        fakes=[
            NewFake(
                carrier_id=one.carrier_id,
                kind=one.kind,
                reason=encode_reason(one.reason),
            )
            for one in findings
        ],
    )


def _key_of(row: SharesRow) -> tuple[RouteScope, CellKey]:
    cell = CellKey(row.account_id, row.app_id, row.country, row.network)
    return read_match(row.rule), cell
