"""What routing and guard cost on the accept path: `prepare` with and without them, on the same submissions in turn."""

import time
from typing import Final

import msgspec
import numpy as np

from homing.lab.acceptance import IntakePath
from homing.lab.catalogues import catalogue, one_rule
from homing.lab.confidence import Mean, mean_of
from homing.lab.policies import HOMING, make
from homing.lab.run import run
from homing.lab.scenario import Scenario, shipped
from homing.lab.world import World
from homing.model import Strategy
from homing.text.numbers import Numbering

WARM_S: Final = 900.0
MESSAGES: Final = 4_000
PAUSE_S: Final = 600.0
"""Of virtual time between two passes, so that what counts messages by time sees no flood."""


def measure(rounds: int, scenario: Scenario | None = None) -> Mean | None:
    """Microseconds a message, over rounds: of each the least of several passes, as others use the machine too.

    The parts have learnt for a quarter of an hour before, so that their books are as in service. None where the policy
    cannot be built.
    """
    chosen = scenario or next(one for one in shipped() if one.name == "burst")
    short = msgspec.structs.replace(chosen, hours=WARM_S / 3600, measure_from_h=0.0, rate_per_s=20.0)
    world = World(short, 1, Numbering.load())
    policy = make(HOMING, world)
    run(world, policy.router, policy.door, policy.with_blocks)
    needs = world.needs(0)
    needs = needs[np.argsort(needs["app"], kind="stable")][:MESSAGES]
    plain_door, plain = IntakePath(world), catalogue(world, one_rule(world, Strategy.PRIORITY), 0)
    learnt = policy.router.catalogue()
    differences = []
    at_s = WARM_S
    for _ in range(rounds):
        with_s = without_s = float("inf")
        for _again in range(3):
            at_s += PAUSE_S
            began = time.perf_counter()
            plain_door.accept(needs, plain, at_s)
            middle = time.perf_counter()
            policy.door.accept(needs, learnt, at_s)
            ended = time.perf_counter()
            without_s, with_s = min(without_s, middle - began), min(with_s, ended - middle)
        differences.append((with_s - without_s) / len(needs) * 1e6)
    return mean_of(differences)
