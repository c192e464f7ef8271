"""deliver_sm of what the outbox holds: receipts and inbound messages."""

import msgspec
import pytest

from homing.delivery.bind_pdus import pdus_of
from homing.messages.smpp_bodies import InboundBody, ReceiptBody
from homing.model import PushKind
from homing.smpp import codec, concatenation, tlvs, udh
from homing.smpp.pdus import DeliverSm
from homing.states import MessageState

RECEIPT = ReceiptBody(
    "244", "447700900123", "ACME", MessageState.UNDELIVERABLE, 1_795_521_600, 1_795_521_660, "34", "Hi", 513
)


def made(kind: PushKind, body: msgspec.Struct, with_tlvs: bool = True) -> list[DeliverSm]:
    pdus = pdus_of(kind, msgspec.json.encode(body).decode(), 7, with_tlvs=with_tlvs)
    for pdu in pdus:
        codec.encode(pdu, 1)
    return pdus


def test_a_receipt_has_the_text_of_appendix_b_and_the_tlvs() -> None:
    (pdu,) = made(PushKind.RECEIPT, RECEIPT)
    assert pdu.short_message == (
        b"id:244 sub:001 dlvrd:000 submit date:2611241200 done date:2611241201 stat:UNDELIV err:034 text:Hi"
    )
    assert (pdu.esm_class, pdu.data_coding) == (0x04, 0)
    assert (pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr) == (1, 1, "447700900123")
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (5, 0, "ACME")
    assert tlvs.RECEIPTED_MESSAGE_ID.of(pdu.tlvs) == "244"
    assert tlvs.MESSAGE_STATE.of(pdu.tlvs) == 5
    assert tlvs.NETWORK_ERROR_CODE.of(pdu.tlvs) == b"\x03\x00\x22"
    assert tlvs.USER_MESSAGE_REFERENCE.of(pdu.tlvs) == 513


def test_a_bind_of_an_older_version_gets_no_tlvs() -> None:
    (pdu,) = made(PushKind.RECEIPT, RECEIPT, with_tlvs=False)
    assert pdu.tlvs == ()


def test_a_notice_says_that_it_is_one() -> None:
    notice = msgspec.structs.replace(RECEIPT, state=MessageState.SENT, is_intermediate=True, error_code=None)
    (pdu,) = made(PushKind.NOTICE, notice)
    assert pdu.esm_class == 0x20
    assert b"stat:ENROUTE err:000" in pdu.short_message


@pytest.mark.parametrize(
    ("content", "data_coding", "octets"),
    [("Yes @ 5€", 0, b"Yes \x00 5\x1be"), ("好", 8, "好".encode("utf-16-be"))],
)
def test_a_reply_travels_in_gsm_or_in_ucs2(content: str, data_coding: int, octets: bytes) -> None:
    (pdu,) = made(PushKind.INBOUND, InboundBody("447700900123", "ACME", content))
    assert (pdu.esm_class, pdu.data_coding, pdu.short_message) == (0, data_coding, octets)


@pytest.mark.parametrize("text", ["a" * 400, "好" * 150])
def test_a_long_reply_comes_in_parts_with_a_header(text: str) -> None:
    pdus = made(PushKind.INBOUND, InboundBody("447700900123", "ACME", text))
    assert len(pdus) == 3
    found = ""
    for number, pdu in enumerate(pdus, 1):
        header, octets = udh.split(pdu.short_message, pdu.esm_class)
        assert concatenation.header_position(header) == concatenation.PartPosition(7, 3, number)
        found += octets.decode("utf-16-be" if pdu.data_coding else "ascii")
    assert found == text


@pytest.mark.parametrize(
    ("address", "ton", "npi", "sent"),
    [
        ("447700900123", 1, 1, "447700900123"),
        ("+447700900123", 1, 1, "+447700900123"),
        ("+12345", 5, 0, "+12345"),
        ("12345", 0, 1, "12345"),
        ("A sender of thirty-two characters", 5, 0, "A sender of thirty-t"),
        ("Bönk", 5, 0, "B?nk"),
        ("", 0, 0, ""),
    ],
)
def test_an_address_fits_its_field(address: str, ton: int, npi: int, sent: str) -> None:
    (pdu,) = made(PushKind.INBOUND, InboundBody("447700900123", address, "ok"))
    assert (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr) == (ton, npi, sent)


def test_a_body_that_retention_has_blanked_makes_nothing() -> None:
    with pytest.raises(ValueError):
        pdus_of(PushKind.RECEIPT, "", 7, with_tlvs=True)


@pytest.mark.parametrize(
    ("charset", "text", "data_coding", "octets"),
    [
        ("gsm7", "a@ü", 0, b"a\0\x7e"),
        ("latin-1", "a@ü", 0, b"a@\xfc"),
        ("latin-1", "5€", 8, "5€".encode("utf-16-be")),
        ("ascii", "a@", 0, b"a@"),
        ("ascii", "aü", 8, "aü".encode("utf-16-be")),
        ("utf-8", "aü", 8, "aü".encode("utf-16-be")),
    ],
)
def test_a_reply_is_written_in_the_accounts_default_alphabet_or_in_ucs_2(
    charset: str, text: str, data_coding: int, octets: bytes
) -> None:
    body = msgspec.json.encode(InboundBody("447700900123", "ACME", text)).decode()
    (pdu,) = pdus_of(PushKind.INBOUND, body, 7, with_tlvs=True, charset=charset)
    assert (pdu.data_coding, pdu.short_message) == (data_coding, octets)
