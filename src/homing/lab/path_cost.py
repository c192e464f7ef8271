"""The cost of routing and guard on the accept path: `prepare` with and without them, on the same messages in turn."""

import time
from typing import Final

import msgspec
import numpy as np

from homing.lab.acceptance import IntakePath
from homing.lab.catalogues import catalogue, single_rule
from homing.lab.means import Mean, mean_of
from homing.lab.policies import HOMING, make
from homing.lab.run import run
from homing.lab.scenario import Scenario, shipped
from homing.lab.world import World
from homing.model import Strategy
from homing.text.numbers import Numbering

WARM_S: Final = 900.0
MESSAGES: Final = 4_000
PAUSE_S: Final = 600.0
"""Virtual time between two passes, so that the guard sees no flood."""


def measure(rounds: int, scenario: Scenario | None = None) -> Mean | None:
    """Microseconds per message: the mean over rounds of the minimum of three passes, as other processes use the machine
    too. Learner and guard run for a quarter of an hour of virtual time before, so that their state is as in service.
    """
    measured = scenario or next(each for each in shipped() if each.name == "burst")
    short = msgspec.structs.replace(measured, hours=WARM_S / 3600, measure_from_h=0.0, rate_per_s=20.0)
    world = World(short, 1, Numbering.load())
    policy = make(HOMING, world)
    run(world, policy.router, policy.acceptance, policy.with_blocks)
    demand = world.demand(0)
    demand = demand[np.argsort(demand["app"], kind="stable")][:MESSAGES]
    plain_path, plain = IntakePath(world), catalogue(world, single_rule(world, Strategy.PRIORITY), 0)
    adaptive = policy.router.catalogue()
    differences = []
    at_s = WARM_S
    for _ in range(rounds):
        with_s = without_s = float("inf")
        for _again in range(3):
            at_s += PAUSE_S
            began = time.perf_counter()
            plain_path.accept(demand, plain, at_s)
            middle = time.perf_counter()
            policy.acceptance.accept(demand, adaptive, at_s)
            ended = time.perf_counter()
            without_s, with_s = min(without_s, middle - began), min(with_s, ended - middle)
        differences.append((with_s - without_s) / len(demand) * 1e6)
    return mean_of(differences)
