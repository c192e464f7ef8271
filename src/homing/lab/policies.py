"""The policies by name."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.lab.acceptance import AcceptancePath, IntakePath, SharesPath
from homing.lab.baseline_guards import (
    GuardBaseline,
    HourlyThreshold,
    NumberCaps,
    RangeVelocity,
    UnverifiedBudget,
)
from homing.lab.guarded_router import GuardedRouter
from homing.lab.homing_policy import HomingGuardedRouter, HomingRouter
from homing.lab.routers import DeliveryRateRouter, FixedRouter, GovernmentRouter, OracleRouter, Router
from homing.lab.scenario import Scenario
from homing.lab.world import World
from homing.model import Strategy


class LabPolicy(msgspec.Struct, frozen=True):
    """A router and the path on which messages are accepted. `with_blocks`: its deltas distinguish blocks of numbers."""

    router: Router
    acceptance: AcceptancePath
    with_blocks: bool = False


def _fixed(strategy: Strategy) -> Callable[[World], LabPolicy]:
    return lambda world: LabPolicy(FixedRouter(world, strategy), SharesPath(world))


def _guarded(guard_factory: Callable[[World], GuardBaseline] | None) -> Callable[[World], LabPolicy]:
    def make(world: World) -> LabPolicy:
        guard = None if guard_factory is None else guard_factory(world)
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
MINUTE_S: Final = 60
HOMING: Final = "homing"
ORACLE: Final = "oracle"
GUARDS: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    "unverified-budget": _guarded(UnverifiedBudget),
    "hourly-threshold": _guarded(HourlyThreshold),
    "range-velocity": _guarded(RangeVelocity),
    "number-caps": _guarded(NumberCaps),
}
NO_GUARD: Final = "no-guard"
POLICIES: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    **BASELINES,
    ORACLE: lambda world: LabPolicy(OracleRouter(world), SharesPath(world)),
    NO_GUARD: _guarded(None),
    **GUARDS,
    HOMING: _homing,
}


def paced(scenario: Scenario, name: str) -> Scenario:
    """The scenario with the tick length that a policy needs. Routing policies other than Homing decide by the minute:
    their ticks are minutes, unless seconds are measured or people retry within a minute.
    """
    by_minute = scenario.goal == "routing" and name != HOMING and scenario.watched is None
    if not by_minute or scenario.people.ask_again_after_s < MINUTE_S:
        return scenario
    return msgspec.structs.replace(scenario, tick_s=MINUTE_S)


def make(name: str, world: World) -> LabPolicy:
    """The policy of this name. Raises `InvalidInput` for an unknown one."""
    if name not in POLICIES:
        raise errors.InvalidInput(f"there is no policy {name!r}: {', '.join(POLICIES)}")
    return POLICIES[name](world)
