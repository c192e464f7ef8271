"""Scenario files: those that ship, those that are drawn, and those that are wrong."""

from pathlib import Path
from typing import Any

import pytest

from homing.errors import InvalidInput
from homing.lab import generate, scenario
from homing.lab.world import World
from homing.text.numbers import Numbering

NUMBERING = Numbering.load()
GOOD = """
name = "mine"
hours = 2
[[countries]]
code = "ID"
networks = [{ prefix = "62812", digits = 12 }]
[[apps]]
name = "signin"
[[carriers]]
name = "alpha"
price = "0.02"
changes = [{ from_h = 1, delivered_factor = 0.5 }]
"""


@pytest.mark.parametrize("one", scenario.shipped(), ids=lambda one: str(one.name))
def test_a_shipped_scenario_can_be_built_and_written(one: scenario.Scenario) -> None:
    World(one, 1, NUMBERING)
    assert scenario.read(scenario.to_toml(one), "again") == one
    assert one.about


@pytest.mark.parametrize("goal", ["routing", "guard"])
def test_drawn_scenarios_are_valid_repeatable_and_differ(goal: Any) -> None:
    generated_scenarios = [generate.generated(seed, goal) for seed in range(40)]
    for one in generated_scenarios:
        World(one, 1, NUMBERING)
        assert scenario.read(scenario.to_toml(one), "again") == one
    assert generate.generated(7, goal) == generated_scenarios[7]
    assert len({*map(scenario.to_toml, generated_scenarios)}) == 40


def test_names_of_shipped_scenarios_are_their_files() -> None:
    names = [one.name for one in scenario.shipped()]
    folder = Path(scenario.__file__).parent / "scenarios"
    assert names == sorted(file.stem for file in folder.glob("*.toml"))
    assert len(names) >= 10


@pytest.mark.parametrize(
    ("changed", "by", "said"),
    [
        ('price = "0.02"', "price = 0.02", "Expected `str`, got `float`"),
        ('price = "0.02"', 'price = "cheap"', "the price of alpha: 'cheap' is not an amount"),
        ('price = "0.02"', 'price = "-1"', "the price of alpha is below zero"),
        ('name = "alpha"', 'name = "alpha"\ndelivered = 1.2', "Expected `float` <= 1.0"),
        ('name = "alpha"', 'name = "alpha"\ndeliverd = 1.0', "unknown field `deliverd`"),
        ('name = "alpha"', 'name = "alpha"\nreceipts = "sometimes"', "Invalid enum value 'sometimes'"),
        ('name = "alpha"', 'name = "alpha"\nprices = { PH = "0.01" }', "alpha names PH, which is no country here"),
        ("hours = 2", "hours = 0", "Expected `float` > 0.0"),
        ("hours = 2", "hours = 2\nmeasure_from_h = 3", "measure_from_h 3 is not before the end, 2 h"),
        ("hours = 2", 'hours = 2\nwatched = "bravo"', "watched names bravo"),
        ("from_h = 1,", "from_h = 1, until_h = 0.5,", "a change of alpha ends (0.5 h) before it begins (1 h)"),
        ("from_h = 1,", "from_h = 1, delivered = 0.1,", "delivered and delivered_factor: one of them"),
        ("digits = 12", "digits = 8, share = 0", "Expected `float` > 0.0"),
        ("digits = 12", "digits = 15", ""),
        ('"62812", digits = 12', '"6281234567", digits = 12', "beyond its prefix it needs 3 to 10"),
        ("[[apps]]", "[apps", "is not TOML"),
        ('name = "mine"', "", "missing required field `name`"),
        ("[[apps]]", '[[apps]]\nname = "signin"\n[[apps]]', "the app signin is there twice"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field(changed: str, by: str, said: str) -> None:
    text = GOOD.replace(changed, by, 1)
    assert text != GOOD
    if not said:
        scenario.read(text, "mine.toml")
        return
    with pytest.raises(InvalidInput) as refused:
        scenario.read(text, "mine.toml")
    assert said in str(refused.value)
    assert str(refused.value).startswith("mine.toml")


def test_every_fault_is_told_at_once() -> None:
    text = GOOD.replace('price = "0.02"', 'price = "x"').replace("hours = 2", 'hours = 2\nworth = "y"')
    with pytest.raises(InvalidInput) as refused:
        scenario.read(text, "mine.toml")
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            'kind = "burst"\nprefix = "62812"\ndigits = 12\nfrom_h = 0\nhours = 1\nrate_per_s = 1\ncarrier = "x"',
            "carrier x",
        ),
        (
            'kind = "burst"\nprefix = "62812"\ndigits = 9\nfrom_h = 0\nhours = 1\nrate_per_s = 1\nranges = 20',
            "there are 10",
        ),
        ('kind = "flood"\nprefix = "62812"\ndigits = 12\nfrom_h = 0\nhours = 1\nrate_per_s = 1', "flood"),
    ],
)
def test_a_wrong_attack_is_refused(more: str, said: str) -> None:
    text = GOOD + "[[attacks]]\n" + more
    with pytest.raises(InvalidInput, match=said):
        scenario.read(text, "mine.toml")


def test_a_prefix_of_another_country_is_refused_when_the_world_is_built() -> None:
    wrong = scenario.read(GOOD.replace('"62812"', '"63917"'), "mine.toml")
    with pytest.raises(InvalidInput, match="in PH"):
        World(wrong, 1, NUMBERING)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        scenario.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InvalidInput, match="not UTF-8"):
        scenario.load(tmp_path / "latin.toml")
