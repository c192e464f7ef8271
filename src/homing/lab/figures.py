"""The figures that the lab is judged by: what each is, what it must reach, and how it follows from the runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from homing.lab.confidence import Mean, mean_of
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
    """`met` None: there is no target, or nothing was measured. `by_scenario`: the means it is made of."""

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
    routing = [one for one in scenarios if one.goal == "routing"]
    guard = [one for one in scenarios if one.goal == "guard"]
    bad = [one for one in routing if {"fake-receipts", "degrading"} & set(one.traits)]
    elsewhere = [one for one in routing if one not in bad]
    found = [
        _ratio(
            "oracle_ratio",
            "cost per conversion against the oracle, whole run",
            ORACLE_RATIO_MAX,
            {one.name: _against(runs, one, ORACLE) for one in routing},
            routing,
        ),
        _ratio(
            "oracle_ratio_late",
            "cost per conversion against the oracle, last quarter of the run",
            None,
            {one.name: _against(runs, one, ORACLE, late=True) for one in routing},
            routing,
        ),
        _worst(
            "best_baseline_bad_carrier",
            "against the best baseline, with a fake-receipt or degrading carrier",
            "<",
            BASELINE_RATIO_BAD,
            {one.name: _against_best(runs, one) for one in bad},
            bad,
        ),
        _worst(
            "best_baseline_elsewhere",
            "against the best baseline, elsewhere",
            "<=",
            BASELINE_RATIO_ELSEWHERE,
            {one.name: _against_best(runs, one) for one in elsewhere},
            elsewhere,
        ),
        _conversions(routing, runs),
    ]
    for kind, target in (("honest", SHIFT_HONEST_S_MAX), ("lying", SHIFT_LYING_S_MAX)):
        watched = [one for one in routing if one.watched and _lies(one) == (kind == "lying")]
        words = "receipts" if kind == "honest" else "lying receipts"
        found.append(
            _shift(f"shift_{kind}_s", f"seconds to below 10 % share after losing 50 %, {words}", target, watched, runs)
        )
    found += [_stopped(kind, guard, runs) for kind in KINDS]
    found += _refused(guard, runs)
    found.append(
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
    return found


def best_baseline(runs: Runs, scenario: Scenario) -> str | None:
    """The baseline of the least mean cost per conversion, of those that keep the floor of quality: whose messages
    convert at least at the floor's part of the rate that the oracle's do. By message, as the floor is defined for
    everybody: by person, people who have to ask three times would hide it. None where no seed has them all.
    """
    means: dict[str, float] = {}
    for name in BASELINES:
        mine = _of(runs, scenario, name)
        truth = [runs.get((scenario.name, one.seed, ORACLE)) for one in mine]
        kept = [
            one.yielded >= scenario.quality_floor * two.yielded for one, two in zip(mine, truth, strict=True) if two
        ]
        if mine and kept and sum(kept) * 2 > len(kept):
            means[name] = sum(one.cost_per_conversion for one in mine) / len(mine)
    return min(means, key=lambda name: means[name], default=None)


def seeds_of(runs: Runs) -> list[int]:
    return sorted({seed for _scenario, seed, _policy in runs})


def _of(runs: Runs, scenario: Scenario, policy: str) -> list[RunResult]:
    return [result for (name, _seed, by), result in sorted(runs.items()) if name == scenario.name and by == policy]


def _against(runs: Runs, scenario: Scenario, policy: str, late: bool = False) -> dict[int, float]:
    """Homing's cost per conversion over another policy's, by seed: of the same people."""
    ratios = {}
    for mine in _of(runs, scenario, HOMING):
        other = runs.get((scenario.name, mine.seed, policy))
        if other is not None:
            pair = (
                (mine.late_cost_per_conversion, other.late_cost_per_conversion)
                if late
                else (mine.cost_per_conversion, other.cost_per_conversion)
            )
            ratios[mine.seed] = pair[0] / pair[1]
    return ratios


def _against_best(runs: Runs, scenario: Scenario) -> dict[int, float]:
    best = best_baseline(runs, scenario)
    return {} if best is None else _against(runs, scenario, best)


def _hours(scenarios: Iterable[Scenario]) -> float:
    return max((one.hours for one in scenarios), default=0.0)


def _means(ratios: Mapping[str, Mapping[int, float]]) -> dict[str, Mean]:
    found = {name: mean_of([*values.values()]) for name, values in ratios.items()}
    return {name: mean for name, mean in found.items() if mean is not None}


def _interval(mean: Mean | None) -> tuple[float, float] | None:
    return None if mean is None or mean.low is None or mean.high is None else (mean.low, mean.high)


def _ratio(
    name: str,
    title: str,
    target: float | None,
    ratios: Mapping[str, Mapping[int, float]],
    scenarios: Sequence[Scenario],
) -> Figure:
    """The mean over scenarios and seeds; the interval is of the seeds' means. Met where every scenario's mean is."""
    by_scenario = _means(ratios)
    seeds = sorted({seed for values in ratios.values() for seed in values})
    each = [[values[seed] for values in ratios.values() if seed in values] for seed in seeds]
    mean = mean_of([sum(values) / len(values) for values in each])
    worst = max(by_scenario, key=lambda one: by_scenario[one].mean, default="")
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
        {one: value.mean for one, value in by_scenario.items()},
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
    worst = max(by_scenario, key=lambda one: by_scenario[one].mean, default="")
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
        {one: value.mean for one, value in by_scenario.items()},
    )


def _conversions(scenarios: Sequence[Scenario], runs: Runs) -> Figure:
    """People who convert, against the oracle's: that costs are not saved at their expense."""
    ratios = {}
    for scenario in scenarios:
        pairs = [(one, runs.get((scenario.name, one.seed, ORACLE))) for one in _of(runs, scenario, HOMING)]
        ratios[scenario.name] = {
            one.seed: one.conversion / two.conversion for one, two in pairs if two is not None and two.conversion
        }
    return _ratio("conversions_against_oracle", "people who convert, against the oracle's", None, ratios, scenarios)


def _lies(scenario: Scenario) -> bool:
    """Whether the watched carrier's receipts lie while it loses."""
    watched = next(carrier for carrier in scenario.carriers if carrier.name == scenario.watched)
    return "fake" in {watched.receipts, *(change.receipts for change in watched.changes)}


def _shift(name: str, title: str, target: float, scenarios: Sequence[Scenario], runs: Runs) -> Figure:
    times = {
        one.name: {result.seed: result.shift_s for result in _of(runs, one, HOMING) if result.shift_s is not None}
        for one in scenarios
    }
    every = [value for values in times.values() for value in values.values()]
    mean = mean_of(every)
    return Figure(
        name,
        title,
        "s",
        "<=",
        target,
        None if mean is None else mean.mean,
        None if mean is None else mean.mean <= target,
        _interval(mean),
        len({seed for values in times.values() for seed in values}),
        _hours(scenarios),
        f"longest {max(every):.0f} s" if every else "",
        {one: value.mean for one, value in _means(times).items()},
    )


def stopped_by(kind: str, scenarios: Sequence[Scenario], runs: Runs, policy: str) -> dict[str, dict[int, float]]:
    """The share of an attack's spend that was stopped, by scenario and seed."""
    found: dict[str, dict[int, float]] = {}
    for scenario in scenarios:
        for result in _of(runs, scenario, policy):
            mine = [attack for attack in result.attacks if attack.kind == kind and attack.wanted_micro]
            if mine:
                spent, wanted = sum(one.spent_micro for one in mine), sum(one.wanted_micro for one in mine)
                found.setdefault(scenario.name, {})[result.seed] = 1 - spent / wanted
    return found


def _stopped(kind: str, scenarios: Sequence[Scenario], runs: Runs) -> Figure:
    shares = stopped_by(kind, scenarios, runs, HOMING)
    seeds = sorted({seed for values in shares.values() for seed in values})
    each = [[values[seed] for values in shares.values() if seed in values] for seed in seeds]
    mean = mean_of([sum(values) / len(values) for values in each])
    target = STOPPED_MIN.get(kind)
    mine = [one for one in scenarios if one.name in shares]
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
        _hours(mine),
        "",
        {one: value.mean for one, value in _means(shares).items()},
    )


def refused_by(scenario: Scenario, runs: Runs, policy: str) -> dict[int, float]:
    return {one.seed: one.refused_share for one in _of(runs, scenario, policy)}


def _refused(scenarios: Sequence[Scenario], runs: Runs) -> list[Figure]:
    results = [result for one in scenarios for result in _of(runs, one, HOMING)]
    seeds = sorted({result.seed for result in results})
    overall = []
    for seed in seeds:
        mine = [result for result in results if result.seed == seed]
        overall.append(sum(one.refused for one in mine) / max(1, sum(one.people for one in mine)))
    mean = mean_of(overall)
    shares = {one.name: refused_by(one, runs, HOMING) for one in scenarios}
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
            {one: value.mean for one, value in _means(shares).items()},
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
    ]
