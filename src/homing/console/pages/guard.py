"""The guard: verdicts, decisions, savings, and the settings of operators."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.admin import guard_settings
from homing.admin.guard_addresses import is_address_name, lift_address, read_flagged_addresses
from homing.admin.setting_warnings import SettingWarning, push_address_warnings
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.pages import guard_strictness
from homing.console.paging import moment_key, page_of, read_moment_key
from homing.console.request_context import RequestContext
from homing.guard.rules import RULES, RuleMode
from homing.i18n.reasons import TITLES
from homing.model import GENERAL, GuardAction
from homing.store import statements
from homing.store.statements.guard import ReasonCountRow, RuleSavingRow

SAVED_DAYS: Final = 30
ROWS_MAX: Final = 500
"""Of lists and budgets each."""
RULE_LABELS: Final = {
    "deny": (N_("Deny list"), N_("the destination is on the deny list")),
    "budget": (N_("Budget"), N_("the country's budget is used up")),
    "range": (N_("Range"), N_("the number range is suspected of SMS pumping")),
    "burst": (N_("Burst"), N_("more messages to a number range than allowed before it has been assessed")),
    "network": (N_("Whole network"), N_("the whole network is suspected of SMS pumping")),
    "address": (N_("End user's address"), N_("many numbers from one address or network prefix, few conversions")),
    "flood": (N_("Flood"), N_("too many messages without a conversion to one network or country")),
}
"""A rule's name, and its reason to refuse."""
MODES: Final = {RuleMode.OFF: N_("Off"), RuleMode.MONITOR: N_("Monitor"), RuleMode.BLOCK: N_("Block")}
ACTIONS: Final = {
    GuardAction.MONITOR: ("warn", N_("Would have been blocked")),
    GuardAction.BLOCK: ("bad", N_("Blocked")),
}
LABELS: Final[Mapping[str, Any]] = {
    "rule_words": RULE_LABELS,
    "mode_words": MODES,
    "action_words": ACTIONS,
    "reason_codes": [*TITLES],
}


class GuardSavings(msgspec.Struct, frozen=True):
    """Messages and their charge within 30 days: blocked, and those that monitoring would have blocked."""

    blocked: int
    blocked_micro: int
    watched: int
    watched_micro: int


# --- at a glance --------------------------------------------------------------------------------------------------


async def show(context: RequestContext) -> Response:
    database = context.database
    rows = await statements.guard.guard_verdicts_page(
        database, before_id=context.query_id("before"), rows_max=limits.CONSOLE_PAGE_ROWS + 1
    )
    page = page_of(rows, lambda row: row.verdict_id)
    modes = await guard_settings.read_modes(database)
    since = context.now - timedelta(days=SAVED_DAYS)
    by_rule = await context.console_state.live.slow_cache.get(
        "guard_saved", lambda: statements.guard.guard_saved_by_rule(database, since=since)
    )
    addresses = await context.console_state.live.cache.get(
        "guard_addresses", lambda: read_flagged_addresses(database, context.now)
    )
    return context.page(
        "guard.html",
        addresses=[address for address in addresses if address.until > context.now],
        verdicts=page.rows,
        older_key=page.older,
        count=await statements.guard.guard_verdicts_count(database),
        general=[setting for setting in modes if setting.account is None],
        own=[setting for setting in modes if setting.account is not None],
        version=_modes_version(context, modes),
        saved=_saved(by_rule),
        by_rule=_by_rule(by_rule),
        **LABELS,
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
        if is_address_name(digits):
            await lift_address(transaction, digits, owner, context.now)
        else:
            await guard_settings.lift(transaction, digits, owner)
    return context.redirect("/guard", context.translate("{digits} will be released within seconds.", digits=digits))


async def _set_modes(context: RequestContext) -> Response:
    owner = await form_values.account_id(context, context.field("account"))
    new_modes = {
        rule: RuleMode(int(text)) for rule in RULES if (text := context.field(f"mode_{rule}")) in ("0", "1", "2")
    }
    async with context.changing() as transaction:
        await guard_settings.hold_modes(transaction)
        now = await guard_settings.read_modes(transaction)
        if context.field("version") != _modes_version(context, now):
            context.check_version({})  # raises StaleForm
        owners = now if owner == GENERAL else await guard_settings.read_modes(transaction, owner)
        # An account's own setting comes after the general one and replaces it.
        current_modes = {row.rule: row.mode for row in owners if row.account is None or owner != GENERAL}
        for mode in RuleMode:
            rules = [
                rule for rule, new_mode in new_modes.items() if new_mode is mode and current_modes.get(rule) is not mode
            ]
            if rules:
                await guard_settings.set_modes(transaction, owner, rules, mode)
    return context.redirect("/guard", context.translate("Rules saved."))


def _modes_version(context: RequestContext, modes: Sequence[guard_settings.GuardModeSetting]) -> str:
    return context.version({f"{setting.account or ''}/{setting.rule}": int(setting.mode) for setting in modes})


def _saved(rows: Sequence[RuleSavingRow | ReasonCountRow]) -> GuardSavings:
    blocked = [row for row in rows if row.action == GuardAction.BLOCK]
    watched = [row for row in rows if row.action == GuardAction.MONITOR]
    return GuardSavings(
        sum(row.messages for row in blocked),
        sum(row.charge_micro for row in blocked),
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
    """Decisions of a rule are searched among the latest `GUARD_DECISIONS_LOOKED_AT` only: no index has the rule. Those
    for a reason are read by an index; within them an account and a rule are searched in the same way.
    """
    rule, reason, account, filter_error = (
        context.query_value("rule"),
        context.query_value("reason"),
        context.query_value("account"),
        None,
    )
    rule, reason = rule if rule in RULES else "", reason if reason in TITLES else ""
    owner = GENERAL
    try:
        owner = await form_values.account_id(context, account)
    except errors.InvalidInput as error:
        filter_error = context.sentence(error)
    rows_max = limits.CONSOLE_PAGE_ROWS
    is_cut = bool(rule or (reason and owner != GENERAL))
    looked_at = limits.GUARD_DECISIONS_LOOKED_AT if is_cut else rows_max + 1
    at, before_id = read_moment_key(context.query_value("before")) or (None, None)
    if filter_error:
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
    counts = await context.console_state.live.slow_cache.get(
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
        filter_error=filter_error,
        is_cut=is_cut,
        looked_at=limits.GUARD_DECISIONS_LOOKED_AT,
        **LABELS,
    )


# --- lists, budgets, alerts ---------------------------------------------------------------------------------------


async def show_lists(context: RequestContext) -> Response:
    database = context.database
    lists = await statements.guard.guard_lists_of(database, account_id=None)
    budgets = await statements.guard.guard_budgets_of(database, account_id=None)
    suggestions: Sequence[dict[str, Any]] = ()
    shows_suggestions = context.query_value("suggest") == "1"  # on request only: they take two weeks of hourly figures
    if shows_suggestions:
        suggestions = await context.console_state.live.slow_cache.get(
            "guard_suggestions", lambda: guard_settings.suggestions(database, context.now)
        )
    budgeted = {(row.account, row.country) for row in budgets}
    return context.page(
        "guard_lists.html",
        lists=lists[:ROWS_MAX],
        budgets=budgets[:ROWS_MAX],
        more=max(0, len(lists) - ROWS_MAX) + max(0, len(budgets) - ROWS_MAX),
        suggestions=[row for row in suggestions if (row["account"], row["country"]) not in budgeted][:ROWS_MAX],
        shows_suggestions=shows_suggestions,
        alerts=await statements.guard.guard_alerts_of(database, account_id=None),
        **LABELS,
    )


async def change_lists(context: RequestContext) -> Response:
    owner = await form_values.account_id(context, context.field("account"))
    warnings: Sequence[SettingWarning] = ()
    match context.field("do"):
        case "list":
            notice = await _add_entry(context, owner)
        case "unlist":
            notice = await _remove_entry(context, owner)
        case "budget":
            notice = await _set_budget(context, owner)
        case "unbudget":
            notice = await _remove_budget(context, owner)
        case "alert":
            async with context.changing() as transaction:
                await guard_settings.set_alert(transaction, owner, context.field("url"))
            notice = context.translate("Alert address saved.")
            warnings = [*push_address_warnings(context.field("url"), context.console_state.push_networks)]
        case "unalert":
            async with context.changing() as transaction:
                await guard_settings.remove_alert(transaction, owner)
            notice = context.translate("Alert address removed.")
        case _:
            notice = ""
    return context.redirect("/guard/lists", notice, warnings)


async def _add_entry(context: RequestContext, owner: int) -> str:
    destination = guard_settings.read_destination(context.field("destination"))
    is_allowed = context.field("list") == "allow"
    async with context.changing() as transaction:
        await guard_settings.set_listed(transaction, owner, destination, is_allowed, context.field("note"))
    text = N_("{value} added to the allow list.") if is_allowed else N_("{value} added to the deny list.")
    return context.translate(text, value=destination[1])


async def _remove_entry(context: RequestContext, owner: int) -> str:
    destination = context.field("kind"), context.field("value")
    async with context.changing() as transaction:
        await guard_settings.remove_listed(transaction, owner, destination, context.field("list") == "allow")
    return context.translate("{value} removed from the list.", value=destination[1])


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
    return context.translate("Budget for {country} saved.", country=context.formats.country(country))


async def _remove_budget(context: RequestContext, owner: int) -> str:
    country = context.field("country")
    async with context.changing() as transaction:
        await guard_settings.remove_budget(transaction, owner, country)
    return context.translate("Budget for {country} removed.", country=context.formats.country(country))


SECTION = PageSection(
    (
        Page("/guard", show, change),
        Page("/guard/decisions", show_decisions),
        Page("/guard/strictness", guard_strictness.show, guard_strictness.change),
        Page("/guard/lists", show_lists, change_lists),
    ),
    (NavigationEntry("/guard", N_("Guard"), NavigationGroup.SETUP, "guard", STAFF),),
)
