"""Problem documents as typed errors: which code is which, and what is not a problem document."""

from collections.abc import Mapping
from typing import Final

import msgspec

from homing_clients import errors
from homing_clients.call import ClientReply
from homing_clients.problem import Problem
from homing_clients.reading import Unreadable, body_of, failure_of, retry_after_s

PROBLEM_CODES: Final[Mapping[str, type[errors.Refused]]] = {
    "malformed_json": errors.BadParameter,
    "body_incomplete": errors.BodyIncomplete,
    "key_missing": errors.NotAuthenticated,
    "key_invalid": errors.NotAuthenticated,
    "insufficient_balance": errors.InsufficientBalance,
    "address_not_allowed": errors.AddressNotAllowed,
    "account_locked": errors.AccountLocked,
    "scope_missing": errors.ScopeMissing,
    "not_found": errors.HttpRefused,
    "message_not_found": errors.MessageUnknown,
    "verification_not_found": errors.VerificationUnknown,
    "webhook_not_found": errors.WebhookUnknown,
    "app_not_found": errors.AppUnknown,
    "event_not_found": errors.EventUnknown,
    "method_not_allowed": errors.HttpRefused,
    "body_late": errors.BodyIncomplete,
    "idempotency_key_reused": errors.KeyReused,
    "already_verified": errors.AlreadyVerified,
    "verification_over": errors.VerificationOver,
    "webhook_limit_reached": errors.Refused,
    "webhook_off": errors.WebhookOff,
    "too_late_to_cancel": errors.TooLateToCancel,
    "body_too_large": errors.HttpRefused,
    "unsupported_media_type": errors.HttpRefused,
    "invalid_request": errors.BadParameter,
    "unknown_member": errors.BadParameter,
    "webhook_url_refused": errors.BadParameter,
    "number_invalid": errors.NumbersInvalid,
    "number_national": errors.NumbersInvalid,
    "text_empty": errors.ContentEmpty,
    "text_too_long": errors.ContentTooLong,
    "sender_not_registered": errors.BadParameter,
    "app_unknown": errors.BadParameter,
    "template_unknown": errors.TemplateMissing,
    "sensitive_words": errors.SensitiveWords,
    "template_mismatch": errors.TemplateMismatch,
    "template_missing": errors.TemplateMissing,
    "no_route": errors.NoRoute,
    "destination_blocked": errors.NoRoute,
    "no_message_accepted": errors.NoMessageAccepted,
    "limit_reached": errors.TooFrequent,
    "quota_reached": errors.TooFrequent,
    "number_limit_reached": errors.NumberLimit,
    "app_limit_reached": errors.AppLimit,
    "too_many_requests": errors.TooFrequent,
    "internal_error": errors.VendorFault,
    "unavailable": errors.VendorFault,
    "overloaded": errors.VendorFault,
}
"""docs/reference/errors.md. A code that is not here is known by its HTTP status alone."""

SERVER_ERROR: Final = 500


def error_of_reply(reply: ClientReply) -> errors.ClientError:
    """The error of an answer other than success. An answer without a problem document goes by its HTTP status."""
    try:
        problem = msgspec.json.decode(body_of(reply), type=Problem)
    except (Unreadable, msgspec.MsgspecError, UnicodeDecodeError):
        return failure_of(reply)
    return error_of_problem(problem, reply.status, retry_after_s(reply))


def error_of_problem(problem: Problem, status: int, wait_s: float | None = None) -> errors.Refused:
    """The typed error. `status`: of the answer, or of one of many messages."""
    kind = PROBLEM_CODES.get(problem.code) or _kind_of_status(status)
    error = kind(
        problem.detail or problem.title,
        code=problem.code,
        http_status=status,
        retry_after_s=wait_s,
        in_doubt=issubclass(kind, errors.VendorFault),
    )
    error.problem = problem
    return error


def _kind_of_status(status: int) -> type[errors.Refused]:
    if status == 429:
        return errors.TooFrequent
    return errors.VendorFault if status >= SERVER_ERROR else errors.Refused
