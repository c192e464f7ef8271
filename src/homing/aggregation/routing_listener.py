"""The listener for adaptive routing: updates the learner every few seconds, and stores the shares that all processes
route by, with the figures that they come from.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from homing import limits
from homing.aggregation.repeat_reader import RepeatReader
from homing.common import histogram
from homing.guard.snapshot import GuardSnapshot
from homing.learning.adaptive import AdaptiveRouting, ShareDecision
from homing.learning.fake_receipts import FakeReceiptSign, find_fakes
from homing.learning.learner import RoutingLearner
from homing.model import PeriodGrain
from homing.reasons import encode_reason
from homing.routing.catalogue import Catalogue
from homing.routing.catalogue_cache import decode_scope, encode_scope
from homing.routing.cells import CellKey
from homing.routing.rules import RouteScope
from homing.statistics.delta import Delta
from homing.statistics.history import delta_of
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.learning import NewFake, NewOutlook, NewShares, ResentSums, SharesKey, SharesRow
from homing.store.statements.statistics import StatisticsCell

LEARN_BUSY_SHARE_MAX: Final = 0.2  # of the time that updates may take: long updates come less often
LEARN_LAG_S: Final = 2.0  # deltas of later events may not have arrived yet
LEARN_SETTINGS_S: Final = 30.0  # between two reads of the apps' settings
OUTLOOKS_S: Final = 30.0
"""Between two stores of outlooks, for apps whose likely lost codes go out again."""
RESENT_SPAN: Final = timedelta(days=2)
"""Of the restored past, without what says nothing of carriers: what is older weighs a sixtieth."""
OUTLOOKS_KEPT: Final = timedelta(hours=1)
log = structlog.get_logger()


class RoutingListener:
    """A listener of the aggregator. Updates run in a thread, so that a link's sessions do not wait for them; meanwhile
    no delta is observed.
    """

    def __init__(
        self, catalogue: Callable[[], Catalogue], rng: random.Random, guard: Callable[[], GuardSnapshot]
    ) -> None:
        """`catalogue` gives the current rules, costs and objectives; `guard` the current snapshot, whose fraudulent
        messages the learner does not observe.
        """
        self._catalogue = catalogue
        self._guard = guard
        self.learner = RoutingLearner()
        self._adaptive = AdaptiveRouting(rng)
        self._stored: dict[tuple[RouteScope, CellKey], Mapping[int, int]] | None = None  # weights; None: unknown
        self._now_s = 0.0
        self._updated_s = 0.0
        self._interval_s = limits.LEARN_S
        self._declared_s = 0.0
        self._expired_s = 0.0
        self._outlooks_s = 0.0
        self._is_without_resent = False
        self._repeats = RepeatReader()
        self._minutes_from = 0  # from which minute on the past was restored by minute, before it by hour

    def start(self, cells: Sequence[StatisticsCell]) -> None:
        if not cells:
            return
        reported: dict[tuple[int, str], float] = {}
        for cell in cells:
            if cell.converted:
                reported[cell.account_id, cell.app_id] = (cell.minute + cell.grain) * 60.0
        self._minutes_from = max(
            (cell.minute + cell.grain for cell in cells if cell.grain != PeriodGrain.MINUTE), default=0
        )
        self.learner.begin_restore(max((cell.minute + cell.grain) * 60.0 for cell in cells), reported)
        for cell in cells:
            self.learner.restore(delta_of(cell), cell.receipt_times, cell.conversion_times)

    def observe(self, deltas: Sequence[Delta]) -> None:
        if not self._is_without_resent:  # until then they are observed as they are stored, and taken back with the rest
            deltas = [msgspec.structs.replace(delta, resent=False) for delta in deltas if not delta.superseded]
        self.learner.observe(self._guard().without_fraud(deltas))

    def advance(self, now_s: float) -> None:
        self._now_s = now_s

    def check(self, now_s: float) -> None:
        self._update(self._catalogue(), now_s)

    async def save(self, database: Database) -> None:
        """Updates the learner, when it is time, and stores the shares that have changed. Raises a `PlatformFailure`:
        then the next call stores them.
        """
        now_s = self._now_s
        if now_s - self._updated_s < self._interval_s:
            return
        if now_s - self._declared_s >= LEARN_SETTINGS_S:
            for row in await statements.learning.learn_declared(database):
                self.learner.declare(row.app_id, row.expects_conversions)
            self._declared_s = now_s
        if not self._is_without_resent:
            await self._leave_out_resent(database)
        repeats = await self._repeats.read(database, self.learner.repeating_apps(), now_s)
        self.learner.observe(self._guard().without_fraud(repeats))
        self._updated_s = now_s
        began = time.monotonic()
        decisions, signs = await asyncio.to_thread(self._update, self._catalogue(), now_s)
        self._interval_s = interval_s(time.monotonic() - began)
        at = datetime.fromtimestamp(now_s, UTC)
        await self._store_shares(database, decisions, at)
        if signs:
            await _store_signs(database, signs, at)
        if now_s - self._outlooks_s >= OUTLOOKS_S:
            await self._store_outlooks(database, at)
            self._outlooks_s = now_s
        if now_s - self._expired_s >= limits.CONCLUSIONS_FORGET_S:
            await statements.learning.learn_choices_forget(
                database, before=at - timedelta(days=limits.LEARN_CHOICE_DAYS)
            )
            self._expired_s = now_s

    def _update(
        self, catalogue: Catalogue, now_s: float
    ) -> tuple[dict[tuple[RouteScope, CellKey], ShareDecision], Sequence[FakeReceiptSign]]:
        self.learner.update(now_s - LEARN_LAG_S)
        return self._adaptive.decide(catalogue, self.learner, now_s), find_fakes(self.learner.receipt_yields())

    async def _store_shares(
        self, database: Database, decisions: Mapping[tuple[RouteScope, CellKey], ShareDecision], at: datetime
    ) -> None:
        if self._stored is None:  # an earlier process may have left shares
            rows = await statements.learning.learn_shares_read(database, after_version=0)
            self._stored = {_key_of(row): {} for row in rows}
        stored = self._stored
        changed = [decision for key, decision in decisions.items() if stored.get(key) != decision.shares.weights]
        if changed:
            rules = {decision.scope: encode_scope(decision.scope) for decision in changed}
            await statements.learning.learn_shares_write(
                database,
                made_at=at,
                shares=[
                    NewShares(
                        account_id=decision.cell.account_id,
                        app_id=decision.cell.app_id,
                        country=decision.cell.country,
                        network=decision.cell.network,
                        rule=rules[decision.scope],
                        reason=encode_reason(decision.shares.reason),
                        rests_on=msgspec.json.encode(evidence_of(decision)).decode(),
                        carriers=",".join(map(str, decision.shares.weights)),
                        weights=",".join(map(str, decision.shares.weights.values())),
                    )
                    for decision in changed
                ],
            )
            for decision in changed:
                stored[decision.scope, decision.cell] = decision.shares.weights
        obsolete = [key for key in stored if key not in decisions]
        if obsolete:
            await statements.learning.learn_shares_drop(
                database,
                shares=[
                    SharesKey(
                        account_id=cell.account_id,
                        app_id=cell.app_id,
                        country=cell.country,
                        network=cell.network,
                        rule=encode_scope(scope),
                    )
                    for scope, cell in obsolete
                ],
            )
            for key in obsolete:
                del stored[key]

    async def _store_outlooks(self, database: Database, at: datetime) -> None:
        """Of apps that use them; without any it is one read."""
        apps = {(row.account_id, row.app_id) for row in await statements.learning.learn_resending_apps(database)}
        if not apps:
            return
        outlooks = await asyncio.to_thread(self._outlooks, apps)
        if outlooks:
            await statements.learning.learn_outlooks_write(database, outlooks=outlooks, made_at=at)
        await statements.learning.learn_outlooks_forget(database, before=at - OUTLOOKS_KEPT)

    async def _leave_out_resent(self, database: Database) -> None:
        """Takes back from the restored past what says nothing of carriers since codes left again: the stored statistics
        have it. What superseded messages still count for is calculated by the rates without it.
        """
        rows = await statements.learning.learn_resent(
            database,
            since=datetime.fromtimestamp(self._now_s, UTC) - RESENT_SPAN,
            minutes_from=self._minutes_from,
        )
        for row in rows:
            self.learner.restore(_taken_back(row), (), _delays_taken_back(row))
        superseded = [row for row in rows if row.superseded]
        if superseded:
            await asyncio.to_thread(self.learner.update, self._now_s - LEARN_LAG_S)
            for row in superseded:
                self.learner.restore(_superseded(row), (), ())
        self._is_without_resent = True

    def _outlooks(self, apps: Set[tuple[int, str]]) -> list[NewOutlook]:
        return [
            NewOutlook(
                account_id=cell.account_id,
                app_id=cell.app_id,
                country=cell.country,
                network=cell.network,
                outlook=msgspec.json.encode(outlook).decode(),
            )
            for cell in self.learner.active_cells()
            if (cell.account_id, cell.app_id) in apps and (outlook := self.learner.outlook(cell)) is not None
        ]


def interval_s(took_s: float) -> float:
    """Seconds between the beginnings of two updates, after one that took `took_s`. The process also serves a link's
    sessions: updates take at most LEARN_BUSY_SHARE_MAX of its time, however many cells there are.
    """
    return max(limits.LEARN_S, took_s / LEARN_BUSY_SHARE_MAX)


def evidence_of(decision: ShareDecision) -> dict[str, Any]:
    """The inputs of a decision as stored: candidates with counts, intervals, costs and shares, and the objective."""
    weights = decision.shares.weights
    return {
        "candidates": [
            {
                "carrier_id": posterior.carrier_id,
                "route_id": decision.routes[posterior.carrier_id],
                "share": weights.get(posterior.carrier_id, 0),
                "cost_micro": decision.costs.get(posterior.carrier_id),
                "is_down": posterior.carrier_id in decision.down,
                "messages": round(posterior.trials, 1),
                "conversions": round(posterior.conversions, 1),
                "mean": round(posterior.mean, 5),
                "low": round(posterior.low, 5),
                "high": round(posterior.high, 5),
                "delivered": None if posterior.delivered_rate is None else round(posterior.delivered_rate, 5),
                "alpha": round(posterior.alpha, 2),
                "beta": round(posterior.beta, 2),
                "source": posterior.source,
            }
            for posterior in decision.posteriors
        ],
        "terms": msgspec.structs.asdict(decision.objective),
    }


async def _store_signs(database: Database, signs: Sequence[FakeReceiptSign], at: datetime) -> None:
    await statements.learning.learn_fakes_write(
        database,
        seen_at=at,
        fakes=[
            NewFake(carrier_id=sign.carrier_id, kind=sign.kind, reason=encode_reason(sign.reason)) for sign in signs
        ],
    )


def _taken_back(row: ResentSums) -> Delta:
    return msgspec.structs.replace(
        _cohort_of(row),
        sent=-row.sent,
        delivered=-row.delivered,
        undelivered=-row.undelivered,
        converted=-row.converted,
    )


def _delays_taken_back(row: ResentSums) -> Sequence[int]:
    delays = histogram.empty()
    if row.conversion_bucket >= 0:
        delays[row.conversion_bucket] = -row.converted
    return delays


def _superseded(row: ResentSums) -> Delta:
    return msgspec.structs.replace(
        _cohort_of(row),
        superseded=row.superseded,
        superseded_age_s=row.superseded_age_s,
        superseded_receipt=row.superseded_receipt,
    )


def _cohort_of(row: ResentSums) -> Delta:
    return Delta(
        minute=row.minute,
        account_id=row.account_id,
        app_id=row.app_id,
        country=row.country,
        network=row.network,
        block="",
        carrier_id=row.carrier_id,
        sender="",
    )


def _key_of(row: SharesRow) -> tuple[RouteScope, CellKey]:
    cell = CellKey(row.account_id, row.app_id, row.country, row.network)
    return decode_scope(row.rule), cell
