"""The codec against PDUs written out by hand from the field tables of SMPP 3.4, section 4."""

import struct

import pytest

from homing import limits
from homing.smpp import pdus, tlvs
from homing.smpp.codec import HEADER_OCTETS, PduDecoder, PduFault, UnencodablePdu, encode
from homing.smpp.pdus import Pdu
from homing.smpp.statuses import CommandStatus


def octets(text: str) -> bytes:
    """Hexadecimal digits, with what is between apostrophes as ASCII."""
    pieces = text.split("'")
    return b"".join(piece.encode() if at % 2 else bytes.fromhex(piece) for at, piece in enumerate(pieces))


MESSAGE = pdus.SubmitSm(
    service_type="CMT",
    source_addr_ton=5,
    source_addr_npi=0,
    source_addr="HOMING",
    dest_addr_ton=1,
    dest_addr_npi=1,
    destination_addr="447700900123",
    esm_class=0x03,
    protocol_id=0x04,
    priority_flag=0x02,
    schedule_delivery_time="261122120000000+",
    validity_period="000000001000000R",
    registered_delivery=1,
    replace_if_present_flag=0,
    data_coding=0xF1,
    sm_default_msg_id=7,
    short_message=b"hi \0!",
)
MESSAGE_OCTETS = (
    "'CMT'00 05 00 'HOMING'00 01 01 '447700900123'00 03 04 02 '261122120000000+'00 '000000001000000R'00"
    "01 00 F1 07 05 'hi '00'!'"
)
BIND_OCTETS = "'homing'00 'secret'00 'VMA'00 34 02 01 '^44'00"

VECTORS: list[tuple[Pdu, int, str]] = [
    (pdus.BindReceiver("homing", "secret", "VMA", 0x34, 2, 1, "^44"), 0x01, BIND_OCTETS),
    (pdus.BindTransmitter("homing", "secret", "VMA", 0x34, 2, 1, "^44"), 0x02, BIND_OCTETS),
    (pdus.BindTransceiver("homing", "secret", "VMA", 0x34, 2, 1, "^44"), 0x09, BIND_OCTETS),
    (pdus.BindReceiverResp("SMSC"), 0x80000001, "'SMSC'00"),
    (pdus.BindTransmitterResp("SMSC", tlvs=((0x0210, b"\x34"),)), 0x80000002, "'SMSC'00 0210 0001 34"),
    (pdus.BindTransceiverResp("SMSC"), 0x80000009, "'SMSC'00"),
    (pdus.Outbind("SMSC", "secret"), 0x0B, "'SMSC'00 'secret'00"),
    (pdus.Unbind(), 0x06, ""),
    (pdus.UnbindResp(), 0x80000006, ""),
    (pdus.EnquireLink(), 0x15, ""),
    (pdus.EnquireLinkResp(), 0x80000015, ""),
    (MESSAGE, 0x04, MESSAGE_OCTETS),
    (pdus.SubmitSm(), 0x04, "00 0000 00 0000 00 000000 00 00 00000000 00"),
    (pdus.SubmitSm(tlvs=((0x0424, b"long"), (0x1401, b""))), 0x04, "00" * 17 + "0424 0004 'long' 1401 0000"),
    (pdus.SubmitSmResp("4F2A"), 0x80000004, "'4F2A'00"),
    (
        pdus.DeliverSm(source_addr="1", destination_addr="2", esm_class=4, tlvs=((0x0427, b"\x02"),)),
        0x05,
        "00 0000 '1'00 0000 '2'00 040000 00 00 00000000 00 0427 0001 02",
    ),
    (pdus.DeliverSmResp(), 0x80000005, "00"),
    (
        pdus.SubmitMulti(
            source_addr="1",
            dest_addresses=(pdus.SmeAddress(1, 1, "447700900123"), pdus.DistributionList("staff")),
            short_message=b"x",
        ),
        0x21,
        "00 0000 '1'00 02 01 0101 '447700900123'00 02 'staff'00 000000 00 00 00000000 01 'x'",
    ),
    (
        pdus.SubmitMultiResp("9", (pdus.UnsuccessSme(1, 1, "447700900123", 0x0B),)),
        0x80000021,
        "'9'00 01 0101 '447700900123'00 0000000B",
    ),
    (
        pdus.DataSm("", 5, 0, "A" * 64, 1, 1, "2", 0x40, 1, 8, tlvs=((0x0424, b"\0a"),)),
        0x0103,
        "00 0500 '" + "A" * 64 + "'00 0101 '2'00 400108 0424 0002 00'a'",
    ),
    (pdus.DataSmResp("9"), 0x80000103, "'9'00"),
    (pdus.QuerySm("9", 5, 0, "HOMING"), 0x03, "'9'00 0500 'HOMING'00"),
    (pdus.QuerySmResp("9", "261122120000000+", 2, 0), 0x80000003, "'9'00 '261122120000000+'00 02 00"),
    (pdus.CancelSm("", "9", 5, 0, "HOMING", 1, 1, "2"), 0x08, "00 '9'00 0500 'HOMING'00 0101 '2'00"),
    (pdus.CancelSmResp(), 0x80000008, ""),
    (
        pdus.ReplaceSm("9", 5, 0, "HOMING", "", "000000001000000R", 1, 0, b"new"),
        0x07,
        "'9'00 0500 'HOMING'00 00 '000000001000000R'00 01 00 03 'new'",
    ),
    (pdus.ReplaceSmResp(), 0x80000007, ""),
    (
        pdus.AlertNotification(1, 1, "447700900123", 0, 0, "esme", tlvs=((0x0422, b"\0"),)),
        0x0102,
        "0101 '447700900123'00 0000 'esme'00 0422 0001 00",
    ),
    (pdus.GenericNack(status=CommandStatus.RINVCMDID), 0x80000000, ""),
]


def whole(command_id: int, body: bytes, sequence: int = 7, status: int = 0) -> bytes:
    return struct.pack(">IIII", HEADER_OCTETS + len(body), command_id, status, sequence) + body


@pytest.mark.parametrize(("pdu", "command_id", "body"), VECTORS, ids=lambda value: type(value).__name__)
def test_a_pdu_is_laid_out_as_its_table_says_in_both_directions(pdu: Pdu, command_id: int, body: str) -> None:
    expected = whole(command_id, octets(body), status=getattr(pdu, "status", 0))
    assert encode(pdu, 7) == expected
    assert PduDecoder().feed(expected) == [(7, pdu)]


def test_every_pdu_of_the_specification_has_a_vector() -> None:
    assert {type(pdu) for pdu, _command_id, _body in VECTORS} == {*pdus.REQUESTS, *pdus.RESPONSES}


@pytest.mark.parametrize(
    "response", [kind for kind in pdus.RESPONSES if kind is not pdus.GenericNack], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("status", [0, 0x58])
def test_a_response_may_come_without_its_body(response: type[pdus.ResponsePdu], status: int) -> None:
    bare = whole(response.command_id, b"", status=status)
    assert PduDecoder().feed(bare) == [(7, response(status=status))]


@pytest.mark.parametrize("response", [pdus.SubmitSmResp, pdus.BindTransmitterResp, pdus.BindTransceiverResp])
def test_a_refusal_is_sent_without_a_body_where_the_specification_says_so(response: type[pdus.ResponsePdu]) -> None:
    assert encode(response(status=0x58), 7) == whole(response.command_id, b"", status=0x58)


def test_a_response_whose_id_lacks_its_end_is_read() -> None:
    assert PduDecoder().feed(whole(0x80000004, b"4F2A")) == [(7, pdus.SubmitSmResp("4F2A"))]


def test_a_status_that_nobody_defined_is_kept() -> None:
    assert PduDecoder().feed(whole(0x80000004, b"", status=0xFFFFFFFF)) == [(7, pdus.SubmitSmResp(status=0xFFFFFFFF))]


def test_several_pdus_in_a_segment_come_out_in_order() -> None:
    segment = b"".join(encode(pdu, sequence) for sequence, (pdu, _id, _body) in enumerate(VECTORS))
    assert PduDecoder().feed(segment) == [(sequence, pdu) for sequence, (pdu, _id, _body) in enumerate(VECTORS)]


def test_a_pdu_comes_out_with_its_last_octet() -> None:
    decoder = PduDecoder()
    data = encode(MESSAGE, 7)
    assert [found for octet in data[:-1] for found in decoder.feed(bytes([octet]))] == []
    assert decoder.feed(data[-1:]) == [(7, MESSAGE)]


@pytest.mark.parametrize("length", [0, 4, 15, limits.SMPP_PDU_BYTES_MAX + 1, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_connection_once_it_is_there(length: int) -> None:
    decoder = PduDecoder()
    assert decoder.feed(struct.pack(">I", length)[:3]) == []
    [(sequence, fault)] = decoder.feed(struct.pack(">I", length)[3:])
    assert isinstance(fault, PduFault)
    assert (sequence, fault.fatal, fault.answer) == (0, True, pdus.GenericNack(status=CommandStatus.RINVCMDLEN))
    assert decoder.feed(encode(pdus.EnquireLink(), 1)) == []


def test_the_longest_payload_passes_and_one_octet_beyond_the_bound_does_not() -> None:
    longest = pdus.DataSm(tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"x" * 65535),))
    assert PduDecoder().feed(encode(longest, 1)) == [(1, longest)]
    with pytest.raises(UnencodablePdu):
        encode(pdus.DataSm(tlvs=(tlvs.MESSAGE_PAYLOAD.make(b"x" * 65535), (0x1400, b"x" * 10_000))), 1)


def test_an_unknown_command_is_refused_under_its_number_and_the_next_is_read() -> None:
    decoded = PduDecoder().feed(whole(0x00000099, b"what", sequence=3) + encode(pdus.EnquireLink(), 4))
    (sequence, fault), following = decoded
    assert isinstance(fault, PduFault)
    assert (sequence, fault.fatal, fault.answer) == (3, False, pdus.GenericNack(status=CommandStatus.RINVCMDID))
    assert following == (4, pdus.EnquireLink())


def test_an_unknown_response_is_a_fault_without_an_answer() -> None:
    [(_sequence, fault)] = PduDecoder().feed(whole(0x80000099, b""))
    assert isinstance(fault, PduFault)
    assert fault.answer is None


SHORT = b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"  # a submit_sm of empty fields, up to its length octet


@pytest.mark.parametrize(
    ("command_id", "body", "answer"),
    [
        (0x04, b"", pdus.SubmitSmResp(status=CommandStatus.RINVCMDLEN)),
        (0x04, b"CMT", pdus.SubmitSmResp(status=CommandStatus.RINVCMDLEN)),
        (0x04, b"\0\0\0" + b"1" * 300 + b"\0", pdus.SubmitSmResp(status=CommandStatus.RINVSRCADR)),
        (0x04, b"\0\0\0\0\0\0" + b"1" * 300, pdus.SubmitSmResp(status=CommandStatus.RINVDSTADR)),
        (0x04, SHORT, pdus.SubmitSmResp(status=CommandStatus.RINVCMDLEN)),
        (0x04, SHORT + b"\x05only", pdus.SubmitSmResp(status=CommandStatus.RINVMSGLEN)),
        (0x05, SHORT + b"\xff", pdus.DeliverSmResp(status=CommandStatus.RINVMSGLEN)),
        (0x04, SHORT + b"\0\x04\x24\x00\x05four", pdus.SubmitSmResp(status=CommandStatus.RINVOPTPARSTREAM)),
        (0x04, SHORT + b"\0\x04\x24", pdus.SubmitSmResp(status=CommandStatus.RINVOPTPARSTREAM)),
        (0x09, b"s" * 300 + b"\0", pdus.BindTransceiverResp(status=CommandStatus.RINVSYSID)),
        (0x21, b"\0\0\0\0\x02\x01\0\x001\0", pdus.SubmitMultiResp(status=CommandStatus.RINVNUMDESTS)),
        (0x21, b"\0\0\0\0\x01\x03\0\0\0", pdus.SubmitMultiResp(status=CommandStatus.RINVDESTFLAG)),
        (0x03, b"9" * 300, pdus.QuerySmResp(status=CommandStatus.RINVMSGID)),
        (0x0102, b"\0", pdus.GenericNack(status=CommandStatus.RINVCMDLEN)),
    ],
)
def test_a_malformed_body_is_refused_by_its_own_response(
    command_id: int, body: bytes, answer: pdus.ResponsePdu
) -> None:
    (sequence, fault), following = PduDecoder().feed(whole(command_id, body) + encode(pdus.EnquireLink(), 8))
    assert isinstance(fault, PduFault)
    assert (sequence, fault.answer, fault.fatal) == (7, answer, False)
    assert following == (8, pdus.EnquireLink())


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        (b"\x00\x1e\x00\x0a12345", ()),
        (b"\x04\x27\x00\x01\x02\x00\x1e\x00\x0a12345", ((0x0427, b"\x02"),)),
        (b"\x01\x02", ()),
        (b"\0\x00\x1e\x00\x02\x37\0\x04\x27\x00\x01\x02", ((0x001E, b"7\0"), (0x0427, b"\x02"))),
    ],
)
def test_what_is_broken_behind_a_carriers_text_does_not_cost_the_text(
    behind: bytes, kept: tuple[tuple[int, bytes], ...]
) -> None:
    assert PduDecoder().feed(whole(0x05, SHORT + b"\x05id:7\r" + behind)) == [
        (7, pdus.DeliverSm(short_message=b"id:7\r", tlvs=kept))
    ]


def test_strings_beyond_the_specification_are_read_up_to_the_bound() -> None:
    body = b"s" * 255 + b"\0" + b"p" * 20 + b"\0\0\x34\0\0\0"
    [(_sequence, bind)] = PduDecoder().feed(whole(0x09, body))
    assert bind == pdus.BindTransceiver("s" * 255, "p" * 20)


def test_zero_octets_behind_the_last_field_are_passed_over() -> None:
    assert PduDecoder().feed(whole(0x04, SHORT + b"\0" + b"\0\0\0")) == [(7, pdus.SubmitSm())]


def test_octets_behind_an_enquire_link_do_not_stop_its_answer() -> None:
    assert PduDecoder().feed(whole(0x15, b"\xff\xff\xff\xff\xff")) == [(7, pdus.EnquireLink())]


def test_repeated_and_unknown_parameters_survive_in_their_order() -> None:
    further = ((0x0381, b"1234"), (0x3FFF, b""), (0x0381, b"5678"), (0x0001, b"\0\xff"))
    pdu = pdus.SubmitSm(tlvs=further)
    [(_sequence, read)] = PduDecoder().feed(encode(pdu, 1))
    assert isinstance(read, pdus.SubmitSm)
    assert read.tlvs == further
    assert encode(read, 1) == encode(pdu, 1)


@pytest.mark.parametrize(
    "pdu",
    [
        pdus.SubmitSm(source_addr="1" * 21),
        pdus.SubmitSm(source_addr="1\x002"),
        pdus.SubmitSm(source_addr="码"),
        pdus.SubmitSm(esm_class=256),
        pdus.SubmitSm(esm_class=-1),
        pdus.SubmitSm(short_message=b"x" * 255),
        pdus.SubmitSm(short_message=b"x" * 300),
        pdus.SubmitSm(validity_period="0000"),
        pdus.SubmitSm(tlvs=((0x10000, b""),)),
        pdus.SubmitSm(tlvs=((0x0424, b"x" * 65536),)),
        pdus.BindTransmitter("homing", "x" * 256),
        pdus.BindTransmitter("x" * 256),
        pdus.SubmitSmResp("x" * 65),
        pdus.SubmitMulti(dest_addresses=(pdus.SmeAddress(0, 0, "1"),) * 256),
        pdus.SubmitMulti(dest_addresses=(pdus.DistributionList("x" * 21),)),
        pdus.SubmitMultiResp("1", (pdus.UnsuccessSme(0, 0, "1", 1 << 32),)),
    ],
)
def test_what_the_specification_cannot_carry_is_not_sent(pdu: Pdu) -> None:
    with pytest.raises(UnencodablePdu):
        encode(pdu, 1)
