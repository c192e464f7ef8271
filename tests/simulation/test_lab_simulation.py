"""The simulated world against closed forms, and the rules that make comparisons fair."""

import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from homing.lab import event_queue, policies, routers
from homing.lab.acceptance import IntakePath, SharesPath
from homing.lab.counts import RunCounts
from homing.lab.run import run
from homing.lab.scenario import (
    Attack,
    People,
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioChange,
    ScenarioCountry,
    ScenarioEvent,
    ScenarioNetwork,
)
from homing.lab.world import START_S, World
from homing.model import Strategy
from homing.statistics.delta import Delta, totals
from homing.text.numbers import Numbering

NUMBERING = Numbering.load()
BASE = Scenario(
    name="base",
    hours=1.0,
    rate_per_s=20.0,
    rate_swing=0.0,
    countries=(
        ScenarioCountry(
            code="ID", networks=(ScenarioNetwork(prefix="62812", digits=12), ScenarioNetwork(prefix="62815", digits=12))
        ),
    ),
    apps=(ScenarioApp(name="signin", conversion=0.8),),
    carriers=(
        ScenarioCarrier(name="alpha", price="0.020", delivered=0.7, latency_s_median=2.0, latency_s_sigma=0.2),
        ScenarioCarrier(name="bravo", price="0.030", delivered=0.95, latency_s_median=2.0, latency_s_sigma=0.2),
    ),
    people=People(ask_again=0.0),
)


def changed(**fields: object) -> Scenario:
    return msgspec.structs.replace(BASE, **fields)


def ran(scenario: Scenario, policy: str = "priority", seed: int = 1) -> RunCounts:
    world = World(scenario, seed, NUMBERING)
    chosen = policies.make(policy, world)
    return run(world, chosen.router, chosen.acceptance, chosen.with_blocks)


class RecordingRouter(routers.FixedRouter):
    """Round robin that records deltas."""

    listens = True

    def __init__(self, world: World) -> None:
        super().__init__(world, Strategy.WEIGHTED)
        self.observed: list[Delta] = []

    def observe(self, deltas: Iterable[Delta]) -> None:
        self.observed += deltas


def near(share: float, expected: float, count: int) -> bool:
    """Within four standard deviations of a binomial share."""
    return abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / count)


def test_people_come_at_the_rate_and_carriers_deliver_what_they_are_said_to() -> None:
    counts = ran(BASE)
    people = counts.people.sum()
    assert abs(people - 72_000) < 4 * np.sqrt(72_000)
    assert near(counts.delivered.sum() / people, 0.7, people)
    assert near(counts.converted.sum() / people, 0.7 * 0.8, people)
    assert counts.cost_micro.sum() == people * 20_000


def test_the_rate_over_the_day_swings_about_its_mean_and_peaks_when_it_is_said_to() -> None:
    scenario = changed(hours=24.0, rate_per_s=2.0, rate_swing=0.5, rate_peak_h=19.0)
    people = ran(scenario).people[: 24 * 60].reshape(24, 60).sum(axis=1)
    assert abs(people.sum() - 2 * 86_400) < 4 * np.sqrt(2 * 86_400)
    assert people[18:20].sum() / 2 == pytest.approx(2 * 3600 * 1.5, rel=0.05)
    assert people[6:8].sum() / 2 == pytest.approx(2 * 3600 * 0.5, rel=0.05)


def test_people_without_a_code_ask_again_and_convert_with_the_first_that_comes() -> None:
    counts = ran(changed(people=People(ask_again=1.0, ask_again_after_s=60.0, messages_max=2), hours=2.0))
    people = counts.people.sum()
    assert counts.messages.sum() / people == pytest.approx(1.3, abs=0.02)
    assert near(counts.converted.sum() / people, (1 - 0.3**2) * 0.8, people)


def test_latency_beyond_a_codes_validity_converts_nobody() -> None:
    late = ScenarioCarrier(name="alpha", price="0.02", delivered=1.0, latency_s_median=700.0, latency_s_sigma=0.0)
    assert ran(changed(carriers=(late,))).converted.sum() == 0


def test_an_outage_and_a_price_hold_for_their_time_alone() -> None:
    out = ScenarioChange(from_h=0.25, until_h=0.5, delivered=0.0)
    expensive = ScenarioChange(from_h=0.5, price="0.040")
    counts = ran(changed(carriers=(msgspec.structs.replace(BASE.carriers[0], changes=(out, expensive)),)))
    delivered = counts.delivered[:, 0]
    assert delivered[15:30].sum() == 0
    assert delivered[:15].sum() > 0 < delivered[30:].sum()
    assert counts.cost_micro[:30].sum() == counts.messages[:30].sum() * 20_000
    assert counts.cost_micro[30:].sum() == counts.messages[30:].sum() * 40_000


def test_a_seed_gives_the_same_run_again_and_another_seed_another() -> None:
    once, again, other = (ran(BASE, "delivery-rate", seed) for seed in (3, 3, 4))
    assert all(np.array_equal(getattr(once, name), getattr(again, name)) for name in RunCounts.__struct_fields__)
    assert not np.array_equal(once.people, other.people)


def test_under_every_policy_the_same_people_come_with_the_same_draws() -> None:
    """One carrier twice: whichever is chosen, what becomes of each person is the same."""
    twins = (BASE.carriers[0], msgspec.structs.replace(BASE.carriers[0], name="twin"))
    one, two = (
        ran(changed(carriers=twins, people=People(ask_again=0.7)), policy) for policy in ("priority", "round-robin")
    )
    assert np.array_equal(one.people, two.people)
    assert np.array_equal(one.delivered.sum(axis=1), two.delivered.sum(axis=1))
    assert np.array_equal(one.converted, two.converted)


def test_a_better_carrier_never_loses_what_a_worse_one_delivers() -> None:
    """The draws are common, so a comparison needs few seeds: the difference has less variance than either part."""
    worse, better = (ran(BASE, policy) for policy in ("priority", "oracle"))
    assert (better.delivered.sum(axis=1) >= worse.delivered.sum(axis=1)).all()


@pytest.mark.parametrize("strategy", [Strategy.PRIORITY, Strategy.LEAST_COST, Strategy.WEIGHTED])
def test_the_shares_path_chooses_as_the_whole_intake(strategy: Strategy) -> None:
    scenario = changed(
        apps=(*BASE.apps, ScenarioApp(name="orders", share=0.5)), hours=0.5, people=People(ask_again=0.6)
    )
    both_counts = []
    for acceptance in (SharesPath, IntakePath):
        world = World(scenario, 5, NUMBERING)
        both_counts.append(run(world, routers.FixedRouter(world, strategy), acceptance(world)))
    assert all(
        np.array_equal(*(getattr(counts, name) for counts in both_counts)) for name in RunCounts.__struct_fields__
    )


def test_what_is_told_adds_up_to_the_counts_and_only_when_it_has_happened() -> None:
    scenario = changed(hours=0.5, people=People(ask_again=0.5))
    world = World(scenario, 1, NUMBERING)
    router = RecordingRouter(world)
    counts = run(world, router, SharesPath(world))
    observed_totals = totals(router.observed)
    upto = world.minutes - 10  # of what was sent in the last minutes not all is known yet
    early = totals(delta for delta in router.observed if delta.minute - START_S // 60 < upto)
    assert observed_totals["submitted"] == observed_totals["sent"] == counts.messages.sum() - counts.ticks[-1].sum()
    assert early["delivered"] == counts.delivered[:upto].sum()
    assert early["delivered"] + early["undelivered"] == counts.messages[:upto].sum()
    assert early["converted"] == counts.converted[:upto].sum()
    assert early["cost_micro"] == counts.cost_micro[:upto].sum()
    assert {delta.network for delta in router.observed} == {"51010", "51001"}


def test_fake_receipts_say_delivered_of_everything_and_none_says_nothing() -> None:
    for receipts, share in (("fake", 1.0), ("none", 0.0)):
        liar = msgspec.structs.replace(BASE.carriers[0], receipts=receipts, fake_s_median=3.0)
        world = World(changed(carriers=(liar,), hours=0.5), 1, NUMBERING)
        router = RecordingRouter(world)
        run(world, router, SharesPath(world))
        observed_totals = totals(router.observed)
        assert observed_totals["delivered"] == pytest.approx(share * observed_totals["sent"], rel=0.01)
        assert observed_totals["undelivered"] == 0


def test_a_customer_that_stops_reporting_is_not_heard_of_again() -> None:
    app = msgspec.structs.replace(BASE.apps[0], stops_reporting_at_h=0.25)
    world = World(changed(apps=(app,)), 1, NUMBERING)
    router = RecordingRouter(world)
    counts = run(world, router, SharesPath(world))
    minutes = Counter[int]()
    for delta in router.observed:
        minutes[delta.minute - START_S // 60] += delta.converted
    assert sum(minutes.values()) > 0
    assert max(minute for minute, count in minutes.items() if count) < 15
    assert counts.converted[15:].sum() > 0


def test_attacks_are_counted_apart_and_convert_as_their_kind_does() -> None:
    attacks = (
        Attack(kind="burst", prefix="62812", digits=12, from_h=0.25, hours=0.5, rate_per_s=5.0, ranges=2),
        Attack(kind="forged", prefix="62815", digits=12, from_h=0.0, hours=1.0, rate_per_s=1.0, ranges=1, converts=0.9),
    )
    counts = ran(changed(attacks=attacks))
    burst, forged = counts.attack_messages.sum(axis=1)
    assert abs(burst - 9_000) < 4 * np.sqrt(9_000)
    assert counts.attack_messages[0, :15].sum() == 0 == counts.attack_messages[0, 46:].sum()
    assert counts.attack_converted[0].sum() == 0
    assert near(counts.attack_converted[1].sum() / forged, 0.9, forged)
    assert (counts.attack_spent_micro == counts.attack_wanted_micro).all()
    assert counts.people.sum() == ran(BASE).people.sum()


def test_an_attack_keeps_to_its_ranges_and_a_rotating_one_leaves_them() -> None:
    steady = Attack(kind="burst", prefix="62812", digits=12, from_h=0.0, hours=1.0, rate_per_s=2.0, ranges=3)
    moving = msgspec.structs.replace(steady, kind="rotating", rotate_min=5.0)
    for attack, count in ((steady, 3), (moving, 9)):
        world = World(changed(attacks=(attack,)), 1, NUMBERING)
        demand = world.demand(0)
        theirs = demand[demand["source"] == 1]
        assert len(np.unique(theirs["number"] // 1000)) == count
        assert set(theirs["destination"].tolist()) == {0}


def test_a_flash_sale_multiplies_and_a_launch_begins_from_nothing() -> None:
    country = ScenarioCountry(code="PH", networks=(ScenarioNetwork(prefix="63917", digits=12),), share=0.0)
    events = (
        ScenarioEvent(kind="flash-sale", from_h=0.5, hours=0.25, factor=4.0, ramp_h=0.0),
        ScenarioEvent(kind="launch", from_h=0.5, hours=0.5, country="PH", rate_per_s=5.0, ramp_h=0.0),
    )
    world = World(changed(countries=(*BASE.countries, country), events=events), 1, NUMBERING)
    demand = np.concatenate([world.demand(span) for span in range(world.spans)])
    filipino = demand[demand["country"] == 1]
    assert filipino["at_s"].min() >= 1800
    assert abs(len(filipino) - 9_000) < 4 * np.sqrt(9_000)
    others = demand[demand["country"] == 0]
    sale = np.count_nonzero((others["at_s"] >= 1800) & (others["at_s"] < 2700))
    assert abs(sale - 4 * 18_000) < 4 * np.sqrt(4 * 18_000)


def test_the_clock_has_no_summer_time_and_begins_at_midnight() -> None:
    assert datetime.fromtimestamp(START_S, UTC) == datetime(2026, 1, 5, tzinfo=UTC)
    world = World(changed(hours=24.0 * 14, rate_per_s=0.1), 1, NUMBERING)
    assert world.minutes == 14 * 1440
    assert event_queue.START_MINUTE * 60 == START_S


def test_drift_walks_and_leaves_other_carriers_alone() -> None:
    still = World(BASE, 1, NUMBERING).truth.delivered
    drifting = msgspec.structs.replace(BASE.carriers[0], drift=1.0)
    moved = World(changed(carriers=(drifting, BASE.carriers[1]), hours=24.0), 1, NUMBERING).truth.delivered
    assert np.ptp(still, axis=0).max() == 0
    assert moved[:, 0, 0].std() > 0.01
    assert np.ptp(moved[:, 0, 1]) == 0
    assert ((moved > 0) & (moved < 1)).all()
