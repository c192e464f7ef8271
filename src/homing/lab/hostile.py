"""The hostile worlds: those of the group `hostile`, which an ordinary report leaves out."""

import msgspec

from homing.lab.hostile_figures import HOSTILE
from homing.lab.hostile_guard import adaptive_worlds, crowd_worlds, late_worlds, unreported_worlds, verified_worlds
from homing.lab.hostile_routing import carrier_worlds, reporting_worlds, thin_worlds
from homing.lab.outside_worlds import outside_worlds
from homing.lab.scenario import Scenario
from homing.text.numbers import Numbering


def hostile_scenarios() -> tuple[Scenario, ...]:
    """All of them. Loads the numbering table, from which never-seen networks are taken."""
    numbering = Numbering.load()
    worlds = (
        *unreported_worlds(),
        *late_worlds(),
        *adaptive_worlds(numbering),
        *crowd_worlds(),
        *verified_worlds(),
        *reporting_worlds(),
        *carrier_worlds(),
        *thin_worlds(numbering),
        *outside_worlds(),
    )
    return tuple(msgspec.structs.replace(world, traits=(*world.traits, HOSTILE)) for world in worlds)
