"""The report: the runs of a plan, their figures, and the JSON document."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from homing.lab import path_cost
from homing.lab.figures import Figure, Runs, best_baseline, figures, refused_by, seeds_of, stopped_by
from homing.lab.hostile_figures import HOSTILE, hostile_figures
from homing.lab.means import Mean, mean_of
from homing.lab.plan import Plan, policies_for
from homing.lab.policies import ORACLE
from homing.lab.result import RunResult
from homing.lab.scenario import Scenario
from homing.lab.stored_runs import StoredRuns
from homing.lab.strictness import SameRefusals, StrictnessPoint, at_same_refusals, strictness_points
from homing.lab.worker_pool import RunTask, cores, gather

Progress = Callable[[int, int], None]


class PolicyResult(msgspec.Struct, frozen=True):
    """A policy in a scenario, over its seeds. Costs are USD per conversion; shares 0..1."""

    scenario: str
    policy: str
    seeds: int
    cost_per_conversion: Mean | None
    against_oracle: Mean | None
    conversion: Mean | None
    refused: Mean | None
    stopped: dict[str, Mean]
    shift_s: Mean | None
    is_best_baseline: bool = False


class LabReport(msgspec.Struct, frozen=True):
    made_at: str
    quick: bool
    machine: str
    took_s: float
    seeds: int
    messages: int
    messages_per_s: float
    figures: tuple[Figure, ...]
    lines: tuple[PolicyResult, ...]
    scenarios: tuple[Scenario, ...]
    results: tuple[RunResult, ...]
    strictness: tuple[StrictnessPoint, ...] = ()
    same_refusals: tuple[SameRefusals, ...] = ()


def make(plan: Plan, progress: Progress, workers: int | None = None, stored: StoredRuns | None = None) -> LabReport:
    """Runs the plan. A quick plan begins no second run once its time is over; `stored` runs are not repeated."""
    began = time.monotonic()

    def may_begin(task: RunTask) -> bool:
        if plan.quick_s is None or task is plan.tasks[0]:  # a report has a run, however long the accept path took
            return True
        return time.monotonic() - began < plan.quick_s

    path_us = path_cost.measure(plan.path_rounds) if plan.path_rounds else None  # before the runs take all cores
    runs: dict[tuple[str, int, str], RunResult] = {}
    tasks = []
    for task in plan.tasks:
        stored_results = (
            [] if stored is None else [stored.find(task.scenario, task.seed, policy) for policy in task.policies]
        )
        runs.update({_key(result): result for result in stored_results if result is not None})
        if not stored_results or None in stored_results:
            tasks.append(task)
    stored_count = len(plan.tasks) - len(tasks)
    if stored_count:
        progress(stored_count, len(plan.tasks))
    by_name = {scenario.name: scenario for scenario in plan.scenarios}
    for results in gather(
        tasks, workers or cores(), lambda done: progress(stored_count + done, len(plan.tasks)), may_begin
    ):
        runs.update({_key(result): result for result in results})
        if stored is not None:
            stored.add(by_name[results[0].scenario], results)
    took_s = time.monotonic() - began
    hostile = [scenario for scenario in plan.scenarios if HOSTILE in scenario.traits]
    ordinary = [scenario for scenario in plan.scenarios if HOSTILE not in scenario.traits]
    listed = hostile_figures(hostile, runs)
    if ordinary:
        listed = [*figures(ordinary, runs, path_us), *listed]
    points = [strictness_points(scenario, runs) for scenario in plan.scenarios]
    same_refusals = [at_same_refusals(of_scenario) for of_scenario in points]
    messages = sum(result.messages + sum(attack.messages for attack in result.attacks) for result in runs.values())
    busy_s = sum(result.cpu_s for result in runs.values())
    return LabReport(
        datetime.now(UTC).isoformat(timespec="seconds"),
        plan.quick_s is not None,
        machine(),
        round(took_s, 1),
        len(seeds_of(runs)),
        messages,
        round(messages / busy_s) if busy_s else 0,
        tuple(listed),
        tuple(policy_results(plan.scenarios, runs)),
        plan.scenarios,
        tuple(runs[key] for key in sorted(runs)),
        tuple(point for of_scenario in points for point in of_scenario),
        tuple(each for each in same_refusals if each is not None),
    )


def _key(result: RunResult) -> tuple[str, int, str]:
    return result.scenario, result.seed, result.policy


def policy_results(scenarios: Sequence[Scenario], runs: Runs) -> list[PolicyResult]:
    """By scenario and policy."""
    lines = []
    for scenario in scenarios:
        best = best_baseline(runs, scenario)
        for policy in policies_for(scenario):
            wanted = (scenario.name, policy)
            results = [result for (name, _seed, by), result in sorted(runs.items()) if (name, by) == wanted]
            if not results:
                continue
            oracle = [runs.get((scenario.name, result.seed, ORACLE)) for result in results]
            ratios = [
                result.cost_per_conversion / optimum.cost_per_conversion
                for result, optimum in zip(results, oracle, strict=True)
                if optimum is not None
            ]
            stopped = {
                kind: mean_of([*stopped_by(kind, [scenario], runs, policy).get(scenario.name, {}).values()])
                for kind in dict.fromkeys(attack.kind for attack in scenario.attacks)
            }
            is_guard = scenario.goal == "guard"
            lines.append(
                PolicyResult(
                    scenario.name,
                    policy,
                    len(results),
                    mean_of([result.cost_per_conversion / 1e6 for result in results if result.converted]),
                    mean_of(ratios),
                    mean_of([result.conversion for result in results]),
                    mean_of([*refused_by(scenario, runs, policy).values()]) if is_guard else None,
                    {kind: mean for kind, mean in stopped.items() if mean is not None},
                    mean_of([result.shift_s for result in results if result.shift_s is not None]),
                    policy == best,
                )
            )
    return lines


def document(report: LabReport) -> dict[str, object]:
    """The report as JSON values, without the runs."""
    return {
        "made_at": report.made_at,
        "quick": report.quick,
        "machine": report.machine,
        "took_s": report.took_s,
        "seeds": report.seeds,
        "messages_simulated": report.messages,
        "messages_per_core_s": report.messages_per_s,
        "figures": msgspec.to_builtins(report.figures),
        "scenarios": [
            {
                "name": scenario.name,
                "about": scenario.about,
                "hours": scenario.hours,
                "rate_per_s": scenario.rate_per_s,
                "strictness": [
                    msgspec.to_builtins(each) for each in report.strictness if each.scenario == scenario.name
                ],
                "same_refusals": next(
                    (msgspec.to_builtins(each) for each in report.same_refusals if each.scenario == scenario.name), None
                ),
                "policies": [msgspec.to_builtins(line) for line in report.lines if line.scenario == scenario.name],
            }
            for scenario in report.scenarios
        ],
    }


def machine() -> str:
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{cores()} of {os.cpu_count()} cores, {model}, Python {platform.python_version()}"
