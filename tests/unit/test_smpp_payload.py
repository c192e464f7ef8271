"""Where a message's octets are, and which part of a message they are: one rule for both directions."""

import pytest

from homing.smpp import concatenation, payload
from homing.smpp.concatenation import REFERENCE_16_BIT, REFERENCE_SAR, PartPosition
from homing.smpp.tlvs import MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS, Tlvs

HEADER_8 = concatenation.build_header(7, 3, 2)
HEADER_16 = concatenation.build_header(7, 3, 2, wide=True)
SAR = concatenation.build_tlvs(7, 3, 2)


@pytest.mark.parametrize(
    ("short_message", "tlvs", "strict", "lenient"),
    [
        (b"short", (), b"short", b"short"),
        (b"", (), b"", b""),
        (b"", (MESSAGE_PAYLOAD.make(b"long"),), b"long", b"long"),
        (b"", (MESSAGE_PAYLOAD.make(b""),), b"", b""),
        (b"short", (MESSAGE_PAYLOAD.make(b"long"),), None, b"short"),
        (b" \0", (MESSAGE_PAYLOAD.make(b"long"),), None, b"long"),
        (b" \0", (MESSAGE_PAYLOAD.make(b""),), None, b" \0"),
    ],
)
def test_a_message_is_in_one_place_or_the_other(
    short_message: bytes, tlvs: Tlvs, strict: bytes | None, lenient: bytes
) -> None:
    assert payload.message_octets(short_message, tlvs, lenient=True) == lenient
    if strict is None:
        with pytest.raises(payload.AmbiguousPayload):
            payload.message_octets(short_message, tlvs, lenient=False)
    else:
        assert payload.message_octets(short_message, tlvs, lenient=False) == strict


@pytest.mark.parametrize(
    ("header", "tlvs", "position"),
    [
        (b"", (), None),
        (HEADER_8, (), PartPosition(7, 3, 2)),
        (HEADER_16, (), PartPosition(7 | REFERENCE_16_BIT, 3, 2)),
        (b"", SAR, PartPosition(7 | REFERENCE_SAR, 3, 2)),
        (HEADER_8, concatenation.build_tlvs(9, 4, 4), PartPosition(7, 3, 2)),
        (concatenation.build_header(7, 1, 1), (), None),
        (b"", concatenation.build_tlvs(7, 1, 1), None),
        (concatenation.build_header(7, 1, 1), SAR, PartPosition(7 | REFERENCE_SAR, 3, 2)),
        (b"\x05\x00\x03\x07\x03\x04", (), None),
        (b"", SAR[:2], None),
        (b"", (SAR_MSG_REF_NUM.make(7), SAR_TOTAL_SEGMENTS.make(2), SAR_SEGMENT_SEQNUM.make(3)), None),
        (b"", (SAR_MSG_REF_NUM.make(7), SAR_TOTAL_SEGMENTS.make(2), SAR_SEGMENT_SEQNUM.make(0)), None),
    ],
)
def test_the_header_says_which_part_a_message_is_and_else_the_sar_parameters(
    header: bytes, tlvs: Tlvs, position: PartPosition | None
) -> None:
    assert concatenation.position_of(header, tlvs) == position


def test_sar_parameters_are_written_as_they_are_read() -> None:
    assert concatenation.tlvs_position(concatenation.build_tlvs(0x1_2345, 255, 255)) == PartPosition(0x2345, 255, 255)
    with pytest.raises(ValueError):
        concatenation.build_tlvs(1, 2, 3)
