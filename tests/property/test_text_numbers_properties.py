"""Properties of normalising and locating, over any input."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.text.numbers import Numbering, normalise

numbers = st.text(string.digits, min_size=7, max_size=15)
international = numbers.filter(lambda number: number[0] != "0")
raw_numbers = st.text() | st.text(string.digits + "+" + string.whitespace + "٣３²", max_size=70)


@pytest.fixture(scope="module")
def numbering() -> Numbering:
    return Numbering.load()


@given(raw_numbers)
def test_what_comes_out_is_seven_to_fifteen_ascii_digits_in_their_order(raw: str) -> None:
    number = normalise(raw)
    if number is not None:
        assert 7 <= len(number) <= 15
        assert set(number) <= set(string.digits)
        assert number[0] != "0"
        assert number == "".join(raw.split()).removeprefix("+").removeprefix("00")


@given(raw_numbers)
def test_normalising_again_changes_nothing(raw: str) -> None:
    number = normalise(raw)
    assert number is None or normalise(number) == number


@settings(deadline=None)  # drawing a space before each digit is what takes its time
@given(international, st.data())
def test_white_space_and_a_plus_are_dropped_wherever_they_are_allowed(number: str, data: st.DataObject) -> None:
    spaces = st.text(string.whitespace, max_size=2)
    spaced = "".join(data.draw(spaces) + digit for digit in number) + data.draw(spaces)
    assert normalise(data.draw(spaces) + data.draw(st.sampled_from(["", "+", "00", "+00"])) + spaced) == number


@given(st.text() | numbers)
def test_any_text_has_a_destination(numbering: Numbering, text: str) -> None:
    found = numbering.locate(text)
    assert text.startswith(found.calling_code)


@given(numbers, st.text(string.digits, max_size=6))
def test_digits_beyond_the_longest_prefix_change_nothing(numbering: Numbering, number: str, more: str) -> None:
    padded = number.ljust(15, "0")
    assert numbering.locate(padded) is numbering.locate(padded + more)
