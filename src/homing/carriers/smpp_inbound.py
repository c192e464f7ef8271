"""What a carrier's deliver_sm and data_sm say: receipts, people's messages, and parts of long ones. Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.carriers.smpp_settings import SmppSettings
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
from homing.states import State
from homing.text import gsm7

OF_ONE_OCTET: Final = frozenset({"ascii", "iso8859-5", "iso8859-8"})
"""Those with an octet a character that leave octets without one."""


class InboundPart(msgspec.Struct, frozen=True):
    """A part of a long message: of which one, where in it, and what it holds."""

    source: str
    target: str
    position: PartPosition
    data_coding: int
    octets: bytes


ReadDelivery = CarrierReceipt | CarrierInbound | InboundPart


class DeliveryReader:
    """Reads what a carrier delivers by its settings. Never raises, whatever comes."""

    def __init__(self, settings: SmppSettings) -> None:
        self._charset = settings.charset
        self._registered = settings.registered_delivery != 0
        self._utc_offset = timedelta(minutes=settings.receipt_utc_offset_min)

    def read(self, request: DeliverSm | DataSm, arrived_at: datetime) -> ReadDelivery:
        """A receipt that names no message has an empty carrier_ref, and is kept as it came for people to look at."""
        body, header = header_and_text(request)
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

    def whole(self, fragments: list[InboundPart], arrived_at: datetime) -> CarrierInbound:
        """The message of these parts, in their order. Decoded as one: a character may be cut in two."""
        first = fragments[0]
        text = self._decoded(first.data_coding, b"".join(one.octets for one in fragments))
        return CarrierInbound(first.source, first.target, text, arrived_at)

    def text(self, coding: int, octets: bytes, header_octets: int = 0) -> str:
        """Octets as characters. What the data_coding cannot mean is read as Latin-1, so that nothing is lost."""
        return self._decoded(coding, self._unpacked(coding, octets, header_octets))

    def _receipt(
        self, request: DeliverSm | DataSm, body: bytes, tlvs: ReceiptTlvs, kind: DeliveryKind, arrived_at: datetime
    ) -> CarrierReceipt:
        found = receipt_text.parse(
            body,
            tlvs,
            arrived_at=arrived_at,
            intermediate=kind is DeliveryKind.INTERMEDIATE,
            utc_offset=self._utc_offset,
        )
        return CarrierReceipt(
            found.carrier_ref,
            State.SENT if found.state is None else found.state,
            found.done_at,
            found.error_code,
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
    """The octets of the text and the header before them, as carriers send them."""
    short_message = request.short_message if isinstance(request, DeliverSm) else b""
    octets = message_octets(short_message, request.tlvs, lenient=True)
    try:
        header, body = udh.split(octets, request.esm_class)
    except MalformedUdh:
        return octets, b""
    return body, header


def _receipt_tlvs(tlvs: Tlvs) -> ReceiptTlvs:
    return ReceiptTlvs(RECEIPTED_MESSAGE_ID.of(tlvs), MESSAGE_STATE.of(tlvs), NETWORK_ERROR_CODE.of(tlvs))


def _raw(body: bytes, tlvs: ReceiptTlvs) -> str:
    """What the receipt said, as people read it: its text in the alphabet that it was read in, and the TLVs it has."""
    said = [receipt_text.readable(body)] if body else []
    if tlvs.receipted_message_id is not None:
        said.append(f"receipted_message_id={tlvs.receipted_message_id}")
    if tlvs.message_state is not None:
        said.append(f"message_state={tlvs.message_state}")
    if tlvs.network_error_code is not None:
        said.append(f"network_error_code={tlvs.network_error_code.hex()}")
    return " ".join(said)


def _position(header: bytes, tlvs: Tlvs) -> PartPosition | None:
    """Which part a message is; None: it is whole. A header that cannot be read says nothing."""
    try:
        return position_of(header, tlvs)
    except MalformedUdh:
        return position_of(b"", tlvs)


ReassemblyKey = tuple[str, str, int, int]
PART_OVERHEAD_BYTES: Final = 500
"""What a part costs beside its octets."""


class Reassembly(msgspec.Struct):
    """A long message that is not complete, and since when."""

    begun_s: float
    parts: dict[int, InboundPart]


class ReassemblyTable:
    """Long messages on their way in. Bounded: the oldest is given up for what is too much."""

    def __init__(self) -> None:
        self._open: dict[ReassemblyKey, Reassembly] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Messages of which parts are missing."""
        return len(self._open)

    @staticmethod
    def key(fragment: InboundPart) -> ReassemblyKey:
        """Of which message a fragment is."""
        return fragment.source, fragment.target, fragment.position.reference, fragment.position.total

    def add(self, fragment: InboundPart, now_s: float) -> list[InboundPart] | None:
        """All parts in order when this was the last one missing. A part that came before replaces itself."""
        key = self.key(fragment)
        puzzle = self._open.setdefault(key, Reassembly(now_s, {}))
        before = puzzle.parts.get(fragment.position.part)
        self._bytes += _cost(fragment) - (_cost(before) if before else 0)
        puzzle.parts[fragment.position.part] = fragment
        if len(puzzle.parts) < fragment.position.total:
            return None
        return self._take(key)

    def overdue(self, now_s: float) -> list[list[InboundPart]]:
        """What there is of those that have waited too long, or are too many: better a part than nothing."""
        found = []
        while self._open:
            key, puzzle = next(iter(self._open.items()))
            is_late = now_s - puzzle.begun_s >= limits.SMPP_CARRIER_FRAGMENTS_S
            if not is_late and self._bytes <= limits.SMPP_CARRIER_FRAGMENTS_BYTES_MAX:
                break
            found.append(self._take(key))
        return found

    def _take(self, key: ReassemblyKey) -> list[InboundPart]:
        parts = self._open.pop(key).parts
        self._bytes -= sum(map(_cost, parts.values()))
        return [parts[number] for number in sorted(parts)]


def _cost(fragment: InboundPart) -> int:
    return len(fragment.octets) + PART_OVERHEAD_BYTES
