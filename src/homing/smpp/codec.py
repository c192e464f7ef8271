"""PDUs to octets and back (SMPP 3.4, section 3.2). Pure: a decoder is fed what arrives, however it was cut.

A PDU that cannot be decoded comes out as a `PduFault` in its place, with the response that the session has to send.
"""

import struct
import sys
from collections.abc import Callable
from typing import Final, TypeAlias, cast

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
    """A PDU that cannot be decoded.

    answer: what to send back under `sequence`; None for a response, which is never answered.
    description: for people.
    fatal: where the next PDU begins is unknown, so the connection has to end after the answer.
    """

    sequence: int
    answer: ResponsePdu | None
    description: str
    fatal: bool = False


DecodedPdu: TypeAlias = tuple[int, Pdu | PduFault]
"""A sequence number, and the PDU or the fault under it."""


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

    if issubclass(pdu, ResponsePdu):
        return cast(Callable[[Pdu, int], bytes], encode_response)
    return encode_request


_ENCODERS: Final = {pdu: _encoder(pdu) for pdu in (*pdus.REQUESTS, *pdus.RESPONSES)}


def encode(pdu: Pdu, sequence: int) -> bytes:
    """The PDU's octets. `sequence`: 0 to 2^32-1.

    Raises UnencodablePdu for a value that its field cannot carry: strict in what is sent.
    """
    octets = _ENCODERS[type(pdu)](pdu, sequence)
    if len(octets) > limits.SMPP_PDU_BYTES_MAX:
        raise UnencodablePdu(f"{type(pdu).__name__} of {len(octets)} octets is beyond {limits.SMPP_PDU_BYTES_MAX}")
    return octets


# ---- In

_READERS: Final = {pdu.command_id: (pdu, reader(pdu)) for pdu in (*pdus.REQUESTS, *pdus.RESPONSES)}


class PduDecoder:
    """Cuts PDUs out of a stream of octets, so many at a time. Keeps the octets of those it has not returned: of one
    that has not arrived whole, or of more that are whole.
    """

    __slots__ = ("_is_lost", "_needed", "_rest", "bytes_max", "has_more")

    def __init__(self, bytes_max: int = limits.SMPP_PDU_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        """Octets of the longest PDU; a longer one is a fatal fault as soon as its length has arrived."""
        self.has_more = False
        """Whether a whole PDU is left: `feed(b"", ...)` returns it."""
        self._rest = bytearray()
        self._needed = 4
        self._is_lost = False

    def feed(self, data: bytes, items_max: int = sys.maxsize) -> list[DecodedPdu]:
        """The PDUs that `data` completes, in order, at most `items_max`. After a fatal fault all further octets are
        dropped.
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
        decoded: list[DecodedPdu] = []
        # Latin-1 maps octets to characters one to one: strings are cut from the text, all else from the octets.
        text = data.decode("latin-1")
        at, size = 0, len(data)
        while size - at >= HEADER_OCTETS:
            if len(decoded) >= items_max:
                self.has_more = size - at >= _LENGTH.unpack_from(data, at)[0]
                break
            length, command_id, status, sequence = _read_header(data, at)
            end = at + length
            if not HEADER_OCTETS <= length <= self.bytes_max:
                return self._lose_framing(decoded, length)
            if end > size:
                break
            known = _READERS.get(command_id)
            if known is None:
                decoded.append((sequence, _unknown(command_id, sequence)))
            else:
                try:
                    decoded.append((sequence, known[1](data, text, at + HEADER_OCTETS, end, status)))
                except MalformedBody as fault:
                    decoded.append((sequence, _malformed(known[0], fault, sequence)))
            at = end
        return self._keep_rest(decoded, data, at)

    def _keep_rest(self, decoded: list[DecodedPdu], data: bytes, at: int) -> list[DecodedPdu]:
        """Keeps the rest for the next feed, unless its length already shows that it is no PDU."""
        left = len(data) - at
        self._needed = 4
        if left >= 4:
            (length,) = _LENGTH.unpack_from(data, at)
            if not HEADER_OCTETS <= length <= self.bytes_max:
                return self._lose_framing(decoded, length)
            self._needed = length
        if left:
            self._rest += data[at:]
        return decoded

    def _lose_framing(self, decoded: list[DecodedPdu], length: int) -> list[DecodedPdu]:
        self._is_lost = True
        # Sequence 0, because nothing of such a header can be believed (section 4.3.1).
        description = f"a command_length of {length}"
        decoded.append((0, PduFault(0, GenericNack(status=CommandStatus.RINVCMDLEN), description, fatal=True)))
        return decoded


def _unknown(command_id: int, sequence: int) -> PduFault:
    description = f"an unknown command_id of 0x{command_id:08X}"
    if command_id & pdus.RESPONSE_BIT:
        return PduFault(sequence, None, description)
    return PduFault(sequence, GenericNack(status=CommandStatus.RINVCMDID), description)


def _malformed(pdu: type[Pdu], fault: MalformedBody, sequence: int) -> PduFault:
    assert issubclass(pdu, RequestPdu), "a response's reader takes what comes"
    return PduFault(sequence, pdus.refuse(pdu, fault.status), f"{pdu.__name__}: {fault}")
