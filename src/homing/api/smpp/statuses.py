"""The command_status of each refusal and failure (docs/reference/smpp.md)."""

import enum
from collections.abc import Mapping
from typing import Final

from homing import errors
from homing.accounts.refused_calls import HasReason, invalid, reason_for
from homing.dialects.error_codes import ErrorCodes
from homing.reasons import Reason, ReasonCode
from homing.smpp.statuses import CommandStatus


class VendorStatus(enum.IntEnum):
    """Our statuses in the range that SMPP 3.4, section 5.1.3 reserves for vendors."""

    INSUFFICIENT_BALANCE = 0x400
    NO_ROUTE = 0x401
    UNSUPPORTED_CONTENT = 0x402
    SENSITIVE_WORDS = 0x403
    TEMPLATE = 0x404
    ACCOUNT_LOCKED = 0x405
    DESTINATION_BLOCKED = 0x406


class RequestRejected(errors.Refusal, HasReason):
    """A request is rejected with this status."""

    def __init__(self, status: CommandStatus | VendorStatus, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status

    @property
    def reason(self) -> Reason:  # type: ignore[override]
        kind = KINDS.get(self.status)
        if self.status == CommandStatus.RINVSRCADR:
            return Reason.of(ReasonCode.CALL_SENDER_UNKNOWN)
        return invalid(self.detail or self.status.name) if kind is None else reason_for(kind)


STATUSES: Final = ErrorCodes[CommandStatus | VendorStatus](
    {
        errors.HomingError: CommandStatus.RSYSERR,
        errors.Refusal: CommandStatus.RSUBMITFAIL,
        errors.BadShape: CommandStatus.RSUBMITFAIL,
        errors.BadParameter: CommandStatus.RSUBMITFAIL,
        errors.UnknownApp: CommandStatus.RSUBMITFAIL,
        errors.NumbersEmpty: CommandStatus.RINVDSTADR,
        errors.NumbersTooMany: CommandStatus.RINVNUMDESTS,
        errors.NumbersAbnormal: CommandStatus.RINVDSTADR,
        errors.NationalNumber: CommandStatus.RINVDSTADR,
        errors.ContentEmpty: CommandStatus.RINVMSGLEN,
        errors.ContentTooLong: CommandStatus.RINVMSGLEN,
        errors.SensitiveWords: VendorStatus.SENSITIVE_WORDS,
        errors.TemplateMismatch: VendorStatus.TEMPLATE,
        errors.TemplateMissing: VendorStatus.TEMPLATE,
        errors.BatchEmpty: CommandStatus.RSUBMITFAIL,
        errors.NoRoute: VendorStatus.NO_ROUTE,
        errors.FlashNotCarried: VendorStatus.UNSUPPORTED_CONTENT,
        errors.DestinationBlocked: VendorStatus.DESTINATION_BLOCKED,
        errors.InsufficientBalance: VendorStatus.INSUFFICIENT_BALANCE,
        errors.ReferenceReused: CommandStatus.RINVOPTPARAMVAL,
        errors.LimitReached: CommandStatus.RTHROTTLED,
        errors.QuotaReached: CommandStatus.RTHROTTLED,
        errors.AppLimitReached: CommandStatus.RTHROTTLED,
        errors.NumberLimitReached: CommandStatus.RTHROTTLED,
        errors.VerificationOver: CommandStatus.RSUBMITFAIL,
        errors.QueryEmpty: CommandStatus.RSUBMITFAIL,
        errors.QueryTooFrequent: CommandStatus.RTHROTTLED,
        errors.BadTime: CommandStatus.RSUBMITFAIL,
        errors.OutOfRange: CommandStatus.RSUBMITFAIL,
        errors.PlatformFailure: CommandStatus.RSYSERR,
        errors.DatabaseUnavailable: CommandStatus.RSYSERR,
        errors.DatabaseFailed: CommandStatus.RSYSERR,
        errors.Overloaded: CommandStatus.RMSGQFUL,
    }
)


KINDS: Final[Mapping[int, type[errors.HomingError]]] = {
    CommandStatus.RINVDSTADR: errors.NumbersAbnormal,
    CommandStatus.RTHROTTLED: errors.LimitReached,
}
"""Refusals that all dialects have, by the statuses with which requests are rejected as well."""


def shown_status(status: int) -> str:
    """Such as `0x0000000B ESME_RINVDSTADR`."""
    for kind, prefix in ((CommandStatus, "ESME_"), (VendorStatus, "")):
        if status in kind._value2member_map_:
            return f"0x{status:08X} {prefix}{kind(status).name}"
    return f"0x{status:08X}"


def status_of(error: BaseException) -> CommandStatus | VendorStatus:
    """The status to respond with for an error; RSYSERR for an unforeseen one."""
    if isinstance(error, RequestRejected):
        return error.status
    return STATUSES.of(type(error)) if isinstance(error, errors.HomingError) else CommandStatus.RSYSERR
