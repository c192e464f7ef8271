"""The lia dialect's words for a message's states and for refusals (contract, sections 3, 5 and 6)."""

from collections.abc import Mapping
from typing import Final

from homing import errors
from homing.dialects.error_codes import ErrorCodes
from homing.states import MessageState

STATE_WORDS: Final[Mapping[MessageState, str]] = {
    MessageState.QUEUED: "Pending",
    MessageState.SENDING: "Accepted",
    MessageState.SENT: "Acknowledged",
    MessageState.DELIVERED: "Delivered",
    MessageState.UNDELIVERABLE: "Undeliverable",
    MessageState.EXPIRED: "Expired",
    MessageState.REJECTED: "Rejected",
    MessageState.FAILED: "Failed",
    MessageState.UNKNOWN: "Unknown",
}
"""`DLRStatus`, of the query and of the report."""

INVALID_REQUEST: Final = "Invalid request"
SYSTEM_ERROR: Final = "System error, please try again"

REMARKS: Final = ErrorCodes(
    {
        errors.HomingError: SYSTEM_ERROR,
        errors.Refusal: INVALID_REQUEST,
        errors.BadShape: INVALID_REQUEST,
        errors.BadParameter: INVALID_REQUEST,
        errors.UnknownApp: INVALID_REQUEST,
        errors.NumbersEmpty: "phonenumber not specified",
        errors.NumbersTooMany: "Too many phonenumbers",
        errors.NumbersAbnormal: "Invalid phonenumber",
        errors.NationalNumber: "Invalid phonenumber: it begins with 0, the country code comes first",
        errors.ContentEmpty: "textmessage not specified",
        errors.ContentTooLong: "textmessage too long",
        errors.SensitiveWords: "textmessage contains sensitive words",
        errors.TemplateMismatch: "textmessage matches no template",
        errors.TemplateMissing: "Invalid templateid",
        errors.BatchEmpty: INVALID_REQUEST,
        errors.NoRoute: "No route for this phonenumber",
        errors.FlashNotCarried: "Flash messages are not carried to this phonenumber",
        errors.DestinationBlocked: "Destination blocked",
        errors.InsufficientBalance: "Insufficient balance",
        errors.ReferenceReused: "uid was used for another message to this phonenumber",
        errors.LimitReached: INVALID_REQUEST,
        errors.QuotaReached: "Too many messages",
        errors.AppLimitReached: INVALID_REQUEST,
        errors.NumberLimitReached: INVALID_REQUEST,
        errors.VerificationOver: INVALID_REQUEST,
        errors.QueryEmpty: "Invalid message_id",
        errors.QueryTooFrequent: INVALID_REQUEST,
        errors.BadTime: INVALID_REQUEST,
        errors.OutOfRange: INVALID_REQUEST,
        errors.PlatformFailure: SYSTEM_ERROR,
        errors.DatabaseUnavailable: SYSTEM_ERROR,
        errors.DatabaseFailed: SYSTEM_ERROR,
        errors.Overloaded: SYSTEM_ERROR,
    }
)
"""`remarks` by kind; where a refusal has a detail, that is the remark."""


def remark_of(refusal: errors.Refusal) -> str:
    return refusal.detail or REMARKS.of(type(refusal))
