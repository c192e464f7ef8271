"""`homing guard`."""

from datetime import UTC, datetime

import click
import msgspec

from homing import errors
from homing.admin import guard_settings
from homing.cli import guard_tables as tables
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.guard_conclusions import CONCLUSION_COMMANDS
from homing.cli.guard_strictness import STRICTNESS_COMMANDS
from homing.cli.parameters import AMOUNT, WholeNumberType, account_option
from homing.cli.show import COUNT, Column, Confirmation, Detail, Reply, Table
from homing.common.urls import without_password
from homing.guard.risk import RiskLevel, learn_risks
from homing.guard.rules import RULES, RuleMode
from homing.guard.service import read_country_traffic
from homing.store import statements
from homing.store.statements.guard import NamedGuardList

LEVELS = {level.name.lower(): level for level in RiskLevel}
MODES = {"off": RuleMode.OFF, "monitor": RuleMode.MONITOR, "block": RuleMode.BLOCK}


@click.group(cls=CommandGroup)
def guard() -> None:
    """SMS pumping (AIT) protection: detections, rules, lists and budgets.

    Number ranges without conversions, or with unusually dense traffic, are suspected of SMS pumping and blocked. Rules
    can be set to monitor only.

    \b
    Example:  homing guard show
              homing guard mode block range burst --account acme
    """


@guard.command("show")
@account_option
@in_context
async def show(context: CommandContext, account: str | None) -> Reply:
    """Show the guard's state.

    Modes, lists, budgets, risk levels, alert webhooks, and the number of suspected ranges.

    \b
    Example:  homing guard show --account acme
    """
    scope = None if account is None else await context.scope(account)
    modes = await guard_settings.read_modes(context.database, scope)
    lists = await statements.guard.guard_lists_of(context.database, account_id=scope)
    budgets = await statements.guard.guard_budgets_of(context.database, account_id=scope)
    risks = await statements.guard.guard_risks_of(context.database, account_id=scope)
    alerts = await statements.guard.guard_alerts_of(context.database, account_id=scope)
    verdicts = await statements.guard.guard_verdicts_of(
        context.database, account_id=scope, with_past=False, rows_max=100_000
    )
    row = {"verdicts": len(verdicts), "may_block": sum(1 for row in verdicts if row.may_block)}
    parts = {
        "rules": Table(tables.RULES_SET, [msgspec.structs.asdict(row) for row in modes]),
        "lists": Table(tables.LISTS, [_entry(row) for row in lists], "The lists are empty."),
        "budgets": Table(tables.BUDGETS, budgets, "No budgets set."),
        "risks": Table(tables.RISKS, risks, "No risk levels set."),
        "alerts": Table(tables.ALERTS, alerts, "No alert webhooks."),
    }
    columns = (Column("verdicts", "Suspected ranges", COUNT), Column("may_block", "Can be blocked", COUNT))
    return Detail(columns, row, parts)


@guard.command("rules")
@account_option
@in_context
async def rules(context: CommandContext, account: str | None) -> Reply:
    """List the rules and their modes.

    \b
    Example:  homing guard rules
    """
    scope = None if account is None else await context.scope(account)
    modes = await guard_settings.read_modes(context.database, scope)
    return Table(tables.RULES_SET, [msgspec.structs.asdict(row) for row in modes])


@guard.command("mode")
@click.argument("mode", type=click.Choice(list(MODES)))
@click.argument("rule", nargs=-1, required=True, type=click.Choice([*RULES, "all"]))
@account_option
@in_context
async def mode(context: CommandContext, mode: str, rule: tuple[str, ...], account: str | None) -> Reply:
    """Set the mode of rules: off, monitor or block.

    `all` stands for every rule.

    \b
    Example:  homing guard mode block range burst
    """
    named_rules = list(RULES) if "all" in rule else list(dict.fromkeys(rule))
    await guard_settings.set_modes(context.database, await context.scope(account), named_rules, MODES[mode])
    values = ", ".join(named_rules)
    return Confirmation(f"{values}: {mode}, for {account or 'all accounts'}.", {"rules": named_rules, "mode": mode})


@guard.command("allow")
@click.argument("destination")
@account_option
@click.option("--note", default="", help="Note.")
@click.option("--remove", is_flag=True, help="Remove it from the list.")
@in_context
async def allow(context: CommandContext, destination: str, account: str | None, note: str, remove: bool) -> Reply:
    """Put a country, network, prefix or number on the allow list.

    Written as ID, 510-10 or digits. It is never blocked as suspected SMS pumping. The longest match applies.

    \b
    Example:  homing guard allow 628121234 --note "our own phones"
    """
    return await _list(context, destination, account, note, remove, is_allowed=True)


@guard.command("deny")
@click.argument("destination")
@account_option
@click.option("--note", default="", help="Note.")
@click.option("--remove", is_flag=True, help="Remove it from the list.")
@in_context
async def deny(context: CommandContext, destination: str, account: str | None, note: str, remove: bool) -> Reply:
    """Put a country, network, prefix or number on the deny list.

    Written as ID, 510-10 or digits. The longest match applies; allow wins over an equal deny.

    \b
    Example:  homing guard deny 8821 --note "satellite"
    """
    return await _list(context, destination, account, note, remove, is_allowed=False)


@guard.command("budget")
@click.argument("country")
@account_option
@click.option("--hour", "hour_messages", type=WholeNumberType(0, 10**12), help="Messages per hour.")
@click.option("--day", "day_messages", type=WholeNumberType(0, 10**12), help="Messages per day.")
@click.option("--hour-money", type=AMOUNT, help="Amount per hour.")
@click.option("--day-money", type=AMOUNT, help="Amount per day.")
@click.option("--remove", is_flag=True, help="Remove the budget.")
@in_context
async def budget(
    context: CommandContext,
    country: str,
    account: str | None,
    hour_messages: int | None,
    day_messages: int | None,
    hour_money: int | None,
    day_money: int | None,
    remove: bool,
) -> Reply:
    """Limit what may be sent to a country.

    For one account; without --account, for every account separately.

    \b
    Example:  homing guard budget ID --hour 400 --day-money 50
    """
    scope, country = await context.scope(account), guard_settings.read_country(country)
    values = {"country": country, "account": account}
    if remove:
        await guard_settings.remove_budget(context.database, scope, country)
        return Confirmation(f"Budget for {country} removed for {account or 'every account'}.", values)
    await guard_settings.set_budget(
        context.database,
        scope,
        country=country,
        hour_messages=hour_messages,
        day_messages=day_messages,
        hour_micro=hour_money,
        day_micro=day_money,
    )
    return Confirmation(f"Budget for {country} saved for {account or 'every account'}.", values)


@guard.command("risk")
@click.argument("destination")
@click.argument("level", required=False, type=click.Choice(list(LEVELS)))
@account_option
@click.option("--note", default="", help="Note.")
@click.option("--remove", is_flag=True, help="Go back to the learned risk.")
@in_context
async def risk(
    context: CommandContext, destination: str, level: str | None, account: str | None, note: str, remove: bool
) -> Reply:
    """Set the risk level of a country, network or prefix.

    Written as ID, 510-10 or digits; the longest match applies. It shifts the guard's prior odds, decides nothing on
    its own, and replaces the risk learned for the country.

    \b
    Example:  homing guard risk 8821 severe --note "satellite"
    """
    scope = await context.scope(account)
    kind, value = guard_settings.read_destination(destination)
    values = {"kind": kind, "value": value, "account": account, "level": level}
    owner = account or "every account"
    if remove:
        if await statements.guard.guard_risk_remove(context.database, account_id=scope, kind=kind, value=value) is None:
            raise errors.InvalidInput(f"no risk level of {value} is set for {owner}")
        return Confirmation(f"Risk level of {value} removed for {owner}: the learned risk applies again.", values)
    if level is None:
        raise errors.InvalidInput(f"give a risk level: {', '.join(LEVELS)}; or --remove")
    await statements.guard.guard_risk_set(
        context.database, account_id=scope, kind=kind, value=value, level=LEVELS[level], note=note
    )
    return Confirmation(f"Risk level of {value} set to {level} for {owner}; it applies within 30 seconds.", values)


@guard.command("risks")
@account_option
@in_context
async def risks(context: CommandContext, account: str | None) -> Reply:
    """List risk levels of destinations: those set and those learned.

    Learned from the expected and actual conversions of the last 30 days before today.

    \b
    Example:  homing guard risks
    """
    scope = None if account is None else await context.scope(account)
    names = {row.account_id: row.name for row in await statements.admin.account_list(context.database)}
    traffic = await read_country_traffic(context.database, datetime.now(UTC))
    learnt = sorted(
        (risk for risk in learn_risks(traffic) if scope in (None, risk.account_id)),
        key=lambda row: (-row.nats, row.country, row.account_id),
    )
    rows = [{**msgspec.structs.asdict(row), "account": names.get(row.account_id)} for row in learnt]
    parts = {
        "told": Table(
            tables.RISKS,
            await statements.guard.guard_risks_of(context.database, account_id=scope),
            "No risk levels set.",
        ),
        "learnt": Table(tables.LEARNT, rows, "No conversions before today: nothing learned yet."),
    }
    return Detail((), {}, parts)


@guard.command("alert")
@click.argument("url", required=False)
@account_option
@click.option("--remove", is_flag=True, help="Remove the alert webhook.")
@in_context
async def alert(context: CommandContext, url: str | None, account: str | None, remove: bool) -> Reply:
    """Set the webhook for newly suspected ranges.

    It gets a POST with JSON, at most once per range and hour, for one account or, without --account, for all accounts.
    A user name and password in the URL are sent as basic authentication, so that the receiver can verify the sender.

    \b
    Example:  homing guard alert https://homing:secret@ops.example.com/alerts
    """
    scope = await context.scope(account)
    owner = f"{account}'s" if account else "all"
    if remove:
        await guard_settings.remove_alert(context.database, scope)
        return Confirmation(f"Alert webhook for {owner} detections removed.", {"account": account})
    if url is None:
        raise errors.InvalidInput("give an address, or --remove")
    await guard_settings.set_alert(context.database, scope, url)
    rows_with_titles = without_password(url)
    return Confirmation(
        f"Alert webhook for {owner} detections: {rows_with_titles}.",
        {"account": account, "url": rows_with_titles},
        context.push_warnings(url),
    )


def _entry(row: NamedGuardList) -> dict[str, object]:
    return {
        "entry": "allow" if row.is_allowed else "deny",
        "kind": row.kind,
        "value": row.value,
        "account": row.account,
        "note": row.note,
    }


async def _list(
    context: CommandContext, destination: str, account: str | None, note: str, remove: bool, *, is_allowed: bool
) -> Reply:
    scope = await context.scope(account)
    kind, value = destination_key = guard_settings.read_destination(destination)
    list_name = "allow" if is_allowed else "deny"
    values = {"kind": kind, "value": value, "account": account, "list": "allow" if is_allowed else "deny"}
    if remove:
        await guard_settings.remove_listed(context.database, scope, destination_key, is_allowed)
        return Confirmation(f"{value} removed from the {list_name} list for {account or 'all accounts'}.", values)
    await guard_settings.set_listed(context.database, scope, destination_key, is_allowed, note)
    return Confirmation(f"{kind} {value} added to the {list_name} list for {account or 'all accounts'}.", values)


for command in (*CONCLUSION_COMMANDS, *STRICTNESS_COMMANDS):
    guard.add_command(command)
