"""The GSM 7 bit alphabet, encoded, decoded and packed (3GPP TS 23.038)."""

import pytest
from gsm0338 import Codec

from homing.text import gsm7

ALPHABET = "".join(c for c in gsm7.DEFAULT_ALPHABET if c != gsm7.ESCAPE)


def test_the_default_alphabet_has_a_character_for_each_septet() -> None:
    assert len(gsm7.DEFAULT_ALPHABET) == len(set(gsm7.DEFAULT_ALPHABET)) == 128


def test_every_character_is_encoded_as_an_independent_codec_does() -> None:
    text = ALPHABET + "".join(gsm7.EXTENSION)
    assert gsm7.encode(text) == Codec().encode(text)[0]


def test_no_character_beyond_the_tables_is_gsm() -> None:
    carried = {chr(point) for point in range(0x110000) if gsm7.is_gsm(chr(point))}
    assert carried == set(ALPHABET) | gsm7.EXTENSION.keys()


@pytest.mark.parametrize(
    ("text", "septets"),
    [
        ("", 0),
        ("code 123456", 11),
        ("line\r\nbreak", 11),
        ("10 €", 5),
        ("{a}", 5),
        ("^{}\\[~]|€\f", 20),
        ("ñandú", None),
        ("tab\t", None),
        ("back`tick", None),
        ("nul\0", None),
        ("esc\x1b", None),
        ("é\x1b", None),
        ("ça", None),
        ("验证码", None),
        ("\ud83d", None),
    ],
)
def test_a_text_costs_its_septets_or_cannot_be_carried(text: str, septets: int | None) -> None:
    assert gsm7.septets_or_none(text) == septets
    assert gsm7.is_gsm(text) == (septets is not None)


@pytest.mark.parametrize(("text", "character", "index"), [("abc\tç", "\t", 3), ("€ç", "ç", 1), ("\ud83d", "\ud83d", 0)])
def test_the_first_character_that_cannot_be_carried_is_named(text: str, character: str, index: int) -> None:
    for refuse in (gsm7.septets, gsm7.encode):
        with pytest.raises(gsm7.NotEncodable) as refused:
            refuse(text)
        assert (refused.value.character, refused.value.index) == (character, index)
        assert f"U+{ord(character):04X}" in str(refused.value)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x00\x02\x11", "@$_"),
        (b"\x1b\x65\x1b\x28x\x1b\x29", "€{x}"),
        (b"\x1b\x41b", "Ab"),
        (b"\x1b\x1b\x65", " e"),
        (b"\x1b\x1b\x1b\x65", " €"),
        (b"a\x1b", "a "),
        (b"\x1b\x0a\x1b\x0d", "\f\r"),
    ],
)
def test_what_others_send_is_decoded_even_where_an_escape_means_nothing_to_us(data: bytes, text: str) -> None:
    assert gsm7.decode(data) == text


def test_an_octet_above_seven_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="0x7F"):
        gsm7.decode(b"a\x80")
    with pytest.raises(ValueError, match="0x7F"):
        gsm7.pack(b"a\x80")


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("", ""),
        ("a", "61"),
        ("hello", "e8329bfd06"),
        ("hellohello", "e8329bfd4697d9ec37"),
    ],
)
def test_septets_are_packed_as_in_well_known_samples(text: str, packed: str) -> None:
    assert gsm7.pack(gsm7.encode(text)).hex() == packed


@pytest.mark.parametrize(("octets", "bits"), [(0, 0), (6, 1), (7, 0), (8, 6), (13, 1)])
def test_fill_bits_reach_the_next_septet_after_a_header(octets: int, bits: int) -> None:
    assert gsm7.fill_bits(octets) == bits
    assert (octets * 8 + bits) % 7 == 0


def test_a_full_part_after_a_concatenation_header_fills_the_user_data() -> None:
    assert len(gsm7.pack(b"\x7f" * 153, fill=gsm7.fill_bits(6))) == 134
    assert len(gsm7.pack(b"\x7f" * 160)) == 140


def test_fill_bits_shift_the_first_septet() -> None:
    assert gsm7.pack(b"\x41", fill=1) == b"\x82"


def test_fewer_octets_than_the_septets_need_are_refused() -> None:
    assert gsm7.unpack(b"\xff" * 7, 8) == b"\x7f" * 8
    with pytest.raises(ValueError, match="cannot hold 9"):
        gsm7.unpack(b"\xff" * 7, 9)
    with pytest.raises(ValueError, match="cannot hold 8"):
        gsm7.unpack(b"\xff" * 7, 8, fill=1)
