"""The lab's figures: definition, target, and calculation from the runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from homing.lab.means import Mean, mean_of
from homing.lab.policies import BASELINES, HOMING, ORACLE
from homing.lab.result import RunResult
from homing.lab.scenario import KINDS, Scenario

Runs = Mapping[tuple[str, int, str], RunResult]
"""By scenario, seed and policy."""

ORACLE_RATIO_MAX: Final = 1.05
BASELINE_RATIO_BAD: Final = 1.0
BASELINE_RATIO_ELSEWHERE: Final = 1.02
SHIFT_HONEST_S_MAX: Final = 120.0
SHIFT_LYING_S_MAX: Final = 600.0
STOPPED_MIN: Final[Mapping[str, float]] = {"burst": 0.99, "rotating": 0.95, "drip": 0.80, "mimicry": 0.80}
REFUSED_MAX: Final = 0.001
REFUSED_WORST_MAX: Final = 0.005
PATH_US_MAX: Final = 15.0


class Figure(msgspec.Struct, frozen=True):
    """`met` is None without a target or a measurement. `by_scenario`: the mean of each scenario. `hours`: of virtual
    time.
    """

    name: str
    title: str
    unit: str
    relation: Literal["<=", "<", ">=", ""]
    target: float | None
    measured: float | None
    met: bool | None
    interval: tuple[float, float] | None
    seeds: int
    hours: float
    decided_by: str = ""
    by_scenario: Mapping[str, float] = {}


def figures(scenarios: Sequence[Scenario], runs: Runs, path_us: Mean | None) -> list[Figure]:
    """All figures. `path_us`: microseconds per message on the accept path (lab/path_cost.py)."""
    routing = [scenario for scenario in scenarios if scenario.goal == "routing"]
    guard = [scenario for scenario in scenarios if scenario.goal == "guard"]
    degraded = [scenario for scenario in routing if {"fake-receipts", "degrading"} & set(scenario.traits)]
    elsewhere = [scenario for scenario in routing if scenario not in degraded]
    listed = [
        _ratio(
            "oracle_ratio",
            "cost per conversion against the oracle, whole run",
            ORACLE_RATIO_MAX,
            {scenario.name: _ratios_to(runs, scenario, ORACLE) for scenario in routing},
            routing,
        ),
        _ratio(
            "oracle_ratio_late",
            "cost per conversion against the oracle, last quarter of the run",
            None,
            {scenario.name: _ratios_to(runs, scenario, ORACLE, late=True) for scenario in routing},
            routing,
        ),
        _worst(
            "best_baseline_bad_carrier",
            "against the best baseline, with a fake-receipt or degrading carrier",
            "<",
            BASELINE_RATIO_BAD,
            {scenario.name: _ratios_to_best(runs, scenario) for scenario in degraded},
            degraded,
        ),
        _worst(
            "best_baseline_elsewhere",
            "against the best baseline, elsewhere",
            "<=",
            BASELINE_RATIO_ELSEWHERE,
            {scenario.name: _ratios_to_best(runs, scenario) for scenario in elsewhere},
            elsewhere,
        ),
        _conversions(routing, runs),
    ]
    for kind, target in (("honest", SHIFT_HONEST_S_MAX), ("lying", SHIFT_LYING_S_MAX)):
        watched = [
            scenario for scenario in routing if scenario.watched and _has_fake_receipts(scenario) == (kind == "lying")
        ]
        receipts_label = "receipts" if kind == "honest" else "lying receipts"
        listed.append(
            _shift(
                f"shift_{kind}_s",
                f"seconds to below 10 % share after losing 50 %, {receipts_label}",
                target,
                watched,
                runs,
            )
        )
    listed += [_stopped(kind, guard, runs) for kind in KINDS]
    listed += _refused(guard, runs)
    listed.append(
        Figure(
            "path_us",
            "routing and guard on the accept path, microseconds a message",
            "us",
            "<=",
            PATH_US_MAX,
            None if path_us is None else path_us.mean,
            None if path_us is None else path_us.mean <= PATH_US_MAX,
            None if path_us is None or path_us.low is None or path_us.high is None else (path_us.low, path_us.high),
            0 if path_us is None else path_us.count,
            0.0,
        )
    )
    return listed


def best_baseline(runs: Runs, scenario: Scenario) -> str | None:
    """The baseline with the lowest mean cost per conversion, of those that meet the quality floor in most seeds: whose
    conversions per message are at least `quality_floor` of the oracle's. The floor is by message: by person, repeated
    requests would hide lost codes. None when no baseline meets it.
    """
    means: dict[str, float] = {}
    for name in BASELINES:
        results = _results_of(runs, scenario, name)
        oracle = [runs.get((scenario.name, result.seed, ORACLE)) for result in results]
        meets_floor = [
            result.yielded >= scenario.quality_floor * optimum.yielded
            for result, optimum in zip(results, oracle, strict=True)
            if optimum
        ]
        if results and meets_floor and sum(meets_floor) * 2 > len(meets_floor):
            means[name] = sum(result.cost_per_conversion for result in results) / len(results)
    return min(means, key=lambda name: means[name], default=None)


def seeds_of(runs: Runs) -> list[int]:
    return sorted({seed for _scenario, seed, _policy in runs})


def _results_of(runs: Runs, scenario: Scenario, policy: str) -> list[RunResult]:
    return [result for (name, _seed, by), result in sorted(runs.items()) if name == scenario.name and by == policy]


def _ratios_to(runs: Runs, scenario: Scenario, policy: str, late: bool = False) -> dict[int, float]:
    """Homing's cost per conversion divided by another policy's, by seed: with the same people."""
    ratios = {}
    for result in _results_of(runs, scenario, HOMING):
        other = runs.get((scenario.name, result.seed, policy))
        if other is not None:
            pair = (
                (result.late_cost_per_conversion, other.late_cost_per_conversion)
                if late
                else (result.cost_per_conversion, other.cost_per_conversion)
            )
            ratios[result.seed] = pair[0] / pair[1]
    return ratios


def _ratios_to_best(runs: Runs, scenario: Scenario) -> dict[int, float]:
    best = best_baseline(runs, scenario)
    return {} if best is None else _ratios_to(runs, scenario, best)


def _hours(scenarios: Iterable[Scenario]) -> float:
    return max((scenario.hours for scenario in scenarios), default=0.0)


def _means(ratios: Mapping[str, Mapping[int, float]]) -> dict[str, Mean]:
    listed = {name: mean_of([*values.values()]) for name, values in ratios.items()}
    return {name: mean for name, mean in listed.items() if mean is not None}


def _interval(mean: Mean | None) -> tuple[float, float] | None:
    return None if mean is None or mean.low is None or mean.high is None else (mean.low, mean.high)


def _ratio(
    name: str,
    title: str,
    target: float | None,
    ratios: Mapping[str, Mapping[int, float]],
    scenarios: Sequence[Scenario],
) -> Figure:
    """The mean over scenarios and seeds, with the interval of the seeds' means. Met if every scenario's mean is."""
    by_scenario = _means(ratios)
    seeds = sorted({seed for values in ratios.values() for seed in values})
    by_seed = [[values[seed] for values in ratios.values() if seed in values] for seed in seeds]
    mean = mean_of([sum(values) / len(values) for values in by_seed])
    worst = max(by_scenario, key=lambda name: by_scenario[name].mean, default="")
    met = None if target is None or not worst else by_scenario[worst].mean <= target
    return Figure(
        name,
        title,
        "ratio",
        "<=" if target is not None else "",
        target,
        None if mean is None else mean.mean,
        met,
        _interval(mean),
        len(seeds),
        _hours(scenarios),
        f"{worst} {by_scenario[worst].mean:.3f}" if worst else "",
        {name: value.mean for name, value in by_scenario.items()},
    )


def _worst(
    name: str,
    title: str,
    relation: Literal["<=", "<"],
    target: float,
    ratios: Mapping[str, Mapping[int, float]],
    scenarios: Sequence[Scenario],
    unit: str = "ratio",
) -> Figure:
    """The worst scenario's mean over its seeds."""
    by_scenario = _means(ratios)
    worst = max(by_scenario, key=lambda name: by_scenario[name].mean, default="")
    mean = by_scenario.get(worst)
    met = None if mean is None else (mean.mean <= target if relation == "<=" else mean.mean < target)
    return Figure(
        name,
        title,
        unit,
        relation,
        target,
        None if mean is None else mean.mean,
        met,
        _interval(mean),
        0 if mean is None else mean.count,
        _hours(scenarios),
        worst,
        {name: value.mean for name, value in by_scenario.items()},
    )


def _conversions(scenarios: Sequence[Scenario], runs: Runs) -> Figure:
    """People who convert, relative to the oracle: shows that costs are not saved at their expense."""
    ratios = {}
    for scenario in scenarios:
        results = _results_of(runs, scenario, HOMING)
        pairs = [(result, runs.get((scenario.name, result.seed, ORACLE))) for result in results]
        ratios[scenario.name] = {
            result.seed: result.conversion / oracle.conversion
            for result, oracle in pairs
            if oracle is not None and oracle.conversion
        }
    return _ratio("conversions_against_oracle", "people who convert, against the oracle's", None, ratios, scenarios)


def _has_fake_receipts(scenario: Scenario) -> bool:
    """Whether the watched carrier's receipts are fake while it loses messages."""
    watched = next(carrier for carrier in scenario.carriers if carrier.name == scenario.watched)
    return "fake" in {watched.receipts, *(change.receipts for change in watched.changes)}


def _shift(name: str, title: str, target: float, scenarios: Sequence[Scenario], runs: Runs) -> Figure:
    shift_times = {
        scenario.name: {
            result.seed: result.shift_s for result in _results_of(runs, scenario, HOMING) if result.shift_s is not None
        }
        for scenario in scenarios
    }
    all_times = [value for values in shift_times.values() for value in values.values()]
    mean = mean_of(all_times)
    return Figure(
        name,
        title,
        "s",
        "<=",
        target,
        None if mean is None else mean.mean,
        None if mean is None else mean.mean <= target,
        _interval(mean),
        len({seed for values in shift_times.values() for seed in values}),
        _hours(scenarios),
        f"longest {max(all_times):.0f} s" if all_times else "",
        {name: value.mean for name, value in _means(shift_times).items()},
    )


def stopped_by(kind: str, scenarios: Sequence[Scenario], runs: Runs, policy: str) -> dict[str, dict[int, float]]:
    """The share of an attack's spend that was stopped, by scenario and seed."""
    shares: dict[str, dict[int, float]] = {}
    for scenario in scenarios:
        for result in _results_of(runs, scenario, policy):
            attacks = [attack for attack in result.attacks if attack.kind == kind and attack.wanted_micro]
            if attacks:
                spent = sum(attack.spent_micro for attack in attacks)
                wanted = sum(attack.wanted_micro for attack in attacks)
                shares.setdefault(scenario.name, {})[result.seed] = 1 - spent / wanted
    return shares


def _stopped(kind: str, scenarios: Sequence[Scenario], runs: Runs) -> Figure:
    shares = stopped_by(kind, scenarios, runs, HOMING)
    seeds = sorted({seed for values in shares.values() for seed in values})
    by_seed = [[values[seed] for values in shares.values() if seed in values] for seed in seeds]
    mean = mean_of([sum(values) / len(values) for values in by_seed])
    target = STOPPED_MIN.get(kind)
    with_attacks = [scenario for scenario in scenarios if scenario.name in shares]
    return Figure(
        f"stopped_{kind}",
        f"attack spend stopped, {kind}",
        "share",
        ">=" if target is not None else "",
        target,
        None if mean is None else mean.mean,
        None if mean is None or target is None else mean.mean >= target,
        _interval(mean),
        len(seeds),
        _hours(with_attacks),
        "",
        {name: value.mean for name, value in _means(shares).items()},
    )


def refused_by(scenario: Scenario, runs: Runs, policy: str) -> dict[int, float]:
    """The share of people who were refused at least once, by seed."""
    return {result.seed: result.refused_share for result in _results_of(runs, scenario, policy)}


def _refused(scenarios: Sequence[Scenario], runs: Runs) -> list[Figure]:
    results = [result for scenario in scenarios for result in _results_of(runs, scenario, HOMING)]
    seeds = sorted({result.seed for result in results})
    overall = []
    for seed in seeds:
        of_seed = [result for result in results if result.seed == seed]
        overall.append(sum(result.refused for result in of_seed) / max(1, sum(result.people for result in of_seed)))
    mean = mean_of(overall)
    shares = {scenario.name: refused_by(scenario, runs, HOMING) for scenario in scenarios}
    distinct = {
        scenario.name: {
            result.seed: result.distinct_refused_share
            for result in _results_of(runs, scenario, HOMING)
            if result.crowds
        }
        for scenario in scenarios
    }
    return [
        Figure(
            "refused_overall",
            "real people refused, all scenarios together",
            "share",
            "<=",
            REFUSED_MAX,
            None if mean is None else mean.mean,
            None if mean is None else mean.mean <= REFUSED_MAX,
            _interval(mean),
            len(seeds),
            _hours(scenarios),
            "",
            {name: value.mean for name, value in _means(shares).items()},
        ),
        _worst(
            "refused_worst",
            "real people refused, in the worst scenario",
            "<=",
            REFUSED_WORST_MAX,
            shares,
            scenarios,
            unit="share",
        ),
        _worst(
            "distinct_refused_worst",
            "real people refused, each counted once, in the worst scenario",
            "<=",
            REFUSED_WORST_MAX,
            distinct,
            scenarios,
            unit="share",
        ),
    ]
