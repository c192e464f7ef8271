"""What must be reached in the hostile worlds, and the figures of their runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from homing.lab.figures import Figure, Runs
from homing.lab.means import mean_of
from homing.lab.policies import HOMING, ORACLE
from homing.lab.result import RunResult
from homing.lab.scenario import Scenario

Measure = Literal[
    "stopped", "later_stopped", "refused", "crowd_refused", "oracle", "round_robin", "conversions", "left_s"
]
HOSTILE: Final = "hostile"
ROUND_ROBIN: Final = "round-robin"


class Target(msgspec.Struct, frozen=True):
    """A bound on one figure of a world. None: the figure is shown without one."""

    measure: Measure
    bound: float | None = None


TITLES: Final[Mapping[Measure, tuple[str, str]]] = {
    "stopped": ("attack spend stopped", "share"),
    "later_stopped": ("attack spend stopped after its first hour", "share"),
    "refused": ("real people refused", "share"),
    "crowd_refused": ("of the crowd, people refused", "share"),
    "oracle": ("cost per conversion against the oracle", "ratio"),
    "round_robin": ("cost per conversion against round robin", "ratio"),
    "conversions": ("conversions against the oracle's", "ratio"),
    "left_s": ("seconds until the losing carrier is left", "s"),
}
"""The words of a measure, and its unit (`Figure.unit`)."""
AT_LEAST: Final = frozenset({"stopped", "later_stopped", "conversions"})


def _unreported() -> dict[str, tuple[Target, ...]]:
    bounds = {"burst": 0.99, "rotating": 0.95, "drip": 0.90}
    return {
        f"{name}-{kind}": (Target("stopped", bound), Target("refused", 0.0005))
        for name in ("silent", "one-percent", "bulk", "stopped", "beside")
        for kind, bound in bounds.items()
    }


UNSEEN: Final = (Target("stopped", 0.95), Target("refused", 0.001))
THIN: Final = (Target("stopped", 0.60), Target("refused", 0.02))
FLOODED: Final = (Target("stopped", 0.90), Target("refused", 0.05))
REPEATING: Final = (Target("later_stopped", 0.60), Target("refused", 0.002))
LATE: Final = (Target("refused", 0.002),)
LATE_ROTATING: Final = (Target("stopped", 0.90), Target("refused", 0.002))
LEFT: Final = (Target("left_s", 4_200.0), Target("oracle"), Target("round_robin", 1.0))

TARGETS: Final[Mapping[str, tuple[Target, ...]]] = {
    **_unreported(),
    **{f"unseen-{name}": UNSEEN for name in ("hopping", "three-a-range", "touring")},
    **dict.fromkeys(
        (
            "late-10-reported-100",
            "late-30-reported-100",
            "late-60-reported-100",
            "late-0-reported-40",
            "late-30-reported-40",
            "late-60-reported-40",
            "late-30-reported-10",
            "late-30-reported-40-poor",
        ),
        LATE,
    ),
    **{f"late-30-reported-{share}-rotating": LATE_ROTATING for share in ("100", "40", "10", "40-poor")},
    **dict.fromkeys(("three-a-range", "three-a-range-busy", "hopping", "hopping-fast", "hopping-wide"), THIN),
    **dict.fromkeys(("three-a-range-small", "hopping-small", "hopping-cold"), FLOODED),
    "repeating-100": REPEATING,
    "repeating-500": REPEATING,
    "launch-ten-blocks": (Target("crowd_refused", 0.10),),
    "launch-in-sequence": (Target("crowd_refused", 0.25),),
    "office": (Target("crowd_refused", 0.20),),
    "test-numbers": (Target("crowd_refused", 0.20),),
    "silent-faking": (Target("oracle", 1.20), Target("round_robin", 1.0)),
    "late-lying": LEFT,
    "bulk-lying": LEFT,
    "wide": (Target("oracle", 1.06), Target("conversions", 0.98)),
    "dead-favourite": (Target("oracle", 1.10),),
    "insider": (Target("stopped", 0.75), Target("refused", 0.0005)),
    "only-operator": (Target("stopped", 0.50), Target("refused", 0.01)),
    "vote-night": (Target("stopped", 0.85), Target("refused", 0.0005), Target("crowd_refused", 0.001)),
    "late-failures": (
        Target("left_s", 300.0),
        Target("oracle", 1.05),
        Target("round_robin", 1.0),
        Target("conversions", 0.98),
    ),
    "unusual-day": (Target("refused", 0.002), Target("crowd_refused", 0.02)),
}
"""By world, as required of guard and routing; the time to leave a carrier counts from its change (lab.md)."""


def targets_of(scenario: Scenario) -> tuple[Target, ...]:
    """What is required of a world, or what is shown of one of which nothing is."""
    required = TARGETS.get(scenario.name)
    if required is not None:
        return required
    if scenario.goal == "routing":
        return Target("oracle"), Target("round_robin")
    crowd = (Target("crowd_refused"),) if scenario.events else ()
    return (*((Target("stopped"),) if scenario.attacks else ()), Target("refused"), *crowd)


def hostile_figures(scenarios: Sequence[Scenario], runs: Runs) -> list[Figure]:
    """A figure of each target, over the seeds that were run."""
    return [_figure(scenario, target, runs) for scenario in scenarios for target in targets_of(scenario)]


def _figure(scenario: Scenario, target: Target, runs: Runs) -> Figure:
    title, unit = TITLES[target.measure]
    results = [run for (name, _seed, by), run in sorted(runs.items()) if (name, by) == (scenario.name, HOMING)]
    values = [value for result in results for value in MEASURES[target.measure](result, runs)]
    mean = mean_of(values)
    met = None
    if mean is not None and target.bound is not None:
        met = mean.mean >= target.bound if target.measure in AT_LEAST else mean.mean <= target.bound
    interval = None if mean is None or mean.low is None or mean.high is None else (mean.low, mean.high)
    relation: Literal["<=", ">=", ""] = "" if target.bound is None else ">=" if target.measure in AT_LEAST else "<="
    return Figure(
        f"{scenario.name.replace('-', '_')}_{target.measure}",
        f"{scenario.name}: {title}",
        unit,
        relation,
        target.bound,
        None if mean is None else mean.mean,
        met,
        interval,
        len(values),
        scenario.hours,
    )


def _stopped(result: RunResult, _runs: Runs) -> Iterable[float]:
    wanted = sum(attack.wanted_micro for attack in result.attacks)
    if wanted:
        yield 1 - sum(attack.spent_micro for attack in result.attacks) / wanted


def _later_stopped(result: RunResult, _runs: Runs) -> Iterable[float]:
    wanted = sum(attack.later_wanted_micro for attack in result.attacks)
    if wanted:
        yield 1 - sum(attack.later_spent_micro for attack in result.attacks) / wanted


def _refused(result: RunResult, _runs: Runs) -> Iterable[float]:
    yield result.refused_share


def _crowd_refused(result: RunResult, _runs: Runs) -> Iterable[float]:
    people = sum(crowd.people for crowd in result.crowds[1:])
    if people:
        yield sum(crowd.refused for crowd in result.crowds[1:]) / people


def _against(policy: str) -> Callable[[RunResult, Runs], Iterable[float]]:
    def ratio(result: RunResult, runs: Runs) -> Iterable[float]:
        other = runs.get((result.scenario, result.seed, policy))
        if other is not None and other.converted:
            yield result.cost_per_conversion / other.cost_per_conversion

    return ratio


def _conversions(result: RunResult, runs: Runs) -> Iterable[float]:
    other = runs.get((result.scenario, result.seed, ORACLE))
    if other is not None and other.conversion:
        yield result.conversion / other.conversion


def _left_s(result: RunResult, _runs: Runs) -> Iterable[float]:
    if result.shift_s is not None:
        yield result.shift_s


MEASURES: Final[Mapping[Measure, Callable[[RunResult, Runs], Iterable[float]]]] = {
    "stopped": _stopped,
    "later_stopped": _later_stopped,
    "refused": _refused,
    "crowd_refused": _crowd_refused,
    "oracle": _against(ORACLE),
    "round_robin": _against(ROUND_ROBIN),
    "conversions": _conversions,
    "left_s": _left_s,
}
