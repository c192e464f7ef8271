"""Every PDU of SMPP 3.4 as a frozen struct: its annotations, in order, are its layout on the wire.

This is the one table that encoding and decoding read. A request has its mandatory fields and `tlvs`; a response
also has the `status` of its header. Sequence numbers belong to sessions, not to PDUs. Strings hold octets as
Latin-1, so that whatever a peer sends has a string and comes out unchanged.
"""

from typing import Annotated, ClassVar, Final, TypeAlias

import msgspec

from homing import limits
from homing.smpp.fields import Counted, CString, Integer, Listed, OctetField
from homing.smpp.statuses import Status
from homing.smpp.tlvs import Tlvs

RESPONSE_BIT: Final = 0x8000_0000
"""Set in the command_id of every response (section 5.1.2.1)."""

INTERFACE_VERSION: Final = 0x34

ServiceType: TypeAlias = Annotated[str, CString(6, Status.RINVSERTYP)]
SystemId: TypeAlias = Annotated[str, CString(16, Status.RINVSYSID)]
Password: TypeAlias = Annotated[str, CString(9, Status.RINVPASWD)]
# What binds is longer in the field than 3.4 allows (4.1.1): 15 and 8 without the zero octet.
BindSystemId: TypeAlias = Annotated[str, CString(limits.SMPP_CREDENTIAL_CHARS_MAX + 1, Status.RINVSYSID)]
BindPassword: TypeAlias = Annotated[str, CString(limits.SMPP_CREDENTIAL_CHARS_MAX + 1, Status.RINVPASWD)]
Source: TypeAlias = Annotated[str, CString(21, Status.RINVSRCADR)]
LongSource: TypeAlias = Annotated[str, CString(65, Status.RINVSRCADR)]
Target: TypeAlias = Annotated[str, CString(21, Status.RINVDSTADR)]
LongTarget: TypeAlias = Annotated[str, CString(65, Status.RINVDSTADR)]
MessageId: TypeAlias = Annotated[str, CString(65, Status.RINVMSGID)]
Schedule: TypeAlias = Annotated[str, CString(17, Status.RINVSCHED, fixed=True)]
Validity: TypeAlias = Annotated[str, CString(17, Status.RINVEXPIRY, fixed=True)]
ShortMessage: TypeAlias = Annotated[bytes, Counted(254, Status.RINVMSGLEN)]


class Pdu(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What all PDUs have: a command, and optional parameters, empty where the specification knows none."""

    command_id: ClassVar[int]
    tlvs: Tlvs = ()


class Request(Pdu, frozen=True, gc=False):
    """What one end asks of the other, or tells it."""


class Response(Pdu, frozen=True, gc=False, kw_only=True):
    """The answer to a request. With a `status` other than 0 the other fields may be empty."""

    drops_body: ClassVar[bool] = False
    """Whether it travels without a body when it refuses (sections 4.1.2 and 4.4.2)."""
    status: int = Status.ROK


# ---- Sessions (section 4.1, 4.2, 4.3, 4.11)


class _Bind(Request, frozen=True, gc=False):
    system_id: BindSystemId = ""
    password: BindPassword = ""
    system_type: Annotated[str, CString(13, Status.RINVSYSTYP)] = ""
    interface_version: OctetField = INTERFACE_VERSION
    addr_ton: OctetField = 0
    addr_npi: OctetField = 0
    address_range: Annotated[str, CString(41, Status.RBINDFAIL)] = ""


class _BindResp(Response, frozen=True, gc=False):
    drops_body: ClassVar[bool] = True
    system_id: SystemId = ""


class BindReceiver(_Bind, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x01


class BindReceiverResp(_BindResp, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0001


class BindTransmitter(_Bind, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x02


class BindTransmitterResp(_BindResp, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0002


class BindTransceiver(_Bind, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x09


class BindTransceiverResp(_BindResp, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0009


class Outbind(Request, frozen=True, gc=False):
    """A message centre asks an ESME to bind as a receiver. It has no response: the bind is the answer."""

    command_id: ClassVar[int] = 0x0B
    system_id: SystemId = ""
    password: Password = ""


class Unbind(Request, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x06


class UnbindResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0006


class EnquireLink(Request, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x15


class EnquireLinkResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0015


class GenericNack(Response, frozen=True, gc=False):
    """The answer to what could not be recognised (section 4.3)."""

    command_id: ClassVar[int] = 0x8000_0000


# ---- Messages (sections 4.4 to 4.7)


class _Message(Request, frozen=True, gc=False):
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


class SubmitSmResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0004
    drops_body: ClassVar[bool] = True
    message_id: MessageId = ""


class DeliverSm(_Message, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x05


class DeliverSmResp(Response, frozen=True, gc=False):
    """Its message id is unused and empty (section 4.6.2)."""

    command_id: ClassVar[int] = 0x8000_0005
    message_id: Annotated[str, CString(1, Status.RINVMSGID)] = ""


class SmeAddress(msgspec.Struct, frozen=True, gc=False):
    """A destination with the flag 1 (section 4.5.1.1)."""

    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""


class DistributionList(msgspec.Struct, frozen=True, gc=False):
    """A destination with the flag 2 (section 4.5.1.2)."""

    name: Annotated[str, CString(21, Status.RINVDLNAME)] = ""


class UnsuccessSme(msgspec.Struct, frozen=True, gc=False):
    """A destination that was not accepted, and with which status (section 4.5.2.1)."""

    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""
    error_status_code: Annotated[int, Integer(4)] = 0


Destination: TypeAlias = SmeAddress | DistributionList


class SubmitMulti(Request, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x21
    service_type: ServiceType = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""
    dest_addresses: Annotated[
        tuple[Destination, ...], Listed({1: SmeAddress, 2: DistributionList}, Status.RINVNUMDESTS)
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


class SubmitMultiResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0021
    message_id: MessageId = ""
    unsuccess_smes: Annotated[tuple[UnsuccessSme, ...], Listed({None: UnsuccessSme}, Status.RINVNUMDESTS)] = ()


class DataSm(Request, frozen=True, gc=False):
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


class DataSmResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0103
    message_id: MessageId = ""


# ---- What was sent (sections 4.8 to 4.10), and who is there again (4.12)


class QuerySm(Request, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x03
    message_id: MessageId = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""


class QuerySmResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0003
    message_id: MessageId = ""
    final_date: Schedule = ""
    message_state: OctetField = 0
    error_code: OctetField = 0


class CancelSm(Request, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x08
    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: Source = ""
    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: Target = ""


class CancelSmResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0008


class ReplaceSm(Request, frozen=True, gc=False):
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


class ReplaceSmResp(Response, frozen=True, gc=False):
    command_id: ClassVar[int] = 0x8000_0007


class AlertNotification(Request, frozen=True, gc=False):
    """A subscriber can be reached again. It has no response."""

    command_id: ClassVar[int] = 0x0102
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: LongSource = ""
    esme_addr_ton: OctetField = 0
    esme_addr_npi: OctetField = 0
    esme_addr: LongTarget = ""


Bind: TypeAlias = BindReceiver | BindTransmitter | BindTransceiver

REQUESTS: Final[tuple[type[Request], ...]] = (
    *(BindReceiver, BindTransmitter, QuerySm, SubmitSm, DeliverSm, Unbind, ReplaceSm, CancelSm, BindTransceiver),
    *(Outbind, EnquireLink, SubmitMulti, AlertNotification, DataSm),
)
RESPONSES: Final[tuple[type[Response], ...]] = (
    *(GenericNack, BindReceiverResp, BindTransmitterResp, QuerySmResp, SubmitSmResp, DeliverSmResp, UnbindResp),
    *(ReplaceSmResp, CancelSmResp, BindTransceiverResp, EnquireLinkResp, SubmitMultiResp, DataSmResp),
)

_BY_ID: Final = {response.command_id: response for response in RESPONSES}

RESPONSE_OF: Final[dict[type[Request], type[Response]]] = {
    request: _BY_ID[request.command_id | RESPONSE_BIT]
    for request in REQUESTS
    if request.command_id | RESPONSE_BIT in _BY_ID
}
"""A request's response. outbind and alert_notification have none."""


def refuse(request: type[Request], status: int) -> Response:
    """The answer that refuses a request of this class: its own response, or generic_nack where it has none."""
    return RESPONSE_OF.get(request, GenericNack)(status=status)
