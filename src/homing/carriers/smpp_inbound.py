"""What a carrier's deliver_sm and data_sm say: receipts, people's messages, and parts of long ones. Pure."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import limits
from homing.carriers.smpp_settings import SmppSettings
from homing.model import CarrierInbound, CarrierReceipt
from homing.smpp import receipt_text, udh
from homing.smpp.pdus import DataSm, DeliverSm
from homing.smpp.receipt_text import NO_TLVS, Kind, ReceiptTlvs
from homing.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPTED_MESSAGE_ID,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    Tlvs,
)
from homing.smpp.udh import BadHeader, Part
from homing.states import State
from homing.text import gsm7

CHARSETS: Final = {
    0x01: "ascii",
    0x03: "latin-1",
    0x05: "shift_jis",
    0x06: "iso8859_5",
    0x07: "iso8859_8",
    0x08: "utf-16-be",
    0x0A: "iso2022_jp",
    0x0E: "euc_kr",
}
"""data_coding (section 5.2.19) to Python's name, of those that are a charset."""
OF_ONE_OCTET: Final = frozenset({"ascii", "iso8859_5", "iso8859_8"})
"""Those with an octet a character that leave octets without one."""

MESSAGE_CLASSES: Final = 0xF0
MESSAGE_CLASS_EIGHT_BIT: Final = 0x04  # 3GPP TS 23.038, section 4: coding group 1111
WAITING_UCS2: Final = 0xE0  # coding group 1110
GENERAL_GROUPS: Final = range(0x10, 0x80)
ALPHABET_EIGHT_BIT: Final = 0x04  # of the general groups, bits 3 and 2
ALPHABET_UCS2: Final = 0x08


class Fragment(msgspec.Struct, frozen=True):
    """A part of a long message: of which one, where in it, and what it holds."""

    source: str
    target: str
    place: Part
    data_coding: int
    octets: bytes


Said = CarrierReceipt | CarrierInbound | Fragment


class Reader:
    """Reads what a carrier delivers by its settings. Never raises, whatever comes."""

    def __init__(self, settings: SmppSettings) -> None:
        self._charset = settings.charset
        self._registered = settings.registered_delivery != 0
        self._utc_offset = timedelta(minutes=settings.receipt_utc_offset_min)

    def read(self, request: DeliverSm | DataSm, arrived_at: datetime) -> Said:
        """A receipt that names no message has an empty carrier_ref, and is kept as it came for people to look at."""
        body, header = content(request)
        tlvs = _receipt_tlvs(request.tlvs) if request.tlvs else NO_TLVS
        kind = receipt_text.kind_of(request.esm_class, body, tlvs, registered=self._registered)
        if kind is not Kind.INBOUND:
            return self._receipt(request, body, tlvs, kind, arrived_at)
        place = _place(request.tlvs, header)
        if place is None or place.total == 1:
            text = self.text(request.data_coding, body, len(header))
            return CarrierInbound(request.source_addr, request.destination_addr, text, arrived_at)
        octets = self._unpacked(request.data_coding, body, len(header))
        return Fragment(request.source_addr, request.destination_addr, place, request.data_coding, octets)

    def whole(self, fragments: list[Fragment], arrived_at: datetime) -> CarrierInbound:
        """The message of these parts, in their order. Decoded as one: a character may be cut in two."""
        first = fragments[0]
        text = self._decoded(first.data_coding, b"".join(one.octets for one in fragments))
        return CarrierInbound(first.source, first.target, text, arrived_at)

    def text(self, data_coding: int, octets: bytes, header_octets: int = 0) -> str:
        """Octets as characters. What the data_coding cannot mean is read as Latin-1, so that nothing is lost."""
        return self._decoded(data_coding, self._unpacked(data_coding, octets, header_octets))

    def _receipt(
        self, request: DeliverSm | DataSm, body: bytes, tlvs: ReceiptTlvs, kind: Kind, arrived_at: datetime
    ) -> CarrierReceipt:
        found = receipt_text.parse(
            body,
            tlvs,
            arrived_at=arrived_at,
            intermediate=kind is Kind.INTERMEDIATE,
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

    def _unpacked(self, data_coding: int, octets: bytes, header_octets: int) -> bytes:
        if self._charset != "gsm7-packed" or _charset(data_coding) is not None:
            return octets
        fill = gsm7.fill_bits(header_octets)
        count = (len(octets) * 8 - fill) // 7
        septets = gsm7.unpack(octets, count, fill) if count > 0 else b""
        # The last of eight septets may be what fills the octet (3GPP TS 23.038, 6.1.2.3.1).
        return septets[:-1] if (fill + 7 * count) % 8 == 0 and septets[-1:] in (b"\r", b"\0") else septets

    def _decoded(self, data_coding: int, octets: bytes) -> str:
        charset = _charset(data_coding)
        if charset == "utf-16-be" and octets[:2] in receipt_text.BYTE_ORDER_MARKS:
            charset = "utf-16"
        if charset is None and self._charset in ("gsm7", "gsm7-packed"):
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


def content(request: DeliverSm | DataSm) -> tuple[bytes, bytes]:
    """The octets of the text and the header before them, from short_message or message_payload (5.3.2.32)."""
    octets = request.short_message if isinstance(request, DeliverSm) else b""
    if request.tlvs and not octets.strip(b" \0"):
        octets = MESSAGE_PAYLOAD.of(request.tlvs) or octets
    try:
        header, body = udh.split(octets, request.esm_class)
    except BadHeader:
        return octets, b""
    return body, header


def _charset(data_coding: int) -> str | None:
    """Python's name of the charset; None: the message centre's own."""
    known = CHARSETS.get(data_coding)
    if known is not None:
        return known
    if data_coding in (0x02, 0x04):
        return "latin-1"  # octets
    if data_coding & 0xF0 == MESSAGE_CLASSES:
        return "latin-1" if data_coding & MESSAGE_CLASS_EIGHT_BIT else None
    if data_coding & 0xF0 == WAITING_UCS2:
        return "utf-16-be"
    if data_coding in GENERAL_GROUPS:
        alphabet = data_coding & 0x0C
        return {ALPHABET_EIGHT_BIT: "latin-1", ALPHABET_UCS2: "utf-16-be"}.get(alphabet)
    return None


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


def _place(tlvs: Tlvs, header: bytes) -> Part | None:
    """Which part a message is, by its header or by its sar_ TLVs (section 5.3.2.22 to 24); None: it is whole."""
    if header:
        try:
            found = udh.concatenation(header)
        except BadHeader:
            found = None
        if found is not None:
            return found
    if not tlvs:
        return None
    reference, total, part = SAR_MSG_REF_NUM.of(tlvs), SAR_TOTAL_SEGMENTS.of(tlvs), SAR_SEGMENT_SEQNUM.of(tlvs)
    if reference is None or total is None or part is None or not 0 < part <= total <= 255:
        return None
    return Part(reference, total, part)


Key = tuple[str, str, int, int]
FRAGMENT_BYTES: Final = 500
"""What a part costs beside its octets."""


class Puzzle(msgspec.Struct):
    """A long message that is not complete, and since when."""

    begun_s: float
    parts: dict[int, Fragment]


class Puzzles:
    """Long messages on their way in. Bounded: the oldest is given up for what is too much."""

    def __init__(self) -> None:
        self._open: dict[Key, Puzzle] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Messages of which parts are missing."""
        return len(self._open)

    @staticmethod
    def key(fragment: Fragment) -> Key:
        """Of which message a fragment is."""
        return fragment.source, fragment.target, fragment.place.reference, fragment.place.total

    def add(self, fragment: Fragment, now_s: float) -> list[Fragment] | None:
        """All parts in order when this was the last one missing. A part that came before replaces itself."""
        key = self.key(fragment)
        puzzle = self._open.setdefault(key, Puzzle(now_s, {}))
        before = puzzle.parts.get(fragment.place.part)
        self._bytes += _cost(fragment) - (_cost(before) if before else 0)
        puzzle.parts[fragment.place.part] = fragment
        if len(puzzle.parts) < fragment.place.total:
            return None
        return self._take(key)

    def overdue(self, now_s: float) -> list[list[Fragment]]:
        """What there is of those that have waited too long, or are too many: better a part than nothing."""
        found = []
        while self._open:
            key, puzzle = next(iter(self._open.items()))
            is_late = now_s - puzzle.begun_s >= limits.SMPP_CARRIER_FRAGMENTS_S
            if not is_late and self._bytes <= limits.SMPP_CARRIER_FRAGMENTS_BYTES_MAX:
                break
            found.append(self._take(key))
        return found

    def _take(self, key: Key) -> list[Fragment]:
        parts = self._open.pop(key).parts
        self._bytes -= sum(map(_cost, parts.values()))
        return [parts[number] for number in sorted(parts)]


def _cost(fragment: Fragment) -> int:
    return len(fragment.octets) + FRAGMENT_BYTES
