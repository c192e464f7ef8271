"""Templates: filling one in, and telling whether a text can have been made from one."""

import re
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing import errors
from homing.intake import templates
from homing.intake.templates import VARIABLE, fill, match_any, matches
from homing.model import Template

bodies = st.lists(st.sampled_from(["{V1}", "{V2}", "{V5}", "a", "b", "ab", "\n", "{", "}", "V1", "{V6}", "."])).map(
    "".join
)
values = st.text("ab\n{}V1.", min_size=1, max_size=6)


def template(body: str) -> Template:
    return Template(1, "t", body)


def oracle(body: str) -> "re.Pattern[str]":
    """What a regular expression makes of it: slow at worst, and plainly right."""
    return re.compile(".{1,256}".join(re.escape(piece) for piece in re.split(r"\{V[1-5]\}", body)), re.DOTALL)


@given(bodies, st.text("ab\n{}V16.", max_size=14))
def test_any_text_matches_as_a_regular_expression_says(body: str, text: str) -> None:
    assert matches(template(body), text) == bool(oracle(body).fullmatch(text))


@given(bodies, st.dictionaries(st.sampled_from([1, 2, 5]), values, min_size=3))
def test_what_was_filled_in_matches(body: str, variables: dict[int, str]) -> None:
    text = fill(template(body), variables)
    assert matches(template(body), text)
    assert bool(oracle(body).fullmatch(text))


@given(bodies, st.dictionaries(st.sampled_from([1, 2, 5]), values))
def test_a_variable_that_is_missing_is_named(body: str, variables: dict[int, str]) -> None:
    used = [int(match[1]) for match in VARIABLE.finditer(body)]
    missing = [number for number in used if number not in variables]
    if missing:
        with pytest.raises(errors.BadParameter, match=f"V{missing[0]} not specified"):
            fill(template(body), variables)
    else:
        fill(template(body), variables)


def test_a_value_that_looks_like_a_variable_is_not_filled_in_again() -> None:
    assert fill(template("{V1}{V2}"), {1: "{V2}", 2: "x"}) == "{V2}x"


@pytest.mark.parametrize(
    ("body", "text", "fits"),
    [
        ("Your code is {V1}.", "Your code is 123456.", True),
        ("Your code is {V1}.", "Your code is .", False),
        ("Your code is {V1}.", "your code is 1.", False),
        ("Your code is {V1}.", "Your code is 1. Buy now", False),
        ("{V1}", "x" * 256, True),
        ("{V1}", "x" * 257, False),
        ("{V1}{V2}", "x" * 257, True),
        ("{V1}{V2}", "x", False),
        ("a{V1}a", "a", False),
        ("a{V1}a", "aa", False),
        ("a{V1}a", "aaa", True),
        ("no variable", "no variable", True),
        ("", "", True),
        ("", "x", False),
        ("{V0}{V6}", "{V0}{V6}", True),
        ("{V0}", "x", False),
        ("{V1} ab {V2} ab {V3}", "x ab ab ab y", True),
    ],
)
def test_particular_texts(body: str, text: str, fits: bool) -> None:
    assert matches(template(body), text) is fits


def test_the_first_template_that_fits_is_found() -> None:
    listed = [Template(1, "one", "x"), Template(2, "two", "{V1}b"), Template(3, "three", "{V1}")]
    found = match_any(listed, "ab")
    assert found is not None
    assert found.name == "two"
    assert match_any(listed[:2], "c") is None
    assert match_any([], "c") is None


def test_a_hostile_text_costs_no_more_than_a_few_steps_at_each_character() -> None:
    """Many variables between equal letters, in the longest text there is, hold up everybody else's calls."""
    pieces, length = 40, 1600
    steps = 0

    def count(frame: FrameType, _event: str, _value: object) -> Any:
        nonlocal steps
        if frame.f_code.co_filename != templates.__file__:
            return None
        steps += 1
        assert steps <= pieces * length * 10, "the cost grows with the square of the text"
        return count

    hostile, text = template("{V1}a" * pieces + "{V1}b"), "a" * (length - 1) + "b"
    before = sys.gettrace()
    sys.settrace(count)
    try:
        assert matches(hostile, text)
    finally:
        sys.settrace(before)
    assert steps > length, "it was counted"
