"""One run: a world under one policy, tick by tick on a virtual clock."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from homing.lab.acceptance import AcceptancePath
from homing.lab.attackers import Attackers
from homing.lab.counts import RunCounts
from homing.lab.event_queue import EventQueue
from homing.lab.outcomes import OutcomeModel
from homing.lab.routers import Router
from homing.lab.world import DEMAND_DTYPE, SPAN_MIN, Demand, World

Progress = Callable[[int, int], None]
"""Called after each span of demand with the number of spans done, and of all spans."""


def run(
    world: World,
    router: Router,
    acceptance: AcceptancePath,
    with_blocks: bool = False,
    progress: Progress | None = None,
) -> RunCounts:
    """Simulates a world under one policy. `with_blocks`: events name blocks of numbers, which guards need.

    In each tick the policy first observes the events that are known at the tick's beginning, then it is updated, then
    the tick's messages are accepted: no choice depends on later events.
    """
    counts = RunCounts.of(world)
    events = EventQueue(world, with_blocks) if router.listens else None
    outcomes = OutcomeModel(world, counts, events)
    attackers = Attackers(world)
    tick_s = world.scenario.tick_s
    retries: defaultdict[int, list[Demand]] = defaultdict(list)
    span, waiting, first = 0, np.zeros(0, DEMAND_DTYPE), 0
    for tick in range(world.ticks):
        now_s = tick * tick_s
        while span < world.spans and span * SPAN_MIN * 60 < now_s + tick_s:
            waiting, first = np.concatenate((waiting[first:], world.demand(span))), 0
            span += 1
            if progress:
                progress(span, world.spans)
        if events is not None:
            router.observe(events.take(tick))
        router.update(now_s)
        last = int(np.searchsorted(waiting["at_s"], now_s + tick_s, side="left"))
        parts = [waiting[first:last], *retries.pop(tick, ())]
        first = last
        demand = np.concatenate(parts) if len(parts) > 1 else parts[0]
        if not len(demand):
            continue
        if len(world.scenario.apps) > 1:
            demand = demand[np.argsort(demand["app"], kind="stable")]
        attackers.assign(demand)
        carrier = acceptance.accept(demand, router.catalogue(), now_s)
        attackers.observe(demand, carrier)
        retrying = outcomes.resolve(demand, carrier, tick)
        if len(retrying):
            due = np.maximum((retrying["at_s"] // tick_s).astype(np.int64), tick + 1)
            for at in np.unique(due).tolist():
                retries[at].append(retrying[due == at])
    return counts
