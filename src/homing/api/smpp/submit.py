"""submit_sm, submit_multi and data_sm as a checked request. Pure; the time is passed in."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, cast

import msgspec

from homing import limits
from homing.accounts.profile import Profile
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.smpp import message_text
from homing.api.smpp.dialect import NUMBER
from homing.api.smpp.statuses import RequestRejected, VendorStatus
from homing.intake.submission import MessageGroup, RepeatedReferences, Submission
from homing.messages import smpp_bodies
from homing.model import NO_OPTIONS, Options, Recipient, Traffic
from homing.smpp import concatenation, times, udh
from homing.smpp.concatenation import PartPosition
from homing.smpp.data_coding import FLASH
from homing.smpp.payload import AmbiguousPayload, message_octets
from homing.smpp.pdus import DataSm, SmeAddress, SubmitMulti, SubmitSm
from homing.smpp.receipt_text import TYPE_MASK
from homing.smpp.statuses import CommandStatus
from homing.smpp.tlvs import (
    DEST_ADDR_SUBUNIT,
    DESTINATION_PORT,
    DLT_PE_ID,
    DLT_TEMPLATE_ID,
    PAYLOAD_TYPE,
    QOS_TIME_TO_LIVE,
    SOURCE_PORT,
    USER_MESSAGE_REFERENCE,
    USSD_SERVICE_OP,
    OctetsParameter,
    Tlvs,
)
from homing.text.numbers import normalise

Submit = SubmitSm | SubmitMulti | DataSm

PROMOTIONAL: Final = "PROMO"
"""The service_type that marks promotional traffic. The priority does not: most customers send codes with priority 0."""
UNCARRIED_SERVICES: Final = frozenset({"USSD", "VMN", "VMA", "WAP"})  # section 5.2.11: not text messages
UNCARRIED_PROTOCOLS: Final = frozenset({0x40, 0x7C, 0x7D, 0x7E, 0x7F})
"""Silent messages and data for the handset or its SIM (3GPP TS 23.040, 9.2.3.9): not to be shown as texts."""
UNCARRIED: Final = {
    parameter.tag: parameter for parameter in (SOURCE_PORT, DESTINATION_PORT, PAYLOAD_TYPE, USSD_SERVICE_OP)
}
"""Parameters of messages that are not texts to a person."""
ON_DISPLAY: Final = 1
"""dest_addr_subunit (section 5.3.2.1): the display, which is message class 0 in GSM."""
DESTINATIONS_MAX: Final = 254
"""Section 5.2.24."""
PRIORITY_MAX: Final = 3

RECEIPTS: Final = smpp_bodies.ALL | smpp_bodies.FAILURES  # both bits at once are reserved

PLAIN: Final = (NO_OPTIONS, Options(flash=True))
REGISTRATION: Final = re.compile(rb"[!-~]*")


class SubmitRequest(msgspec.Struct, frozen=True):
    """A submit that was checked. `part` None: it is a whole message. `registered`: the bits of registered_delivery that
    are supported.
    """

    sender: str
    recipients: Sequence[Recipient]
    octets: bytes
    data_coding: int
    part: PartPosition | None
    registered: int
    traffic: Traffic
    validity_s: int
    notes: dict[str, object]
    options: Options

    def submission(
        self, account: Profile, app_id: str, request_id: str, text: message_text.SubmittedText
    ) -> Submission:
        """The submission of a whole message with this text."""
        repeated = RepeatedReferences.SENT
        if account.unique_references and self.recipients[0].reference is not None:
            is_one = len(self.recipients) == 1
            repeated = RepeatedReferences.ANSWERED if is_one else RepeatedReferences.ANSWERED_TOGETHER
        group = MessageGroup(text.text, self.sender, self.recipients, text.encoding, self.notes or None, self.options)
        return Submission(
            account=account,
            dialect=NUMBER,
            app_id=app_id,
            request_id=request_id,
            groups=(group,),
            traffic=self.traffic,
            validity_s=self.validity_s,
            registered=self.registered,
            repeated_references=repeated,
        )


def read_submit(account: Profile, pdu: Submit, now: datetime) -> SubmitRequest:
    """Raises `RequestRejected` with the status that names the field. A submit_multi loses its invalid destinations:
    `invalid_destinations` names them.
    """
    kind = type(pdu)
    tlvs = pdu.tlvs
    notes: dict[str, object] = {}
    traffic = Traffic.TRANSACTIONAL
    if pdu.service_type:
        traffic = _service(pdu.service_type, notes)
    sender = _sender(account, pdu.source_addr)
    recipients = _recipients(pdu, _reference(tlvs) if tlvs else None)
    if kind is DataSm:
        octets, validity_s = b"", _time_to_live_s(tlvs)
    else:
        message = cast("SubmitSm | SubmitMulti", pdu)
        octets = message.short_message
        validity_s = limits.VALIDITY_S_DEFAULT
        if message.schedule_delivery_time or message.validity_period:
            validity_s = _times(message, now)
        if message.priority_flag or message.replace_if_present_flag or message.sm_default_msg_id or message.protocol_id:
            _flags(message)
    if tlvs:
        _only_texts(tlvs)
        octets = _payload(octets, tlvs)
    header = b""
    if pdu.esm_class:
        header, octets = _header(pdu.esm_class, octets)
    part = concatenation.position_of(header, tlvs) if header or tlvs else None
    if part is not None:
        if part.total > limits.SEGMENTS_MAX:
            raise RequestRejected(CommandStatus.RINVMSGLEN, f"{part.total} parts")
        if kind is SubmitMulti:
            raise RequestRejected(CommandStatus.RINVESMCLASS, "parts to many: send the whole text in message_payload")
    if not octets:
        raise RequestRejected(CommandStatus.RINVMSGLEN, "no text")
    options = _options(pdu.data_coding in FLASH, tlvs) if tlvs else PLAIN[pdu.data_coding in FLASH]
    registered = pdu.registered_delivery and _registered(pdu.registered_delivery)
    return SubmitRequest(
        sender, recipients, octets, pdu.data_coding, part, registered, traffic, validity_s, notes, options
    )


def invalid_destinations(pdu: SubmitMulti) -> list[SmeAddress]:
    """The destinations that are not phone numbers."""
    return [
        destination
        for destination in pdu.dest_addresses
        if isinstance(destination, SmeAddress) and normalise(destination.destination_addr) is None
    ]


def _service(service_type: str, notes: dict[str, object]) -> Traffic:
    service = service_type.upper()
    if service in UNCARRIED_SERVICES or not service_type.isascii() or not service_type.isprintable():
        raise RequestRejected(CommandStatus.RINVSERTYP)
    notes["service_type"] = service_type
    return Traffic.PROMOTIONAL if service == PROMOTIONAL else Traffic.TRANSACTIONAL


def _sender(account: Profile, source_addr: str) -> str:
    """The registered sender; the account's default for an empty one. A sender that is not the account's is rejected."""
    sender = account.registered(source_addr)
    if sender is not None:
        return sender
    if source_addr:
        raise RequestRejected(CommandStatus.RINVSRCADR)
    return account.default_sender or ""


def _recipients(pdu: Submit, reference: str | None) -> tuple[Recipient, ...]:
    if type(pdu) is SubmitMulti:
        return _many(pdu, reference)
    raw = cast("SubmitSm | DataSm", pdu).destination_addr
    number = normalise(raw)
    if number is None:
        raise RequestRejected(CommandStatus.RINVDSTADR, number_refusal(raw).message())
    return (Recipient(raw, number, reference),)


def _many(pdu: SubmitMulti, reference: str | None) -> tuple[Recipient, ...]:
    if not 1 <= len(pdu.dest_addresses) <= DESTINATIONS_MAX:
        raise RequestRejected(CommandStatus.RINVNUMDESTS)
    recipients = []
    for destination in pdu.dest_addresses:
        if not isinstance(destination, SmeAddress):
            raise RequestRejected(CommandStatus.RCNTSUBDL, "there are no distribution lists here")
        number = normalise(destination.destination_addr)
        if number is not None:
            recipients.append(Recipient(destination.destination_addr, number, reference))
    if not recipients:
        raise RequestRejected(CommandStatus.RINVDSTADR)
    return tuple(recipients)


def _reference(tlvs: Tlvs) -> str | None:
    reference = USER_MESSAGE_REFERENCE.of(tlvs)
    return None if reference is None else str(reference & 0xFFFF)


def _time_to_live_s(tlvs: Tlvs) -> int:
    time_to_live_s = QOS_TIME_TO_LIVE.of(tlvs)
    if time_to_live_s is None:
        return limits.VALIDITY_S_DEFAULT
    if time_to_live_s == 0:
        raise RequestRejected(CommandStatus.RINVEXPIRY)
    return min(time_to_live_s, limits.VALIDITY_S_MAX)


def _times(pdu: SubmitSm | SubmitMulti, now: datetime) -> int:
    """The validity in seconds, at most the longest there is. Messages leave at once: scheduling is rejected."""
    if _from_now(pdu.schedule_delivery_time, now, CommandStatus.RINVSCHED) > timedelta(0):
        raise RequestRejected(CommandStatus.RINVSCHED, "messages leave at once")
    if not pdu.validity_period:
        return limits.VALIDITY_S_DEFAULT
    validity = _from_now(pdu.validity_period, now, CommandStatus.RINVEXPIRY)
    if validity < timedelta(seconds=1):
        raise RequestRejected(CommandStatus.RINVEXPIRY, "it is over")
    return min(int(validity.total_seconds()), limits.VALIDITY_S_MAX)


def _from_now(text: str, now: datetime, status: CommandStatus) -> timedelta:
    try:
        moment = times.parse(text)
    except ValueError:
        raise RequestRejected(status) from None
    if moment is None:
        return timedelta(0)
    return moment if isinstance(moment, timedelta) else moment - now


def _flags(pdu: SubmitSm | SubmitMulti) -> None:
    if pdu.priority_flag > PRIORITY_MAX:
        raise RequestRejected(CommandStatus.RINVPRTFLG)
    if pdu.replace_if_present_flag:
        raise RequestRejected(CommandStatus.RINVREPFLAG, "nothing is replaced")
    if pdu.sm_default_msg_id:
        raise RequestRejected(CommandStatus.RINVDFTMSGID, "there are no predefined messages")
    if pdu.protocol_id in UNCARRIED_PROTOCOLS:
        raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, "what nobody is to read is not carried")


def _only_texts(tlvs: Tlvs) -> None:
    for tag, value in tlvs:
        if tag in UNCARRIED and (any(value) or tag == USSD_SERVICE_OP.tag):  # 0 is a value there
            raise RequestRejected(VendorStatus.UNSUPPORTED_CONTENT, UNCARRIED[tag].name)


def _options(flash: bool, tlvs: Tlvs) -> Options:
    flash = flash or DEST_ADDR_SUBUNIT.of(tlvs) == ON_DISPLAY
    return Options(flash, _registration(tlvs, DLT_PE_ID), _registration(tlvs, DLT_TEMPLATE_ID))


def _registration(tlvs: Tlvs, parameter: OctetsParameter) -> str:
    """A registration id of India (DLT): printable ASCII, with or without a final zero octet."""
    value = (parameter.of(tlvs) or b"").rstrip(b"\0")
    if len(value) > limits.REGISTRATION_CHARS_MAX or not REGISTRATION.fullmatch(value):
        raise RequestRejected(CommandStatus.RINVOPTPARAMVAL, parameter.name)
    return value.decode("ascii")


def _payload(octets: bytes, tlvs: Tlvs) -> bytes:
    try:
        return message_octets(octets, tlvs, lenient=False)
    except AmbiguousPayload as fault:
        raise RequestRejected(CommandStatus.ROPTPARNOTALLWD, str(fault)) from None


def _header(esm_class: int, octets: bytes) -> tuple[bytes, bytes]:
    """The user data header and the octets behind it. Elements other than concatenation would be lost, so they are
    rejected.
    """
    if esm_class & TYPE_MASK:
        raise RequestRejected(CommandStatus.RINVESMCLASS)
    if not esm_class & udh.UDHI:
        return b"", octets
    try:
        header, octets = udh.split(octets, esm_class)
        identifiers = {identifier for identifier, _content in udh.parse(header)}
    except udh.MalformedUdh:
        raise RequestRejected(CommandStatus.RINVESMCLASS, "no user data header") from None
    if identifiers - concatenation.IDENTIFIERS:
        raise RequestRejected(
            VendorStatus.UNSUPPORTED_CONTENT, "a user data header that says more than which part it is"
        )
    return header, octets


def _registered(registered_delivery: int) -> int:
    receipts = registered_delivery & RECEIPTS
    if receipts == RECEIPTS:
        raise RequestRejected(CommandStatus.RINVREGDLVFLG)
    return receipts | registered_delivery & smpp_bodies.INTERMEDIATE
