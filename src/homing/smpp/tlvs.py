"""Every optional parameter of SMPP 3.4 (section 5.3.2), and how one is read from and made for a PDU.

A PDU keeps its optional parameters as they came: pairs of tag and raw value, in order, repeated and unknown ones
too, so that a PDU that is passed on is not changed. A parameter of the table reads its own out of them:

    MESSAGE_STATE.of(pdu.tlvs)                                  # an int, or None
    SubmitSm(..., tlvs=(USER_MESSAGE_REFERENCE.make(7),))
"""

import contextlib
import struct
from collections.abc import Iterable
from typing import Final, Generic, TypeAlias, TypeVar

V = TypeVar("V", int, str, bytes)

Tlv: TypeAlias = tuple[int, bytes]
"""A tag and its value as it travels."""

Tlvs: TypeAlias = tuple[Tlv, ...]

VALUE_OCTETS_MAX: Final = 0xFFFF

_HEAD: Final = struct.Struct(">HH")
_read_head: Final = _HEAD.unpack_from
_write_head: Final = _HEAD.pack


class TlvOverrun(ValueError):
    """An optional parameter's length is beyond the end of its PDU."""


def read_leniently(data: bytes, at: int, end: int) -> Tlvs:
    """The parameters in `data[at:end]` up to the first that is cut off; a stray zero octet before them is skipped."""
    try:
        return read(data, at, end)
    except TlvOverrun:
        if not data[at]:
            with contextlib.suppress(TlvOverrun):
                return read(data, at + 1, end)
    parameters: list[Tlv] = []
    while end - at >= 4:
        tag, length = _read_head(data, at)
        if length > end - at - 4:
            break
        parameters.append((tag, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return tuple(parameters)


def read(data: bytes, at: int, end: int) -> Tlvs:
    """The parameters in `data[at:end]`. Raises TlvOverrun.

    Up to three zero octets at the end are passed over: some peers end every PDU with one.
    """
    parameters = []
    while end - at >= 4:
        tag, length = _read_head(data, at)
        at += 4
        if length > end - at:
            raise TlvOverrun(f"parameter 0x{tag:04X} says {length} octets where {end - at} are left")
        parameters.append((tag, data[at : at + length]))
        at += length
    if any(data[at:end]):
        raise TlvOverrun(f"{end - at} octets are too few for a parameter")
    return tuple(parameters)


def write(tlvs: Iterable[Tlv]) -> bytes:
    """The parameters as they travel. Raises ValueError for a tag or a length that does not fit 16 bits."""
    pieces = []
    for tag, value in tlvs:
        if not (0 <= tag <= 0xFFFF and len(value) <= VALUE_OCTETS_MAX):
            raise ValueError(f"parameter 0x{tag:X} of {len(value)} octets does not fit")
        pieces.append(_write_head(tag, len(value)))
        pieces.append(value)
    return b"".join(pieces)


class OptionalParameter(Generic[V]):
    """One row of the table: a tag, a name, and from how many to how many octets its value may have."""

    __slots__ = ("name", "octets_max", "octets_min", "tag")

    def __init__(self, tag: int, name: str, octets_min: int, octets_max: int | None = None) -> None:
        self.tag = tag
        self.name = name
        self.octets_min = octets_min
        self.octets_max = octets_min if octets_max is None else octets_max

    def of(self, tlvs: Tlvs) -> V | None:
        """The first value of this parameter that can be read; None when there is none.

        A value of the wrong size is read where that makes sense, because vendors do not agree on sizes.
        """
        for tag, raw in tlvs:
            if tag == self.tag:
                value = self._read(raw)
                if value is not None:
                    return value
        return None

    def all_of(self, tlvs: Tlvs) -> list[V]:
        """Every value of this parameter, in order, less those that cannot be read."""
        values = [self._read(raw) for tag, raw in tlvs if tag == self.tag]
        return [value for value in values if value is not None]

    def make(self, value: V) -> Tlv:
        """The parameter with this value. Raises ValueError when it has not the size of section 5.3.2."""
        raw = self._write(value)
        if not self.octets_min <= len(raw) <= self.octets_max:
            raise ValueError(f"{self.name} takes {self.octets_min} to {self.octets_max} octets, not {len(raw)}")
        return (self.tag, raw)

    def _read(self, raw: bytes) -> V | None:
        raise NotImplementedError

    def _write(self, value: V) -> bytes:
        raise NotImplementedError


class IntegerParameter(OptionalParameter[int]):
    """A big-endian unsigned integer."""

    __slots__ = ()

    def _read(self, raw: bytes) -> int | None:
        return int.from_bytes(raw, "big") if 0 < len(raw) <= 4 else None

    def _write(self, value: int) -> bytes:
        if not 0 <= value < 1 << 8 * self.octets_max:
            raise ValueError(f"{value} is no value for {self.name}")
        return value.to_bytes(self.octets_max, "big")


class StringParameter(OptionalParameter[str]):
    """A string that a zero octet ends (C-Octet String), without it; the octet may be missing."""

    __slots__ = ()

    def _read(self, raw: bytes) -> str | None:
        return raw.partition(b"\0")[0].decode("latin-1")

    def _write(self, value: str) -> bytes:
        if "\0" in value:
            raise ValueError(f"{self.name} cannot hold a zero octet")
        return value.encode("latin-1") + b"\0"


class OctetsParameter(OptionalParameter[bytes]):
    """Octets as they are."""

    __slots__ = ()

    def _read(self, raw: bytes) -> bytes | None:
        return raw

    def _write(self, value: bytes) -> bytes:
        return value


DEST_ADDR_SUBUNIT: Final = IntegerParameter(0x0005, "dest_addr_subunit", 1)
DEST_NETWORK_TYPE: Final = IntegerParameter(0x0006, "dest_network_type", 1)
DEST_BEARER_TYPE: Final = IntegerParameter(0x0007, "dest_bearer_type", 1)
DEST_TELEMATICS_ID: Final = IntegerParameter(0x0008, "dest_telematics_id", 2)
SOURCE_ADDR_SUBUNIT: Final = IntegerParameter(0x000D, "source_addr_subunit", 1)
SOURCE_NETWORK_TYPE: Final = IntegerParameter(0x000E, "source_network_type", 1)
SOURCE_BEARER_TYPE: Final = IntegerParameter(0x000F, "source_bearer_type", 1)
SOURCE_TELEMATICS_ID: Final = IntegerParameter(0x0010, "source_telematics_id", 1)
QOS_TIME_TO_LIVE: Final = IntegerParameter(0x0017, "qos_time_to_live", 4)
PAYLOAD_TYPE: Final = IntegerParameter(0x0019, "payload_type", 1)
ADDITIONAL_STATUS_INFO_TEXT: Final = StringParameter(0x001D, "additional_status_info_text", 1, 256)
RECEIPTED_MESSAGE_ID: Final = StringParameter(0x001E, "receipted_message_id", 1, 65)
MS_MSG_WAIT_FACILITIES: Final = IntegerParameter(0x0030, "ms_msg_wait_facilities", 1)
PRIVACY_INDICATOR: Final = IntegerParameter(0x0201, "privacy_indicator", 1)
SOURCE_SUBADDRESS: Final = OctetsParameter(0x0202, "source_subaddress", 2, 23)
DEST_SUBADDRESS: Final = OctetsParameter(0x0203, "dest_subaddress", 2, 23)
USER_MESSAGE_REFERENCE: Final = IntegerParameter(0x0204, "user_message_reference", 2)
USER_RESPONSE_CODE: Final = IntegerParameter(0x0205, "user_response_code", 1)
SOURCE_PORT: Final = IntegerParameter(0x020A, "source_port", 2)
DESTINATION_PORT: Final = IntegerParameter(0x020B, "destination_port", 2)
SAR_MSG_REF_NUM: Final = IntegerParameter(0x020C, "sar_msg_ref_num", 2)
LANGUAGE_INDICATOR: Final = IntegerParameter(0x020D, "language_indicator", 1)
SAR_TOTAL_SEGMENTS: Final = IntegerParameter(0x020E, "sar_total_segments", 1)
SAR_SEGMENT_SEQNUM: Final = IntegerParameter(0x020F, "sar_segment_seqnum", 1)
SC_INTERFACE_VERSION: Final = IntegerParameter(0x0210, "sc_interface_version", 1)
CALLBACK_NUM_PRES_IND: Final = IntegerParameter(0x0302, "callback_num_pres_ind", 1)
CALLBACK_NUM_ATAG: Final = OctetsParameter(0x0303, "callback_num_atag", 1, 65)
NUMBER_OF_MESSAGES: Final = IntegerParameter(0x0304, "number_of_messages", 1)
CALLBACK_NUM: Final = OctetsParameter(0x0381, "callback_num", 4, 19)
DPF_RESULT: Final = IntegerParameter(0x0420, "dpf_result", 1)
SET_DPF: Final = IntegerParameter(0x0421, "set_dpf", 1)
MS_AVAILABILITY_STATUS: Final = IntegerParameter(0x0422, "ms_availability_status", 1)
NETWORK_ERROR_CODE: Final = OctetsParameter(0x0423, "network_error_code", 3)
MESSAGE_PAYLOAD: Final = OctetsParameter(0x0424, "message_payload", 0, VALUE_OCTETS_MAX)
DELIVERY_FAILURE_REASON: Final = IntegerParameter(0x0425, "delivery_failure_reason", 1)
MORE_MESSAGES_TO_SEND: Final = IntegerParameter(0x0426, "more_messages_to_send", 1)
MESSAGE_STATE: Final = IntegerParameter(0x0427, "message_state", 1)
USSD_SERVICE_OP: Final = OctetsParameter(0x0501, "ussd_service_op", 1)
DISPLAY_TIME: Final = IntegerParameter(0x1201, "display_time", 1)
SMS_SIGNAL: Final = IntegerParameter(0x1203, "sms_signal", 2)
MS_VALIDITY: Final = IntegerParameter(0x1204, "ms_validity", 1)
ALERT_ON_MESSAGE_DELIVERY: Final = OctetsParameter(0x130C, "alert_on_message_delivery", 0)
ITS_REPLY_TYPE: Final = IntegerParameter(0x1380, "its_reply_type", 1)
ITS_SESSION_INFO: Final = OctetsParameter(0x1383, "its_session_info", 2)

# Not of SMPP, and so not in the table: what carriers and gateways in India agree on.
DLT_PE_ID: Final = OctetsParameter(0x1400, "pe_id", 0, VALUE_OCTETS_MAX)
DLT_TEMPLATE_ID: Final = OctetsParameter(0x1401, "template_id", 0, VALUE_OCTETS_MAX)

PARAMETERS: Final[dict[int, IntegerParameter | StringParameter | OctetsParameter]] = {
    parameter.tag: parameter
    for parameter in list(globals().values())
    if isinstance(parameter, IntegerParameter | StringParameter | OctetsParameter)
}
"""Tag to parameter."""


def name(tag: int) -> str:
    """The parameter's name in the specification; its tag where it has none."""
    known = PARAMETERS.get(tag)
    return known.name if known else f"0x{tag:04X}"
