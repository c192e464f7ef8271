"""Worlds that fight back: reports that come late or not at all, and guards in common use."""

import msgspec
import numpy as np
import pytest

from homing.errors import InvalidInput
from homing.lab import scenario as scenarios
from homing.lab.baseline_guards import NumberCaps, RangeVelocity
from homing.lab.reporting import ReportingModel
from homing.lab.scenario import ReportOutage, Scenario, ScenarioApp, ScenarioCarrier, ScenarioCountry, ScenarioNetwork
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
