"""The policies by name: what a run is made of."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.lab.door import Accepts, ByShares, WholeIntake
from homing.lab.guarded import Guarded
from homing.lab.guards import Allows, HourlyThreshold, UnverifiedBudget
from homing.lab.homing_policy import Homing, HomingGuarded
from homing.lab.routers import DeliveryRate, Fixed, Government, Oracle, Router
from homing.lab.scenario import Scenario
from homing.lab.world import World
from homing.model import Strategy


class Policy(msgspec.Struct, frozen=True):
    """Who decides, and by which way messages are accepted. `with_blocks`: it hears of ranges of numbers."""

    router: Router
    door: Accepts
    with_blocks: bool = False


def _fixed(strategy: Strategy) -> Callable[[World], Policy]:
    return lambda world: Policy(Fixed(world, strategy), ByShares(world))


def _guarded(makes: Callable[[World], Allows] | None) -> Callable[[World], Policy]:
    def make(world: World) -> Policy:
        guard = None if makes is None else makes(world)
        router = Guarded(Fixed(world, Strategy.WEIGHTED), guard)
        return Policy(router, WholeIntake(world, guard))

    return make


def _homing(world: World) -> Policy:
    if world.scenario.goal == "routing":
        return Policy(Homing(world), WholeIntake(world))
    guarded = HomingGuarded(world)
    return Policy(guarded, WholeIntake(world, enforcer=guarded.enforcer), with_blocks=True)


BASELINES: Final[Mapping[str, Callable[[World], Policy]]] = {
    "priority": _fixed(Strategy.PRIORITY),
    "least-cost": _fixed(Strategy.LEAST_COST),
    "round-robin": _fixed(Strategy.WEIGHTED),
    "delivery-rate": lambda world: Policy(DeliveryRate(world), ByShares(world)),
    "government": lambda world: Policy(Government(world), ByShares(world)),
}
BY_MINUTE_S: Final = 60
HOMING: Final = "homing"
ORACLE: Final = "oracle"
GUARDS: Final[Mapping[str, Callable[[World], Policy]]] = {
    "unverified-budget": _guarded(UnverifiedBudget),
    "hourly-threshold": _guarded(HourlyThreshold),
}
NONE: Final = "no-guard"
POLICIES: Final[Mapping[str, Callable[[World], Policy]]] = {
    **BASELINES,
    ORACLE: lambda world: Policy(Oracle(world), ByShares(world)),
    NONE: _guarded(None),
    **GUARDS,
    HOMING: _homing,
}


def paced(scenario: Scenario, name: str) -> Scenario:
    """The scenario in the ticks that a policy needs. Who routes and is not Homing decides at the minute, by what is
    known then: its ticks are minutes, unless seconds are measured or somebody asks again within one.
    """
    by_minute = scenario.goal == "routing" and name != HOMING and scenario.watched is None
    if not by_minute or scenario.people.ask_again_after_s < BY_MINUTE_S:
        return scenario
    return msgspec.structs.replace(scenario, tick_s=BY_MINUTE_S)


def make(name: str, world: World) -> Policy:
    """Raises `OperatorError` for an unknown name."""
    if name not in POLICIES:
        raise errors.OperatorError(f"there is no policy {name!r}: {', '.join(POLICIES)}")
    return POLICIES[name](world)
