"""What `homing guard` prints: the columns of its tables."""

from collections.abc import Callable

from homing.cli.show import (
    COUNT,
    MONEY,
    PLAIN_MONEY,
    PROSE,
    REASON,
    RECENT,
    SCOPE,
    TIME,
    URL,
    YES,
    Column,
    ColumnKind,
    enum_kind,
)
from homing.common import money
from homing.guard.backtest import Between
from homing.guard.risk import RiskLevel
from homing.guard.rules import RuleMode
from homing.guard.strictness import Strictness
from homing.model import GuardAction

RULES_SET = (
    Column("rule", "Rule"),
    Column("mode", "Mode", enum_kind(RuleMode)),
    Column("account", "For", SCOPE),
    Column("meaning", "Blocks when", PROSE),
)
WHOLE = ColumnKind(text=lambda count: f"{count:.0f}", json=lambda count: round(count, 1), right=True)
LISTS = (
    Column("entry", "List"),
    Column("kind", "Kind"),
    Column("value", "Destination"),
    Column("account", "For", SCOPE),
    Column("note", "Note", PROSE),
)
BUDGETS = (
    Column("country", "Country"),
    Column("account", "For", SCOPE),
    Column("hour_messages", "Messages/h", COUNT),
    Column("day_messages", "Messages/day", COUNT),
    Column("hour_micro", "Amount/h", MONEY),
    Column("day_micro", "Amount/day", MONEY),
)
RISKS = (
    Column("value", "Destination"),
    Column("kind", "Kind"),
    Column("account", "For", SCOPE),
    Column("level", "Risk", enum_kind(RiskLevel)),
    Column("note", "Note", PROSE),
)
LEARNT = (
    Column("country", "Country"),
    Column("account", "For", ColumnKind(absent="accounts new there")),
    Column("expected", "Expected conversions", WHOLE),
    Column("converted", "Conversions", WHOLE),
    Column(
        "nats", "Risk, nats", ColumnKind(text=lambda nats: f"+{nats:.2f}", json=lambda nats: round(nats, 3), right=True)
    ),
)
ALERTS = (
    Column("account", "Account", SCOPE),
    Column("url", "Alert webhook", URL),
)
DECISIONS = (
    Column("at", "At (UTC)", RECENT, is_key=True),
    Column("account", "Account"),
    Column("message_id", programs_only=True),
    Column("number", "Number", is_key=True),
    Column("country", programs_only=True),
    Column("action", "Action", enum_kind(GuardAction)),
    Column("rule", "Rule"),
    Column("scope", "Where"),
    Column("reason", "Reason", REASON),
    Column("charge_micro", "Charge", PLAIN_MONEY),
)
SAVED = (
    Column("account", "Account"),
    Column("country", "Country"),
    Column("rule", "Rule"),
    Column("action", "Action", enum_kind(GuardAction)),
    Column("messages", "Messages", COUNT),
    Column("charge_micro", "Charge", MONEY),
)
REASONS = (
    Column("reason_code", "Reason"),
    Column("title", "Meaning"),
    Column("action", "Action", enum_kind(GuardAction)),
    Column("messages", "Messages", COUNT),
    Column("charge_micro", "Charge", MONEY),
    Column("last_at", "Last (UTC)", RECENT),
)
VERDICTS = (
    Column("range", "Range", people_only=True),
    Column("digits", programs_only=True),
    Column("account", "Account"),
    Column("app", programs_only=True),
    Column("country", programs_only=True),
    Column("network", programs_only=True),
    Column("reason", "Reason", REASON),
    Column("may_block", "Can be blocked", YES),
    Column("since", "Since (UTC)", RECENT),
    Column("until", "Until (UTC)", RECENT),
    Column("lifted_at", kind=TIME, programs_only=True),
)
ADDRESSES = (
    Column("name", "Address", is_key=True),
    Column("account", "Account"),
    Column("reason", "Reason", REASON),
    Column("since", "Since (UTC)", RECENT),
    Column("until", "Until (UTC)", RECENT),
)
STRICTNESS = (
    Column("account", "For", SCOPE),
    Column("strictness", "Strictness", enum_kind(Strictness)),
)


def _interval(amount: Callable[[float], object]) -> ColumnKind:
    """An estimate with its interval."""
    return ColumnKind(
        text=lambda between: f"{amount(between.value)} ({amount(between.low)} to {amount(between.high)})",
        json=lambda between: {name: amount(getattr(between, name)) for name in Between.__struct_fields__},
        members=Between.__struct_fields__,
        absent="not known",
        right=True,
    )


STRICTNESS_REPORT = (
    Column("account", "Account"),
    Column("strictness", "Strictness", enum_kind(Strictness), is_key=True),
    Column("is_set", "Set", YES),
    Column("since", "Since (UTC)", RECENT),
    Column("until", programs_only=True),
    Column("made_at", programs_only=True),
    Column("messages", "Messages", COUNT),
    Column("refused", "Blocked", COUNT),
    Column("refused_charge_micro", "Their charge", MONEY),
    Column("people", "Of these people", _interval(round)),
    Column("stopped_micro", "Pumping stopped", _interval(lambda micro: money.fixed(round(micro)))),
)
SUGGESTIONS = (
    Column("account", "Account"),
    Column("country", "Country"),
    Column("hour_messages", "Budget/h", COUNT),
    Column("hours", "Hours of data", COUNT),
    Column("people", "Legitimate messages blocked", COUNT),
    Column("refused", "Messages blocked", COUNT),
    Column("refused_charge_micro", "Their charge", MONEY),
)
