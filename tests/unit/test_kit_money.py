"""Money's forms on the wire: exact both ways, and no guess at what is not plainly an amount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.common.money import AMOUNT_MICRO_MAX, fixed, parse, trimmed

amounts = st.integers(-AMOUNT_MICRO_MAX, AMOUNT_MICRO_MAX)


@given(amounts)
def test_what_is_printed_is_read_back(micro: int) -> None:
    assert parse(trimmed(micro)) == micro
    assert parse(fixed(micro)) == micro


@given(amounts)
def test_the_trimmed_form_is_the_shortest(micro: int) -> None:
    text = trimmed(micro)
    assert "." not in text or text[-1] not in "0."
    assert text == "0" or not text.lstrip("-").startswith("0") or text.lstrip("-").startswith("0.")


@given(amounts, st.integers(0, 6))
def test_the_fixed_form_has_so_many_decimals_and_is_cut_towards_zero(micro: int, decimals: int) -> None:
    text = fixed(micro, decimals)
    assert len(text.partition(".")[2]) == decimals
    cut = parse(text)
    assert abs(micro) - 10 ** (6 - decimals) < abs(cut) <= abs(micro)
    assert cut * micro >= 0


@pytest.mark.parametrize(
    ("micro", "decimals", "text"),
    [
        (99_990_000, 6, "99.990000"),
        (50_000_000, 5, "50.00000"),
        (0, 6, "0.000000"),
        (-1_500_000, 6, "-1.500000"),
        (1, 6, "0.000001"),
        (-1, 6, "-0.000001"),
        (1_999_999, 2, "1.99"),
        (7_000_000, 0, "7"),
    ],
)
def test_fixed_forms(micro: int, decimals: int, text: str) -> None:
    assert fixed(micro, decimals) == text


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (31_000, "0.031"), (-1_500_000, "-1.5"), (100_000_000, "100"), (10, "0.00001"), (-1, "-0.000001")],
)
def test_trimmed_forms(micro: int, text: str) -> None:
    assert trimmed(micro) == text


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0.031", 31_000),
        ("-12", -12_000_000),
        (" 5 ", 5_000_000),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("+1", 1_000_000),
        ("0.0310000", 31_000),
        ("1000000000", AMOUNT_MICRO_MAX),
        ("007", 7_000_000),
        ("-0", 0),
    ],
)
def test_plain_decimals_are_amounts(text: str, micro: int) -> None:
    assert parse(text) == micro


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        "abc",
        "0x10",
        "1,5",
        "1 000",
        "1_000",
        "1e3",
        "NaN",
        "sNaN",
        "Infinity",
        "-inf",
        "٣",
        "１２",
        "0.0000001",
        "0.03100000000000000000000000000000000000000001",
        "1000000000.000001",
        "1000000000.0000000000000000000000000001",
        "-1000000000.01",
        "1e999999999",
        "9" * 400,
        "1e-999999999",
        "1\0",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)
