"""The tool that makes the prefix table."""

import importlib.util
import re
from pathlib import Path

import phonenumbers
import pytest

from homing.text import numbers
from tools.prefixes import build, e212
from tools.prefixes.patterns import Remainders, after, parse


def _read(pattern: str, digits: str) -> Remainders:
    remainders: Remainders = frozenset([parse(pattern)])
    for digit in digits:
        remainders = after(remainders, digit)
    return remainders


@pytest.mark.parametrize(
    ("pattern", "prefix", "admitted"),
    [
        ("12", "1", True),
        ("12", "2", False),
        ("12", "123", False),
        ("[2-57]1", "71", True),
        ("[2-57]1", "61", False),
        (r"\d{2}9", "009", True),
        (r"\d{2}9", "008", False),
        ("(?:1|23)4", "14", True),
        ("(?:1|23)4", "24", False),
        ("(?:1|23)4", "234", True),
        ("1?2", "2", True),
        ("1?2", "12", True),
        ("1?2", "112", False),
        ("1{2,3}2", "12", False),
        ("1{2,3}2", "1112", True),
        ("1{2,3}2", "1111", False),
        ("(?:12?){2}3", "113", True),
        ("(?:12?){2}3", "12123", True),
        ("(?:12?){2}3", "123", False),
    ],
)
def test_a_pattern_admits_the_prefixes_of_its_matches(pattern: str, prefix: str, admitted: bool) -> None:
    assert bool(_read(pattern, prefix)) is admitted


@pytest.mark.parametrize("pattern", ["[68]\\d{2}(?:0|1[2-4])", "(?:7(?:5|9)?|8{1,2})\\d"])
def test_what_is_read_to_the_end_is_what_the_pattern_matches(pattern: str) -> None:
    for number in range(10_000):
        digits = str(number)
        assert (() in _read(pattern, digits)) is bool(re.fullmatch(pattern, digits))


@pytest.mark.parametrize("pattern", ["1(?!2)", "[^1]", "a.c", r"\w"])
def test_a_pattern_that_numbers_have_no_use_for_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="in a number pattern"):
        parse(pattern)


def test_countries_that_share_a_calling_code_are_told_apart() -> None:
    countries = build.countries()
    assert countries["1"] == "US"
    assert countries["1416"] == "CA"
    assert countries["7"] == "RU"
    assert countries["77"] == "KZ"
    assert countries["86"] == "CN"
    assert countries["883"] == ""


def test_a_network_code_that_no_range_uses_is_reported() -> None:
    with pytest.raises(ValueError, match="China Mobile"):
        build.check({})


def test_codes_have_the_digits_of_e212() -> None:
    assert all(re.fullmatch("[A-Z]{2}", country) for country in e212.MCC)
    assert all(re.fullmatch("[2-7][0-9]{2}", mcc) for mcc in e212.MCC.values())
    assert all(re.fullmatch("[0-9]{2,3}", mnc) for mnc in e212.MNC.values())
    assert {country for country, _ in e212.MNC} <= e212.MCC.keys()


def test_the_shipped_table_is_what_the_tool_makes(tmp_path: Path) -> None:
    if importlib.util.find_spec("phonenumbers.carrierdata") is None:
        pytest.skip("phonenumberslite has no operators' names")
    shipped = Path(numbers.__file__).with_name("prefixes.csv").read_text(encoding="utf-8")
    if phonenumbers.__version__ not in shipped.partition("\n")[0]:
        pytest.skip("the table was made from another edition of libphonenumber")
    build.write(tmp_path / "prefixes.csv")
    assert (tmp_path / "prefixes.csv").read_text(encoding="utf-8") == shipped
