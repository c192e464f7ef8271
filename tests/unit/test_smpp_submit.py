"""Submits: what each field of a PDU asks for, and the status that refuses what cannot be."""

from datetime import UTC, datetime
from typing import Any

import pytest

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.api.smpp import message_text
from homing.api.smpp.statuses import STATUSES, RequestRejected, VendorStatus, status_of
from homing.api.smpp.submit import Submit, invalid_destinations, read_submit
from homing.model import App, Options, Recipient, Traffic
from homing.smpp import concatenation, tlvs, udh
from homing.smpp.concatenation import REFERENCE_16_BIT, REFERENCE_SAR, PartPosition
from homing.smpp.pdus import DataSm, DistributionList, SmeAddress, SubmitMulti, SubmitSm
from homing.smpp.statuses import CommandStatus
from homing.text.gsm7 import encode
from homing.text.segments import TextEncoding

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
ACCOUNT = Profile(
    7, "acme", False, (), 20, False, "ACME", frozenset({"ACME", "447700900000"}), {"a": App("a", "a", None, None)}, ()
)
NUMBER = "447700900123"
HEADER_8 = concatenation.build_header(7, 3, 2)
HEADER_16 = concatenation.build_header(7, 3, 2, wide=True)
PORTS = udh.build([(udh.PORTS_16_BIT, b"\x0b\x84\x23\xf0")])
SAR = (tlvs.SAR_MSG_REF_NUM.make(7), tlvs.SAR_TOTAL_SEGMENTS.make(3), tlvs.SAR_SEGMENT_SEQNUM.make(2))


def submit(**more: Any) -> SubmitSm:
    values: dict[str, Any] = {
        "source_addr": "ACME",
        "destination_addr": NUMBER,
        "short_message": b"hello",
        **more,
    }
    return SubmitSm(**values)


def test_a_plain_submit() -> None:
    asked = read_submit(ACCOUNT, submit(registered_delivery=1), NOW)
    assert asked.sender == "ACME"
    assert asked.recipients == (Recipient(NUMBER, NUMBER, None),)
    assert asked.octets == b"hello"
    assert asked.part is None
    assert asked.registered == 1
    assert asked.traffic is Traffic.TRANSACTIONAL
    assert asked.validity_s == limits.VALIDITY_S_DEFAULT
    assert asked.notes == {}


@pytest.mark.parametrize(
    ("pdu", "field", "value"),
    [
        (submit(source_addr=""), "sender", "ACME"),
        (submit(source_addr="447700900000"), "sender", "447700900000"),
        (submit(source_addr="+447700900000"), "sender", "447700900000"),
        (submit(destination_addr="+447700900123"), "recipients", (Recipient("+447700900123", NUMBER, None),)),
        (submit(tlvs=(tlvs.USER_MESSAGE_REFERENCE.make(513),)), "recipients", (Recipient(NUMBER, NUMBER, "513"),)),
        (submit(service_type="promo"), "traffic", Traffic.PROMOTIONAL),
        (submit(service_type="OTP"), "notes", {"service_type": "OTP"}),
        (submit(data_coding=0xF0), "options", Options(flash=True)),
        (submit(data_coding=0x10), "options", Options(flash=True)),
        (submit(data_coding=0x18, short_message=b"\0h"), "options", Options(flash=True)),
        (submit(data_coding=0x11), "options", Options()),
        (submit(tlvs=((0x1400, b"1101"), (0x1401, b"1107\0"))), "options", Options(False, "1101", "1107")),
        (submit(data_coding=0x10, tlvs=((0x1401, b"1107"),)), "options", Options(True, "", "1107")),
        (submit(priority_flag=3), "traffic", Traffic.TRANSACTIONAL),
        (submit(registered_delivery=0), "registered", 0),
        (submit(registered_delivery=2), "registered", 2),
        (submit(registered_delivery=0x11), "registered", 0x11),
        (submit(registered_delivery=0x0C), "registered", 0),
        (submit(validity_period="000000001000000R"), "validity_s", 600),
        (submit(validity_period="261122120030000+"), "validity_s", 30),
        (submit(validity_period="261122140030008+"), "validity_s", 30),
        (submit(validity_period="000010000000000R"), "validity_s", limits.VALIDITY_S_MAX),
        (submit(schedule_delivery_time="261122115900000+"), "validity_s", limits.VALIDITY_S_DEFAULT),
        (submit(esm_class=0x83), "octets", b"hello"),
        (submit(short_message=b"", tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"x" * 500),)), "octets", b"x" * 500),
        (submit(esm_class=0x40, short_message=HEADER_8 + b"rest"), "part", PartPosition(7, 3, 2)),
        (submit(esm_class=0x40, short_message=HEADER_8 + b"rest"), "octets", b"rest"),
        (
            submit(esm_class=0x40, short_message=HEADER_16 + b"r"),
            "part",
            PartPosition(7 | REFERENCE_16_BIT, 3, 2),
        ),
        (
            submit(esm_class=0x40, short_message=b"", tlvs=(tlvs.MESSAGE_PAYLOAD.make(HEADER_8 + b"rest"),)),
            "octets",
            b"rest",
        ),
        (submit(tlvs=SAR), "part", PartPosition(7 | REFERENCE_SAR, 3, 2)),
        (submit(esm_class=0x40, short_message=concatenation.build_header(7, 1, 1) + b"one"), "part", None),
        (submit(tlvs=(SAR[0], tlvs.SAR_TOTAL_SEGMENTS.make(1), tlvs.SAR_SEGMENT_SEQNUM.make(1))), "part", None),
    ],
)
def test_a_field_says(pdu: SubmitSm, field: str, value: object) -> None:
    assert getattr(read_submit(ACCOUNT, pdu, NOW), field) == value


@pytest.mark.parametrize(
    ("pdu", "status"),
    [
        (submit(source_addr="STRANGER"), CommandStatus.RINVSRCADR),
        (submit(source_addr="+ACME"), CommandStatus.RINVSRCADR),
        (submit(source_addr="00447700900000"), CommandStatus.RINVSRCADR),
        (submit(destination_addr=""), CommandStatus.RINVDSTADR),
        (submit(destination_addr="hello"), CommandStatus.RINVDSTADR),
        (submit(destination_addr="12345"), CommandStatus.RINVDSTADR),
        (submit(service_type="USSD"), CommandStatus.RINVSERTYP),
        (submit(service_type="\xe9"), CommandStatus.RINVSERTYP),
        (submit(priority_flag=4), CommandStatus.RINVPRTFLG),
        (submit(replace_if_present_flag=1), CommandStatus.RINVREPFLAG),
        (submit(sm_default_msg_id=1), CommandStatus.RINVDFTMSGID),
        (submit(schedule_delivery_time="000000001000000R"), CommandStatus.RINVSCHED),
        (submit(schedule_delivery_time="tomorrow at noon"), CommandStatus.RINVSCHED),
        (submit(validity_period="261122115900000+"), CommandStatus.RINVEXPIRY),
        (submit(validity_period="000000000000000R"), CommandStatus.RINVEXPIRY),
        (submit(validity_period="2611"), CommandStatus.RINVEXPIRY),
        (submit(registered_delivery=3), CommandStatus.RINVREGDLVFLG),
        (submit(short_message=b""), CommandStatus.RINVMSGLEN),
        (submit(tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"more"),)), CommandStatus.ROPTPARNOTALLWD),
        (submit(esm_class=0x04), CommandStatus.RINVESMCLASS),
        (submit(esm_class=0x40, short_message=b"\x09x"), CommandStatus.RINVESMCLASS),
        (submit(esm_class=0x40, short_message=HEADER_8), CommandStatus.RINVMSGLEN),
        (submit(esm_class=0x40, short_message=PORTS + b"x"), VendorStatus.UNSUPPORTED_CONTENT),
        (submit(esm_class=0x40, short_message=concatenation.build_header(7, 200, 2) + b"x"), CommandStatus.RINVMSGLEN),
        (SubmitMulti(source_addr="ACME", short_message=b"x"), CommandStatus.RINVNUMDESTS),
        (
            SubmitMulti(source_addr="ACME", dest_addresses=(DistributionList("all"),), short_message=b"x"),
            CommandStatus.RCNTSUBDL,
        ),
        (
            SubmitMulti(source_addr="ACME", dest_addresses=(SmeAddress(1, 1, "x"),), short_message=b"x"),
            CommandStatus.RINVDSTADR,
        ),
        (
            SubmitMulti(source_addr="ACME", dest_addresses=(SmeAddress(1, 1, NUMBER),), short_message=b"x", tlvs=SAR),
            CommandStatus.RINVESMCLASS,
        ),
        (DataSm(source_addr="ACME", destination_addr=NUMBER), CommandStatus.RINVMSGLEN),
        (
            DataSm(
                source_addr="ACME",
                destination_addr=NUMBER,
                tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"x"), tlvs.QOS_TIME_TO_LIVE.make(0)),
            ),
            CommandStatus.RINVEXPIRY,
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_status_of_its_field(pdu: Submit, status: int) -> None:
    with pytest.raises(RequestRejected) as refused:
        read_submit(ACCOUNT, pdu, NOW)
    assert refused.value.status == status
    assert status_of(refused.value) == status


@pytest.mark.parametrize(
    "sar",
    [
        SAR[:1],
        SAR[:2],
        SAR[1:],
        (*SAR[:2], tlvs.SAR_SEGMENT_SEQNUM.make(4)),
        (SAR[0], tlvs.SAR_TOTAL_SEGMENTS.make(0), tlvs.SAR_SEGMENT_SEQNUM.make(0)),
    ],
)
def test_sar_parameters_that_make_no_part_are_ignored(sar: tlvs.Tlvs) -> None:
    """SMPP 3.4, 5.3.2.22: without the other two, each is."""
    assert read_submit(ACCOUNT, submit(tlvs=sar), NOW).part is None


def test_data_sm_has_its_text_in_the_payload_and_its_validity_in_seconds() -> None:
    pdu = DataSm(
        source_addr="ACME",
        destination_addr=NUMBER,
        registered_delivery=1,
        tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"hello"), tlvs.QOS_TIME_TO_LIVE.make(90)),
    )
    asked = read_submit(ACCOUNT, pdu, NOW)
    assert (asked.octets, asked.validity_s, asked.registered) == (b"hello", 90, 1)


def test_submit_multi_leaves_out_what_is_no_number_and_names_it() -> None:
    pdu = SubmitMulti(
        source_addr="ACME",
        dest_addresses=(SmeAddress(1, 1, NUMBER), SmeAddress(1, 1, "x"), SmeAddress(1, 1, "447700900124")),
        short_message=b"hello",
    )
    assert [one.number for one in read_submit(ACCOUNT, pdu, NOW).recipients] == [NUMBER, "447700900124"]
    assert invalid_destinations(pdu) == [SmeAddress(1, 1, "x")]


# ---- Text

EURO = encode("5€ [ok]")


@pytest.mark.parametrize(
    ("octets", "data_coding", "text", "encoding"),
    [
        (b"Hi \x00 \x11", 0x00, "Hi @ _", None),
        (EURO, 0x00, "5€ [ok]", None),
        (EURO, 0x11, "5€ [ok]", None),
        (EURO, 0xF1, "5€ [ok]", None),
        (b"Hi @ _ `", 0x01, "Hi @ _ `", None),
        ("é@ñ".encode("latin-1"), 0x03, "é@ñ", None),
        ("Привет".encode("iso8859-5"), 0x06, "Привет", None),
        ("שלום".encode("iso8859-8"), 0x07, "שלום", None),
        ("你好 😀".encode("utf-16-be"), 0x08, "你好 😀", TextEncoding.UCS2),
        ("ok".encode("utf-16-be"), 0x19, "ok", TextEncoding.UCS2),
    ],
)
def test_octets_are_read_as_their_data_coding_says(
    octets: bytes, data_coding: int, text: str, encoding: TextEncoding | None
) -> None:
    message_text.check(octets, data_coding)
    assert message_text.decode(octets, data_coding) == message_text.SubmittedText(text, encoding)


@pytest.mark.parametrize(
    ("octets", "data_coding", "status"),
    [
        (b"\x80", 0x00, VendorStatus.UNSUPPORTED_CONTENT),
        (b"\xe9", 0x01, VendorStatus.UNSUPPORTED_CONTENT),
        (b"\0", 0x03, CommandStatus.RINVMSGLEN),
        (b"a\0b", 0x03, VendorStatus.UNSUPPORTED_CONTENT),
        (b"\0a\0", 0x08, CommandStatus.RINVMSGLEN),
        (b"\0\0", 0x08, CommandStatus.RINVMSGLEN),
        (b"\xff\xfe", 0x08, CommandStatus.RINVMSGLEN),
        (b"\0a\0\0\0b", 0x08, VendorStatus.UNSUPPORTED_CONTENT),
        (b"\xd8\x3d", 0x08, VendorStatus.UNSUPPORTED_CONTENT),
        (b"\xd8\x3d\0a", 0x08, VendorStatus.UNSUPPORTED_CONTENT),
        (b"any", 0x02, VendorStatus.UNSUPPORTED_CONTENT),
        (b"any", 0x04, VendorStatus.UNSUPPORTED_CONTENT),
        (b"any", 0xF5, VendorStatus.UNSUPPORTED_CONTENT),
        (b"any", 0x09, VendorStatus.UNSUPPORTED_CONTENT),
        (b"\xff\xfe", 0x07, VendorStatus.UNSUPPORTED_CONTENT),
    ],
)
def test_what_is_no_text_in_its_data_coding_is_refused(octets: bytes, data_coding: int, status: int) -> None:
    with pytest.raises(RequestRejected) as refused:
        message_text.decode(octets, data_coding)
    assert refused.value.status == status


LITTLE, BIG = b"\xff\xfe", b"\xfe\xff"


@pytest.mark.parametrize(
    ("parts", "data_coding", "charset", "text"),
    [
        ([LITTLE + "Hé 你😀".encode("utf-16-le")], 0x08, "gsm7", "Hé 你😀"),
        ([BIG + "Hé 你😀".encode("utf-16-be")], 0x18, "gsm7", "Hé 你😀"),
        ([LITTLE + b"a\0", b"b\0"], 0x08, "gsm7", "ab"),
        ([LITTLE + b"a\0", LITTLE + b"b\0"], 0x08, "gsm7", "ab"),
        ([BIG + b"\0a", BIG + b"\0b"], 0x08, "gsm7", "ab"),
        ([b"\0a\xd8\x3d", b"\xde\x00\0b"], 0x08, "gsm7", "a😀b"),
        ([b"\0a\0\0"], 0x08, "gsm7", "a"),
        ([LITTLE + b"a\0\0\0"], 0x08, "gsm7", "a"),
        ([b"\x01\x00\0\0"], 0x08, "gsm7", "Ā"),
        ([b"\0a\0\0", b"\0b\0\0"], 0x08, "gsm7", "ab"),
        ([b"code\0"], 0x01, "gsm7", "code"),
        ([b"caf\xe9\0\0"], 0x03, "gsm7", "café"),
        ([b"caf\xe9\0", b"s\0"], 0x03, "gsm7", "cafés"),
        ([b"you\0"], 0x00, "gsm7", "you@"),
        ([b"you@me"], 0x00, "gsm7", "you¡me"),
        ([b"you@me\0"], 0x00, "ascii", "you@me"),
        ([b"you@me \xfc"], 0x00, "latin-1", "you@me ü"),
        ([b"you@me \xfc"], 0xF1, "latin-1", "you@me ü"),
        (["é你".encode()[:3], "é你".encode()[3:]], 0x00, "utf-8", "é你"),
        ([b"@"], 0x01, "latin-1", "@"),
        ([b"\0@"], 0x08, "latin-1", "@"),
    ],
)
def test_marks_zeros_and_another_default_alphabet_are_read_as_they_were_meant(
    parts: list[bytes], data_coding: int, charset: str, text: str
) -> None:
    for part in parts:
        message_text.check(part, data_coding, charset)
    assert message_text.decode_parts(parts, data_coding, charset).text == text


@pytest.mark.parametrize(("octets", "charset"), [(b"\xe9", "ascii"), (b"\xe9", "utf-8"), (b"a\0b", "latin-1")])
def test_what_is_no_text_in_the_accounts_default_alphabet_is_refused(octets: bytes, charset: str) -> None:
    with pytest.raises(RequestRejected) as refused:
        message_text.decode(octets, 0, charset)
    assert refused.value.status == VendorStatus.UNSUPPORTED_CONTENT


# ---- Words


def test_every_refusal_and_failure_has_a_status_that_is_not_ok() -> None:
    def tree(kind: type[errors.HomingError]) -> list[type[errors.HomingError]]:
        return [kind, *(one for child in kind.__subclasses__() for one in tree(child))]

    for kind in tree(errors.Refusal) + tree(errors.PlatformFailure):
        if kind is not RequestRejected and kind.__module__.startswith(("homing.errors", "homing.api.smpp.listener")):
            assert status_of(kind()) != CommandStatus.ROK
    assert status_of(errors.DatabaseUnavailable()) == CommandStatus.RSYSERR
    assert status_of(errors.Overloaded()) == CommandStatus.RMSGQFUL
    assert status_of(KeyError("x")) == CommandStatus.RSYSERR
    assert all(0x400 <= one <= 0x4FF for one in VendorStatus)
    said = {STATUSES.of(kind) for kind in STATUSES}
    assert said >= set(VendorStatus) - {
        VendorStatus.UNSUPPORTED_CONTENT,
        VendorStatus.ACCOUNT_LOCKED,
    }
