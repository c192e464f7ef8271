"""The guard: verdicts, decisions, what they saved, and operators' settings."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.admin import guard_settings
from homing.admin.setting_warnings import SettingWarning, push_address_warnings
from homing.console import form_values
from homing.console.languages import N_
from homing.console.page import STAFF, NavigationEntry, NavigationGroup, Page, PageSection
from homing.console.paging import moment_key, page_of, read_moment_key
from homing.console.request_context import RequestContext
from homing.guard.rules import RULES, RuleMode
from homing.i18n.reasons import TITLES
from homing.model import GENERAL, GuardAction
from homing.store import statements
from homing.store.statements.guard import ReasonCountRow, RuleSavingRow

SAVED_DAYS: Final = 30
ROWS_MAX: Final = 500
"""Of lists and budgets, which people write by hand."""
RULE_WORDS: Final = {
    "deny": (N_("Deny list"), N_("the destination is on the deny list")),
    "budget": (N_("Budget"), N_("the country's budget is used up")),
    "range": (N_("Range"), N_("the number range is suspected of SMS pumping")),
    "burst": (N_("Burst"), N_("more messages to a number range than allowed before it has been assessed")),
    "network": (N_("Whole network"), N_("the whole network is suspected of SMS pumping")),
    "flood": (N_("Flood"), N_("too many messages without a conversion to one network or country")),
}
"""A rule's name, and when it refuses."""
MODES: Final = {RuleMode.OFF: N_("Off"), RuleMode.MONITOR: N_("Monitor"), RuleMode.BLOCK: N_("Block")}
ACTIONS: Final = {
    GuardAction.MONITOR: ("warn", N_("Would have been blocked")),
    GuardAction.BLOCK: ("bad", N_("Blocked")),
}
WORDS: Final[Mapping[str, Any]] = {
    "rule_words": RULE_WORDS,
    "mode_words": MODES,
    "action_words": ACTIONS,
    "reason_codes": [*TITLES],
}


class GuardSavings(msgspec.Struct, frozen=True):
    """Messages and their charge of 30 days: that were refused, and that would have been."""

    refused: int
    refused_micro: int
    watched: int
    watched_micro: int


# --- at a glance --------------------------------------------------------------------------------------------------


async def show(context: RequestContext) -> Response:
    database = context.database
    rows = await statements.guard.guard_verdicts_page(
        database, before_id=context.asked_id("before"), rows_max=limits.CONSOLE_PAGE_ROWS + 1
    )
    shown = page_of(rows, lambda row: row.verdict_id)
    modes = await guard_settings.read_modes(database)
    since = context.now - timedelta(days=SAVED_DAYS)
    by_rule = await context.shared.live.kept_longer.get(
        "guard_saved", lambda: statements.guard.guard_saved_by_rule(database, since=since)
    )
    return context.page(
        "guard.html",
        verdicts=shown.rows,
        older_key=shown.older,
        count=await statements.guard.guard_verdicts_count(database),
        general=[one for one in modes if one.account is None],
        own=[one for one in modes if one.account is not None],
        version=_modes_version(context, modes),
        saved=_saved(by_rule),
        by_rule=_by_rule(by_rule),
        **WORDS,
    )


async def change(context: RequestContext) -> Response:
    match context.field("do"):
        case "lift":
            return await _lift(context)
        case _:
            return await _set_modes(context)


async def _lift(context: RequestContext) -> Response:
    digits, account = context.field("digits"), context.field("account")
    owner = await form_values.account_id(context, account) if account else None
    async with context.changing() as transaction:
        await guard_settings.lift(transaction, digits, owner)
    return context.go("/guard", context.say("{digits} will be released within seconds.", digits=digits))


async def _set_modes(context: RequestContext) -> Response:
    owner = await form_values.account_id(context, context.field("account"))
    wanted = {rule: RuleMode(int(text)) for rule in RULES if (text := context.field(f"mode_{rule}")) in ("0", "1", "2")}
    async with context.changing() as transaction:
        await guard_settings.hold_modes(transaction)
        now = await guard_settings.read_modes(transaction)
        if context.field("version") != _modes_version(context, now):
            context.check_version({})  # says so
        owners = now if owner == GENERAL else await guard_settings.read_modes(transaction, owner)
        held = {one.rule: one.mode for one in owners if one.account is None or owner != GENERAL}  # its own comes later
        for mode in RuleMode:
            rules = [rule for rule, one in wanted.items() if one is mode and held.get(rule) is not mode]
            if rules:
                await guard_settings.set_modes(transaction, owner, rules, mode)
    return context.go("/guard", context.say("Rules saved."))


def _modes_version(context: RequestContext, modes: Sequence[guard_settings.GuardModeSetting]) -> str:
    return context.version({f"{one.account or ''}/{one.rule}": int(one.mode) for one in modes})


def _saved(rows: Sequence[RuleSavingRow | ReasonCountRow]) -> GuardSavings:
    refused = [row for row in rows if row.action == GuardAction.BLOCK]
    watched = [row for row in rows if row.action == GuardAction.MONITOR]
    return GuardSavings(
        sum(row.messages for row in refused),
        sum(row.charge_micro for row in refused),
        sum(row.messages for row in watched),
        sum(row.charge_micro for row in watched),
    )


def _by_rule(rows: Sequence[RuleSavingRow]) -> Mapping[str, GuardSavings]:
    rules = {row.rule for row in rows}
    return {rule: _saved([row for row in rows if row.rule == rule]) for rule in rules}


def _by_reason(rows: Sequence[ReasonCountRow]) -> Mapping[str, GuardSavings]:
    codes = dict.fromkeys(row.reason_code for row in rows)
    return {code: _saved([row for row in rows if row.reason_code == code]) for code in codes}


# --- decisions ----------------------------------------------------------------------------------------------------


async def show_decisions(context: RequestContext) -> Response:
    """What rests on a rule alone is looked for among the latest so many decisions: there is no end to them. Those for a
    reason are found by an index; of them an account's or a rule's in the same way.
    """
    rule, reason, account, trouble = context.asked("rule"), context.asked("reason"), context.asked("account"), None
    rule, reason = rule if rule in RULES else "", reason if reason in TITLES else ""
    owner = GENERAL
    try:
        owner = await form_values.account_id(context, account)
    except errors.InvalidInput as error:
        trouble = context.word(error)
    rows_max = limits.CONSOLE_PAGE_ROWS
    is_cut = bool(rule or (reason and owner != GENERAL))
    looked_at = limits.GUARD_DECISIONS_LOOKED_AT if is_cut else rows_max + 1
    at, before_id = read_moment_key(context.asked("before")) or (None, None)
    if trouble:
        rows = []
    elif reason:
        rows = await statements.guard.guard_decisions_page_for(
            context.database,
            before_at=at,
            before_id=before_id,
            code=reason,
            account_id=None if owner == GENERAL else owner,
            rule=rule or None,
            looked_max=looked_at,
            rows_max=rows_max + 1,
        )
    elif owner != GENERAL:
        rows = await statements.guard.guard_decisions_page_of(
            context.database,
            account_id=owner,
            before_id=before_id,
            rule=rule or None,
            looked_max=looked_at,
            rows_max=rows_max + 1,
        )
    else:
        rows = await statements.guard.guard_decisions_page(
            context.database,
            before_at=at,
            before_id=before_id,
            rule=rule or None,
            looked_max=looked_at,
            rows_max=rows_max + 1,
        )
    since = context.now - timedelta(days=SAVED_DAYS)
    counts = await context.shared.live.kept_longer.get(
        "guard_reasons",
        lambda: statements.guard.guard_reason_counts(
            context.database, since=since, before=context.now, account_id=None
        ),
    )
    last = rows[rows_max - 1] if len(rows) > rows_max else None
    return context.page(
        "guard_decisions.html",
        rows=rows[:rows_max],
        older_key=None if last is None else moment_key(last.at, last.decision_id),
        rule=rule,
        reason_code=reason,
        counts=_by_reason(counts),
        account=account,
        wrong=trouble,
        is_cut=is_cut,
        looked_at=limits.GUARD_DECISIONS_LOOKED_AT,
        **WORDS,
    )


# --- lists, budgets, alerts ---------------------------------------------------------------------------------------


async def show_lists(context: RequestContext) -> Response:
    database = context.database
    lists = await statements.guard.guard_lists_of(database, account_id=None)
    budgets = await statements.guard.guard_budgets_of(database, account_id=None)
    found: Sequence[dict[str, Any]] = ()
    is_asked = context.asked("suggest") == "1"  # it reads two weeks of hours: not each time that somebody comes by
    if is_asked:
        found = await context.shared.live.kept_longer.get(
            "guard_suggestions", lambda: guard_settings.suggestions(database, context.now)
        )
    known = {(row.account, row.country) for row in budgets}
    return context.page(
        "guard_lists.html",
        lists=lists[:ROWS_MAX],
        budgets=budgets[:ROWS_MAX],
        more=max(0, len(lists) - ROWS_MAX) + max(0, len(budgets) - ROWS_MAX),
        suggestions=[one for one in found if (one["account"], one["country"]) not in known][:ROWS_MAX],
        is_asked=is_asked,
        alerts=await statements.guard.guard_alerts_of(database, account_id=None),
        **WORDS,
    )


async def change_lists(context: RequestContext) -> Response:
    owner = await form_values.account_id(context, context.field("account"))
    warnings: Sequence[SettingWarning] = ()
    match context.field("do"):
        case "list":
            said = await _add_listed(context, owner)
        case "unlist":
            said = await _remove_listed(context, owner)
        case "budget":
            said = await _set_budget(context, owner)
        case "unbudget":
            said = await _remove_budget(context, owner)
        case "alert":
            async with context.changing() as transaction:
                await guard_settings.set_alert(transaction, owner, context.field("url"))
            said = context.say("Alert address saved.")
            warnings = [*push_address_warnings(context.field("url"), context.shared.push_networks)]
        case "unalert":
            async with context.changing() as transaction:
                await guard_settings.remove_alert(transaction, owner)
            said = context.say("Alert address removed.")
        case _:
            said = ""
    return context.go("/guard/lists", said, warnings)


async def _add_listed(context: RequestContext, owner: int) -> str:
    found = guard_settings.read_destination(context.field("destination"))
    is_allowed = context.field("list") == "allow"
    async with context.changing() as transaction:
        await guard_settings.set_listed(transaction, owner, found, is_allowed, context.field("note"))
    text = N_("{value} added to the allow list.") if is_allowed else N_("{value} added to the deny list.")
    return context.say(text, value=found[1])


async def _remove_listed(context: RequestContext, owner: int) -> str:
    found = context.field("kind"), context.field("value")
    async with context.changing() as transaction:
        await guard_settings.remove_listed(transaction, owner, found, context.field("list") == "allow")
    return context.say("{value} removed from the list.", value=found[1])


async def _set_budget(context: RequestContext, owner: int) -> str:
    country = guard_settings.read_country(context.field("country"))
    budget = {
        "hour_messages": form_values.whole(context, "hour_messages"),
        "day_messages": form_values.whole(context, "day_messages"),
        "hour_micro": form_values.amount_if_any(context, "hour_money"),
        "day_micro": form_values.amount_if_any(context, "day_money"),
    }
    async with context.changing() as transaction:
        await guard_settings.set_budget(transaction, owner, country=country, **budget)
    return context.say("Budget for {country} saved.", country=context.formats.country(country))


async def _remove_budget(context: RequestContext, owner: int) -> str:
    country = context.field("country")
    async with context.changing() as transaction:
        await guard_settings.remove_budget(transaction, owner, country)
    return context.say("Budget for {country} removed.", country=context.formats.country(country))


SECTION = PageSection(
    (
        Page("/guard", show, change),
        Page("/guard/decisions", show_decisions),
        Page("/guard/lists", show_lists, change_lists),
    ),
    (NavigationEntry("/guard", N_("Guard"), NavigationGroup.SETUP, "guard", STAFF),),
)
