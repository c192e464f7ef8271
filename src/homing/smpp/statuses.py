"""Every command_status of SMPP 3.4 (section 5.1.3): its name, a description, and whether to send again."""

import enum
from typing import Final

import msgspec


class StatusKind(enum.Enum):
    """What a status says about sending the same message over the same session again."""

    OK = "ok"
    THROTTLED = "throttled"
    """Too fast or too much at once: the message is fine, come back slower."""
    TEMPORARY = "temporary"
    """A temporary failure of the other end."""
    PERMANENT = "permanent"
    """This message will be refused every time."""
    SESSION = "session"
    """Not the message but the bind is at fault: nothing passes until that is corrected."""


class CommandStatus(enum.IntEnum):
    """The values of command_status, by the names of the specification without their `ESME_`."""

    ROK = 0x00
    RINVMSGLEN = 0x01
    RINVCMDLEN = 0x02
    RINVCMDID = 0x03
    RINVBNDSTS = 0x04
    RALYBND = 0x05
    RINVPRTFLG = 0x06
    RINVREGDLVFLG = 0x07
    RSYSERR = 0x08
    RINVSRCADR = 0x0A
    RINVDSTADR = 0x0B
    RINVMSGID = 0x0C
    RBINDFAIL = 0x0D
    RINVPASWD = 0x0E
    RINVSYSID = 0x0F
    RCANCELFAIL = 0x11
    RREPLACEFAIL = 0x13
    RMSGQFUL = 0x14
    RINVSERTYP = 0x15
    RINVNUMDESTS = 0x33
    RINVDLNAME = 0x34
    RINVDESTFLAG = 0x40
    RINVSUBREP = 0x42
    RINVESMCLASS = 0x43
    RCNTSUBDL = 0x44
    RSUBMITFAIL = 0x45
    RINVSRCTON = 0x48
    RINVSRCNPI = 0x49
    RINVDSTTON = 0x50
    RINVDSTNPI = 0x51
    RINVSYSTYP = 0x53
    RINVREPFLAG = 0x54
    RINVNUMMSGS = 0x55
    RTHROTTLED = 0x58
    RINVSCHED = 0x61
    RINVEXPIRY = 0x62
    RINVDFTMSGID = 0x63
    RX_T_APPN = 0x64
    RX_P_APPN = 0x65
    RX_R_APPN = 0x66
    RQUERYFAIL = 0x67
    RINVOPTPARSTREAM = 0xC0
    ROPTPARNOTALLWD = 0xC1
    RINVPARLEN = 0xC2
    RMISSINGOPTPARAM = 0xC3
    RINVOPTPARAMVAL = 0xC4
    RDELIVERYFAILURE = 0xFE
    RUNKNOWNERR = 0xFF


class StatusMeaning(msgspec.Struct, frozen=True, gc=False):
    """One row of the table. `name` is the specification's; `description` is for people."""

    name: str
    description: str
    kind: StatusKind


_OK, _SLOWER, _LATER, _NEVER, _BIND = (
    StatusKind.OK,
    StatusKind.THROTTLED,
    StatusKind.TEMPORARY,
    StatusKind.PERMANENT,
    StatusKind.SESSION,
)

_ROWS: Final[dict[CommandStatus, tuple[StatusKind, str]]] = {
    CommandStatus.ROK: (_OK, "no error"),
    CommandStatus.RINVMSGLEN: (_NEVER, "the message's length is invalid"),
    CommandStatus.RINVCMDLEN: (_NEVER, "the command's length is invalid"),
    CommandStatus.RINVCMDID: (_NEVER, "the command is not known"),
    CommandStatus.RINVBNDSTS: (_BIND, "the command is not allowed in this state of the bind"),
    CommandStatus.RALYBND: (_BIND, "already bound"),
    CommandStatus.RINVPRTFLG: (_NEVER, "the priority flag is invalid"),
    CommandStatus.RINVREGDLVFLG: (_NEVER, "the registered delivery flag is invalid"),
    CommandStatus.RSYSERR: (_LATER, "system error"),
    CommandStatus.RINVSRCADR: (_NEVER, "the source address is invalid"),
    CommandStatus.RINVDSTADR: (_NEVER, "the destination address is invalid"),
    CommandStatus.RINVMSGID: (_NEVER, "the message id is invalid"),
    CommandStatus.RBINDFAIL: (_BIND, "the bind failed"),
    CommandStatus.RINVPASWD: (_BIND, "the password is invalid"),
    CommandStatus.RINVSYSID: (_BIND, "the system id is invalid"),
    CommandStatus.RCANCELFAIL: (_NEVER, "the message could not be cancelled"),
    CommandStatus.RREPLACEFAIL: (_NEVER, "the message could not be replaced"),
    CommandStatus.RMSGQFUL: (_SLOWER, "the message queue is full"),
    CommandStatus.RINVSERTYP: (_NEVER, "the service type is invalid"),
    CommandStatus.RINVNUMDESTS: (_NEVER, "the number of destinations is invalid"),
    CommandStatus.RINVDLNAME: (_NEVER, "the distribution list's name is invalid"),
    CommandStatus.RINVDESTFLAG: (_NEVER, "the destination flag is invalid"),
    CommandStatus.RINVSUBREP: (_NEVER, "a submit with a replace request is invalid"),
    CommandStatus.RINVESMCLASS: (_NEVER, "the esm_class is invalid"),
    CommandStatus.RCNTSUBDL: (_NEVER, "cannot submit to the distribution list"),
    CommandStatus.RSUBMITFAIL: (_NEVER, "the submit failed"),
    CommandStatus.RINVSRCTON: (_NEVER, "the source address's type of number is invalid"),
    CommandStatus.RINVSRCNPI: (_NEVER, "the source address's numbering plan is invalid"),
    CommandStatus.RINVDSTTON: (_NEVER, "the destination address's type of number is invalid"),
    CommandStatus.RINVDSTNPI: (_NEVER, "the destination address's numbering plan is invalid"),
    CommandStatus.RINVSYSTYP: (_BIND, "the system type is invalid"),
    CommandStatus.RINVREPFLAG: (_NEVER, "the replace_if_present flag is invalid"),
    CommandStatus.RINVNUMMSGS: (_NEVER, "the number of messages is invalid"),
    CommandStatus.RTHROTTLED: (_SLOWER, "throttled: the allowed rate was exceeded"),
    CommandStatus.RINVSCHED: (_NEVER, "the scheduled delivery time is invalid"),
    CommandStatus.RINVEXPIRY: (_NEVER, "the validity period is invalid"),
    CommandStatus.RINVDFTMSGID: (_NEVER, "the predefined message is invalid or was not found"),
    CommandStatus.RX_T_APPN: (_LATER, "the receiver has a temporary error"),
    CommandStatus.RX_P_APPN: (_NEVER, "the receiver has a permanent error"),
    CommandStatus.RX_R_APPN: (_NEVER, "the receiver rejected the message"),
    CommandStatus.RQUERYFAIL: (_LATER, "the query failed"),
    CommandStatus.RINVOPTPARSTREAM: (_NEVER, "the optional part of the PDU is malformed"),
    CommandStatus.ROPTPARNOTALLWD: (_NEVER, "an optional parameter is not allowed"),
    CommandStatus.RINVPARLEN: (_NEVER, "a parameter's length is invalid"),
    CommandStatus.RMISSINGOPTPARAM: (_NEVER, "an expected optional parameter is missing"),
    CommandStatus.RINVOPTPARAMVAL: (_NEVER, "an optional parameter's value is invalid"),
    CommandStatus.RDELIVERYFAILURE: (_LATER, "delivery failed"),
    CommandStatus.RUNKNOWNERR: (_LATER, "unknown error"),
}

TABLE: Final = {
    int(status): StatusMeaning(f"ESME_{status.name}", description, kind)
    for status, (kind, description) in _ROWS.items()
}


def error_code(status: int) -> str:
    """A status as the error code of a message: its decimal number."""
    return str(int(status))


INVALID_DESTINATION: Final = error_code(CommandStatus.RINVDSTADR)
"""The error code of a message whose number is wrong, whichever protocol its carrier speaks."""

VENDOR: Final = range(0x400, 0x500)
"""Reserved for the vendors of message centres (section 5.1.3)."""


def meaning(status: int) -> StatusMeaning:
    """The meaning of any 32 bit status; one that the table lacks is a permanent refusal.

    An undocumented status counts as permanent: carriers close the links of those that send the same message again and
    again. What a carrier is known to mean by one belongs to that carrier's settings.
    """
    known = TABLE.get(status)
    if known is not None:
        return known
    if status in VENDOR:
        return StatusMeaning(f"vendor 0x{status:04X}", "refused for a reason of the vendor's own", StatusKind.PERMANENT)
    return StatusMeaning(
        f"reserved 0x{status:08X}", "refused with a status that SMPP 3.4 does not define", StatusKind.PERMANENT
    )
