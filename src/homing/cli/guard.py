"""`homing guard`."""

from datetime import UTC, datetime, timedelta

import click
import msgspec

from homing import errors
from homing.accounts import guarding
from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.parameters import AMOUNT, account_option, limit_option
from homing.cli.show import COUNT, MONEY, PROSE, SCOPE, TIME, YES, Card, Column, Reply, Said, Table, named
from homing.guard.judge import Action
from homing.guard.rules import RULES, Mode

MODES = {"off": Mode.OFF, "monitor": Mode.MONITOR, "block": Mode.BLOCK}

RULE_COLUMNS = (
    Column("rule", "Rule"),
    Column("mode", "Mode", named(Mode)),
    Column("account", "For", SCOPE),
    Column("meaning", "Refuses when", PROSE),
)
LIST_COLUMNS = (
    Column("entry", "List"),
    Column("kind", "Kind"),
    Column("value", "Destination"),
    Column("account", "For", SCOPE),
    Column("note", "Note", PROSE),
)
BUDGET_COLUMNS = (
    Column("country", "Country"),
    Column("account", "For", SCOPE),
    Column("hour_messages", "Messages/h", COUNT),
    Column("day_messages", "Messages/day", COUNT),
    Column("hour_micro", "Money/h", MONEY),
    Column("day_micro", "Money/day", MONEY),
)
DECISION_COLUMNS = (
    Column("at", "At (UTC)", TIME),
    Column("account", "Account"),
    Column("message_id", programs_only=True),
    Column("number", "Number"),
    Column("country", programs_only=True),
    Column("action", "Action", named(Action)),
    Column("rule", "Rule"),
    Column("reason", programs_only=True),
    Column("scope", "Where"),
    Column("figure", "Rests on", PROSE),
    Column("charge_micro", "Charge", MONEY),
)
SAVED_COLUMNS = (
    Column("account", "Account"),
    Column("country", "Country"),
    Column("rule", "Rule"),
    Column("action", "Action", named(Action)),
    Column("messages", "Messages", COUNT),
    Column("charge_micro", "Charge", MONEY),
)
VERDICT_COLUMNS = (
    Column("digits", "Range"),
    Column("account", "Account"),
    Column("app", programs_only=True),
    Column("country", "Country"),
    Column("network", programs_only=True),
    Column("reason", "Reason"),
    Column("figure", "Rests on", PROSE),
    Column("is_sure", "May block", YES),
    Column("since", "Since (UTC)", TIME),
    Column("until", "Until (UTC)", TIME),
    Column("lifted_at", kind=TIME, programs_only=True),
)
SUGGEST_COLUMNS = (
    Column("account", "Account"),
    Column("country", "Country"),
    Column("hour_messages", "Budget/h", COUNT),
    Column("hours", "Hours seen", COUNT),
    Column("people", "People refused", COUNT),
    Column("refused", "Messages refused", COUNT),
    Column("refused_micro", "Their charge", MONEY),
)


@click.group(cls=Noun)
def guard() -> None:
    """Who is pumping SMS, and what becomes of it.

    Ranges of numbers whose messages nobody comes back of, or that are crowded as no people are, are judged as theft.
    Every rule only monitors until its mode is set to block.

    \b
    Example:  homing guard show
              homing guard mode block range burst --account acme
    """


@guard.command("show")
@account_option
@at_desk
async def show(desk: Desk, account: str | None) -> Reply:
    """The guard at a glance.

    Modes, lists, budgets, and how much is judged.

    \b
    Example:  homing guard show --account acme
    """
    scope = None if account is None else await desk.scope(account)
    modes = await guarding.read_modes(desk.database, scope)
    lists = await desk.database.fetch("guard_lists_of", scope)
    budgets = await desk.database.fetch("guard_budgets_of", scope)
    verdicts = await desk.database.fetch("guard_verdicts_of", scope, False, 100_000)
    row = {"verdicts": len(verdicts), "may_block": sum(1 for one in verdicts if one["is_sure"])}
    parts = {
        "rules": Table(RULE_COLUMNS, [msgspec.structs.asdict(one) for one in modes]),
        "lists": Table(LIST_COLUMNS, [_entry(one) for one in lists], "Nothing is listed."),
        "budgets": Table(BUDGET_COLUMNS, budgets, "No country has a budget."),
    }
    columns = (Column("verdicts", "Ranges judged", COUNT), Column("may_block", "Of them may block", COUNT))
    return Card(columns, row, parts)


@guard.command("rules")
@account_option
@at_desk
async def rules(desk: Desk, account: str | None) -> Reply:
    """The rules and their modes.

    \b
    Example:  homing guard rules
    """
    scope = None if account is None else await desk.scope(account)
    modes = await guarding.read_modes(desk.database, scope)
    return Table(RULE_COLUMNS, [msgspec.structs.asdict(one) for one in modes])


@guard.command("mode")
@click.argument("mode", type=click.Choice(list(MODES)))
@click.argument("rule", nargs=-1, required=True, type=click.Choice([*RULES, "all"]))
@account_option
@at_desk
async def mode(desk: Desk, mode: str, rule: tuple[str, ...], account: str | None) -> Reply:
    """Set how far rules may go: off, monitor or block.

    `all` stands for every rule.

    \b
    Example:  homing guard mode block range burst
    """
    named_rules = list(RULES) if "all" in rule else list(dict.fromkeys(rule))
    await guarding.set_modes(desk.database, await desk.scope(account), named_rules, MODES[mode])
    told = ", ".join(named_rules)
    return Said(f"{told}: {mode}, for {account or 'every account'}.", {"rules": named_rules, "mode": mode})


@guard.command("allow")
@click.argument("destination")
@account_option
@click.option("--note", default="", help="Why.")
@click.option("--remove", is_flag=True, help="Take it off the list.")
@at_desk
async def allow(desk: Desk, destination: str, account: str | None, note: str, remove: bool) -> Reply:
    """Let a country, network, prefix or number pass.

    Written as ID, 510-10 or digits; it passes whatever is judged. The longest match decides.

    \b
    Example:  homing guard allow 628121234 --note "our own phones"
    """
    return await _list(desk, destination, account, note, remove, is_allowed=True)


@guard.command("deny")
@click.argument("destination")
@account_option
@click.option("--note", default="", help="Why.")
@click.option("--remove", is_flag=True, help="Take it off the list.")
@at_desk
async def deny(desk: Desk, destination: str, account: str | None, note: str, remove: bool) -> Reply:
    """Refuse a country, network, prefix or number.

    Written as ID, 510-10 or digits. The longest match decides; allow wins ties.

    \b
    Example:  homing guard deny 8821 --note "satellite"
    """
    return await _list(desk, destination, account, note, remove, is_allowed=False)


@guard.command("budget")
@click.argument("country")
@account_option
@click.option("--hour", "hour_messages", type=click.IntRange(0, 10**12), help="Messages an hour.")
@click.option("--day", "day_messages", type=click.IntRange(0, 10**12), help="Messages a day.")
@click.option("--hour-money", type=AMOUNT, help="Money an hour.")
@click.option("--day-money", type=AMOUNT, help="Money a day.")
@click.option("--remove", is_flag=True, help="Take the budget away.")
@at_desk
async def budget(
    desk: Desk,
    country: str,
    account: str | None,
    hour_messages: int | None,
    day_messages: int | None,
    hour_money: int | None,
    day_money: int | None,
    remove: bool,
) -> Reply:
    """The most that may be sent to a country.

    Of an account; without --account, of each account by itself.

    \b
    Example:  homing guard budget ID --hour 400 --day-money 50
    """
    scope, country = await desk.scope(account), guarding.read_country(country)
    told = {"country": country, "account": account}
    if remove:
        await guarding.remove_budget(desk.database, scope, country)
        return Said(f"{country} has no budget any more for {account or 'every account'}.", told)
    await guarding.set_budget(desk.database, scope, country, hour_messages, day_messages, hour_money, day_money)
    return Said(f"{country} has a budget for {account or 'every account'}.", told)


@guard.command("decisions")
@account_option
@click.option("--rule", type=click.Choice(list(RULES)), help="Of this rule alone.")
@limit_option
@at_desk
async def decisions(desk: Desk, account: str | None, rule: str | None, limit: int) -> Reply:
    """Messages that were refused, or would have been.

    And what that rests on.

    \b
    Example:  homing guard decisions --limit 20
    """
    scope = None if account is None else await desk.scope(account)
    rows = await desk.database.fetch("guard_decisions_of", scope, rule, limit)
    return Table(DECISION_COLUMNS, rows, "No message was refused, or would have been.")


@guard.command("saved")
@account_option
@click.option("--days", type=click.IntRange(1, 90), default=30, show_default=True, help="Of the last so many days.")
@at_desk
async def saved(desk: Desk, account: str | None, days: int) -> Reply:
    """What the guard saved, or would have.

    What refused messages would have cost (action block), and what blocking would have saved (monitor): the sums of
    the decisions.

    \b
    Example:  homing guard saved --days 7
    """
    scope = None if account is None else await desk.scope(account)
    rows = await desk.database.fetch("guard_saved", scope, datetime.now(UTC) - timedelta(days=days))
    return Table(SAVED_COLUMNS, rows, "Nothing was refused, or would have been.")


@guard.command("suggest")
@account_option
@at_desk
async def suggestions(desk: Desk, account: str | None) -> Reply:
    """Budgets that would have refused nobody.

    By country, within which the last 14 days' people would have kept.

    \b
    Example:  homing guard suggest --account acme
    """
    scope = None if account is None else await desk.scope(account)
    rows = await guarding.suggestions(desk.database, datetime.now(UTC), scope)
    return Table(SUGGEST_COLUMNS, rows, "Too little has converted in 14 days to suggest a budget.")


@guard.command("verdicts")
@account_option
@click.option("--all", "with_past", is_flag=True, help="Those that have ended as well.")
@limit_option
@at_desk
async def verdicts(desk: Desk, account: str | None, with_past: bool, limit: int) -> Reply:
    """Ranges that are judged as theft now, and why.

    \b
    Example:  homing guard verdicts
    """
    scope = None if account is None else await desk.scope(account)
    rows = await desk.database.fetch("guard_verdicts_of", scope, with_past, limit)
    return Table(VERDICT_COLUMNS, rows, "No range is judged as theft.")


@guard.command("lift")
@click.argument("range", metavar="RANGE")
@account_option
@at_desk
async def lift(desk: Desk, range: str, account: str | None) -> Reply:
    """Release a range: it was no theft.

    What was seen of it so far is forgotten; `homing guard allow` keeps it free.

    \b
    Example:  homing guard lift 62812345
    """
    scope = None if account is None else await desk.scope(account)
    verdicts = await guarding.lift(desk.database, range, scope)
    return Said(f"{range} is released within seconds.", {"range": range, "verdicts": verdicts})


@guard.command("alert")
@click.argument("url", required=False)
@account_option
@click.option("--remove", is_flag=True, help="Tell nobody any more.")
@at_desk
async def alert(desk: Desk, url: str | None, account: str | None, remove: bool) -> Reply:
    """Where verdicts are pushed as JSON.

    Once for a range and hour: an account's, or the operator's of all accounts.

    \b
    Example:  homing guard alert https://ops.example.com/alerts
    """
    scope = await desk.scope(account)
    whose = f"{account}'s" if account else "all"
    if remove:
        await guarding.remove_alert(desk.database, scope)
        return Said(f"Nobody is told of {whose} verdicts any more.", {"account": account})
    if url is None:
        raise errors.OperatorError("say which address, or --remove")
    await guarding.set_alert(desk.database, scope, url)
    return Said(f"{url} is told of {whose} verdicts.", {"account": account, "url": url})


def _entry(row: dict[str, object]) -> dict[str, object]:
    return {
        "entry": "allow" if row["is_allowed"] else "deny",
        "kind": row["kind"],
        "value": row["value"],
        "account": row["account"],
        "note": row["note"],
    }


async def _list(
    desk: Desk, destination: str, account: str | None, note: str, remove: bool, *, is_allowed: bool
) -> Reply:
    scope = await desk.scope(account)
    kind, value = found = guarding.read_destination(destination)
    word = "allowed" if is_allowed else "denied"
    told = {"kind": kind, "value": value, "account": account, "list": "allow" if is_allowed else "deny"}
    if remove:
        await guarding.remove_listed(desk.database, scope, found, is_allowed)
        return Said(f"{value} is {word} no longer for {account or 'every account'}.", told)
    await guarding.set_listed(desk.database, scope, found, is_allowed, note)
    return Said(f"{kind} {value} is {word} for {account or 'every account'}.", told)
