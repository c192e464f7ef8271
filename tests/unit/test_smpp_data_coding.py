"""One table of data_coding for both directions: what a customer submits and what a carrier delivers."""

from datetime import UTC, datetime

import pytest

from homing.api.smpp import message_text
from homing.api.smpp.statuses import RequestRejected
from homing.carriers.smpp.inbound import DeliveryReader
from homing.carriers.smpp.settings import SmppSettings
from homing.model import CarrierInbound
from homing.smpp import data_coding
from homing.smpp.data_coding import DATA_CODINGS, FLASH, GSM7, GSM7_PACKED, UCS2
from homing.smpp.pdus import DeliverSm
from homing.text import gsm7

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
CARRIER = DeliveryReader(SmppSettings(host="smsc.example", system_id="us"))

TEXTS = [
    # data_coding, octets, the text, whether a customer may submit it
    (0x00, b"a\x00\x1be", "a@€", True),
    (0x01, b"plain", "plain", True),
    (0x02, b"\x80\x81", "\x80\x81", False),
    (0x03, b"caf\xe9 @", "café @", True),
    (0x04, b"\x80\x81", "\x80\x81", False),
    (0x05, "日本 ok".encode("shift_jis"), "日本 ok", True),
    (0x06, "Привет".encode("iso8859-5"), "Привет", True),
    (0x07, "שלום".encode("iso8859-8"), "שלום", True),
    (0x08, "日本 👋".encode("utf-16-be"), "日本 👋", True),
    (0x08, b"\xff\xfe" + "STOP 👋".encode("utf-16-le"), "STOP 👋", True),
    (0x09, b"a\x00", "a@", False),  # pictograms: no charset that can be read
    (0x0A, "日本 ok".encode("iso2022_jp"), "日本 ok", True),
    (0x0B, b"a\x00", "a@", False),
    (0x0C, b"a\x00", "a@", False),
    (0x0D, b"a\x00", "a@", False),  # extended kanji
    (0x0E, "안녕 ok".encode("euc_kr"), "안녕 ok", True),
    (0x0F, b"a\x00", "a@", False),
    (0x10, b"a\x00", "a@", True),
    (0x13, b"a\x00", "a@", True),
    (0x14, b"\xe9", "é", False),  # binary
    (0x18, "й".encode("utf-16-be"), "й", True),
    (0x1B, "й".encode("utf-16-be"), "й", True),
    (0x1C, b"a\x00", "a@", False),  # a reserved alphabet
    (0x28, "й".encode("utf-16-be"), "й", False),  # compressed
    (0x48, "й".encode("utf-16-be"), "й", False),  # deletes itself
    (0x80, b"a\x00", "a@", False),  # reserved
    (0xC0, b"a\x00", "a@", False),  # a message waits, and is discarded
    (0xD0, b"a\x00", "a@", False),
    (0xE0, "й".encode("utf-16-be"), "й", False),
    (0xF0, b"a\x00", "a@", True),
    (0xF3, b"a\x00", "a@", True),
    (0xF5, b"\xe9", "é", False),  # binary
    (0xF8, b"a\x00", "a@", False),  # a reserved bit
]


@pytest.mark.parametrize(("value", "octets", "text", "may_submit"), TEXTS)
def test_both_directions_read_octets_alike(value: int, octets: bytes, text: str, may_submit: bool) -> None:
    delivered = CARRIER.read(DeliverSm(data_coding=value, short_message=octets), NOW)
    assert isinstance(delivered, CarrierInbound)
    assert delivered.content == text
    if may_submit:
        message_text.check(octets, value)
        assert message_text.decode(octets, value).text == text
    else:
        with pytest.raises(RequestRejected):
            message_text.check(octets, value)


@pytest.mark.parametrize("value", range(256))
def test_what_may_be_submitted_is_read_alike_from_a_carrier(value: int) -> None:
    octets = b"\0H\0i" if DATA_CODINGS[value].charset == UCS2 else b"Hi"
    delivered = CARRIER.read(DeliverSm(data_coding=value, short_message=octets), NOW)
    assert isinstance(delivered, CarrierInbound)
    assert delivered.content == "Hi"
    if DATA_CODINGS[value].is_plain:
        assert message_text.decode(octets, value).text == "Hi"


def test_a_character_of_two_octets_may_be_cut_between_two_parts() -> None:
    octets = "日本".encode("shift_jis")
    assert message_text.decode_parts([octets[:1], octets[1:]], 0x05).text == "日本"


def test_the_message_classes_are_those_of_23_038() -> None:
    assert sorted(FLASH) == [0x10, 0x18, 0xF0]
    assert [DATA_CODINGS[value].message_class for value in (0x00, 0x08, 0x11, 0x1A, 0xF3, 0xC0)] == [
        *(None, None, 1, 2, 3, None),
    ]


@pytest.mark.parametrize(
    ("text", "charset", "octets"),
    [
        ("a@ü", GSM7, b"a\0\x7e"),
        ("hi", GSM7_PACKED, b"\xe8\x34"),
        ("a@ü", "latin-1", b"a@\xfc"),
        ("a@", "ascii", b"a@"),
        ("a@", "utf-8", b"a@"),
        ("日", UCS2, b"\x65\xe5"),
    ],
)
def test_a_text_is_written_in_a_charset(text: str, charset: str, octets: bytes) -> None:
    assert data_coding.encode(text, charset) == octets


@pytest.mark.parametrize(
    ("text", "charset"),
    [("日", GSM7), ("5€", "latin-1"), ("þ", "latin-1"), ("aü", "ascii"), ("aü", "utf-8")],
)
def test_what_a_charset_cannot_write_is_refused(text: str, charset: str) -> None:
    with pytest.raises(ValueError):
        data_coding.encode(text, charset)


@pytest.mark.parametrize("header_octets", [0, 6, 7])
@pytest.mark.parametrize("length", range(1, 18))
def test_packed_septets_are_unpacked_to_as_many(length: int, header_octets: int) -> None:
    septets = gsm7.encode("x" * length)
    assert data_coding.unpack(data_coding.pack(septets, header_octets), header_octets) == septets
