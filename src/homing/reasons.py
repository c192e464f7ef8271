"""Why the platform decided something, as data: a code and values. Pure.

Stored as a JSON object, `{"code": "guard.burst", "values": {"messages": 12, "limit": 8}}`, and worded where a person
reads it, in that person's language (i18n/reasons.py). A value's name ends in its unit: `_micro` (micro-units
of the currency), `_ppm` (millionths), `_s` (seconds); without one it is a count, an id or a name. A value may be a
reason itself.
"""

import enum
from collections.abc import Mapping
from typing import Union

import msgspec


class ReasonCode(enum.StrEnum):
    """What was the case. docs/reference/reasons.md lists the codes with their values."""

    GUARD_DENY_LISTED = "guard.deny_listed"
    GUARD_BUDGET_HOUR_MESSAGES = "guard.budget_hour_messages"
    GUARD_BUDGET_DAY_MESSAGES = "guard.budget_day_messages"
    GUARD_BUDGET_HOUR_MONEY = "guard.budget_hour_money"
    GUARD_BUDGET_DAY_MONEY = "guard.budget_day_money"
    GUARD_BURST = "guard.burst"
    GUARD_FLOOD = "guard.flood"
    GUARD_UNSEEN = "guard.unseen"
    GUARD_ADDRESS_BURST = "guard.address_burst"
    GUARD_ADDRESS_UNCONVERTED = "guard.address_unconverted"
    GUARD_RANGE_UNCONVERTED = "guard.range_unconverted"
    GUARD_RANGE_DENSE = "guard.range_dense"
    GUARD_NETWORK_UNCONVERTED = "guard.network_unconverted"
    GUARD_NETWORK_SCATTERED = "guard.network_scattered"
    GUARD_CLOSED = "guard.closed"
    GUARD_MONITORED = "guard.monitored"  # the message went, and would be refused in the mode `block`
    ROUTE_SHARES = "route.shares"
    ROUTE_NOTHING_LEARNT = "route.nothing_learnt"
    ROUTE_LEAST_COST = "route.least_cost"
    ROUTE_LEAST_COST_UNKNOWN = "route.least_cost_unknown"
    ROUTE_CARRIERS_DOWN = "route.carriers_down"
    ROUTE_CARRIERS_TOO_EXPENSIVE = "route.carriers_too_expensive"
    ROUTE_CARRIERS_WITHOUT_FLASH = "route.carriers_without_flash"
    ROUTE_ANOTHER_CARRIER = "route.another_carrier"
    RESEND_LIKELY_LOST = "resend.likely_lost"
    RESEND_AFTER_RECEIPT = "resend.after_receipt"  # the carrier has said that the last message did not arrive
    ROUTE_ABOVE_CEILING = "route.above_ceiling"
    ROUTE_ONLY_CARRIER = "route.only_carrier"
    ROUTE_OPTED_OUT = "route.opted_out"
    ROUTE_NO_RECENT_TRAFFIC = "route.no_recent_traffic"
    SHARES_BY_COST = "shares.by_cost"
    SHARES_BY_RATE = "shares.by_rate"  # no carrier's cost is known
    SHARES_BY_GAIN = "shares.by_gain"
    SHARES_FROM_CONVERSIONS = "shares.from_conversions"
    SHARES_FROM_RECEIPTS = "shares.from_receipts"
    SHARES_FROM_REPEATS = "shares.from_repeats"
    SHARES_FROM_PRIOR = "shares.from_prior"
    SENDER_NOT_REGISTERED = "sender.not_registered"
    ATTEMPT_CLAIM_LAPSED = "attempt.claim_lapsed"
    ATTEMPT_PROCESS_DIED = "attempt.process_died"
    ATTEMPT_NO_ANSWER = "attempt.no_answer"
    ATTEMPT_CARRIER_FAILED = "attempt.carrier_failed"  # an error that nobody foresaw
    ATTEMPT_CARRIER_DOWN = "attempt.carrier_down"
    ATTEMPT_CARRIER_SLOW = "attempt.carrier_slow"
    ATTEMPT_NO_CONNECTION = "attempt.no_connection"
    ATTEMPT_NO_FLASH = "attempt.no_flash"
    MESSAGE_NO_RECEIPT = "message.no_receipt"
    MESSAGE_NOT_SENT = "message.not_sent"
    MESSAGE_CANCELLED = "message.cancelled"
    RECEIPTS_UNCONVERTED = "receipts.unconverted"
    RECEIPTS_TOO_FAST = "receipts.too_fast"
    RECEIPTS_TOO_EVEN = "receipts.too_even"
    CALL_INVALID = "call.invalid"
    CALL_KEY_MISSING = "call.key_missing"
    CALL_KEY_UNKNOWN = "call.key_unknown"
    CALL_SECRET_WRONG = "call.secret_wrong"  # noqa: S105 - or too many wrong ones came before
    CALL_ADDRESS_NOT_ALLOWED = "call.address_not_allowed"
    CALL_ACCOUNT_LOCKED = "call.account_locked"
    CALL_SCOPE_MISSING = "call.scope_missing"
    CALL_TIMESTAMP_EXPIRED = "call.timestamp_expired"
    CALL_BINDS_TOO_MANY = "call.binds_too_many"
    CALL_APP_UNKNOWN = "call.app_unknown"
    CALL_SENDER_UNKNOWN = "call.sender_unknown"
    CALL_NUMBERS_EMPTY = "call.numbers_empty"
    CALL_NUMBERS_TOO_MANY = "call.numbers_too_many"
    CALL_NUMBER_INVALID = "call.number_invalid"
    CALL_NUMBER_NATIONAL = "call.number_national"
    CALL_TEXT_EMPTY = "call.text_empty"
    CALL_TEXT_TOO_LONG = "call.text_too_long"
    CALL_SENSITIVE_WORDS = "call.sensitive_words"
    CALL_TEMPLATE_MISMATCH = "call.template_mismatch"
    CALL_TEMPLATE_MISSING = "call.template_missing"
    CALL_NO_ROUTE = "call.no_route"
    CALL_NO_FLASH = "call.no_flash"
    CALL_DESTINATION_BLOCKED = "call.destination_blocked"
    CALL_BALANCE_INSUFFICIENT = "call.balance_insufficient"
    CALL_REFERENCE_REUSED = "call.reference_reused"
    CALL_LIMIT_REACHED = "call.limit_reached"
    CALL_QUOTA_REACHED = "call.quota_reached"
    CALL_APP_LIMIT_REACHED = "call.app_limit_reached"
    CALL_NUMBER_LIMIT_REACHED = "call.number_limit_reached"
    CALL_VERIFICATION_OVER = "call.verification_over"
    CALL_QUERIES_TOO_FAST = "call.queries_too_fast"
    CALL_NOT_FOUND = "call.not_found"
    CALL_PATH_UNKNOWN = "call.path_unknown"
    CALL_METHOD_WRONG = "call.method_wrong"
    CALL_KEY_REUSED = "call.key_reused"
    CALL_UNAVAILABLE = "call.unavailable"
    CALL_OVERLOADED = "call.overloaded"
    CALL_FAILED = "call.failed"
    LEGACY_TEXT = "legacy.text"  # a sentence, or a code of another release: shown as it is


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """`values` by name: numbers, texts, and reasons."""

    code: ReasonCode
    values: Mapping[str, Union[int, float, str, "Reason"]] = {}

    @classmethod
    def of(cls, code: ReasonCode, /, **values: Union[int, float, str, "Reason"]) -> "Reason":
        """Example: `Reason.of(ReasonCode.GUARD_BURST, messages=12, limit=8)`."""
        return cls(code, values)


def encode_reason(reason: Reason) -> str:
    """As a JSON object."""
    return msgspec.json.encode(reason).decode()


def decode_reason(written: str) -> Reason:
    """From a JSON object. What is not known here, such as another release's code, becomes a `LEGACY_TEXT`."""
    return plain_reason(msgspec.json.decode(written))


def plain_reason(plain: object) -> Reason:
    """Likewise, from a JSON value that is decoded already."""
    try:
        return msgspec.convert(plain, Reason)
    except msgspec.ValidationError:
        text = plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
        return Reason.of(ReasonCode.LEGACY_TEXT, text=text)


def ppm(share: float) -> int:
    """A share 0..1 in millionths."""
    return round(share * 1_000_000)


def rounded(value: float, digits: int = 2) -> float:
    """To so many significant digits: no more than an estimate has."""
    return float(f"{value:.{digits}g}")
