"""What SMPP calls our refusals and failures: the command_status of each (docs/reference/smpp.md)."""

import enum
from typing import Final

from homing import errors
from homing.smpp.statuses import Status


class Own(enum.IntEnum):
    """Statuses of our own, from the range that section 5.1.3 leaves to message centres."""

    INSUFFICIENT_BALANCE = 0x400
    NO_ROUTE = 0x401
    UNSUPPORTED_CONTENT = 0x402
    SENSITIVE_WORDS = 0x403
    TEMPLATE = 0x404
    ACCOUNT_LOCKED = 0x405
    DESTINATION_BLOCKED = 0x406


class Unacceptable(errors.Refusal):
    """A PDU asks for what cannot be."""

    def __init__(self, status: Status | Own, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status


STATUSES: Final[dict[type[errors.HomingError], Status | Own]] = {
    errors.Refusal: Status.RSUBMITFAIL,
    errors.NumbersEmpty: Status.RINVDSTADR,
    errors.NumbersAbnormal: Status.RINVDSTADR,
    errors.NumbersTooMany: Status.RINVNUMDESTS,
    errors.ContentEmpty: Status.RINVMSGLEN,
    errors.ContentTooLong: Status.RINVMSGLEN,
    errors.SensitiveWords: Own.SENSITIVE_WORDS,
    errors.TemplateMismatch: Own.TEMPLATE,
    errors.TemplateMissing: Own.TEMPLATE,
    errors.NoRoute: Own.NO_ROUTE,
    errors.FlashNotCarried: Own.UNSUPPORTED_CONTENT,
    errors.DestinationBlocked: Own.DESTINATION_BLOCKED,
    errors.InsufficientBalance: Own.INSUFFICIENT_BALANCE,
    errors.QueryTooFrequent: Status.RTHROTTLED,
    errors.PlatformFailure: Status.RSYSERR,
    errors.Overloaded: Status.RMSGQFUL,
}
"""A class that is not here has its base class's status."""


def status_of(error: BaseException) -> Status | Own:
    """What to answer for an error; what nobody foresaw is our failure."""
    if isinstance(error, Unacceptable):
        return error.status
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return Status.RSYSERR
