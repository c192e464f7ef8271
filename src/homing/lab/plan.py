"""What a report runs: which scenarios under which policies and seeds, and what a quick one leaves out."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Final

import msgspec

from homing.lab.generate import generated
from homing.lab.policies import BASELINES, GUARDS, HOMING, ORACLE
from homing.lab.scenario import Scenario, shipped
from homing.lab.worker_pool import RunTask

LAB_QUICK_S: Final = 38.0  # a quick report begins no further round of seeds after it
SEEDS: Final = 20
GENERATED: Final = 3
"""Scenarios of each goal that a report draws, from seeds of `GENERATED_FROM` on or of whatever its reader likes."""
GENERATED_FROM: Final = 1
QUICK_HOURS: Final[Mapping[str, float]] = {"routing": 0.75, "guard": 1.5}
QUICK_TICK_S: Final = 5
QUICK_FLOOD_H: Final = 2.0
"""A flood of at most so many hours keeps its length in a quick report: what passes before it is flagged is the same
however long it is, and the share that is stopped would be another flood's.
"""
QUICK_SEEDS: Final = 20
QUICK_ROUTING: Final = ("loss-honest", "loss-lying", "steady")
QUICK_GUARD: Final = ("burst", "rotating", "drip", "mimicry", "flash-and-launch")


class Plan(msgspec.Struct, frozen=True):
    """`tasks` in order: all of a seed's before the next seed's, a scenario's side by side."""

    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    tasks: tuple[RunTask, ...]
    quick_s: float | None


def full(
    scenarios: Sequence[Scenario] | None, seeds: int, hours: float | None, drawn_from: int = GENERATED_FROM
) -> Plan:
    """Every shipped scenario and some drawn ones, or those given, at full length or for so many hours at most."""
    chosen = tuple(scenarios) if scenarios else (*shipped(), *drawn(drawn_from))
    if hours is not None:
        chosen = tuple(shortened(one, hours) for one in chosen)
    return _plan(chosen, range(1, seeds + 1), None)


def quick(scenarios: Sequence[Scenario] | None, drawn_from: int = GENERATED_FROM) -> Plan:
    """A few scenarios, short; as many seeds as fit into the time."""
    if scenarios:
        chosen = tuple(quickened(one) for one in scenarios)
    else:
        by_name = {one.name: one for one in shipped()}
        routing = [by_name[name] for name in QUICK_ROUTING] + [generated(drawn_from, "routing")]
        guard = [by_name[name] for name in QUICK_GUARD]
        both = chain.from_iterable(zip_longest(routing, guard))  # in turn, should the time not be enough for all
        chosen = tuple(quickened(one) for one in both if one is not None)
    return _plan(chosen, range(1, QUICK_SEEDS + 1), LAB_QUICK_S, with_guards=False)


def drawn(first: int = GENERATED_FROM) -> tuple[Scenario, ...]:
    seeds = range(first, first + GENERATED)
    return tuple(generated(seed, goal) for goal in ("routing", "guard") for seed in seeds)


def shortened(scenario: Scenario, hours: float) -> Scenario:
    """The beginning of a scenario; not shorter than what it measures needs."""
    least = max(
        [scenario.measure_from_h * 1.25]
        + [change.from_h + change.ramp_h + 2.0 for carrier in scenario.carriers for change in carrier.changes]
        + [attack.from_h + min(attack.hours, 1.0) for attack in scenario.attacks]
        + [event.from_h + min(event.hours, 1.0) for event in scenario.events]
    )
    return msgspec.structs.replace(scenario, hours=min(scenario.hours, max(hours, least)))


def quickened(scenario: Scenario) -> Scenario:
    """A scenario of which everything happens sooner, so that a short run has all of it."""
    factor = min(1.0, QUICK_HOURS[scenario.goal] / scenario.hours)
    replace = msgspec.structs.replace
    attacks = tuple(
        replace(
            attack,
            from_h=attack.from_h * factor,
            hours=attack.hours if attack.hours <= QUICK_FLOOD_H else attack.hours * factor,
        )
        for attack in scenario.attacks
    )
    return replace(
        scenario,
        tick_s=max(scenario.tick_s, QUICK_TICK_S),
        hours=max([scenario.hours * factor, *(attack.from_h + attack.hours for attack in attacks)]),
        measure_from_h=scenario.measure_from_h * factor,
        carriers=tuple(
            replace(
                carrier,
                changes=tuple(
                    replace(
                        change,
                        from_h=change.from_h * factor,
                        until_h=None if change.until_h is None else change.until_h * factor,
                        ramp_h=change.ramp_h * factor,
                    )
                    for change in carrier.changes
                ),
            )
            for carrier in scenario.carriers
        ),
        attacks=attacks,
        events=tuple(
            replace(event, from_h=event.from_h * factor, hours=event.hours * factor) for event in scenario.events
        ),
    )


def _plan(scenarios: tuple[Scenario, ...], seeds: range, quick_s: float | None, with_guards: bool = True) -> Plan:
    tasks = [
        RunTask(scenario, seed + scenario.seed, policies)
        for seed in seeds
        for scenario in scenarios
        for policies in ((HOMING,), policies_for(scenario)[1:])
        if policies == (HOMING,) or with_guards or scenario.goal == "routing"
    ]
    return Plan(scenarios, tuple(seeds), tuple(tasks), quick_s)


def policies_for(scenario: Scenario) -> tuple[str, ...]:
    return (HOMING, *GUARDS) if scenario.goal == "guard" else (HOMING, ORACLE, *BASELINES)
