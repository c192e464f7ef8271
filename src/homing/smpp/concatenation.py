"""The parts of a multipart (concatenated) message: which one a PDU is, and how a PDU says so.

There are two ways: an element of the user data header (3GPP TS 23.040, sections 9.2.3.24.1 and 9.2.3.24.8), and the
three sar_ parameters (SMPP 3.4, sections 5.3.2.22 to 5.3.2.24).
"""

from typing import Final, NamedTuple

from homing.smpp.tlvs import SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS, Tlvs
from homing.smpp.udh import CONCATENATION_8_BIT, CONCATENATION_16_BIT, build, parse

PARTS_MAX: Final = 255
IDENTIFIERS: Final = frozenset({CONCATENATION_8_BIT, CONCATENATION_16_BIT})
"""The elements of a header that say which part a message is."""

REFERENCE_16_BIT: Final = 1 << 16
REFERENCE_SAR: Final = 1 << 17
"""Added to a reference by `position_of`, so that references of the three kinds cannot be taken for one another."""


class PartPosition(NamedTuple):
    """Which part of which message: `reference` is the sender's, `part` runs from 1 to `total`."""

    reference: int
    total: int
    part: int

    @property
    def is_possible(self) -> bool:
        return 1 <= self.part <= self.total <= PARTS_MAX


def position_of(header: bytes, tlvs: Tlvs) -> PartPosition | None:
    """Which part a message is, by its header with the length octet (empty: it has none), else by its sar_ parameters;
    None when it is whole, as the only part of one is. Raises MalformedUdh.
    """
    element = _header_position(header)
    if element is not None and element[1].total > 1:
        identifier, position = element
        if identifier == CONCATENATION_8_BIT:
            return position
        return position._replace(reference=position.reference | REFERENCE_16_BIT)
    sar = tlvs_position(tlvs) if tlvs else None
    if sar is None or sar.total == 1:
        return None
    return sar._replace(reference=sar.reference | REFERENCE_SAR)


def header_position(header: bytes) -> PartPosition | None:
    """Which part a header says that a message is; None when it does not say. Raises MalformedUdh.

    The last of several concatenation elements counts, and one that makes no sense (part 0, a part beyond the total)
    is passed over, as section 9.2.3.24.1 has it.
    """
    element = _header_position(header)
    return None if element is None else element[1]


def _header_position(header: bytes) -> tuple[int, PartPosition] | None:
    last = None
    for identifier, content in parse(header):
        if identifier == CONCATENATION_8_BIT and len(content) == 3:
            position = PartPosition(*content)
        elif identifier == CONCATENATION_16_BIT and len(content) == 4:
            position = PartPosition(int.from_bytes(content[:2], "big"), content[2], content[3])
        else:
            continue
        if position.is_possible:
            last = identifier, position
    return last


def tlvs_position(tlvs: Tlvs) -> PartPosition | None:
    """Which part the sar_ parameters say that a message is. Each of the three is ignored without the others, and so are
    values that make no part (section 5.3.2.22).
    """
    reference, total, part = SAR_MSG_REF_NUM.of(tlvs), SAR_TOTAL_SEGMENTS.of(tlvs), SAR_SEGMENT_SEQNUM.of(tlvs)
    if reference is None or total is None or part is None:
        return None
    position = PartPosition(reference & 0xFFFF, total, part)
    return position if position.is_possible else None


def build_header(reference: int, total: int, part: int, wide: bool = False) -> bytes:
    """The header of 6 octets that says which part this is; of 7, `wide`, with a reference of 16 bits.

    A reference beyond its bits is cut to them, as a running number is. Raises ValueError unless
    1 ≤ part ≤ total ≤ 255.
    """
    _check(reference, total, part)
    if wide:
        return build([(CONCATENATION_16_BIT, (reference & 0xFFFF).to_bytes(2, "big") + bytes((total, part)))])
    return build([(CONCATENATION_8_BIT, bytes((reference & 0xFF, total, part)))])


def build_tlvs(reference: int, total: int, part: int) -> Tlvs:
    """The sar_ parameters that say which part this is. The reference and ValueError as with `build_header`."""
    _check(reference, total, part)
    return (
        SAR_MSG_REF_NUM.make(reference & 0xFFFF),
        SAR_TOTAL_SEGMENTS.make(total),
        SAR_SEGMENT_SEQNUM.make(part),
    )


def _check(reference: int, total: int, part: int) -> None:
    if not PartPosition(reference, total, part).is_possible:
        raise ValueError(f"there is no part {part} of {total}")
