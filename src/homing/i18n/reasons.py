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
    ReasonCode.GUARD_MONITORED: Phrase('the rule "{rule}" would refuse it ({scope}): {reason}'),
    ReasonCode.ROUTE_SHARES: Phrase("adaptive: drawn of {total} by version {version} of the shares"),
    ReasonCode.ROUTE_NOTHING_LEARNT: Phrase("adaptive: nothing learnt yet, by least cost"),
    ReasonCode.ROUTE_LEAST_COST: Phrase("least cost of {carriers} carriers: from {cost_micro} a segment"),
    ReasonCode.ROUTE_LEAST_COST_UNKNOWN: Phrase("least cost of {carriers} carriers: no cost is known"),
    ReasonCode.ROUTE_CARRIERS_DOWN: Phrase("carriers down: {down} of {carriers}"),
    ReasonCode.ROUTE_CARRIERS_TOO_EXPENSIVE: Phrase("carriers above the price ceiling: {carriers}"),
    ReasonCode.ROUTE_CARRIERS_WITHOUT_FLASH: Phrase("carriers without flash SMS: {carriers}"),
    ReasonCode.ROUTE_ANOTHER_CARRIER: Phrase("another carrier than for the code's earlier messages"),
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
    ReasonCode.GUARD_RANGE_UNCONVERTED: Phrase("Range without conversions"),
    ReasonCode.GUARD_RANGE_DENSE: Phrase("Unusually dense range"),
    ReasonCode.GUARD_NETWORK_UNCONVERTED: Phrase("Network without conversions"),
}
"""Titles of the codes by which decisions are counted and filtered."""
NAMES: Final[Mapping[str, Phrase]] = {
    "deny": Phrase("Deny list"),
    "budget": Phrase("Budget"),
    "range": Phrase("Range"),
    "burst": Phrase("Burst"),
    "network": Phrase("Whole network"),
    "flood": Phrase("Flood"),
}
"""Names of the guard's rules."""


def reason_phrase(reason: Reason) -> Phrase:
    """A reason's wording with its values."""
    if reason.values.keys() != VALUE_NAMES[reason.code]:  # stored by another release
        return WORDINGS[ReasonCode.LEGACY_TEXT].of(text=encode_reason(reason))
    return WORDINGS[reason.code].of(**{name: _displayed(name, value) for name, value in reason.values.items()})


def reason_title(code: str) -> Phrase:
    """The title of a code, for all reasons with it."""
    return next((title for title_code, title in TITLES.items() if title_code == code), TITLES[ReasonCode.LEGACY_TEXT])


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
