"""The baselines do what they are said to; the oracle takes what its objective names."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from homing.errors import InvalidInput
from homing.lab import policies, routers
from homing.lab.baseline_guards import HourlyThreshold, UnverifiedBudget
from homing.lab.counts import RunCounts
from homing.lab.event_queue import START_MINUTE
from homing.lab.run import run
from homing.lab.scenario import (
    People,
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioChange,
    ScenarioCountry,
    ScenarioNetwork,
)
from homing.lab.world import World
from homing.statistics.delta import Delta
from homing.text.numbers import Numbering

NUMBERING = Numbering.load()
BASE = Scenario(
    name="base",
    hours=1.0,
    rate_per_s=20.0,
    rate_swing=0.0,
    countries=(ScenarioCountry(code="ID", networks=(ScenarioNetwork(prefix="62812", digits=12),)),),
    apps=(ScenarioApp(name="signin", conversion=0.8),),
    carriers=(
        ScenarioCarrier(name="alpha", price="0.020", delivered=0.96),
        ScenarioCarrier(name="bravo", price="0.030", delivered=0.96),
        ScenarioCarrier(name="cheap", price="0.010", delivered=0.60),
    ),
    people=People(ask_again=0.0),
)


def changed(**fields: object) -> Scenario:
    return msgspec.structs.replace(BASE, **fields)


def course(scenario: Scenario, policy: str) -> NDArray[np.float64]:
    """Shares by carrier and minute."""
    world = World(scenario, 1, NUMBERING)
    chosen = policies.make(policy, world)
    messages = run(world, chosen.router, chosen.acceptance, chosen.with_blocks).messages[: world.minutes]
    shares: NDArray[np.float64] = messages / messages.sum(axis=1, keepdims=True)
    return shares


def _whole(scenario: Scenario, policy: str) -> tuple[int, ...]:
    """Messages, conversions and costs of a run."""
    world = World(scenario, 1, NUMBERING)
    chosen = policies.make(policy, world)
    counts = run(world, chosen.router, chosen.acceptance, chosen.with_blocks)
    return int(counts.messages.sum()), int(counts.converted.sum()), int(counts.cost_micro.sum())


def test_the_simple_baselines_follow_their_names() -> None:
    assert (course(BASE, "priority")[:, 0] == 1).all()
    assert (course(BASE, "least-cost")[:, 2] == 1).all()
    assert course(BASE, "round-robin").mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.01)


def test_delivery_rate_routing_leaves_a_carrier_that_loses_and_believes_one_that_lies() -> None:
    assert course(BASE, "delivery-rate")[20:, 2].max() < 0.12
    liar = msgspec.structs.replace(BASE.carriers[2], receipts="fake")
    lied = course(changed(carriers=(*BASE.carriers[:2], liar)), "delivery-rate")
    assert lied[20:, 2].mean() > 0.8


def test_the_governments_rule_moves_ten_points_every_five_minutes_and_drifts_back() -> None:
    two = BASE.carriers[0], msgspec.structs.replace(BASE.carriers[0], name="twin")
    slow = msgspec.structs.replace(two[0], changes=(ScenarioChange(from_h=0.5, until_h=1.0, delivered=0.5),))
    shares = course(changed(carriers=(slow, two[1]), hours=4.0), "government")[:, 0]
    assert shares[:30].mean() == pytest.approx(0.5, abs=0.02)
    assert shares[30:35].mean() == pytest.approx(0.5, abs=0.04)
    lowest = int(shares.argmin())
    falls = -np.diff([shares[at : at + 5].mean() for at in range(38, 58, 5)])
    assert falls.max() < 0.13
    assert shares[lowest] < 0.15
    assert shares[lowest + 20 :].max() == pytest.approx(0.5, abs=0.06)


def test_the_governments_rule_does_nothing_while_all_are_slow() -> None:
    bad = tuple(msgspec.structs.replace(one, delivered=0.5) for one in BASE.carriers)
    assert course(changed(carriers=bad), "government")[-10:].mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.02)


def test_the_oracle_takes_the_least_cost_per_conversion_above_the_floor() -> None:
    assert (course(BASE, "oracle")[:, 0] == 1).all()
    assert (course(changed(quality_floor=0.5), "oracle")[:, 2] == 1).all()
    assert (course(changed(worth="10"), "oracle")[:, 0] == 1).all()
    assert (course(changed(worth="0.03", quality_floor=0.0), "oracle")[:, 2] == 1).all()


def test_the_oracle_changes_in_the_minute_of_the_truth() -> None:
    falls = msgspec.structs.replace(BASE.carriers[0], changes=(ScenarioChange(from_h=0.5, delivered_factor=0.5),))
    shares = course(changed(carriers=(falls, *BASE.carriers[1:])), "oracle")
    assert (shares[:30, 0] == 1).all()
    assert len(shares[30:]) == 30
    assert (shares[30:, 1] == 1).all()


def test_the_oracle_leaves_what_costs_more_than_the_customer_pays() -> None:
    country = msgspec.structs.replace(BASE.countries[0], price="0.015")
    assert (course(changed(countries=(country,)), "oracle")[:, 2] == 1).all()


def test_no_policy_but_the_oracle_reads_chances() -> None:
    """Worlds that differ in nothing that is told lead to the same choices, whatever is true."""
    silent_carriers = [msgspec.structs.replace(one, receipts="none") for one in BASE.carriers]
    silent = (msgspec.structs.replace(BASE.apps[0], reports=False),)
    people = People(ask_again=0.0)
    one = changed(carriers=tuple(silent_carriers), apps=silent, people=people, hours=0.5, rate_per_s=8.0)
    halved = tuple(msgspec.structs.replace(carrier, delivered=0.5) for carrier in silent_carriers)
    other = msgspec.structs.replace(one, carriers=halved)
    for policy in policies.POLICIES:
        if policy != policies.ORACLE and policy not in policies.CURVE:
            assert np.array_equal(course(one, policy), course(other, policy)), policy


def delta(minute: int, converted: int) -> Delta:
    return Delta(START_MINUTE + minute, 1, "signin", "ID", "51010", "62812", 1, "HOMING", converted=converted)


def small(rate_per_s: float) -> World:
    return World(changed(rate_per_s=rate_per_s, hours=30.0), 1, NUMBERING)


def test_the_unverified_budget_is_the_formula() -> None:
    world = small(0.01)  # 864 people, 691.2 verified a day: 207.36 a day and 23.04 an hour may be open
    guard = UnverifiedBudget(world)
    passed = sum(guard.allows(62812000111, "ID", minute * 60.0) for minute in range(60) for _ in range(10))
    assert passed == 24
    by_day = sum(guard.allows(62812000111, "ID", minute * 60.0) for minute in range(60, 1440) for _ in range(10))
    assert passed + by_day == 208
    guard = UnverifiedBudget(world)
    guard.observe([delta(0, 400)])
    assert sum(guard.allows(62812000111, "ID", 60.0) for _ in range(2_000)) == 400 + 80


def test_the_unverified_budget_lets_a_new_country_have_the_least() -> None:
    guard = UnverifiedBudget(small(0.01))
    assert sum(guard.allows(92300000111, "PK", 0.0) for _ in range(100)) == 3
    assert sum(guard.allows(92300000111, "PK", minute * 60.0) for minute in range(60, 1400) for _ in range(5)) == 17


def test_the_hourly_threshold_stops_at_its_count_and_begins_anew() -> None:
    guard = HourlyThreshold(small(1.0))
    allowed_max = 3600 * 1.5
    assert sum(guard.allows(62812000111, "ID", 0.0) for _ in range(10_000)) == pytest.approx(allowed_max, rel=0.01)
    assert guard.allows(62812000111, "ID", 3600.0)
    assert sum(guard.allows(92300000111, "PK", 0.0) for _ in range(1_000)) == HourlyThreshold.MESSAGES_MIN


def test_a_guard_refuses_and_the_counts_show_whom() -> None:
    from homing.lab.scenario import Attack

    attack = Attack(kind="burst", prefix="62815", digits=12, from_h=1.0, hours=1.0, rate_per_s=20.0, ranges=2)
    scenario = changed(attacks=(attack,), hours=2.0, rate_per_s=2.0, goal="guard")
    counts_by_policy: dict[str, RunCounts] = {}
    for name in (policies.NO_GUARD, "unverified-budget", "hourly-threshold"):
        world = World(scenario, 1, NUMBERING)
        policy = policies.make(name, world)
        counts_by_policy[name] = run(world, policy.router, policy.acceptance, policy.with_blocks)
    assert counts_by_policy[policies.NO_GUARD].refused.sum() == 0
    for name in ("unverified-budget", "hourly-threshold"):
        counts = counts_by_policy[name]
        assert counts.attack_spent_micro.sum() < counts.attack_wanted_micro.sum() * 0.7
        assert counts.refused[:60].sum() == 0 < counts.refused.sum()


def test_baselines_in_ticks_of_a_minute_come_to_what_they_come_to_in_short_ones() -> None:
    loses = ScenarioChange(from_h=0.3, until_h=0.7, delivered=0.4)
    alpha, bravo, cheap = BASE.carriers
    replace = msgspec.structs.replace  # no two alike and none at a threshold, where chance would decide
    carriers = (replace(alpha, changes=(loses,)), replace(bravo, delivered=0.91), cheap)
    scenario = changed(carriers=carriers, people=People(ask_again=0.6, ask_again_after_s=60.0))
    for name in (*policies.BASELINES, policies.ORACLE):
        paced = policies.paced(scenario, name)
        assert paced == replace(scenario, tick_s=60)
        one, other = (_whole(each, name) for each in (scenario, paced))
        if name in ("priority", "least-cost", "oracle"):  # one carrier has all of a minute's messages: no draw differs
            assert one == other
        else:
            assert other == pytest.approx(one, rel=0.01)


def test_ticks_stay_short_where_seconds_count() -> None:
    soon = changed(people=People(ask_again_after_s=45.0))
    assert policies.paced(soon, "priority") is soon
    watched = changed(watched="alpha")
    assert policies.paced(watched, "government") is watched
    assert policies.paced(BASE, policies.HOMING) is BASE


def test_an_unknown_policy_is_told() -> None:
    with pytest.raises(InvalidInput, match="there is no policy 'magic'"):
        policies.make("magic", World(BASE, 1, NUMBERING))


def test_windows_of_cohorts_count_whole_minutes() -> None:
    cohorts = routers.MinuteCounts()
    for minute in range(10):
        cohorts.add(delta(minute, 1), 1)
    assert cohorts.window("51010", START_MINUTE + 2, START_MINUTE + 5) == {1: 3}
    assert cohorts.window(None, 0, START_MINUTE + 100) == {1: 10}
    cohorts.forget(START_MINUTE + 8)
    assert cohorts.window(None, 0, START_MINUTE + 100) == {1: 2}
