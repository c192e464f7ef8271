"""The cost of learning: an update of the learner with the shares that follow, for few cells and for the maximum. Deltas
come as from a platform that sends 200 messages a second, spread evenly over the cells.
"""

import gc
import random
import statistics
import time
from typing import Final

from bench.report import Row
from homing import limits
from homing.aggregation.routing_listener import LEARN_BUSY_SHARE_MAX, interval_s
from homing.app.process import GC_THRESHOLDS
from homing.learning.adaptive import AdaptiveRouting
from homing.learning.learner import LEARN_CELLS_MAX, RoutingLearner
from homing.model import GENERAL, Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope
from homing.statistics.delta import Delta

CELLS: Final = (10, 1_000, LEARN_CELLS_MAX)
CARRIERS: Final = (1, 2, 3, 4)
NETWORKS_A_COUNTRY: Final = 4
APPS: Final = 10
MESSAGES_PER_S: Final = 200
CONVERTS: Final = 0.8
WARM: Final = 20  # updates before the measured ones: by then delays are known, and there are cohorts of several minutes
MEASURED: Final = 5
START_S: Final = 1_767_571_200.0
PRICE_MICRO: Final = 20_000


def run() -> list[Row]:
    """A row for each number of cells. The collector runs as it does in service."""
    before = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        return [_row(cells, _updates_s(cells)) for cells in CELLS]
    finally:
        gc.set_threshold(*before)


def _row(cells: int, took_s: list[float]) -> Row:
    median_s, slowest_s = statistics.median(took_s), max(took_s)
    every_s = interval_s(median_s)
    return Row(
        f"a learner update, {cells:,} cells of {len(CARRIERS)} carriers",
        f"≤ {LEARN_BUSY_SHARE_MAX:.0%} of a core",
        f"{median_s * 1000:,.0f} ms",
        median_s / every_s <= LEARN_BUSY_SHARE_MAX,
        f"slowest {slowest_s * 1000:,.0f} ms; every {every_s:.0f} s: {median_s / every_s:.1%} of a core",
    )


def _updates_s(cells: int) -> list[float]:
    rng = random.Random(1)
    names = [
        (f"app{n % APPS}", f"C{n // APPS // NETWORKS_A_COUNTRY}", f"{n // APPS:05d}", f"62{n // APPS:05d}0")
        for n in range(cells)
    ]
    catalogue = Catalogue(
        prices=[(GENERAL, "62", 2 * PRICE_MICRO)],
        rules=[RouteRule(RouteScope(), Strategy.ADAPTIVE, None, tuple(RouteCandidate(n, n, n, 1) for n in CARRIERS))],
        enabled=CARRIERS,
        costs=[(n, "62", PRICE_MICRO + 1_000 * n) for n in CARRIERS],
    )
    learner, adaptive = RoutingLearner(), AdaptiveRouting(rng)
    took_s = []
    for update in range(WARM + MEASURED):
        now_s = START_S + update * limits.LEARN_S
        minute = int(now_s // 60)
        for _message in range(int(MESSAGES_PER_S * limits.LEARN_S)):
            app, country, network, block = rng.choice(names)
            cohort = (minute, 1, app, country, network, block, rng.choice(CARRIERS), "HOMING")
            deltas = [Delta(*cohort, submitted=1, sent=1), Delta(*cohort, delivered=1, receipt_bucket=3)]
            if rng.random() < CONVERTS:
                deltas.append(Delta(*cohort, converted=1, conversion_bucket=5))
            learner.observe(deltas)
        began = time.perf_counter()
        learner.update(now_s)
        adaptive.decide(catalogue, learner, now_s)
        took_s.append(time.perf_counter() - began)
    return took_s[WARM:]
