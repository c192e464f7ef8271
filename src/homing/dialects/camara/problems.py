"""The codes of refusals and failures, with their statuses (One Time Password SMS 1.1; CAMARA Commonalities 0.5)."""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing import errors
from homing.accounts.refused_calls import HasReason
from homing.api.http.call_keys import KeyProblem, KeyRefused
from homing.dialects.error_codes import ErrorCodes
from homing.model import CheckOutcome
from homing.reasons import Reason, ReasonCode


class CamaraCode(msgspec.Struct, frozen=True):
    """A status and the code that stands with it."""

    status: int
    code: str


class CamaraRefusal(errors.Refusal):
    """The call is refused with one of the definition's codes."""

    def __init__(self, code: CamaraCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class CodeNotRight(CamaraRefusal):
    """The entered code is not right, or no longer: the verification's story, and no fault of the call."""


class CamaraScopeMissing(CamaraRefusal, HasReason):
    """The key is for other calls."""

    def __init__(self, code: CamaraCode, scope: str) -> None:
        super().__init__(code, f"The key has not the scope {scope}.")
        self.reason = Reason.of(ReasonCode.CALL_SCOPE_MISSING, scope=scope)


OWN: Final = "ONE_TIME_PASSWORD_SMS."
INVALID_ARGUMENT: Final = CamaraCode(400, "INVALID_ARGUMENT")
VERIFICATION_EXPIRED: Final = CamaraCode(400, f"{OWN}VERIFICATION_EXPIRED")
VERIFICATION_FAILED: Final = CamaraCode(400, f"{OWN}VERIFICATION_FAILED")
INVALID_OTP: Final = CamaraCode(400, f"{OWN}INVALID_OTP")
UNAUTHENTICATED: Final = CamaraCode(401, "UNAUTHENTICATED")
PERMISSION_DENIED: Final = CamaraCode(403, "PERMISSION_DENIED")
MAX_OTP_CODES_EXCEEDED: Final = CamaraCode(403, f"{OWN}MAX_OTP_CODES_EXCEEDED")
PHONE_NUMBER_NOT_ALLOWED: Final = CamaraCode(403, f"{OWN}PHONE_NUMBER_NOT_ALLOWED")
NOT_FOUND: Final = CamaraCode(404, "NOT_FOUND")
METHOD_NOT_ALLOWED: Final = CamaraCode(405, "METHOD_NOT_ALLOWED")
UNSUPPORTED_MEDIA_TYPE: Final = CamaraCode(415, "UNSUPPORTED_MEDIA_TYPE")
QUOTA_EXCEEDED: Final = CamaraCode(429, "QUOTA_EXCEEDED")
TOO_MANY_REQUESTS: Final = CamaraCode(429, "TOO_MANY_REQUESTS")
INTERNAL: Final = CamaraCode(500, "INTERNAL")
UNAVAILABLE: Final = CamaraCode(503, "UNAVAILABLE")

CODES: Final = ErrorCodes(
    {
        errors.HomingError: INTERNAL,
        errors.Refusal: INVALID_ARGUMENT,
        errors.BadShape: INVALID_ARGUMENT,
        errors.BadParameter: INVALID_ARGUMENT,
        errors.UnknownApp: PERMISSION_DENIED,
        errors.NumbersEmpty: INVALID_ARGUMENT,
        errors.NumbersTooMany: INVALID_ARGUMENT,
        errors.NumbersAbnormal: INVALID_ARGUMENT,
        errors.NationalNumber: INVALID_ARGUMENT,
        errors.ContentEmpty: INVALID_ARGUMENT,
        errors.ContentTooLong: INVALID_ARGUMENT,
        errors.SensitiveWords: INVALID_ARGUMENT,
        errors.TemplateMismatch: INVALID_ARGUMENT,
        errors.TemplateMissing: PERMISSION_DENIED,
        errors.BatchEmpty: INVALID_ARGUMENT,
        errors.NoRoute: NOT_FOUND,
        errors.FlashNotCarried: NOT_FOUND,
        errors.DestinationBlocked: PHONE_NUMBER_NOT_ALLOWED,
        errors.InsufficientBalance: QUOTA_EXCEEDED,
        errors.ReferenceReused: INVALID_ARGUMENT,
        errors.LimitReached: TOO_MANY_REQUESTS,
        errors.QuotaReached: QUOTA_EXCEEDED,
        errors.AppLimitReached: QUOTA_EXCEEDED,
        errors.NumberLimitReached: MAX_OTP_CODES_EXCEEDED,
        errors.VerificationOver: VERIFICATION_EXPIRED,
        errors.QueryEmpty: INVALID_ARGUMENT,
        errors.QueryTooFrequent: TOO_MANY_REQUESTS,
        errors.BadTime: INVALID_ARGUMENT,
        errors.OutOfRange: INVALID_ARGUMENT,
        errors.PlatformFailure: UNAVAILABLE,
        errors.DatabaseUnavailable: UNAVAILABLE,
        errors.DatabaseFailed: INTERNAL,
        errors.Overloaded: TOO_MANY_REQUESTS,
    }
)

NOT_VALID: Final = "The key is unknown or revoked, or its secret is wrong."
KEYS: Final[Mapping[KeyProblem, tuple[CamaraCode, str]]] = {
    "missing": (UNAUTHENTICATED, "The call has no header Authorization: Bearer hm_KEY_SECRET."),
    "unknown": (UNAUTHENTICATED, NOT_VALID),
    "wrong": (UNAUTHENTICATED, NOT_VALID),
    "address": (PERMISSION_DENIED, "The account does not allow calls from this address."),
    "locked": (PERMISSION_DENIED, "The account is locked."),
}

CHECKS: Final[Mapping[CheckOutcome, tuple[CamaraCode, str]]] = {
    CheckOutcome.WRONG: (INVALID_OTP, "The code is wrong."),
    CheckOutcome.EXPIRED: (VERIFICATION_EXPIRED, "The code is no longer valid: it was sent too long ago."),
    CheckOutcome.TOO_MANY_ATTEMPTS: (VERIFICATION_FAILED, "Too many wrong codes were entered."),
    CheckOutcome.ALREADY_VERIFIED: (VERIFICATION_EXPIRED, "The code was used already."),
    CheckOutcome.CANCELLED: (VERIFICATION_EXPIRED, "A newer code was sent to this number."),
    CheckOutcome.UNKNOWN: (NOT_FOUND, "There is no such authenticationId."),
}
"""Of a check that did not succeed."""


def code_and_message(error: errors.HomingError) -> tuple[CamaraCode, str]:
    """What a refusal or failure is answered with. A failure's cause is not told."""
    if isinstance(error, CamaraRefusal):
        return error.code, error.detail
    if isinstance(error, KeyRefused):
        return KEYS[error.problem]
    if not isinstance(error, errors.Refusal):
        return CODES.of(type(error)), "The service failed. Try again later."
    return CODES.of(type(error)), f"{error.detail or type(error).message()}."
