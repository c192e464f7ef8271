"""The hostile worlds: those of the group `hostile`, which an ordinary report leaves out."""

from homing.lab.hostile_guard import adaptive_worlds, crowd_worlds, late_worlds, unreported_worlds
from homing.lab.scenario import Scenario
from homing.text.numbers import Numbering


def hostile_scenarios() -> tuple[Scenario, ...]:
    """All of them. Loads the numbering table, from which never-seen networks are taken."""
    numbering = Numbering.load()
    return (*unreported_worlds(), *late_worlds(), *adaptive_worlds(numbering), *crowd_worlds())
