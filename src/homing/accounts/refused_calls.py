"""Why a call was refused, as data: what the customer got, and the reason behind it."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from homing import errors
from homing.common.storable_text import storable_text
from homing.dialects.error_codes import ErrorCodes
from homing.reasons import Reason, ReasonCode

DETAIL_CHARS_MAX: Final = 160
DIGITS: Final = re.compile(r"\d{5,}")
"""Digits that may be a person's number or a code: no log of calls repeats them."""

REASONS: Final[Mapping[type[errors.HomingError], Reason]] = {
    errors.HomingError: Reason.of(ReasonCode.CALL_FAILED),
    errors.UnknownApp: Reason.of(ReasonCode.CALL_APP_UNKNOWN),
    errors.NumbersEmpty: Reason.of(ReasonCode.CALL_NUMBERS_EMPTY),
    errors.NumbersTooMany: Reason.of(ReasonCode.CALL_NUMBERS_TOO_MANY),
    errors.NumbersAbnormal: Reason.of(ReasonCode.CALL_NUMBER_INVALID),
    errors.NationalNumber: Reason.of(ReasonCode.CALL_NUMBER_NATIONAL),
    errors.ContentEmpty: Reason.of(ReasonCode.CALL_TEXT_EMPTY),
    errors.ContentTooLong: Reason.of(ReasonCode.CALL_TEXT_TOO_LONG),
    errors.SensitiveWords: Reason.of(ReasonCode.CALL_SENSITIVE_WORDS),
    errors.TemplateMismatch: Reason.of(ReasonCode.CALL_TEMPLATE_MISMATCH),
    errors.TemplateMissing: Reason.of(ReasonCode.CALL_TEMPLATE_MISSING),
    errors.NoRoute: Reason.of(ReasonCode.CALL_NO_ROUTE),
    errors.FlashNotCarried: Reason.of(ReasonCode.CALL_NO_FLASH),
    errors.DestinationBlocked: Reason.of(ReasonCode.CALL_DESTINATION_BLOCKED),
    errors.InsufficientBalance: Reason.of(ReasonCode.CALL_BALANCE_INSUFFICIENT),
    errors.ReferenceReused: Reason.of(ReasonCode.CALL_REFERENCE_REUSED),
    errors.LimitReached: Reason.of(ReasonCode.CALL_LIMIT_REACHED),
    errors.QuotaReached: Reason.of(ReasonCode.CALL_QUOTA_REACHED),
    errors.AppLimitReached: Reason.of(ReasonCode.CALL_APP_LIMIT_REACHED),
    errors.NumberLimitReached: Reason.of(ReasonCode.CALL_NUMBER_LIMIT_REACHED),
    errors.VerificationOver: Reason.of(ReasonCode.CALL_VERIFICATION_OVER),
    errors.QueryTooFrequent: Reason.of(ReasonCode.CALL_QUERIES_TOO_FAST),
    errors.DatabaseUnavailable: Reason.of(ReasonCode.CALL_UNAVAILABLE),
    errors.DatabaseFailed: Reason.of(ReasonCode.CALL_UNAVAILABLE),
    errors.Overloaded: Reason.of(ReasonCode.CALL_OVERLOADED),
}
"""Of refusals and failures that say why by their kind. Other refusals say it by their detail."""
_KINDS: Final = ErrorCodes({errors.Refusal: None, **REASONS})


class HasReason:
    """Beside a kind of refusal that a dialect alone has: `reason` says why."""

    reason: Reason


class Caller(msgspec.Struct, frozen=True):
    """Who made a call: the account whose key it names, None for a key that is unknown or missing."""

    account_id: int | None
    key: str


STRANGER: Final = Caller(None, "")


class RefusedCall(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call, or of some of its messages.

    `code`: as the customer got it. `messages`: that were refused; 0 where the call sends none, or nobody knows how
    many. `app_id`: that it named, if any.
    """

    code: str
    reason: Reason
    messages: int = 0
    app_id: str = ""


def reason_for(error: errors.HomingError | type[errors.HomingError]) -> Reason:
    """The reason of a refusal or a failure."""
    if isinstance(error, HasReason):
        return error.reason
    kind = error if isinstance(error, type) else type(error)
    reason = _KINDS.of(kind)
    if reason is not None:
        return reason
    return invalid(kind.message() if isinstance(error, type) else error.detail or kind.message())


def invalid(detail: str) -> Reason:
    """That the request is not valid; `detail` says what is wrong. Long digits in it are left out."""
    return Reason.of(ReasonCode.CALL_INVALID, detail=hidden(detail))


def hidden(detail: str) -> str:
    """A text that is fit to be kept."""
    return storable_text(DIGITS.sub("…", detail), DETAIL_CHARS_MAX)
