"""PDUs to octets and back (SMPP 3.4, section 3.2). Pure: a decoder is fed what arrives, however it was cut.

What is wrong with a PDU comes out as a `PduFault` in its place, which carries what the session has to answer.
"""

import struct
import sys
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from homing import limits
from homing.smpp import pdus
from homing.smpp.layout import MalformedBody, PduBodyWriter, UnencodablePdu, reader, writer
from homing.smpp.pdus import GenericNack, Pdu, RequestPdu, ResponsePdu
from homing.smpp.statuses import CommandStatus

__all__ = ["HEADER_OCTETS", "PduDecoder", "PduFault", "UnencodablePdu", "encode"]

HEADER_OCTETS: Final = 16

_HEADER: Final = struct.Struct(">IIII")
_LENGTH: Final = struct.Struct(">I")
_read_header: Final = _HEADER.unpack_from
_write_header: Final = _HEADER.pack


class PduFault(msgspec.Struct, frozen=True):
    """A PDU that cannot be taken.

    answer: what to send back under `sequence`; None for a response, which is never answered.
    fatal: where the next PDU begins is not known, so the connection has to end after the answer.
    """

    sequence: int
    answer: ResponsePdu | None
    words: str
    fatal: bool = False


DecodedPdu: TypeAlias = tuple[int, Pdu | PduFault]
"""A sequence number and what came under it."""


# ---- Out


def _encoder(pdu: type[Pdu]) -> Callable[[Pdu, int], bytes]:
    write: PduBodyWriter = writer(pdu)
    command_id = pdu.command_id

    def encode_request(body: Pdu, sequence: int) -> bytes:
        octets = write(body)
        return _write_header(HEADER_OCTETS + len(octets), command_id, 0, sequence) + octets

    def encode_response(body: ResponsePdu, sequence: int) -> bytes:
        octets = write(body)
        return _write_header(HEADER_OCTETS + len(octets), command_id, body.status, sequence) + octets

    return encode_response if issubclass(pdu, ResponsePdu) else encode_request  # type: ignore[return-value]


_ENCODERS: Final = {pdu: _encoder(pdu) for pdu in (*pdus.REQUESTS, *pdus.RESPONSES)}


def encode(pdu: Pdu, sequence: int) -> bytes:
    """The PDU as it travels. `sequence`: 0 to 2^32-1.

    Raises UnencodablePdu for a value that its field cannot carry: strict in what is sent.
    """
    octets = _ENCODERS[type(pdu)](pdu, sequence)
    if len(octets) > limits.SMPP_PDU_BYTES_MAX:
        raise UnencodablePdu(f"{type(pdu).__name__} of {len(octets)} octets is beyond {limits.SMPP_PDU_BYTES_MAX}")
    return octets


# ---- In

_READERS: Final = {pdu.command_id: (pdu, reader(pdu)) for pdu in (*pdus.REQUESTS, *pdus.RESPONSES)}


class PduDecoder:
    """Finds PDUs in what arrives, so many at a time. What is left keeps its octets: one PDU that has not arrived whole,
    or more that are whole and have not been asked for.
    """

    __slots__ = ("_is_lost", "_needed", "_rest", "bytes_max", "has_more")

    def __init__(self, bytes_max: int = limits.SMPP_PDU_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        """What a PDU may have; a longer one is a fatal fault as soon as its length is there."""
        self.has_more = False
        """Whether a whole PDU is left: `feed(b"", ...)` brings it."""
        self._rest = bytearray()
        self._needed = 4
        self._is_lost = False

    def feed(self, data: bytes, items_max: int = sys.maxsize) -> list[DecodedPdu]:
        """What `data` completes, in order, and no more than `items_max` of it. Nothing comes after a fatal fault: the
        rest is thrown away.
        """
        self.has_more = False
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        if self._is_lost:
            return []
        found: list[DecodedPdu] = []
        # Latin-1 maps octets to characters one to one: strings are cut from the text, all else from the octets.
        text = data.decode("latin-1")
        at, size = 0, len(data)
        while size - at >= HEADER_OCTETS:
            if len(found) >= items_max:
                self.has_more = size - at >= _LENGTH.unpack_from(data, at)[0]
                break
            length, command_id, status, sequence = _read_header(data, at)
            end = at + length
            if not HEADER_OCTETS <= length <= self.bytes_max:
                return self._lose(found, length)
            if end > size:
                break
            known = _READERS.get(command_id)
            if known is None:
                found.append((sequence, _unknown(command_id, sequence)))
            else:
                try:
                    found.append((sequence, known[1](data, text, at + HEADER_OCTETS, end, status)))
                except MalformedBody as fault:
                    found.append((sequence, _malformed(known[0], fault, sequence)))
            at = end
        return self._keep(found, data, at)

    def _keep(self, found: list[DecodedPdu], data: bytes, at: int) -> list[DecodedPdu]:
        """Keeps what is left for the next feed, unless its length already tells that it is no PDU."""
        left = len(data) - at
        self._needed = 4
        if left >= 4:
            (length,) = _LENGTH.unpack_from(data, at)
            if not HEADER_OCTETS <= length <= self.bytes_max:
                return self._lose(found, length)
            self._needed = length
        if left:
            self._rest += data[at:]
        return found

    def _lose(self, found: list[DecodedPdu], length: int) -> list[DecodedPdu]:
        self._is_lost = True
        # Sequence 0, because nothing of such a header can be believed (section 4.3.1).
        words = f"a command_length of {length}"
        found.append((0, PduFault(0, GenericNack(status=CommandStatus.RINVCMDLEN), words, fatal=True)))
        return found


def _unknown(command_id: int, sequence: int) -> PduFault:
    words = f"an unknown command_id of 0x{command_id:08X}"
    if command_id & pdus.RESPONSE_BIT:
        return PduFault(sequence, None, words)
    return PduFault(sequence, GenericNack(status=CommandStatus.RINVCMDID), words)


def _malformed(pdu: type[Pdu], fault: MalformedBody, sequence: int) -> PduFault:
    assert issubclass(pdu, RequestPdu), "a response's reader takes what comes"
    return PduFault(sequence, pdus.refuse(pdu, fault.status), f"{pdu.__name__}: {fault}")
