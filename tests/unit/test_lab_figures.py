"""Means, intervals, figures and the estimator of replay."""

import math
import random

import msgspec
import pytest

from homing.lab import figures
from homing.lab.estimate import Strata
from homing.lab.html_report import html_report, shown
from homing.lab.means import mean_of
from homing.lab.policies import BASELINES, HOMING, ORACLE
from homing.lab.result import AttackResult, RunResult
from homing.lab.scenario import Attack, Scenario, shipped
from homing.routing.cells import CellKey

SHIPPED = {one.name: one for one in shipped()}
CELL = CellKey(1, "app", "ID", "51010")


def result(scenario: Scenario, seed: int, policy: str, **fields: object) -> RunResult:
    made = RunResult(
        scenario.name,
        seed,
        policy,
        scenario.hours,
        1_000,
        0,
        1_000,
        800,
        24_000_000,
        200,
        6_000_000,
        None,
        (),
        (),
        (),
        1.0,
    )
    return msgspec.structs.replace(made, **fields)


def runs(*results: RunResult) -> dict[tuple[str, int, str], RunResult]:
    return {(one.scenario, one.seed, one.policy): one for one in results}


def named(found: list[figures.Figure], name: str) -> figures.Figure:
    return next(one for one in found if one.name == name)


def test_an_interval_is_students() -> None:
    mean = mean_of([1.0, 2.0, 3.0])
    assert mean is not None
    assert mean.mean == 2.0
    assert mean.high == pytest.approx(2.0 + 4.303 * 1.0 / math.sqrt(3))
    assert mean_of([]) is None
    alone = mean_of([5.0])
    assert alone is not None
    assert alone.low is None


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    draw = random.Random(1)
    held = 0
    for _ in range(2_000):
        mean = mean_of([draw.gauss(7.0, 2.0) for _ in range(5)])
        assert mean is not None
        assert mean.low is not None
        assert mean.high is not None
        held += mean.low <= 7.0 <= mean.high
    assert 0.93 < held / 2_000 < 0.97


def test_the_oracle_figure_is_missed_when_one_scenario_is() -> None:
    good, bad = SHIPPED["steady"], SHIPPED["drift"]
    found = figures.figures(
        [good, bad],
        runs(
            *(result(one, seed, ORACLE) for one in (good, bad) for seed in (1, 2)),
            *(result(good, seed, HOMING, cost_micro=24_240_000) for seed in (1, 2)),
            *(result(bad, seed, HOMING, cost_micro=25_680_000) for seed in (1, 2)),
        ),
        None,
    )
    figure = named(found, "oracle_ratio")
    assert figure.measured == pytest.approx((1.01 + 1.07) / 2)
    assert figure.met is False
    assert figure.decided_by == "drift 1.070"
    assert figure.seeds == 2


def test_a_baseline_below_the_floor_of_quality_is_no_rival() -> None:
    scenario = SHIPPED["fake-receipts"]
    seeds = (1, 2, 3)
    listed = [result(scenario, seed, ORACLE) for seed in seeds]
    listed += [result(scenario, seed, HOMING, cost_micro=24_480_000) for seed in seeds]
    for name in BASELINES:
        listed += [result(scenario, seed, name, cost_micro=30_000_000) for seed in seeds]
    assert figures.best_baseline(runs(*listed), scenario) in BASELINES
    cheap = [result(scenario, seed, "least-cost", cost_micro=12_000_000, converted=600) for seed in seeds]
    assert figures.best_baseline(runs(*listed, *cheap), scenario) != "least-cost"
    asking = [result(scenario, seed, "least-cost", cost_micro=12_000_000, messages=1_400) for seed in seeds]
    assert figures.best_baseline(runs(*listed, *asking), scenario) != "least-cost"  # each of its people asks again
    found = figures.figures([scenario], runs(*listed, *cheap), None)
    figure = named(found, "best_baseline_bad_carrier")
    assert figure.measured == pytest.approx(24.48 / 30)
    assert figure.met is True


def test_guard_figures_weigh_money_and_people() -> None:
    scenario = SHIPPED["burst"]
    attacks = (AttackResult("burst", 100, 1_000, 5, 0), AttackResult("burst", 300, 3_000, 15, 0))
    found = figures.figures(
        [scenario], runs(*(result(scenario, seed, HOMING, attacks=attacks, refused=seed) for seed in (1, 2))), None
    )
    assert named(found, "stopped_burst").measured == pytest.approx(0.995)
    assert named(found, "stopped_burst").met is True
    assert named(found, "stopped_drip").measured is None
    assert named(found, "stopped_drip").met is None
    assert named(found, "refused_overall").measured == pytest.approx(0.0015)
    assert named(found, "refused_overall").met is False
    assert named(found, "refused_worst").met is True


def test_every_figure_of_the_table_is_there_whatever_ran() -> None:
    found = figures.figures([], {}, None)
    assert len(found) == 17
    assert len({one.name for one in found}) == len(found)
    assert all(one.met is None for one in found)


def test_shares_and_ratios_are_shown_in_their_own_form() -> None:
    assert [shown(0.0004, "share"), shown(0.995, "share"), shown(1.0123, "ratio"), shown(65.0, "s")] == [
        "0.04 %",
        "99.50 %",
        "1.012",
        "65 s",
    ]


def test_the_page_escapes_what_a_scenario_says_of_itself() -> None:
    from homing.lab.report import LabReport

    scenario = msgspec.structs.replace(SHIPPED["steady"], about="<script>alert(1)</script>")
    report = LabReport(
        "now", True, "a machine", 1.0, 1, 1, 1, tuple(figures.figures([scenario], {}, None)), (), (scenario,), ()
    )
    html = html_report(report, {})
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_estimate_is_the_strata_s_rates_times_what_would_go_there() -> None:
    strata = Strata()
    other = CellKey(1, "app", "PH", "51502")
    for n in range(100):
        strata.add_observed(CELL, 1, n < 80)
        strata.add_observed(CELL, 2, n < 50)
        strata.add_observed(other, 1, n < 20)
    for _ in range(200):
        strata.add_expected(CELL, 2, 0.5)
        strata.add_expected(CELL, 1, 0.5)
        strata.add_expected(other, 2, 1.0)
    whole = strata.estimate()
    assert whole.messages == pytest.approx(400)
    assert whole.unknown == 200
    assert whole.conversions == pytest.approx(100 * 0.5 + 100 * 0.8)
    assert whole.low < 130 < whole.high
    assert strata.estimate(2).conversions == pytest.approx(50)
    assert strata.estimate(2).unknown == 200


def test_the_estimates_interval_holds_the_truth() -> None:
    """A thousand logged histories under one policy, judged for another; the truth is known."""
    draw = random.Random(3)
    rates, logged, wanted = {1: 0.7, 2: 0.5}, 0.8, 0.3
    held = 0
    for _ in range(400):
        strata = Strata()
        for _message in range(500):
            carrier = 1 if draw.random() < logged else 2
            strata.add_observed(CELL, carrier, draw.random() < rates[carrier])
            strata.add_expected(CELL, 1, wanted)
            strata.add_expected(CELL, 2, 1 - wanted)
        whole = strata.estimate()
        held += whole.low <= 500 * (wanted * 0.7 + (1 - wanted) * 0.5) <= whole.high
    assert held / 400 > 0.92


def test_a_thin_stratum_is_told_apart() -> None:
    strata = Strata()
    strata.add_observed(CELL, 1, True)
    strata.add_expected(CELL, 1, 1.0)
    whole = strata.estimate()
    assert whole.thin == 1.0
    assert whole.high - whole.low > 0.5


def test_an_attack_of_nothing_is_stopped_whole() -> None:
    assert AttackResult("burst", 0, 0, 0, 0).stopped == 1.0
    assert Attack(kind="burst", prefix="62812", digits=12, from_h=0, hours=1, rate_per_s=1).ranges == 1
