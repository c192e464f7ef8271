"""Every PDU of SMPP 3.4 as a frozen struct: its annotations, in order, are its layout on the wire.

This is the one table that encoding and decoding read. A request has its mandatory fields and `tlvs`; a response
also has the `status` of its header. Sequence numbers belong to sessions, not to PDUs. Strings hold octets as
Latin-1, so that whatever a peer sends has a string and comes out unchanged.
"""

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from homing import limits
from homing.smpp.fields import CountedOctetsLayout, CStringLayout, IntegerLayout, ListLayout, OctetField
from homing.smpp.statuses import CommandStatus
from homing.smpp.tlvs import Tlvs

RESPONSE_BIT: Final = 0x8000_0000
"""Set in the command_id of every response (section 5.1.2.1)."""

INTERFACE_VERSION: Final = 0x34

ServiceType: TypeAlias = Annotated[str, CStringLayout(6, CommandStatus.RINVSERTYP)]
SystemId: TypeAlias = Annotated[str, CStringLayout(16, CommandStatus.RINVSYSID)]
Password: TypeAlias = Annotated[str, CStringLayout(9, CommandStatus.RINVPASWD)]
# In practice credentials are longer than 3.4 allows (4.1.1), which is 15 and 8 without the zero octet.
BindSystemId: TypeAlias = Annotated[str, CStringLayout(limits.SMPP_CREDENTIAL_CHARS_MAX + 1, CommandStatus.RINVSYSID)]
BindPassword: TypeAlias = Annotated[str, CStringLayout(limits.SMPP_CREDENTIAL_CHARS_MAX + 1, CommandStatus.RINVPASWD)]
Source: TypeAlias = Annotated[str, CStringLayout(21, CommandStatus.RINVSRCADR)]
LongSource: TypeAlias = Annotated[str, CStringLayout(65, CommandStatus.RINVSRCADR)]
Target: TypeAlias = Annotated[str, CStringLayout(21, CommandStatus.RINVDSTADR)]
LongTarget: TypeAlias = Annotated[str, CStringLayout(65, CommandStatus.RINVDSTADR)]
MessageId: TypeAlias = Annotated[str, CStringLayout(65, CommandStatus.RINVMSGID)]
Schedule: TypeAlias = Annotated[str, CStringLayout(17, CommandStatus.RINVSCHED, fixed=True)]
Validity: TypeAlias = Annotated[str, CStringLayout(17, CommandStatus.RINVEXPIRY, fixed=True)]
ShortMessage: TypeAlias = Annotated[bytes, CountedOctetsLayout(254, CommandStatus.RINVMSGLEN)]


class Pdu(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A command, and its optional parameters, empty where the specification knows none."""

    command_id: ClassVar[int]
    tlvs: Tlvs = ()


class RequestPdu(Pdu, frozen=True, gc=False):
    """A request of one end to the other, or a notification (outbind, alert_notification)."""


class ResponsePdu(Pdu, frozen=True, gc=False, kw_only=True):
    """The answer to a request. With a `status` other than 0 the other fields may be empty."""

    drops_body: ClassVar[bool] = False
    """Whether it travels without a body when it refuses (sections 4.1.2 and 4.4.2)."""
    status: int = CommandStatus.ROK


# ---- Sessions (section 4.1, 4.2, 4.3, 4.11)


class _BindRequest(RequestPdu, frozen=True, gc=False):
    system_id: BindSystemId = ""
    password: BindPassword = ""
    system_type: Annotated[str, CStringLayout(13, CommandStatus.RINVSYSTYP)] = ""
    interface_version: OctetField = INTERFACE_VERSION
    addr_ton: OctetField = 0
    addr_npi: OctetField = 0
    address_range: Annotated[str, CStringLayout(41, CommandStatus.RBINDFAIL)] = ""


class _BindResponse(ResponsePdu, frozen=True, gc=False):
    drops_body: ClassVar[bool] = True
    system_id: SystemId = ""


class BindReceiver(_BindRequest, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x01


class BindReceiverResp(_BindResponse, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0001


class BindTransmitter(_BindRequest, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x02


class BindTransmitterResp(_BindResponse, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0002


class BindTransceiver(_BindRequest, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x09


class BindTransceiverResp(_BindResponse, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0009


class Outbind(RequestPdu, frozen=True, gc=False):
    """A message centre asks an ESME to bind as a receiver. It has no response: the bind is the answer."""

    command_id: ClassVar[int] = 0x0B
    system_id: SystemId = ""
    password: Password = ""


class Unbind(RequestPdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x06


class UnbindResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0006


class EnquireLink(RequestPdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x15


class EnquireLinkResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0015


class GenericNack(ResponsePdu, frozen=True, gc=False):
    """The response to a PDU that could not be recognised (section 4.3)."""

    command_id: ClassVar[int] = 0x8000_0000


# ---- Messages (sections 4.4 to 4.7)


class _Message(RequestPdu, frozen=True, gc=False):
    """submit_sm and deliver_sm have one layout (sections 4.4.1 and 4.6.1)."""

    service_type: ServiceType = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""
    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""
    esm_class: OctetField = 0
    protocol_id: OctetField = 0
    priority_flag: OctetField = 0
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    registered_delivery: OctetField = 0
    replace_if_present_flag: OctetField = 0
    data_coding: OctetField = 0
    sm_default_msg_id: OctetField = 0
    short_message: ShortMessage = b""


class SubmitSm(_Message, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x04


class SubmitSmResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0004
    drops_body: ClassVar[bool] = True
    message_id: MessageId = ""


class DeliverSm(_Message, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x05


class DeliverSmResp(ResponsePdu, frozen=True, gc=False):
    """Its message id is unused and empty (section 4.6.2)."""

    command_id: ClassVar[int] = 0x8000_0005
    message_id: Annotated[str, CStringLayout(1, CommandStatus.RINVMSGID)] = ""


class SmeAddress(msgspec.Struct, frozen=True, gc=False):
    """A destination with the flag 1 (section 4.5.1.1)."""

    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""


class DistributionList(msgspec.Struct, frozen=True, gc=False):
    """A destination with the flag 2 (section 4.5.1.2)."""

    name: Annotated[str, CStringLayout(21, CommandStatus.RINVDLNAME)] = ""


class UnsuccessSme(msgspec.Struct, frozen=True, gc=False):
    """A destination that was not accepted, and with which status (section 4.5.2.1)."""

    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""
    error_status_code: Annotated[int, IntegerLayout(4)] = 0


Destination: TypeAlias = SmeAddress | DistributionList


class SubmitMulti(RequestPdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x21
    service_type: ServiceType = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""
    dest_addresses: Annotated[
        tuple[Destination, ...], ListLayout({1: SmeAddress, 2: DistributionList}, CommandStatus.RINVNUMDESTS)
    ] = ()
    esm_class: OctetField = 0
    protocol_id: OctetField = 0
    priority_flag: OctetField = 0
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    registered_delivery: OctetField = 0
    replace_if_present_flag: OctetField = 0
    data_coding: OctetField = 0
    sm_default_msg_id: OctetField = 0
    short_message: ShortMessage = b""


class SubmitMultiResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0021
    message_id: MessageId = ""
    unsuccess_smes: Annotated[
        tuple[UnsuccessSme, ...], ListLayout({None: UnsuccessSme}, CommandStatus.RINVNUMDESTS)
    ] = ()


class DataSm(RequestPdu, frozen=True, gc=False):
    """Its text is in the message_payload parameter."""

    command_id: ClassVar[int] = 0x0103
    service_type: ServiceType = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: LongSource = ""
    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: LongTarget = ""
    esm_class: OctetField = 0
    registered_delivery: OctetField = 0
    data_coding: OctetField = 0


class DataSmResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0103
    message_id: MessageId = ""


# ---- Submitted messages (sections 4.8 to 4.10), and alert_notification (4.12)


class QuerySm(RequestPdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x03
    message_id: MessageId = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""


class QuerySmResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0003
    message_id: MessageId = ""
    final_date: Schedule = ""
    message_state: OctetField = 0
    error_code: OctetField = 0


class CancelSm(RequestPdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x08
    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""
    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""


class CancelSmResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0008


class ReplaceSm(RequestPdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x07
    message_id: MessageId = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""
    schedule_delivery_time: Schedule = ""
    validity_period: Validity = ""
    registered_delivery: OctetField = 0
    sm_default_msg_id: OctetField = 0
    short_message: ShortMessage = b""


class ReplaceSmResp(ResponsePdu, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0007


class AlertNotification(RequestPdu, frozen=True, gc=False):
    """A subscriber is reachable again. It has no response."""

    command_id: ClassVar[int] = 0x0102
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: LongSource = ""
    esme_addr_ton: OctetField = 0
    esme_addr_npi: OctetField = 0
    esme_addr: LongTarget = ""


BindRequest: TypeAlias = BindReceiver | BindTransmitter | BindTransceiver

REQUESTS: Final[tuple[type[RequestPdu], ...]] = (
    *(BindReceiver, BindTransmitter, QuerySm, SubmitSm, DeliverSm, Unbind, ReplaceSm, CancelSm, BindTransceiver),
    *(Outbind, EnquireLink, SubmitMulti, AlertNotification, DataSm),
)
RESPONSES: Final[tuple[type[ResponsePdu], ...]] = (
    *(GenericNack, BindReceiverResp, BindTransmitterResp, QuerySmResp, SubmitSmResp, DeliverSmResp, UnbindResp),
    *(ReplaceSmResp, CancelSmResp, BindTransceiverResp, EnquireLinkResp, SubmitMultiResp, DataSmResp),
)

_BY_ID: Final = {response.command_id: response for response in RESPONSES}

RESPONSE_OF: Final[dict[type[RequestPdu], type[ResponsePdu]]] = {
    request: _BY_ID[request.command_id | RESPONSE_BIT]
    for request in REQUESTS
    if request.command_id | RESPONSE_BIT in _BY_ID
}
"""A request's response. outbind and alert_notification have none."""


def refuse(request: type[RequestPdu], status: int) -> ResponsePdu:
    """The response that refuses a request of this class: its own, or generic_nack where it has none."""
    return RESPONSE_OF.get(request, GenericNack)(status=status)
