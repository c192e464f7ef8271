"""The statuses of refusals and failures, and what is said of them."""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing import errors
from homing.api.http.call_keys import KeyProblem, KeyRefused
from homing.dialects.error_codes import ErrorCodes

STATUSES: Final = ErrorCodes(
    {
        errors.HomingError: 500,
        errors.Refusal: 400,
        errors.BadShape: 400,
        errors.BadParameter: 400,
        errors.UnknownApp: 400,
        errors.NumbersEmpty: 400,
        errors.NumbersTooMany: 400,
        errors.NumbersAbnormal: 400,
        errors.NationalNumber: 400,
        errors.ContentEmpty: 400,
        errors.ContentTooLong: 400,
        errors.SensitiveWords: 422,
        errors.TemplateMismatch: 422,
        errors.TemplateMissing: 422,
        errors.BatchEmpty: 400,
        errors.NoRoute: 422,
        errors.FlashNotCarried: 422,
        errors.DestinationBlocked: 403,
        errors.InsufficientBalance: 402,
        errors.ReferenceReused: 409,
        errors.LimitReached: 429,
        errors.QuotaReached: 429,
        errors.AppLimitReached: 429,
        errors.NumberLimitReached: 429,
        errors.VerificationOver: 409,
        errors.QueryEmpty: 400,
        errors.QueryTooFrequent: 429,
        errors.BadTime: 400,
        errors.OutOfRange: 400,
        errors.PlatformFailure: 503,
        errors.DatabaseUnavailable: 503,
        errors.DatabaseFailed: 503,
        errors.Overloaded: 503,
    }
)

NOT_VALID: Final = "The hook is unknown or revoked, or its secret or signature is wrong."
KEYS: Final[Mapping[KeyProblem, tuple[int, str]]] = {
    "missing": (401, "The call shows no secret."),
    "unknown": (401, NOT_VALID),
    "wrong": (401, NOT_VALID),
    "address": (403, "The account does not allow calls from this address."),
    "locked": (403, "The account is locked."),
}
FAILED: Final = "The service failed. Try again later."
PRIVATE: Final = "The message cannot be sent."
"""In place of a reason that concerns the account and not the person."""
PUBLIC: Final = (errors.NumbersAbnormal, errors.NumberLimitReached)
"""Reasons that the person who asked for the code may read."""


class HookError(msgspec.Struct, frozen=True):
    http_code: int
    message: str


class HookErrorBody(msgspec.Struct, frozen=True):
    """The body of an error, as Supabase has it."""

    error: HookError


def status_and_message(error: errors.HomingError, *, is_for_people: bool) -> tuple[int, str]:
    """`is_for_people`: the product shows the message to the person who signs in."""
    if isinstance(error, KeyRefused):
        return KEYS[error.problem]
    status = STATUSES.of(type(error))
    if not isinstance(error, errors.Refusal):
        return status, FAILED
    if is_for_people and not isinstance(error, PUBLIC):
        return status, PRIVATE
    return status, f"{error.detail or type(error).message()}."
