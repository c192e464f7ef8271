"""The runs of a report: scenarios, policies and seeds, and the shorter form of a quick report."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Final

import msgspec

from homing.lab.generate import generated, generated_hostile
from homing.lab.policies import BASELINES, CURVE, GUARDS, HOMING, ORACLE
from homing.lab.scenario import Scenario, shipped
from homing.lab.worker_pool import RunTask

LAB_QUICK_S: Final = 25.0  # a quick report begins no further run after it
SEEDS: Final = 20
GENERATED: Final = 3
"""Generated scenarios of each goal, from the seed `GENERATED_FROM` on or from another first seed."""
GENERATED_FROM: Final = 1
QUICK_HOURS: Final[Mapping[str, float]] = {"routing": 0.75, "guard": 1.5}
QUICK_TICK_S: Final = 5
QUICK_ATTACK_H: Final = 2.0
"""An attack of at most so many hours keeps its length in a quick report: how many messages pass before it is detected
does not depend on its length, but the stopped share does.
"""
PATH_ROUNDS: Final = 30
QUICK_PATH_ROUNDS: Final = 10
QUICK_ROUTING: Final = ("loss-honest", "loss-lying", "steady")
QUICK_GUARD: Final = ("burst", "rotating", "drip", "mimicry", "flash-and-launch")


class Plan(msgspec.Struct, frozen=True):
    """`tasks` are in order of seed, then of scenario. `quick_s`: no run begins later; None: no limit. `path_rounds`: of
    measuring the accept path, which is the same whatever is run: 0 where scenarios were chosen.
    """

    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    tasks: tuple[RunTask, ...]
    quick_s: float | None
    path_rounds: int


def full(
    scenarios: Sequence[Scenario] | None,
    seeds: int,
    hours: float | None,
    drawn_from: int = GENERATED_FROM,
    with_curve: bool = False,
) -> Plan:
    """All shipped scenarios and some generated ones, or the given ones, at full length or cut to `hours`.
    `with_curve`: guards at every strictness.
    """
    chosen = tuple(scenarios) if scenarios else (*shipped(), *generated_scenarios(drawn_from))
    if hours is not None:
        chosen = tuple(shortened(scenario, hours) for scenario in chosen)
    return _plan(
        chosen, range(1, seeds + 1), quick_s=None, path_rounds=0 if scenarios else PATH_ROUNDS, with_curve=with_curve
    )


def quick(scenarios: Sequence[Scenario] | None, seeds: int = SEEDS, drawn_from: int = GENERATED_FROM) -> Plan:
    """A few scenarios in a short form, with as many of the seeds as fit into LAB_QUICK_S."""
    if scenarios:
        chosen = tuple(quickened(scenario) for scenario in scenarios)
    else:
        by_name = {scenario.name: scenario for scenario in shipped()}
        routing = [by_name[name] for name in QUICK_ROUTING] + [generated(drawn_from, "routing")]
        guard = [by_name[name] for name in QUICK_GUARD]
        both = chain.from_iterable(zip_longest(routing, guard))  # alternating, in case the time is not enough for all
        chosen = tuple(quickened(scenario) for scenario in both if scenario is not None)
    path_rounds = 0 if scenarios else QUICK_PATH_ROUNDS
    return _plan(chosen, range(1, seeds + 1), quick_s=LAB_QUICK_S, path_rounds=path_rounds, with_guards=False)


def generated_scenarios(first: int = GENERATED_FROM, hostile: bool = False) -> tuple[Scenario, ...]:
    draw = generated_hostile if hostile else generated
    seeds = range(first, first + GENERATED)
    return tuple(draw(seed, goal) for goal in ("routing", "guard") for seed in seeds)


def shortened(scenario: Scenario, hours: float) -> Scenario:
    """The first `hours` of a scenario, but not less than its measurements need."""
    hours_min = max(
        [scenario.measure_from_h * 1.25]
        + [change.from_h + change.ramp_h + 2.0 for carrier in scenario.carriers for change in carrier.changes]
        + [attack.from_h + min(attack.hours, 1.0) for attack in scenario.attacks]
        + [event.from_h + min(event.hours, 1.0) for event in scenario.events]
    )
    return msgspec.structs.replace(scenario, hours=min(scenario.hours, max(hours, hours_min)))


def quickened(scenario: Scenario) -> Scenario:
    """A scenario with all times scaled down, so that a short run contains everything."""
    factor = min(1.0, QUICK_HOURS[scenario.goal] / scenario.hours)
    replace = msgspec.structs.replace
    attacks = tuple(
        replace(
            attack,
            from_h=attack.from_h * factor,
            hours=attack.hours if attack.hours <= QUICK_ATTACK_H else attack.hours * factor,
            ramp_h=attack.ramp_h if attack.hours <= QUICK_ATTACK_H else attack.ramp_h * factor,
        )
        for attack in scenario.attacks
    )
    apps = tuple(
        replace(
            app,
            stops_reporting_at_h=None if app.stops_reporting_at_h is None else app.stops_reporting_at_h * factor,
            report_outages=tuple(
                replace(outage, from_h=outage.from_h * factor, until_h=outage.until_h * factor)
                for outage in app.report_outages
            ),
        )
        for app in scenario.apps
    )
    return replace(
        scenario,
        apps=apps,
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


def _plan(
    scenarios: tuple[Scenario, ...],
    seeds: range,
    *,
    quick_s: float | None,
    path_rounds: int,
    with_guards: bool = True,
    with_curve: bool = False,
) -> Plan:
    tasks = [
        RunTask(scenario, seed + scenario.seed, policies)
        for seed in seeds
        for scenario in scenarios
        for policies in ((HOMING,), policies_for(scenario)[1:], *(((name,) for name in CURVE) if with_curve else ()))
        if policies == (HOMING,)
        or (scenario.goal == "routing" and policies[0] not in CURVE)
        or (scenario.goal == "guard" and with_guards)
    ]
    return Plan(scenarios, tuple(seeds), tuple(tasks), quick_s, path_rounds)


def policies_for(scenario: Scenario) -> tuple[str, ...]:
    return (HOMING, *GUARDS) if scenario.goal == "guard" else (HOMING, ORACLE, *BASELINES)
