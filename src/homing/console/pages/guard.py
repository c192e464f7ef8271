"""The guard: what it judges and decided, what that saved, and what operators decide of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.accounts import guarding
from homing.accounts.warnings import SettingWarning, push_address_warnings
from homing.console import entered
from homing.console.page import STAFF, Entry, Group, Page, Section
from homing.console.paging import moment_key, page_of, read_moment_key
from homing.console.visit import Visit
from homing.console.words import N_
from homing.guard.rules import RULES, RuleMode
from homing.messages.reason_words import TITLES
from homing.model import GENERAL, GuardAction

SAVED_DAYS: Final = 30
ROWS_MAX: Final = 500
"""Of lists and budgets, which people write by hand."""
RULE_WORDS: Final = {
    "deny": (N_("Deny list"), N_("the destination is on the deny list")),
    "budget": (N_("Budget"), N_("the country's budget is spent")),
    "range": (N_("Range"), N_("the range of numbers is judged as theft")),
    "burst": (N_("Burst"), N_("more messages in a range than pass before it is judged")),
    "network": (N_("Whole network"), N_("the network is judged as theft as a whole")),
    "flood": (N_("Flood"), N_("more unverified messages to a network or country than may be open")),
}
"""A rule's name, and when it refuses."""
MODES: Final = {RuleMode.OFF: N_("Off"), RuleMode.MONITOR: N_("Monitor"), RuleMode.BLOCK: N_("Block")}
ACTIONS: Final = {
    GuardAction.MONITOR: ("warn", N_("Would have been refused")),
    GuardAction.BLOCK: ("bad", N_("Refused")),
}
WORDS: Final[Mapping[str, Any]] = {
    "rule_words": RULE_WORDS,
    "mode_words": MODES,
    "action_words": ACTIONS,
    "reason_codes": [*TITLES],
}


class Saved(msgspec.Struct, frozen=True):
    """Messages and their charge of 30 days: that were refused, and that would have been."""

    refused: int
    refused_micro: int
    watched: int
    watched_micro: int


# --- at a glance --------------------------------------------------------------------------------------------------


async def show(visit: Visit) -> Response:
    database = visit.database
    rows = await database.fetch("guard_verdicts_page", visit.asked_id("before"), limits.CONSOLE_PAGE_ROWS + 1)
    shown = page_of(rows, "verdict_id")
    modes = await guarding.read_modes(database)
    since = visit.now - timedelta(days=SAVED_DAYS)
    by_rule = await visit.shared.live.kept_longer.get(
        "guard_saved", lambda: database.fetch("guard_saved_by_rule", since)
    )
    return visit.page(
        "guard.html",
        verdicts=shown.rows,
        older_key=shown.older,
        count=await database.row("guard_verdicts_count"),
        general=[one for one in modes if one.account is None],
        own=[one for one in modes if one.account is not None],
        version=_modes_version(visit, modes),
        saved=_saved(by_rule),
        by_rule=_by_rule(by_rule),
        **WORDS,
    )


async def change(visit: Visit) -> Response:
    match visit.field("do"):
        case "lift":
            return await _lift(visit)
        case _:
            return await _set_modes(visit)


async def _lift(visit: Visit) -> Response:
    digits, account = visit.field("digits"), visit.field("account")
    owner = await entered.account_id(visit, account) if account else None
    async with visit.changing() as transaction:
        await guarding.lift(transaction, digits, owner)
    return visit.go("/guard", visit.say("{digits} is released within seconds.", digits=digits))


async def _set_modes(visit: Visit) -> Response:
    owner = await entered.account_id(visit, visit.field("account"))
    wanted = {rule: RuleMode(int(text)) for rule in RULES if (text := visit.field(f"mode_{rule}")) in ("0", "1", "2")}
    async with visit.changing() as transaction:
        await guarding.hold_modes(transaction)
        now = await guarding.read_modes(transaction)
        if visit.field("version") != _modes_version(visit, now):
            visit.check_version({})  # says so
        owners = now if owner == GENERAL else await guarding.read_modes(transaction, owner)
        held = {one.rule: one.mode for one in owners if one.account is None or owner != GENERAL}  # its own comes later
        for mode in RuleMode:
            rules = [rule for rule, one in wanted.items() if one is mode and held.get(rule) is not mode]
            if rules:
                await guarding.set_modes(transaction, owner, rules, mode)
    return visit.go("/guard", visit.say("The rules are changed."))


def _modes_version(visit: Visit, modes: Sequence[guarding.Setting]) -> str:
    return visit.version({f"{one.account or ''}/{one.rule}": int(one.mode) for one in modes})


def _saved(rows: Sequence[Any]) -> Saved:
    refused = [row for row in rows if row["action"] == GuardAction.BLOCK]
    watched = [row for row in rows if row["action"] == GuardAction.MONITOR]
    return Saved(
        sum(row["messages"] for row in refused),
        sum(row["charge_micro"] for row in refused),
        sum(row["messages"] for row in watched),
        sum(row["charge_micro"] for row in watched),
    )


def _by_rule(rows: Sequence[Any]) -> Mapping[str, Saved]:
    rules = {row["rule"] for row in rows}
    return {rule: _saved([row for row in rows if row["rule"] == rule]) for rule in rules}


def _by_reason(rows: Sequence[Any]) -> Mapping[str, Saved]:
    codes = dict.fromkeys(row["reason_code"] for row in rows)
    return {code: _saved([row for row in rows if row["reason_code"] == code]) for code in codes}


# --- decisions ----------------------------------------------------------------------------------------------------


async def show_decisions(visit: Visit) -> Response:
    """What rests on a rule alone is looked for among the latest so many decisions: there is no end to them. Those for a
    reason are found by an index; of them an account's or a rule's in the same way.
    """
    rule, reason, account, trouble = visit.asked("rule"), visit.asked("reason"), visit.asked("account"), None
    rule, reason = rule if rule in RULES else "", reason if reason in TITLES else ""
    owner = GENERAL
    try:
        owner = await entered.account_id(visit, account)
    except errors.OperatorError as error:
        trouble = visit.word(error)
    rows_max = limits.CONSOLE_PAGE_ROWS
    is_cut = bool(rule or (reason and owner != GENERAL))
    looked_at = limits.GUARD_DECISIONS_LOOKED_AT if is_cut else rows_max + 1
    at, before_id = read_moment_key(visit.asked("before")) or (None, None)
    if trouble:
        rows = []
    elif reason:
        rows = await visit.database.fetch(
            "guard_decisions_page_for",
            at,
            before_id,
            reason,
            None if owner == GENERAL else owner,
            rule or None,
            looked_at,
            rows_max + 1,
        )
    elif owner != GENERAL:
        rows = await visit.database.fetch(
            "guard_decisions_page_of", owner, before_id, rule or None, looked_at, rows_max + 1
        )
    else:
        rows = await visit.database.fetch("guard_decisions_page", at, before_id, rule or None, looked_at, rows_max + 1)
    since = visit.now - timedelta(days=SAVED_DAYS)
    counts = await visit.shared.live.kept_longer.get(
        "guard_reasons", lambda: visit.database.fetch("guard_reason_counts", since, visit.now, None)
    )
    last = rows[rows_max - 1] if len(rows) > rows_max else None
    return visit.page(
        "guard_decisions.html",
        rows=rows[:rows_max],
        older_key=None if last is None else moment_key(last["at"], last["decision_id"]),
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


async def show_lists(visit: Visit) -> Response:
    database = visit.database
    lists = await database.fetch("guard_lists_of", None)
    budgets = await database.fetch("guard_budgets_of", None)
    found: Sequence[dict[str, Any]] = ()
    is_asked = visit.asked("suggest") == "1"  # it reads two weeks of hours: not each time that somebody comes by
    if is_asked:
        found = await visit.shared.live.kept_longer.get(
            "guard_suggestions", lambda: guarding.suggestions(database, visit.now)
        )
    known = {(row["account"], row["country"]) for row in budgets}
    return visit.page(
        "guard_lists.html",
        lists=lists[:ROWS_MAX],
        budgets=budgets[:ROWS_MAX],
        more=max(0, len(lists) - ROWS_MAX) + max(0, len(budgets) - ROWS_MAX),
        suggestions=[one for one in found if (one["account"], one["country"]) not in known][:ROWS_MAX],
        is_asked=is_asked,
        alerts=await database.fetch("guard_alerts_of", None),
        **WORDS,
    )


async def change_lists(visit: Visit) -> Response:
    owner = await entered.account_id(visit, visit.field("account"))
    warnings: Sequence[SettingWarning] = ()
    match visit.field("do"):
        case "list":
            said = await _add_listed(visit, owner)
        case "unlist":
            said = await _remove_listed(visit, owner)
        case "budget":
            said = await _set_budget(visit, owner)
        case "unbudget":
            said = await _remove_budget(visit, owner)
        case "alert":
            async with visit.changing() as transaction:
                await guarding.set_alert(transaction, owner, visit.field("url"))
            said = visit.say("The address is told of new verdicts.")
            warnings = [*push_address_warnings(visit.field("url"), visit.shared.push_networks)]
        case "unalert":
            async with visit.changing() as transaction:
                await guarding.remove_alert(transaction, owner)
            said = visit.say("The address is told of nothing any more.")
        case _:
            said = ""
    return visit.go("/guard/lists", said, warnings)


async def _add_listed(visit: Visit, owner: int) -> str:
    found = guarding.read_destination(visit.field("destination"))
    is_allowed = visit.field("list") == "allow"
    async with visit.changing() as transaction:
        await guarding.set_listed(transaction, owner, found, is_allowed, visit.field("note"))
    text = N_("{value} is allowed.") if is_allowed else N_("{value} is denied.")
    return visit.say(text, value=found[1])


async def _remove_listed(visit: Visit, owner: int) -> str:
    found = visit.field("kind"), visit.field("value")
    async with visit.changing() as transaction:
        await guarding.remove_listed(transaction, owner, found, visit.field("list") == "allow")
    return visit.say("{value} is taken off the list.", value=found[1])


async def _set_budget(visit: Visit, owner: int) -> str:
    country = guarding.read_country(visit.field("country"))
    values = (
        entered.whole(visit, "hour_messages"),
        entered.whole(visit, "day_messages"),
        entered.amount_if_any(visit, "hour_money"),
        entered.amount_if_any(visit, "day_money"),
    )
    async with visit.changing() as transaction:
        await guarding.set_budget(transaction, owner, country, *values)
    return visit.say("{country} has a budget.", country=visit.formats.country(country))


async def _remove_budget(visit: Visit, owner: int) -> str:
    country = visit.field("country")
    async with visit.changing() as transaction:
        await guarding.remove_budget(transaction, owner, country)
    return visit.say("{country} has no budget any more.", country=visit.formats.country(country))


SECTION = Section(
    (
        Page("/guard", show, change),
        Page("/guard/decisions", show_decisions),
        Page("/guard/lists", show_lists, change_lists),
    ),
    (Entry("/guard", N_("Guard"), Group.SETUP, "guard", STAFF),),
)
