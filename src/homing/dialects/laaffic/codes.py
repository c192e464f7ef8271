"""The laaffic dialect's codes of messages' states and of refusals (contract, sections 2, 6 and 10)."""

from collections.abc import Mapping
from typing import Final

from homing import errors
from homing.dialects.error_codes import ErrorCodes
from homing.dialects.laaffic import refusals
from homing.states import MessageState

ROW_STATUSES: Final[Mapping[MessageState, str | None]] = {
    MessageState.QUEUED: None,
    MessageState.SENDING: "-1",
    MessageState.SENT: "-1",
    MessageState.UNKNOWN: "-1",
    MessageState.DELIVERED: "0",
    MessageState.UNDELIVERABLE: "1",
    MessageState.EXPIRED: "1",
    MessageState.REJECTED: "1",
    MessageState.FAILED: "1",
}
"""A row's status in getReport; None: counted as `nofound`."""

FAILURE_REASONS: Final[Mapping[MessageState, str]] = {
    MessageState.UNDELIVERABLE: "Undeliverable",
    MessageState.EXPIRED: "Expired",
    MessageState.REJECTED: "Rejected",
    MessageState.FAILED: "Failed",
}
"""A report's `reason` where the carrier's receipt had neither text nor code."""

AUTHENTICATION: Final = "-1"
INTERFACE_FAULT: Final = "-18"
ABNORMAL_PARAMETER: Final = "-22"

CODES: Final = ErrorCodes(
    {
        errors.HomingError: INTERFACE_FAULT,
        errors.Refusal: ABNORMAL_PARAMETER,
        errors.BadShape: ABNORMAL_PARAMETER,
        errors.BadParameter: ABNORMAL_PARAMETER,
        errors.UnknownApp: AUTHENTICATION,
        errors.NumbersEmpty: "-8",
        errors.NumbersTooMany: "-7",
        errors.NumbersAbnormal: "-9",
        errors.NationalNumber: "-9",
        errors.ContentEmpty: "-4",
        errors.ContentTooLong: "-5",
        errors.SensitiveWords: "-3",
        errors.TemplateMismatch: "-6",
        errors.TemplateMissing: "-17",
        errors.BatchEmpty: "-14",
        errors.NoRoute: "-19",
        errors.FlashNotCarried: "-19",
        errors.DestinationBlocked: "-19",
        errors.InsufficientBalance: "-10",
        errors.ReferenceReused: ABNORMAL_PARAMETER,
        errors.LimitReached: "-27",
        errors.QuotaReached: "-15",
        errors.AppLimitReached: "-27",
        errors.NumberLimitReached: "-28",
        errors.VerificationOver: ABNORMAL_PARAMETER,
        errors.QueryEmpty: "-14",
        errors.QueryTooFrequent: "-15",
        errors.BadTime: "-11",
        errors.OutOfRange: "-25",
        refusals.NotAuthenticated: AUTHENTICATION,
        refusals.AddressNotAllowed: "-2",
        refusals.AccountLocked: "-13",
        refusals.TimestampExpired: "-16",
        refusals.BatchFailed: "-12",
        errors.PlatformFailure: INTERFACE_FAULT,
        errors.DatabaseUnavailable: INTERFACE_FAULT,
        errors.DatabaseFailed: INTERFACE_FAULT,
        errors.Overloaded: INTERFACE_FAULT,
    }
)
"""`status` by kind of refusal."""
