"""Normalising numbers and finding whose they are."""

import random
from collections import Counter

import phonenumbers
import pytest

from homing.text.numbers import NOWHERE, Destination, Numbering, first_digits, is_national, normalise


@pytest.fixture(scope="module")
def numbering() -> Numbering:
    return Numbering.load()


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("8613800138000", "8613800138000"),
        ("+8613800138000", "8613800138000"),
        (" +86 138 0013\t8000\r\n", "8613800138000"),
        ("+ 86 13800138000", "8613800138000"),
        ("1234567", "1234567"),
        ("123456789012345", "123456789012345"),
        ("+123456789012345", "123456789012345"),
        ("008613800138000", "8613800138000"),
        ("+008613800138000", "8613800138000"),
        (" 00 86 138 0013 8000", "8613800138000"),
        ("0012125550123", "12125550123"),
        ("00123456789012345", "123456789012345"),
        ("001234567890123456", None),
        ("00123456", None),
        ("015112345671", None),
        ("+015112345671", None),
        ("0 151 12345671", None),
        ("00015112345671", None),
        ("000015112345671", None),
        ("00", None),
        ("0", None),
        ("123456", None),
        ("1234567890123456", None),
        ("", None),
        ("+", None),
        ("++8613800138000", None),
        ("+ +8613800138000", None),
        ("86+13800138000", None),
        ("86-138-0013-8000", None),
        ("(212) 555 0123", None),
        ("٨٦١٣٨٠٠١٣٨٠٠٠", None),
        ("８６１３８００１３８０００", None),
        ("86138001380⁰⁰", None),
        ("86\u00a013800138000", None),
        ("86\x1c13800138000", None),
        ("8613800138000\0", None),
        ("8613800138000x", None),
        ("1" * 10_000_000, None),
        (" " * 10_000_000 + "8613800138000", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_number_is_normalised_or_refused(raw: str, number: str | None) -> None:
    assert normalise(raw) == number


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("015112345671", True),
        ("+015112345671", True),
        ("0 151 12345671", True),
        ("00015112345671", True),
        ("008613800138000", False),
        ("8613800138000", False),
        ("0x15112345671", False),
        ("", False),
        ("0" * 10_000_000, False),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_national_number_is_told_from_other_wrong_ones(raw: str, expected: bool) -> None:
    assert is_national(raw) is expected


@pytest.mark.parametrize(
    ("raw", "digits"),
    [("86", "86"), ("+86", "86"), ("0086", "86"), ("+00 86", "86"), ("086", "086"), ("*", "*"), ("", ""), ("DE", "DE")],
)
def test_the_beginning_of_numbers_has_the_form_of_numbers(raw: str, digits: str) -> None:
    assert first_digits(raw) == digits


def test_a_space_around_every_digit_is_forgiven() -> None:
    assert normalise(" + " + " ".join("123456789012345")) == "123456789012345"


@pytest.mark.parametrize(
    ("number", "country", "mcc"),
    [
        ("8613800138000", "CN", "460"),
        ("919876543210", "IN", "404"),
        ("12125550123", "US", "310"),
        ("14165550123", "CA", "302"),
        ("18765550123", "JM", "338"),
        ("18095550123", "DO", "370"),
        ("77011234567", "KZ", "401"),
        ("79031234567", "RU", "250"),
        ("447400123456", "GB", "234"),
        ("447781123456", "GG", "234"),
        ("447797123456", "JE", "234"),
        ("390669812345", "VA", "225"),
        ("393123456789", "IT", "222"),
        ("85251234567", "HK", "454"),
        ("85366123456", "MO", "455"),
        ("886912345678", "TW", "466"),
        ("6281212345678", "ID", "510"),
        ("639171234567", "PH", "515"),
        ("2348031234567", "NG", "621"),
        ("5511987654321", "BR", "724"),
        ("5215512345678", "MX", "334"),
        ("4915123456789", "DE", "262"),
        ("262639123456", "YT", "647"),
        ("38344123456", "XK", "221"),
    ],
)
def test_a_number_has_its_country_and_mcc(numbering: Numbering, number: str, country: str, mcc: str) -> None:
    found = numbering.locate(number)
    assert (found.country, found.mcc) == (country, mcc)
    assert number.startswith(found.calling_code)


@pytest.mark.parametrize(
    ("number", "network", "mnc"),
    [
        ("8613800138000", "China Mobile", "00"),
        ("8613012345678", "China Unicom", "01"),
        ("8618912345678", "China Telecom", "03"),
        ("79031234567", "Beeline", "99"),
        ("12125550123", "", "-1"),
        ("8675512345678", "", "-1"),
    ],
)
def test_a_number_has_the_operator_of_its_range(numbering: Numbering, number: str, network: str, mnc: str) -> None:
    found = numbering.locate(number)
    assert (found.network, found.mnc) == (network, mnc)


@pytest.mark.parametrize("number", ["99912345678", "21012345678", "0044123456", "", "x"])
def test_an_unknown_prefix_is_nowhere(numbering: Numbering, number: str) -> None:
    assert numbering.locate(number) is NOWHERE
    assert Destination(country="", calling_code="", mcc="-1", mnc="-1", network="") == NOWHERE


def test_a_code_of_no_country_has_a_calling_code_only(numbering: Numbering) -> None:
    found = numbering.locate("88312345678")
    assert (found.country, found.calling_code, found.mcc) == ("", "883", "-1")


def test_an_area_code_not_yet_opened_goes_to_the_main_country(numbering: Numbering) -> None:
    assert phonenumbers.region_code_for_number(phonenumbers.parse("+19995550123")) is None
    assert numbering.locate("19995550123").country == "US"


def test_the_longest_prefix_wins() -> None:
    one, two, three = (Destination(network=name) for name in "123")
    numbering = Numbering({"1": one, "12": two, "1234": three})
    assert [numbering.locate(n) for n in ("1", "13", "123", "1234", "12345", "2")] == [
        *(one, one, two, three, three),
        NOWHERE,
    ]


def test_a_table_with_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        Numbering.read(["prefix,country", "86,CN"])


def test_countries_agree_with_libphonenumber(numbering: Numbering) -> None:
    """On valid numbers of every region and kind, made from its examples by redrawing the last digits."""
    chance = random.Random(1)
    agreed, disagreed = 0, Counter[tuple[str, str]]()
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        code = phonenumbers.country_code_for_region(region)
        for kind in phonenumbers.PhoneNumberType.values():
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            digits = phonenumbers.national_significant_number(example)
            for kept in range(1, len(digits)):
                redrawn = digits[:kept] + "".join(chance.choices("0123456789", k=len(digits) - kept))
                number = phonenumbers.parse(f"+{code}{redrawn}")
                expected = phonenumbers.region_code_for_number(number)
                if expected is None:
                    continue
                e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
                found = numbering.locate(e164)
                assert found.calling_code == str(number.country_code)
                if found.country == expected:
                    agreed += 1
                else:
                    disagreed[expected, found.country] += 1
    assert agreed > 5_000
    # Canada's seven-digit 310 numbers, which nobody abroad can dial, look like the start of a US number.
    assert disagreed.keys() <= {("CA", "US")}
    assert disagreed.total() <= agreed / 1000


def test_every_country_but_one_has_an_mcc(numbering: Numbering) -> None:
    without = {
        region
        for region in phonenumbers.SUPPORTED_REGIONS
        if (code := numbering.locate(str(phonenumbers.country_code_for_region(region)))).mcc == "-1"
        and code.country == region
    }
    assert without == {"IO"}
