"""The policies by name."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from homing import errors
from homing.guard.policy import GuardPolicy
from homing.lab.acceptance import AcceptancePath, GuardedPath, IntakePath, SharesPath
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


def _guarded(guard_factory: Callable[[World, float], GuardBaseline], room: float = 1.0) -> Callable[[World], LabPolicy]:
    def make(world: World) -> LabPolicy:
        guard = guard_factory(world, room)
        router = GuardedRouter(FixedRouter(world, Strategy.WEIGHTED), guard)
        return LabPolicy(router, GuardedPath(world, SharesPath(world), guard))

    return make


def _homing(world: World) -> LabPolicy:
    if world.scenario.goal == "routing":
        return LabPolicy(HomingRouter(world), IntakePath(world))
    return _homing_guard(1.0)(world)


def _homing_guard(room: float) -> Callable[[World], LabPolicy]:
    """Homing's guard with more or less evidence needed: twice the room is the odds of a flag times `ODDS_FACTOR`."""

    def make(world: World) -> LabPolicy:
        usual = GuardPolicy()
        flag_nats = usual.flag_nats + math.log2(room) * math.log(ODDS_FACTOR)
        guarded = HomingGuardedRouter(world, msgspec.structs.replace(usual, flag_nats=flag_nats))
        return LabPolicy(guarded, IntakePath(world, enforcer=guarded.enforcer), with_blocks=True)

    return make


BASELINES: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    "priority": _fixed(Strategy.PRIORITY),
    "least-cost": _fixed(Strategy.LEAST_COST),
    "round-robin": _fixed(Strategy.WEIGHTED),
    "delivery-rate": lambda world: LabPolicy(DeliveryRateRouter(world), SharesPath(world)),
    "government": lambda world: LabPolicy(GovernmentRouter(world), SharesPath(world)),
}
MINUTE_S: Final = 60
HOMING: Final = "homing"
ODDS_FACTOR: Final = 7.4
ORACLE: Final = "oracle"
GUARD_BASELINES: Final[Mapping[str, Callable[[World, float], GuardBaseline]]] = {
    "unverified-budget": UnverifiedBudget,
    "hourly-threshold": HourlyThreshold,
    "range-velocity": RangeVelocity,
    "number-caps": NumberCaps,
}
GUARDS: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    name: _guarded(factory) for name, factory in GUARD_BASELINES.items()
}
ROOMS: Final = (0.25, 0.5, 2.0, 4.0)
"""Of a curve of strictness: how much the limits of a guard are multiplied by, besides 1."""
CURVE: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    **{f"{HOMING}@{room:g}": _homing_guard(room) for room in ROOMS},
    **{f"{name}@{room:g}": _guarded(factory, room) for name, factory in GUARD_BASELINES.items() for room in ROOMS},
}
"""Guards at other strictness than their rules have: `name@room`."""
NO_GUARD: Final = "no-guard"
POLICIES: Final[Mapping[str, Callable[[World], LabPolicy]]] = {
    **BASELINES,
    ORACLE: lambda world: LabPolicy(OracleRouter(world), SharesPath(world)),
    NO_GUARD: lambda world: LabPolicy(FixedRouter(world, Strategy.WEIGHTED), SharesPath(world)),
    **GUARDS,
    **CURVE,
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
