"""Reads a carrier's deliver_sm and data_sm: receipts, inbound messages, and parts of multipart ones. Pure."""

import re
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.carriers.smpp.settings import SmppSettings
from homing.model import CarrierInbound, CarrierReceipt
from homing.smpp import data_coding, receipt_text, udh
from homing.smpp.concatenation import PartPosition, position_of
from homing.smpp.data_coding import BYTE_ORDER_MARKS, DATA_CODINGS
from homing.smpp.payload import message_octets
from homing.smpp.pdus import DataSm, DeliverSm
from homing.smpp.receipt_text import NO_TLVS, DeliveryKind, ReceiptTlvs
from homing.smpp.tlvs import (
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPTED_MESSAGE_ID,
    Tlvs,
)
from homing.smpp.udh import MalformedUdh
from homing.states import MessageState
from homing.text import gsm7

SMPP_CARRIER_FRAGMENTS_BYTES_MAX: Final = 4 * 1024 * 1024  # of inbound messages that are not complete
SMPP_CARRIER_FRAGMENTS_S: Final = 300.0  # then what there is of an inbound message is passed on
OF_ONE_OCTET: Final = frozenset({"ascii", "iso8859-5", "iso8859-8"})
"""Charsets of one octet a character in which some octets have no character."""


class InboundPart(msgspec.Struct, frozen=True):
    """A part of a multipart message: its addresses, position and octets."""

    source: str
    target: str
    position: PartPosition
    data_coding: int
    octets: bytes


ReadDelivery = CarrierReceipt | CarrierInbound | InboundPart


class DeliveryReader:
    """Reads deliveries by the carrier's settings. Lenient: never raises, whatever comes."""

    def __init__(self, settings: SmppSettings) -> None:
        self._charset = settings.charset
        self._registered = settings.registered_delivery != 0
        self._utc_offset = timedelta(minutes=settings.receipt_utc_offset_min)

    def read(self, request: DeliverSm | DataSm, arrived_at: datetime) -> ReadDelivery:
        """A receipt that names no message has an empty carrier_ref; it is kept for people to look at."""
        header, body = header_and_text(request)
        tlvs = _receipt_tlvs(request.tlvs) if request.tlvs else NO_TLVS
        kind = receipt_text.kind_of(request.esm_class, body, tlvs, registered=self._registered)
        if kind is not DeliveryKind.INBOUND:
            return self._receipt(request, body, tlvs, kind, arrived_at)
        position = _position(header, request.tlvs)
        if position is None:
            text = self.text(request.data_coding, body, len(header))
            return CarrierInbound(request.source_addr, request.destination_addr, text, arrived_at)
        octets = self._unpacked(request.data_coding, body, len(header))
        return InboundPart(request.source_addr, request.destination_addr, position, request.data_coding, octets)

    def whole(self, parts: list[InboundPart], arrived_at: datetime) -> CarrierInbound:
        """The message of these parts, in order. Joined before decoding: a character may be cut in two."""
        first = parts[0]
        text = self._decoded(first.data_coding, b"".join(part.octets for part in parts))
        return CarrierInbound(first.source, first.target, text, arrived_at)

    def text(self, coding: int, octets: bytes, header_octets: int = 0) -> str:
        """Octets as characters. Octets that are no text in this data_coding are read as Latin-1, so that nothing is
        lost.
        """
        return self._decoded(coding, self._unpacked(coding, octets, header_octets))

    def _receipt(
        self, request: DeliverSm | DataSm, body: bytes, tlvs: ReceiptTlvs, kind: DeliveryKind, arrived_at: datetime
    ) -> CarrierReceipt:
        fields = receipt_text.parse(
            body,
            tlvs,
            arrived_at=arrived_at,
            intermediate=kind is DeliveryKind.INTERMEDIATE,
            utc_offset=self._utc_offset,
        )
        return CarrierReceipt(
            fields.carrier_ref,
            MessageState.SENT if fields.state is None else fields.state,
            fields.done_at,
            fields.error_code,
            _raw(body, tlvs),
            request.source_addr or None,
        )

    def _unpacked(self, coding: int, octets: bytes, header_octets: int) -> bytes:
        if self._charset != data_coding.GSM7_PACKED or DATA_CODINGS[coding].charset is not None:
            return octets
        return data_coding.unpack(octets, header_octets)

    def _decoded(self, coding: int, octets: bytes) -> str:
        charset = DATA_CODINGS[coding].charset
        if charset == data_coding.UCS2 and octets[:2] in BYTE_ORDER_MARKS:
            charset = "utf-16"
        if charset is None and self._charset in (data_coding.GSM7, data_coding.GSM7_PACKED):
            if octets.isascii():
                return gsm7.decode(octets)
            charset = "latin-1"
        charset = charset or self._charset
        if charset in OF_ONE_OCTET:
            try:
                return octets.decode(charset)
            except UnicodeDecodeError:
                charset = "latin-1"
        return octets.decode(charset, "replace")


def header_and_text(request: DeliverSm | DataSm) -> tuple[bytes, bytes]:
    """The user data header with its length octet (empty: there is none), and the octets of the text."""
    short_message = request.short_message if isinstance(request, DeliverSm) else b""
    octets = message_octets(short_message, request.tlvs, lenient=True)
    try:
        header, body = udh.split(octets, request.esm_class)
    except MalformedUdh:
        return b"", octets
    return header, body


def _receipt_tlvs(tlvs: Tlvs) -> ReceiptTlvs:
    return ReceiptTlvs(RECEIPTED_MESSAGE_ID.of(tlvs), MESSAGE_STATE.of(tlvs), NETWORK_ERROR_CODE.of(tlvs))


def _raw(body: bytes, tlvs: ReceiptTlvs) -> str:
    """The receipt for people: its text as it was decoded, without what it quotes of the message, which may be a code;
    and its TLVs.
    """
    pieces = [QUOTE.sub("text:", receipt_text.readable(body))] if body else []
    if tlvs.receipted_message_id is not None:
        pieces.append(f"receipted_message_id={tlvs.receipted_message_id}")
    if tlvs.message_state is not None:
        pieces.append(f"message_state={tlvs.message_state}")
    if tlvs.network_error_code is not None:
        pieces.append(f"network_error_code={tlvs.network_error_code.hex()}")
    return " ".join(pieces)


def _position(header: bytes, tlvs: Tlvs) -> PartPosition | None:
    """Which part a message is; None: it is whole. A malformed header is ignored."""
    try:
        return position_of(header, tlvs)
    except MalformedUdh:
        return position_of(b"", tlvs)


QUOTE: Final = re.compile(r"\btext:.*", re.IGNORECASE | re.DOTALL)
"""The beginning of the message that a receipt is about (SMPP 3.4, appendix B), the last of its fields."""
ReassemblyKey = tuple[str, str, int, int]
PART_OVERHEAD_BYTES: Final = 500
"""Memory of a part beside its octets."""


class Reassembly(msgspec.Struct):
    """A multipart message that is not complete, since `started_s`."""

    started_s: float
    parts: dict[int, InboundPart]


class ReassemblyTable:
    """Incomplete multipart messages from a carrier. Bounded in memory: beyond it the oldest is passed on incomplete."""

    def __init__(self) -> None:
        self._open: dict[ReassemblyKey, Reassembly] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Messages of which parts are missing."""
        return len(self._open)

    @staticmethod
    def key(part: InboundPart) -> ReassemblyKey:
        """Identifies the message of a part."""
        return part.source, part.target, part.position.reference, part.position.total

    def add(self, part: InboundPart, now_s: float) -> list[InboundPart] | None:
        """All parts in order when this was the last one missing, else None. A repeated part replaces itself."""
        key = self.key(part)
        reassembly = self._open.setdefault(key, Reassembly(now_s, {}))
        before = reassembly.parts.get(part.position.part)
        self._bytes += _cost(part) - (_cost(before) if before else 0)
        reassembly.parts[part.position.part] = part
        if len(reassembly.parts) < part.position.total:
            return None
        return self._take(key)

    def overdue(self, now_s: float) -> list[list[InboundPart]]:
        """Removes messages that have waited too long, or are too many. Returns the parts of each, in order."""
        expired = []
        while self._open:
            key, reassembly = next(iter(self._open.items()))
            is_late = now_s - reassembly.started_s >= SMPP_CARRIER_FRAGMENTS_S
            if not is_late and self._bytes <= SMPP_CARRIER_FRAGMENTS_BYTES_MAX:
                break
            expired.append(self._take(key))
        return expired

    def _take(self, key: ReassemblyKey) -> list[InboundPart]:
        parts = self._open.pop(key).parts
        self._bytes -= sum(map(_cost, parts.values()))
        return [parts[number] for number in sorted(parts)]


def _cost(part: InboundPart) -> int:
    return len(part.octets) + PART_OVERHEAD_BYTES
