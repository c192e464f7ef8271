"""The English wordings of reasons (homing/reasons.py); the catalogues have the other languages. The {names} of a
wording are the names of its reason's values.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Final

from homing.common.money import trimmed
from homing.i18n.phrases import Phrase, english
from homing.model import CURRENCY
from homing.reasons import Reason, ReasonCode, decode_reason, encode_reason

WORDINGS: Final[Mapping[ReasonCode, Phrase]] = {
    ReasonCode.LEGACY_TEXT: Phrase("{text}"),
    ReasonCode.GUARD_DENY_LISTED: Phrase("{entry} is on the deny list"),
    ReasonCode.GUARD_BUDGET_HOUR_MESSAGES: Phrase("{messages} messages this hour, the budget allows {limit}"),
    ReasonCode.GUARD_BUDGET_DAY_MESSAGES: Phrase("{messages} messages today, the budget allows {limit}"),
    ReasonCode.GUARD_BUDGET_HOUR_MONEY: Phrase("{spent_micro} spent this hour, the budget allows {limit_micro}"),
    ReasonCode.GUARD_BUDGET_DAY_MONEY: Phrase("{spent_micro} spent today, the budget allows {limit_micro}"),
    ReasonCode.GUARD_BURST: Phrase("{messages} messages within minutes, {limit} pass before the range is assessed"),
    ReasonCode.GUARD_FLOOD: Phrase("{messages} recent messages without a conversion, at most {limit} may be open"),
    ReasonCode.GUARD_UNSEEN: Phrase(
        "{messages} messages without a conversion to places where hardly anybody converted so far, at most {limit} may"
        " be open"
    ),
    ReasonCode.GUARD_ADDRESS_BURST: Phrase(
        "{messages} messages within minutes from one end user's network ({part}), {limit} may be unverified"
    ),
    ReasonCode.GUARD_ADDRESS_UNCONVERTED: Phrase(
        "{messages} numbers from one end user's network ({part}); conversions: {conversions} observed, {expected}"
        " expected; odds of SMS pumping (AIT) {odds} to 1"
    ),
    ReasonCode.GUARD_RANGE_UNCONVERTED: Phrase(
        "conversions: {conversions} observed, {expected} expected; odds of SMS pumping (AIT) {odds} to 1"
    ),
    ReasonCode.GUARD_RANGE_DENSE: Phrase(
        "{messages} messages where {usual} are usual; conversions: {conversions} observed, {expected} expected; odds of"
        " SMS pumping (AIT) {odds} to 1"
    ),
    ReasonCode.GUARD_NETWORK_UNCONVERTED: Phrase(
        "in the whole network conversions: {conversions} observed, {expected} expected; odds of SMS pumping (AIT)"
        " {odds} to 1"
    ),
    ReasonCode.GUARD_NETWORK_SCATTERED: Phrase(
        "{ranges} ranges with two messages or more and no conversion within 20 minutes where {usual} are usual: an"
        " attack that uses each range for a few messages; {messages} messages an hour without a conversion, which cost"
        " {spent_micro} an hour"
    ),
    ReasonCode.GUARD_CLOSED: Phrase(
        "an attack is scattered over the ranges of the network: {percent} % of those without a conversion are closed"
    ),
    ReasonCode.GUARD_MONITORED: Phrase('the rule "{rule}" would refuse it ({scope}): {reason}'),
    ReasonCode.ROUTE_SHARES: Phrase("adaptive: drawn of {total} by version {version} of the shares"),
    ReasonCode.ROUTE_NOTHING_LEARNT: Phrase("adaptive: nothing learnt yet, by least cost"),
    ReasonCode.ROUTE_LEAST_COST: Phrase("least cost of {carriers} carriers: from {cost_micro} a segment"),
    ReasonCode.ROUTE_LEAST_COST_UNKNOWN: Phrase("least cost of {carriers} carriers: no cost is known"),
    ReasonCode.ROUTE_CARRIERS_DOWN: Phrase("carriers down: {down} of {carriers}"),
    ReasonCode.ROUTE_CARRIERS_TOO_EXPENSIVE: Phrase("carriers above the price ceiling: {carriers}"),
    ReasonCode.ROUTE_CARRIERS_WITHOUT_FLASH: Phrase("carriers without flash SMS: {carriers}"),
    ReasonCode.ROUTE_ANOTHER_CARRIER: Phrase("another carrier than for the code's earlier messages"),
    ReasonCode.RESEND_LIKELY_LOST: Phrase(
        "likely lost, sent again: {answered_ppm} of those who answer have done so by now; another message for"
        " {price_micro} wins {gain_ppm} of a person worth {worth_micro}"
    ),
    ReasonCode.RESEND_AFTER_RECEIPT: Phrase(
        "not delivered by the receipt, sent again: another message for {price_micro} wins {gain_ppm} of a person worth"
        " {worth_micro}"
    ),
    ReasonCode.ROUTE_ABOVE_CEILING: Phrase("costs {cost_micro} a segment, above the ceiling of {ceiling_micro}"),
    ReasonCode.ROUTE_ONLY_CARRIER: Phrase("the only carrier that can be used"),
    ReasonCode.ROUTE_OPTED_OUT: Phrase("the customer opted out of adaptive routing: by priority"),
    ReasonCode.ROUTE_NO_RECENT_TRAFFIC: Phrase("no traffic of this kind within the last hour: by cost"),
    ReasonCode.SHARES_BY_COST: Phrase(
        "{share_ppm} to the best of {carriers} carriers: {conversion_cost_micro} a conversion, {basis}"
    ),
    ReasonCode.SHARES_BY_RATE: Phrase(
        "{share_ppm} to the best of {carriers} carriers, no cost is known: {rate_ppm} converted, {basis}"
    ),
    ReasonCode.SHARES_BY_GAIN: Phrase(
        "{share_ppm} to the best of {carriers} carriers: {message_gain_micro} gained a message, {basis}"
    ),
    ReasonCode.SHARES_FROM_CONVERSIONS: Phrase("measured by conversions"),
    ReasonCode.SHARES_FROM_RECEIPTS: Phrase("measured by receipts, since no conversions are reported"),
    ReasonCode.SHARES_FROM_REPEATS: Phrase("measured by who asks for a code again, since no conversions are reported"),
    ReasonCode.SHARES_FROM_PRIOR: Phrase("not measured yet"),
    ReasonCode.SENDER_NOT_REGISTERED: Phrase("not registered to the account"),
    # Customers get the wordings of attempts and messages in reports, in English as they are here.
    ReasonCode.ATTEMPT_CLAIM_LAPSED: Phrase("its claim ended before its answer was recorded"),
    ReasonCode.ATTEMPT_PROCESS_DIED: Phrase("the process that was submitting it died"),
    ReasonCode.ATTEMPT_NO_ANSWER: Phrase("no answer"),
    ReasonCode.ATTEMPT_CARRIER_FAILED: Phrase("{error}"),
    ReasonCode.ATTEMPT_CARRIER_DOWN: Phrase("the carrier is down: not taken"),
    ReasonCode.ATTEMPT_CARRIER_SLOW: Phrase("the carrier is slow: not taken"),
    ReasonCode.ATTEMPT_NO_CONNECTION: Phrase("no free connection to the vendor"),
    ReasonCode.ATTEMPT_NO_FLASH: Phrase("this carrier sends no flash messages"),
    ReasonCode.MESSAGE_NO_RECEIPT: Phrase("no receipt within its validity"),
    ReasonCode.MESSAGE_NOT_SENT: Phrase("not sent within its validity"),
    ReasonCode.MESSAGE_CANCELLED: Phrase("cancelled by the customer"),
    ReasonCode.RECEIPTS_UNCONVERTED: Phrase(
        "conversions: {conversions} observed, {expected} expected from the rate of the other carriers in the same"
        " cells: {ratio_ppm} of it, Bayes factor {bayes_factor}; {delivered_ppm} of its messages reported as delivered,"
        " {peers_conversions} conversions of the others"
    ),
    ReasonCode.RECEIPTS_TOO_FAST: Phrase(
        "{share_ppm} of its {receipts} receipts come within a second, at most {peers_share_max_ppm} of another"
        " carrier's: a handset takes longer"
    ),
    ReasonCode.RECEIPTS_TOO_EVEN: Phrase(
        "{share_ppm} of its {receipts} receipts take the same time, at most {peers_share_max_ppm} of another carrier's:"
        " networks vary more"
    ),
    ReasonCode.CALL_INVALID: Phrase("the request is not valid: {detail}"),
    ReasonCode.CALL_KEY_MISSING: Phrase("the call has no key, or a part of it is missing"),
    ReasonCode.CALL_KEY_UNKNOWN: Phrase("the key is unknown or revoked"),
    ReasonCode.CALL_SECRET_WRONG: Phrase(
        "the secret or the signature is wrong, or the caller is locked out after many wrong ones"
    ),
    ReasonCode.CALL_ADDRESS_NOT_ALLOWED: Phrase("calls from this address are not allowed"),
    ReasonCode.CALL_ACCOUNT_LOCKED: Phrase("the account is locked"),
    ReasonCode.CALL_SCOPE_MISSING: Phrase("the key has not the scope {scope}"),
    ReasonCode.CALL_TIMESTAMP_EXPIRED: Phrase("the timestamp is too far from the present time"),
    ReasonCode.CALL_BINDS_TOO_MANY: Phrase("the account has as many binds as it may"),
    ReasonCode.CALL_APP_UNKNOWN: Phrase("there is no such app"),
    ReasonCode.CALL_SENDER_UNKNOWN: Phrase("the sender ID is not registered"),
    ReasonCode.CALL_NUMBERS_EMPTY: Phrase("no number was given"),
    ReasonCode.CALL_NUMBERS_TOO_MANY: Phrase("more numbers than one call may carry"),
    ReasonCode.CALL_NUMBER_INVALID: Phrase("the number is not valid"),
    ReasonCode.CALL_NUMBER_NATIONAL: Phrase("the number lacks its country code"),
    ReasonCode.CALL_TEXT_EMPTY: Phrase("the text is empty"),
    ReasonCode.CALL_TEXT_TOO_LONG: Phrase("the text is too long"),
    ReasonCode.CALL_SENSITIVE_WORDS: Phrase("the text has a word that may not be sent"),
    ReasonCode.CALL_TEMPLATE_MISMATCH: Phrase("the text matches none of the account's templates"),
    ReasonCode.CALL_TEMPLATE_MISSING: Phrase("the account must use templates and has none"),
    ReasonCode.CALL_NO_ROUTE: Phrase("no price or no route for this destination"),
    ReasonCode.CALL_NO_FLASH: Phrase("no carrier of the route sends flash messages"),
    ReasonCode.CALL_DESTINATION_BLOCKED: Phrase("the destination is blocked"),
    ReasonCode.CALL_BALANCE_INSUFFICIENT: Phrase("the account's money does not cover the submission"),
    ReasonCode.CALL_REFERENCE_REUSED: Phrase("the reference is that of another message to the number"),
    ReasonCode.CALL_LIMIT_REACHED: Phrase("a sending limit is reached"),
    ReasonCode.CALL_QUOTA_REACHED: Phrase("the quota of the account or the app is used up"),
    ReasonCode.CALL_APP_LIMIT_REACHED: Phrase("the app has sent as many codes as it may"),
    ReasonCode.CALL_NUMBER_LIMIT_REACHED: Phrase("as many codes as the limit allows were sent to the number"),
    ReasonCode.CALL_VERIFICATION_OVER: Phrase("the verification is over, or its code was sent as often as it may be"),
    ReasonCode.CALL_QUERIES_TOO_FAST: Phrase("queries come faster than the account may ask"),
    ReasonCode.CALL_NOT_FOUND: Phrase("nothing has this ID: {detail}"),
    ReasonCode.CALL_PATH_UNKNOWN: Phrase("the API has no path {path}: check the base URL"),
    ReasonCode.CALL_METHOD_WRONG: Phrase("the path is not called by {method}"),
    ReasonCode.CALL_KEY_REUSED: Phrase("the Idempotency-Key was used for another request"),
    ReasonCode.CALL_UNAVAILABLE: Phrase("the database could not be reached or did not answer in time"),
    ReasonCode.CALL_OVERLOADED: Phrase("more work was waiting than the limits allow"),
    ReasonCode.CALL_FAILED: Phrase("an error that nobody foresaw; it is in the log"),
}
VALUE_NAMES: Final = {
    code: {name for _literal, name, _spec, _conversion in Formatter().parse(phrase.text) if name}
    for code, phrase in WORDINGS.items()
}
TITLES: Final[Mapping[ReasonCode, Phrase]] = {
    ReasonCode.LEGACY_TEXT: Phrase("Another reason"),
    ReasonCode.GUARD_DENY_LISTED: Phrase("On the deny list"),
    ReasonCode.GUARD_BUDGET_HOUR_MESSAGES: Phrase("Hourly message budget spent"),
    ReasonCode.GUARD_BUDGET_DAY_MESSAGES: Phrase("Daily message budget spent"),
    ReasonCode.GUARD_BUDGET_HOUR_MONEY: Phrase("Hourly money budget spent"),
    ReasonCode.GUARD_BUDGET_DAY_MONEY: Phrase("Daily money budget spent"),
    ReasonCode.GUARD_BURST: Phrase("Burst to a range"),
    ReasonCode.GUARD_FLOOD: Phrase("Too many open messages"),
    ReasonCode.GUARD_UNSEEN: Phrase("Too many open messages to new places"),
    ReasonCode.GUARD_ADDRESS_BURST: Phrase("Burst from an address"),
    ReasonCode.GUARD_ADDRESS_UNCONVERTED: Phrase("Address without conversions"),
    ReasonCode.GUARD_RANGE_UNCONVERTED: Phrase("Range without conversions"),
    ReasonCode.GUARD_RANGE_DENSE: Phrase("Unusually dense range"),
    ReasonCode.GUARD_NETWORK_UNCONVERTED: Phrase("Network without conversions"),
    ReasonCode.GUARD_NETWORK_SCATTERED: Phrase("Attack scattered over ranges"),
    ReasonCode.GUARD_CLOSED: Phrase("Range closed in a scattered attack"),
}
"""Titles of the codes by which decisions are counted and filtered."""
CALL_TITLES: Final[Mapping[ReasonCode, Phrase]] = {
    ReasonCode.CALL_INVALID: Phrase("Invalid request"),
    ReasonCode.CALL_KEY_MISSING: Phrase("Key missing"),
    ReasonCode.CALL_KEY_UNKNOWN: Phrase("Unknown key"),
    ReasonCode.CALL_SECRET_WRONG: Phrase("Wrong secret"),
    ReasonCode.CALL_ADDRESS_NOT_ALLOWED: Phrase("Address not allowed"),
    ReasonCode.CALL_ACCOUNT_LOCKED: Phrase("Account locked"),
    ReasonCode.CALL_SCOPE_MISSING: Phrase("Scope missing"),
    ReasonCode.CALL_TIMESTAMP_EXPIRED: Phrase("Timestamp expired"),
    ReasonCode.CALL_BINDS_TOO_MANY: Phrase("Too many binds"),
    ReasonCode.CALL_APP_UNKNOWN: Phrase("Unknown app"),
    ReasonCode.CALL_SENDER_UNKNOWN: Phrase("Sender ID not registered"),
    ReasonCode.CALL_NUMBERS_EMPTY: Phrase("No number"),
    ReasonCode.CALL_NUMBERS_TOO_MANY: Phrase("Too many numbers"),
    ReasonCode.CALL_NUMBER_INVALID: Phrase("Invalid number"),
    ReasonCode.CALL_NUMBER_NATIONAL: Phrase("Number without country code"),
    ReasonCode.CALL_TEXT_EMPTY: Phrase("Empty text"),
    ReasonCode.CALL_TEXT_TOO_LONG: Phrase("Text too long"),
    ReasonCode.CALL_SENSITIVE_WORDS: Phrase("Sensitive word"),
    ReasonCode.CALL_TEMPLATE_MISMATCH: Phrase("No matching template"),
    ReasonCode.CALL_TEMPLATE_MISSING: Phrase("No template"),
    ReasonCode.CALL_NO_ROUTE: Phrase("No price or route"),
    ReasonCode.CALL_NO_FLASH: Phrase("Flash SMS not carried"),
    ReasonCode.CALL_DESTINATION_BLOCKED: Phrase("Destination blocked"),
    ReasonCode.CALL_BALANCE_INSUFFICIENT: Phrase("Insufficient balance"),
    ReasonCode.CALL_REFERENCE_REUSED: Phrase("Reference reused"),
    ReasonCode.CALL_LIMIT_REACHED: Phrase("Limit reached"),
    ReasonCode.CALL_QUOTA_REACHED: Phrase("Quota used up"),
    ReasonCode.CALL_APP_LIMIT_REACHED: Phrase("App limit reached"),
    ReasonCode.CALL_NUMBER_LIMIT_REACHED: Phrase("Number limit reached"),
    ReasonCode.CALL_VERIFICATION_OVER: Phrase("Verification over"),
    ReasonCode.CALL_QUERIES_TOO_FAST: Phrase("Queries too fast"),
    ReasonCode.CALL_NOT_FOUND: Phrase("Not found"),
    ReasonCode.CALL_PATH_UNKNOWN: Phrase("Unknown path"),
    ReasonCode.CALL_METHOD_WRONG: Phrase("Wrong method"),
    ReasonCode.CALL_KEY_REUSED: Phrase("Idempotency key reused"),
    ReasonCode.CALL_UNAVAILABLE: Phrase("Unavailable"),
    ReasonCode.CALL_OVERLOADED: Phrase("Overloaded"),
    ReasonCode.CALL_FAILED: Phrase("Failed"),
}
"""Likewise, refused calls."""
NAMES: Final[Mapping[str, Phrase]] = {
    "deny": Phrase("Deny list"),
    "budget": Phrase("Budget"),
    "range": Phrase("Range"),
    "burst": Phrase("Burst"),
    "network": Phrase("Whole network"),
    "flood": Phrase("Flood"),
    "address": Phrase("End user's address"),
}
"""Names of the guard's rules."""


def reason_phrase(reason: Reason) -> Phrase:
    """A reason's wording with its values."""
    if reason.values.keys() != VALUE_NAMES[reason.code]:  # stored by another release
        return WORDINGS[ReasonCode.LEGACY_TEXT].of(text=encode_reason(reason))
    return WORDINGS[reason.code].of(**{name: _displayed(name, value) for name, value in reason.values.items()})


def reason_title(code: str) -> Phrase:
    """The title of a code, for all reasons with it."""
    titles = {**TITLES, **CALL_TITLES}
    return next((title for title_code, title in titles.items() if title_code == code), TITLES[ReasonCode.LEGACY_TEXT])


def reason_text(reason: Reason) -> str:
    """A reason in English."""
    return english([reason_phrase(reason)])


def failure_text(error_text: str | None, reason: str | None) -> str:
    """The error text of a report: the carrier's text, or the reason (`reason`: as JSON) in English; '' if there is
    neither.
    """
    return error_text or ("" if reason is None else reason_text(decode_reason(reason)))


def reason_document(reason: Reason) -> Mapping[str, object]:
    """A reason for programs: its code and values, and the wording in English as `text`."""
    return {"code": reason.code, "values": reason.values, "text": reason_text(reason)}


def _displayed(name: str, value: int | float | str | Reason) -> object:
    if isinstance(value, Reason):
        return reason_phrase(value)
    if isinstance(value, str):
        return NAMES.get(value, value) if name == "rule" else value
    if name.endswith("_micro"):
        return f"{trimmed(round(value))} {CURRENCY}"
    if name.endswith("_ppm"):
        return f"{value / 10_000:.1f} %"
    if isinstance(value, float):
        return f"{value:g}" if value < 100_000 else f"{value:,.0f}"
    return value
