"""How many parts a text becomes, and where it is cut."""

import pytest

from homing.text import gsm7
from homing.text.segments import TextEncoding, capacity, choose_encoding, count, has_lone_surrogate, split, utf16_units

GSM7, UCS2 = TextEncoding.GSM7, TextEncoding.UCS2


@pytest.mark.parametrize(
    ("text", "encoding", "parts", "units"),
    [
        ("", GSM7, 1, 0),
        ("a" * 160, GSM7, 1, 160),
        ("a" * 161, GSM7, 2, 161),
        ("a" * 306, GSM7, 2, 306),
        ("a" * 307, GSM7, 3, 307),
        ("ñ" * 160, GSM7, 1, 160),
        ("ñ" * 161, GSM7, 2, 161),
        ("€" * 80, GSM7, 1, 160),
        ("€" * 80 + "a", GSM7, 2, 161),
        ("€" * 153, GSM7, 3, 306),  # 76 in a part: 306 septets would be two parts if one could be halved
        ("a" * 152 + "€" + "a" * 152, GSM7, 3, 306),  # the euro moves on and pushes the last letter out
        ("a" * 151 + "€" + "a" * 153, GSM7, 2, 306),
        ("码" * 70, UCS2, 1, 70),
        ("码" * 71, UCS2, 2, 71),
        ("码" * 134, UCS2, 2, 134),
        ("码" * 135, UCS2, 3, 135),
        ("😀" * 35, UCS2, 1, 70),
        ("😀" * 36, UCS2, 2, 72),
        ("😀" * 67, UCS2, 3, 134),
        ("码" * 66 + "😀" + "码" * 66, UCS2, 3, 134),
        ("a" * 70 + "\0", UCS2, 2, 71),
        ("\ud83d", UCS2, 1, 1),
        ("\ud83d\ude00" * 67, UCS2, 3, 134),  # halves that meet are a pair on the wire
    ],
)
def test_a_text_has_its_encoding_parts_and_units(text: str, encoding: TextEncoding, parts: int, units: int) -> None:
    counted = count(text)
    assert (counted.encoding, counted.parts, counted.units) == (encoding, parts, units)
    assert len(split(text)) == parts
    assert choose_encoding(text) is encoding


def test_an_extension_character_is_not_cut_from_its_escape() -> None:
    assert split("a" * 152 + "€" + "b" * 10) == ["a" * 152, "€" + "b" * 10]


def test_a_surrogate_pair_is_not_cut() -> None:
    assert split("码" * 66 + "😀" + "码" * 9) == ["码" * 66, "😀" + "码" * 9]


def test_only_halves_that_meet_as_a_pair_are_kept_together() -> None:
    for half in ("\ud83d", "\ude00"):
        assert [len(part) for part in split(half * 134)] == [67, 67]


def test_an_encoding_can_be_asked_for() -> None:
    assert count("a" * 71, UCS2).parts == len(split("a" * 71, UCS2)) == 2
    assert count("a" * 71, GSM7).parts == 1


def test_gsm7_is_refused_for_a_text_it_cannot_carry() -> None:
    for cut in (count, split):
        with pytest.raises(gsm7.NotEncodable) as refused:
            cut("code: 验证码", GSM7)
        assert (refused.value.character, refused.value.index) == ("验", 6)


def test_a_longer_header_leaves_less_room() -> None:
    assert [len(part) for part in split("a" * 161, udh=7)] == [152, 9]
    assert [len(part) for part in split("码" * 71, udh=7)] == [66, 5]
    assert count("a" * 306, udh=7).parts == 3
    assert count("a" * 160, udh=7).parts == 1


@pytest.mark.parametrize(
    ("encoding", "udh", "units"),
    [(GSM7, 0, 160), (GSM7, 6, 153), (GSM7, 7, 152), (UCS2, 0, 70), (UCS2, 6, 67)],
)
def test_a_part_holds_what_its_header_leaves(encoding: TextEncoding, udh: int, units: int) -> None:
    assert capacity(encoding, udh) == units


@pytest.mark.parametrize("udh", [-1, 70, 140])
def test_a_header_that_leaves_no_room_is_refused(udh: int) -> None:
    with pytest.raises(ValueError, match="no room"):
        capacity(GSM7, udh)


@pytest.mark.parametrize(("text", "units"), [("", 0), ("abc", 3), ("é码", 2), ("a😀", 3), ("\ud83d", 1)])
def test_characters_beyond_the_basic_plane_are_two_units(text: str, units: int) -> None:
    assert utf16_units(text) == units


@pytest.mark.parametrize(
    ("text", "lone"), [("", False), ("abc", False), ("😀码", False), ("a\ud83d", True), ("\ude00码", True)]
)
def test_a_lone_surrogate_is_seen(text: str, lone: bool) -> None:
    assert has_lone_surrogate(text) is lone


def test_the_encodings_have_the_values_of_the_data_coding_scheme() -> None:
    assert (int(GSM7), int(UCS2)) == (0, 8)
