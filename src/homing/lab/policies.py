"""The policies by name: what a run is made of."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.lab.acceptance import AcceptancePath, IntakePath, SharesPath
from homing.lab.baseline_guards import GuardBaseline, HourlyThreshold, UnverifiedBudget
from homing.lab.guarded_router import GuardedRouter
from homing.lab.homing_policy import HomingGuardedRouter, HomingRouter
from homing.lab.routers import DeliveryRateRouter, FixedRouter, GovernmentRouter, OracleRouter, Router
from homing.lab.scenario import Scenario
from homing.lab.world import World
from homing.model import Strategy


class LabPolicy(msgspec.Struct, frozen=True):
    """Who decides, and by which way messages are accepted. `with_blocks`: it hears of ranges of numbers."""

    router: Router
    door: AcceptancePath
    with_blocks: bool = False


def _fixed(strategy: Strategy) -> Callable[[World], LabPolicy]:
    return lambda world: LabPolicy(FixedRouter(world, strategy), SharesPath(world))


def _guarded(makes: Callable[[World], GuardBaseline] | None) -> Callable[[World], LabPolicy]:
    def make(world: World) -> LabPolicy:
        guard = None if makes is None else makes(world)
        router = GuardedRouter(FixedRouter(world, Strategy.WEIGHTED), guard)
        return LabPolicy(router, IntakePath(world, guard))

    return make


def _homing(world: World) -> LabPolicy:
    if world.scenario.goal == "routing":
        return LabPolicy(HomingRouter(world), IntakePath(world))
    guarded = HomingGuardedRouter(world)
    return LabPolicy(guarded, IntakePath(world, enforcer=guarded.enforcer), with_blocks=True)


BASELINES: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    "priority": _fixed(Strategy.PRIORITY),
    "least-cost": _fixed(Strategy.LEAST_COST),
    "round-robin": _fixed(Strategy.WEIGHTED),
    "delivery-rate": lambda world: LabPolicy(DeliveryRateRouter(world), SharesPath(world)),
    "government": lambda world: LabPolicy(GovernmentRouter(world), SharesPath(world)),
}
BY_MINUTE_S: Final = 60
HOMING: Final = "homing"
ORACLE: Final = "oracle"
GUARDS: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    "unverified-budget": _guarded(UnverifiedBudget),
    "hourly-threshold": _guarded(HourlyThreshold),
}
NONE: Final = "no-guard"
POLICIES: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    **BASELINES,
    ORACLE: lambda world: LabPolicy(OracleRouter(world), SharesPath(world)),
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


def make(name: str, world: World) -> LabPolicy:
    """Raises `InvalidInput` for an unknown name."""
    if name not in POLICIES:
        raise errors.InvalidInput(f"there is no policy {name!r}: {', '.join(POLICIES)}")
    return POLICIES[name](world)
