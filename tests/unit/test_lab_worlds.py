"""Worlds that fight back: reports that come late or not at all, and guards in common use."""

import msgspec
import numpy as np
import pytest

from homing.errors import InvalidInput
from homing.lab import policies
from homing.lab import scenario as scenarios
from homing.lab.attackers import Attackers
from homing.lab.baseline_guards import NumberCaps, RangeVelocity
from homing.lab.behaviour import CarrierBehaviour
from homing.lab.generate import generated_hostile
from homing.lab.hostile import hostile_scenarios
from homing.lab.hostile_figures import TARGETS, hostile_figures
from homing.lab.html_report import html_report
from homing.lab.plan import quickened
from homing.lab.report import LabReport
from homing.lab.reporting import ReportingModel
from homing.lab.result import AttackResult, CrowdResult, RunResult
from homing.lab.routers import best_carriers
from homing.lab.scenario import (
    Attack,
    AttackNetwork,
    ReportOutage,
    Scenario,
    ScenarioApp,
    ScenarioCarrier,
    ScenarioCountry,
    ScenarioEvent,
    ScenarioNetwork,
)
from homing.lab.strictness import at_same_refusals, strictness_points
from homing.lab.world import DEMAND_DTYPE, World
from homing.text.numbers import Numbering

NUMBERING = Numbering.load()
BASE = Scenario(
    name="base",
    goal="guard",
    hours=1.0,
    rate_per_s=1.0,
    rate_swing=0.0,
    countries=(ScenarioCountry(code="ID", networks=(ScenarioNetwork(prefix="62812", digits=12),)),),
    apps=(ScenarioApp(name="signin"),),
    carriers=(ScenarioCarrier(name="alpha", price="0.02"),),
)


def changed(**fields: object) -> Scenario:
    return msgspec.structs.replace(BASE, **fields)


def known_s(app: ScenarioApp, *converted_s: float) -> list[float]:
    """When conversions at these times are known, without chance in the delay."""
    people = np.zeros(len(converted_s), DEMAND_DTYPE)
    return [*ReportingModel(changed(apps=(app,))).known_s(people, np.array(converted_s))]


def test_reports_come_late_in_bulk_and_not_after_the_stop() -> None:
    late = ScenarioApp(name="late", report_s_median=1_800.0)
    assert known_s(late, 10.0) == [1_810.0]
    bulk = ScenarioApp(name="bulk", report_bulk_min=120.0)
    assert known_s(bulk, 10.0, 7_200.0, 7_201.0) == [7_200.0, 7_200.0, 14_400.0]
    stops = ScenarioApp(name="stops", stops_reporting_at_h=1.0)
    assert known_s(stops, 3_599.0, 3_600.0) == [3_599.0, np.inf]
    assert known_s(ScenarioApp(name="none", reports=False), 10.0) == [np.inf]


def test_reports_of_an_outage_are_lost_or_come_at_its_end() -> None:
    for reported_later, known in ((False, np.inf), (True, 7_200.0)):
        outage = ReportOutage(from_h=1.0, until_h=2.0, reported_later=reported_later)
        assert known_s(ScenarioApp(name="a", report_outages=(outage,)), 3_599.0, 3_600.0) == [3_599.0, known]


def test_the_share_of_reports_is_drawn_and_changes_nothing_else() -> None:
    world = World(changed(apps=(ScenarioApp(name="a", report_share=0.4),)), 1, NUMBERING)
    people = world.demand(0)
    known = ReportingModel(world.scenario).known_s(people, people["at_s"])
    assert np.isfinite(known).mean() == pytest.approx(0.4, abs=0.06)
    others = World(BASE, 1, NUMBERING).demand(0)
    assert np.array_equal(people, others)


def test_a_report_without_a_date_is_of_its_own_time() -> None:
    for dated, stated in ((False, 1_800.0), (True, 10.0)):
        app = ScenarioApp(name="a", report_bulk_min=30.0, report_dated=dated)
        people = np.zeros(1, DEMAND_DTYPE)
        model = ReportingModel(changed(apps=(app,)))
        assert model.stated_s(people, np.array([10.0]), np.array([1_800.0])) == [stated]


def test_an_outage_that_ends_before_it_begins_is_refused() -> None:
    text = scenarios.to_toml(
        changed(apps=(ScenarioApp(name="a", report_outages=(ReportOutage(from_h=2, until_h=1),)),))
    )
    with pytest.raises(InvalidInput, match=r"a report outage of a ends \(1 h\) before it begins \(2 h\)"):
        scenarios.read(text, "mine.toml")


def test_five_messages_an_hour_to_a_thousand_numbers() -> None:
    guard = RangeVelocity(World(BASE, 1, NUMBERING))
    passed = [guard.allows(62_812_000_000_000 + n, "ID", n * 60.0) for n in range(60)]
    assert passed == [True] * 5 + [False] * 55
    assert guard.allows(62_812_000_001_000, "ID", 60.0)
    assert guard.allows(62_812_000_000_999, "ID", 3_600.0)
    assert not guard.allows(62_812_000_000_998, "ID", 3_601.0)


def test_caps_of_a_number_and_of_the_account() -> None:
    guard = NumberCaps(World(BASE, 1, NUMBERING))
    assert [guard.allows(1, "ID", at_s) for at_s in (0.0, 59.0, 60.0)] == [True, False, True]
    by_hour = [sum(guard.allows(2, "ID", hour * 3_600.0 + minute * 60) for minute in range(60)) for hour in range(3)]
    assert by_hour == [5, 5, 0]
    assert sum(guard.allows(10 + n, "ID", 36_000.0) for n in range(20_000)) == 3 * 3_600


HOPPING = Attack(kind="hopping", prefix="62812", digits=12, from_h=0.0, hours=1.0, rate_per_s=2.0, ranges=4, hops=True)


def blocks_of(attack: Attack, refuses: set[int]) -> list[int]:
    """The blocks of an attack's messages in their order, where those to some are refused; ticks are of 2 s."""
    world = World(changed(attacks=(attack,)), 1, NUMBERING)
    attackers = Attackers(world)
    demand = world.demand(0)
    theirs = demand[demand["source"] == 1]
    blocks: list[int] = []
    for tick in range(450):
        rows = theirs[(theirs["at_s"] >= tick * 2) & (theirs["at_s"] < tick * 2 + 2)]
        attackers.assign(rows)
        of_tick = rows["number"] // 1_000
        attackers.observe(rows, np.where(np.isin(of_tick, [*refuses]), -1, 0))
        blocks += of_tick.tolist()
    return blocks


def test_an_attacker_leaves_what_is_refused_and_nothing_else() -> None:
    first_four = [*dict.fromkeys(blocks_of(HOPPING, set()))]
    assert len(first_four) == 4
    refused = first_four[0]
    blocks = blocks_of(HOPPING, {refused})
    assert len({*blocks}) == 5
    assert {*first_four} < {*blocks}
    assert blocks.count(refused) < 10


def test_a_thin_attack_leaves_a_range_after_its_messages() -> None:
    blocks = blocks_of(msgspec.structs.replace(HOPPING, hops=False, messages_per_range=3), set())
    counts = np.unique(blocks, return_counts=True)[1]
    assert counts.max() == 3
    assert np.count_nonzero(counts < 3) <= 4  # the last of each slot


def test_an_attack_on_many_networks_takes_them_in_turn_or_one_after_another() -> None:
    networks = tuple(AttackNetwork(prefix=prefix, digits=12) for prefix in ("62811", "62812", "62813"))
    everywhere = msgspec.structs.replace(HOPPING, ranges=3, networks=networks)
    assert {block // 10_000 for block in blocks_of(everywhere, set())} == {62811, 62812, 62813}
    touring = blocks_of(msgspec.structs.replace(everywhere, network_min=5.0), set())
    assert [*dict.fromkeys(block // 10_000 for block in touring)] == [62811, 62812, 62813]


def test_an_attack_grows_by_equal_factors() -> None:
    ramp = msgspec.structs.replace(
        HOPPING, kind="ramp", hops=False, hours=2.0, rate_per_s=16.0, ramp_h=1.0, rate_from_per_s=1.0
    )
    world = World(changed(attacks=(ramp,), hours=2.0), 1, NUMBERING)
    at_s = np.concatenate([rows["at_s"][rows["source"] == 1] for rows in map(world.demand, range(world.spans))])
    early, middle = (np.count_nonzero((at_s >= first) & (at_s < first + 600)) for first in (0, 1_800))
    assert middle / early == pytest.approx(4.0, rel=0.1)
    assert np.count_nonzero(at_s >= 3_600) == pytest.approx(16 * 3_600, rel=0.02)


def test_numbers_of_a_crowd_are_few_or_in_sequence_and_convert_as_they_are_said_to() -> None:
    event = ScenarioEvent(kind="office", prefix="628151112", people=40, from_h=0.0, hours=1.0, rate_per_s=1.0)
    for each, distinct in ((event, 40), (msgspec.structs.replace(event, people=1_000, in_sequence=True), 800)):
        world = World(changed(events=(each,), apps=(ScenarioApp(name="a"), ScenarioApp(name="b"))), 1, NUMBERING)
        demand = world.demand(0)
        crowd = demand[demand["event"] == 1]
        assert {*(crowd["number"] // 1_000).tolist()} == {628_151_112}
        if each.in_sequence:
            assert [*np.diff(np.sort(crowd["number"]))] == [1] * (len(crowd) - 1)
        else:
            assert len(np.unique(crowd["number"])) == distinct
        assert np.count_nonzero(demand["event"] == 0) > 800


def test_hostile_worlds_can_be_built_and_written_and_have_names_of_their_own() -> None:
    worlds = hostile_scenarios()
    names = [world.name for world in worlds]
    assert len({*names}) == len(names) > 50
    assert not {*names} & {world.name for world in scenarios.shipped()}
    for world in worlds:
        World(world, 1, NUMBERING)
        assert world.about
        assert scenarios.read(scenarios.to_toml(world), world.name) == world


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ramp_h": 1.0}, "grows over ramp_h from a rate_from_per_s above 0"),
        ({"network_min": 1.0}, "has network_min and no networks"),
        ({"networks": (AttackNetwork(prefix="6281234567", digits=12),)}, "beyond its prefix it needs 3 to 10"),
    ],
)
def test_an_attack_that_makes_no_sense_is_refused(fields: dict[str, object], said: str) -> None:
    wrong = changed(attacks=(msgspec.structs.replace(HOPPING, **fields),))
    with pytest.raises(InvalidInput, match=said):
        scenarios.read(scenarios.to_toml(wrong), "mine.toml")


def delivered_by(carrier: ScenarioCarrier, carriers: list[int], numbers: list[int], tries: int = 0) -> list[float]:
    """The factors of the second of two like ticks: `carriers` and `numbers` by message."""
    scenario = changed(carriers=(carrier, ScenarioCarrier(name="bravo", price="0.03")))
    behaviour = CarrierBehaviour(scenario)
    demand = np.zeros(len(carriers), DEMAND_DTYPE)
    demand["number"], demand["tries"] = numbers, tries
    behaviour.factors(demand, np.array(carriers))
    return [*np.broadcast_to(behaviour.factors(demand, np.array(carriers)), len(carriers))]


ALPHA = ScenarioCarrier(name="alpha", price="0.02")


def test_a_carrier_may_be_bad_for_a_prefix_and_for_a_persons_later_messages() -> None:
    some = msgspec.structs.replace(ALPHA, prefix_factors={"62": 0.4, "62812": 1.0})
    assert delivered_by(some, [0, 0, 1], [62_811_000_000_001, 62_812_000_000_001, 62_811_000_000_001]) == [
        0.4,
        1.0,
        1.0,
    ]
    later = msgspec.structs.replace(ALPHA, again_factor=0.3)
    assert delivered_by(later, [0, 1], [1, 1]) == [1.0, 1.0]
    assert delivered_by(later, [0, 1], [1, 1], tries=1) == [0.3, 1.0]
    assert delivered_by(ALPHA, [0, 1], [1, 1], tries=1) == [1.0, 1.0]


def test_a_carrier_loses_messages_above_its_share_of_the_traffic() -> None:
    small = msgspec.structs.replace(ALPHA, load_share_max=0.3, load_factor=0.4)
    assert {*delivered_by(small, [0] * 3 + [1] * 7, [1] * 10)} == {1.0}  # too few messages to tell
    assert delivered_by(small, [0] * 10 + [1] * 10, [1] * 20) == [0.4] * 10 + [1.0] * 10
    assert {*delivered_by(small, [0] * 3 + [1] * 17, [1] * 20)} == {1.0}


def test_the_oracle_knows_hours_and_prefixes_and_what_a_carrier_can_bear() -> None:
    night = (0.2,) * 3 + (1.0,) * 21
    bravo = ScenarioCarrier(name="bravo", price="0.03")
    networks = (ScenarioNetwork(prefix="62812", digits=12), ScenarioNetwork(prefix="62815", digits=12))
    country = (ScenarioCountry(code="ID", networks=networks),)
    hourly = changed(
        goal="routing",
        hours=6.0,
        carriers=(msgspec.structs.replace(ALPHA, hour_factors=night), bravo),
        countries=country,
    )
    best, second = best_carriers(World(hourly, 1, NUMBERING))
    assert [best[60, 0], best[200, 0], second[200, 0]] == [1, 0, 1]
    by_prefix = msgspec.structs.replace(
        hourly, carriers=(msgspec.structs.replace(ALPHA, prefix_factors={"62": 0.2, "62815": 1.0}), bravo)
    )
    assert best_carriers(World(by_prefix, 1, NUMBERING))[0][0].tolist() == [1, 0]
    loaded = msgspec.structs.replace(
        hourly, carriers=(msgspec.structs.replace(ALPHA, load_share_max=0.3, load_factor=0.4), bravo), rate_per_s=0.1
    )
    world = World(msgspec.structs.replace(loaded, rate_per_s=5.0), 1, NUMBERING)
    oracle = policies.make(policies.ORACLE, world)
    oracle.router.update(0.0)
    chosen = oracle.acceptance.accept(world.demand(0), oracle.router.catalogue(), 0.0)
    assert np.count_nonzero(chosen == 0) / len(chosen) == pytest.approx(0.27, abs=0.02)


def run_of(policy: str, spent_micro: int, refused: int) -> RunResult:
    return RunResult(
        scenario="silent-burst",
        seed=1,
        policy=policy,
        hours=4.0,
        people=10_000,
        refused=refused,
        messages=10_000,
        converted=8_000,
        cost_micro=1,
        late_converted=1,
        late_cost_micro=1,
        shift_s=None,
        attacks=(AttackResult("burst", 100, 1_000, spent_micro, 0, 500, 0),),
        course=(),
        refused_course=(),
        cpu_s=1.0,
        crowds=(CrowdResult("ordinary", 9_000, 1), CrowdResult("launch", 100, 25)),
    )


def test_baselines_are_compared_at_the_same_refusals() -> None:
    world = next(world for world in hostile_scenarios() if world.name == "silent-burst")
    results = [
        run_of("homing", 100, 4),
        run_of("range-velocity", 50, 6),
        run_of("range-velocity@2", 200, 3),
        run_of("number-caps", 900, 0),
    ]
    runs = {(result.scenario, result.seed, result.policy): result for result in results}
    same = at_same_refusals(strictness_points(world, runs))
    assert same is not None
    assert (same.guard, same.stopped, same.homing_stopped) == ("range-velocity@2", 0.8, 0.9)
    stopped, refused = hostile_figures([world], runs)
    assert (stopped.measured, stopped.target, stopped.met) == (0.9, 0.99, False)
    assert (refused.measured, refused.target, refused.met) == (0.0004, 0.0005, True)
    del runs["silent-burst", 1, "homing"]
    assert at_same_refusals(strictness_points(world, runs)) is None
    assert hostile_figures([world], runs)[0].met is None


def test_every_target_is_of_a_world() -> None:
    assert {*TARGETS} <= {world.name for world in hostile_scenarios()}


def test_guards_stricter_and_more_lenient_than_their_rules() -> None:
    world = World(BASE, 1, NUMBERING)
    for room, messages in ((0.5, 2), (1.0, 5), (4.0, 20)):
        guard = RangeVelocity(world, room)
        assert sum(guard.allows(62_812_000_000_000, "ID", 0.0) for _ in range(30)) == messages
    assert "homing@0.25" in policies.POLICIES
    assert "number-caps@4" in policies.POLICIES


def test_drawn_hostile_worlds_are_valid_repeatable_and_differ() -> None:
    drawn = [generated_hostile(seed, goal) for goal in ("routing", "guard") for seed in range(20)]
    for world in drawn:
        World(world, 1, NUMBERING)
        assert scenarios.read(scenarios.to_toml(world), world.name) == world
    assert generated_hostile(7, "routing") == drawn[7]
    assert len({*map(scenarios.to_toml, drawn)}) == 40
    assert {attack.kind for world in drawn for attack in world.attacks} == {"hopping", "thin", "touring", "bought"}


def test_the_page_has_the_rival_and_the_curve() -> None:
    world = next(world for world in hostile_scenarios() if world.name == "silent-burst")
    results = [run_of("homing", 100, 4), run_of("homing@0.5", 40, 9), run_of("range-velocity", 200, 3)]
    points = strictness_points(world, {(result.scenario, result.seed, result.policy): result for result in results})
    same = at_same_refusals(points)
    assert same is not None
    report = LabReport("now", False, "a machine", 1.0, 1, 1, 1, (), (), (world,), (), tuple(points), (same,))
    page = html_report(report, {})
    assert "Homing 90.00 %, range-velocity@1: 80.00 %" in page
    assert '<td>homing</td><td class="n">0.5</td><td class="n">96.00 %</td>' in page


def test_a_quick_world_has_its_times_in_the_same_order() -> None:
    outage = ReportOutage(from_h=2.0, until_h=3.0)
    app = ScenarioApp(name="a", stops_reporting_at_h=3.5, report_outages=(outage,))
    quick = quickened(changed(apps=(app,), hours=6.0))
    assert quick.hours == 1.5
    assert quick.apps[0].stops_reporting_at_h == 0.875
    assert quick.apps[0].report_outages == (ReportOutage(from_h=0.5, until_h=0.75),)
