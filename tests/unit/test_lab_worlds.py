"""Worlds that fight back: reports that come late or not at all, and guards in common use."""

import msgspec
import numpy as np
import pytest

from homing.errors import InvalidInput
from homing.lab import scenario as scenarios
from homing.lab.attackers import Attackers
from homing.lab.baseline_guards import NumberCaps, RangeVelocity
from homing.lab.hostile import hostile_scenarios
from homing.lab.reporting import ReportingModel
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
    for told_later, known in ((False, np.inf), (True, 7_200.0)):
        outage = ReportOutage(from_h=1.0, until_h=2.0, told_later=told_later)
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
