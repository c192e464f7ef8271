"""One run: a world under one policy, tick by tick on a virtual clock."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

from homing.lab.acceptance import AcceptancePath
from homing.lab.counts import RunCounts
from homing.lab.event_queue import EventQueue
from homing.lab.outcomes import OutcomeModel
from homing.lab.routers import Router
from homing.lab.world import NEED, SPAN_MIN, Needs, World

Watch = Callable[[int, int], None]
"""Told after each span of traffic: spans done, of how many."""


def run(
    world: World, router: Router, door: AcceptancePath, with_blocks: bool = False, watch: Watch | None = None
) -> RunCounts:
    """Sends everybody's messages and gives the books. `with_blocks`: facts name ranges of numbers, as guards need.

    In each tick first what is known by its beginning is heard, then the policy thinks, then the messages that come
    during it are accepted: no choice rests on anything later than itself.
    """
    tally = RunCounts.of(world)
    calendar = EventQueue(world, with_blocks) if router.listens else None
    fates = OutcomeModel(world, tally, calendar)
    tick_s = world.scenario.tick_s
    again: defaultdict[int, list[Needs]] = defaultdict(list)
    span, waiting, upto = 0, np.zeros(0, NEED), 0
    for tick in range(world.ticks):
        now_s = tick * tick_s
        while span < world.spans and span * SPAN_MIN * 60 < now_s + tick_s:
            waiting, upto = np.concatenate((waiting[upto:], world.needs(span))), 0
            span += 1
            if watch:
                watch(span, world.spans)
        if calendar is not None:
            router.observe(calendar.take(tick))
        router.update(now_s)
        last = int(np.searchsorted(waiting["at_s"], now_s + tick_s, side="left"))
        parts = [waiting[upto:last], *again.pop(tick, ())]
        upto = last
        needs = np.concatenate(parts) if len(parts) > 1 else parts[0]
        if not len(needs):
            continue
        if len(world.scenario.apps) > 1:
            needs = needs[np.argsort(needs["app"], kind="stable")]
        carrier = door.accept(needs, router.catalogue(), now_s)
        later = fates.settle(needs, carrier, tick)
        if len(later):
            due = np.maximum((later["at_s"] // tick_s).astype(np.int64), tick + 1)
            for at in np.unique(due).tolist():
                again[at].append(later[due == at])
    return tally
