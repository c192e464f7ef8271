"""`homing account`."""

from typing import Any

import click

from homing import limits
from homing.accounts.profile import SMPP_CHARSETS
from homing.admin import account_settings
from homing.cli.app import APPS, shown
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.credential import CREDENTIALS
from homing.cli.parameters import AMOUNT, WholeNumberType
from homing.cli.sender import SENDERS
from homing.cli.show import (
    COUNT,
    LIST,
    MONEY,
    PROSE,
    TIME,
    YES,
    Column,
    ColumnKind,
    Confirmation,
    Detail,
    Reply,
    Table,
    named,
)
from homing.cli.template import TEMPLATES
from homing.common.money import trimmed
from homing.model import BindKind

PURSE = (
    Column("balance_micro", "Balance", MONEY),
    Column("gift_micro", "Gift", MONEY),
    Column("credit_micro", "Credit", MONEY),
)
LIST_COLUMNS = (
    Column("account_id", "Id", COUNT),
    Column("name", "Name"),
    Column("email", "E-mail", programs_only=True),
    *PURSE,
    Column("created_at", "Made (UTC)", TIME),
    Column("locked_at", "Locked (UTC)", TIME),
    Column("lock_reason", programs_only=True),
)
SHOW_COLUMNS = (
    Column("account_id", "Id", COUNT),
    Column("name", "Name"),
    Column("email", "E-mail"),
    Column("created_at", "Made (UTC)", TIME),
    Column("locked_at", "Locked (UTC)", TIME),
    Column("lock_reason", "Lock's reason", PROSE),
    *PURSE,
    Column("available_micro", "Can spend", MONEY),
    Column("allowed_networks", "Calls from", ColumnKind(LIST.text, LIST.json, absent="anywhere", wraps=True)),
    Column("queries_per_s", "Queries a second", COUNT),
    Column("binds_max", "SMPP binds", COUNT),
    Column("bind_window", "SMPP window", COUNT),
    Column("submits_per_s", "SMPP submits a second", ColumnKind(absent="any", right=True)),
    Column("smpp_charset", "SMPP default alphabet"),
    Column("bound_at", "Last seen bound (UTC)", TIME),
    Column("templates_required", "Templates required", YES),
    Column("unicode_fallback", "Unicode in place of T", YES),
    Column("refund_undeliverable", "Refund undeliverable", YES),
    Column("default_sender", "Default sender", ColumnKind(absent="the first")),
    Column("retention_days", "Keep bodies", ColumnKind(lambda days: f"{days} days", absent="for ever")),
)
BINDS = (
    Column("kind", "Kind", named(BindKind)),
    Column("system_id", "System id"),
    Column("address", "From"),
    Column("since", "Since (UTC)", TIME),
    Column("owner", "Process"),
)


@click.group(cls=CommandGroup)
def account() -> None:
    """Customers: make, list, show, change, lock.

    An account is named by its id or its name. Amounts are in USD.

    \b
    Example:  homing account create acme --email ops@acme.example --credit 50
              homing topup acme 200
              homing credential create acme --dialect smpp
    """


@account.command("create")
@click.argument("name")
@click.option("--email", help="In some dialects it serves as a key too.")
@click.option("--credit", type=AMOUNT, default=0, help="How far below zero the balance may go.  [default: 0]")
@in_context
async def create(context: CommandContext, name: str, email: str | None, credit: int) -> Reply:
    """Make an account with nothing in its purse.

    \b
    Example:  homing account create acme --credit 50
    """
    async with context.database.transaction() as transaction:
        account_id = await account_settings.create_account(transaction, name, email)
        await account_settings.set_credit(transaction, account_id, credit)
    return Confirmation(
        f"Account {name} is made, with id {account_id}.",
        {"account_id": account_id, "name": name, "email": email, "credit": trimmed(credit)},
    )


@account.command("list")
@in_context
async def list_accounts(context: CommandContext) -> Reply:
    """Every account with its money.

    \b
    Example:  homing account list
    """
    rows = await context.database.fetch("account_list")
    return Table(LIST_COLUMNS, rows, "There is no account yet: homing account create NAME makes one.")


@account.command("show")
@click.argument("account")
@in_context
async def show(context: CommandContext, account: str) -> Reply:
    """Everything about an account.

    Its money, settings, credentials (without their secrets), apps, senders, binds and templates.

    \b
    Example:  homing account show demo
    """
    row = await context.account(account)
    account_id = row["account_id"]
    account_balance = (await context.database.fetch("purses", [account_id]))[0]
    available_micro = account_balance["gift_micro"] + account_balance["balance_micro"] + account_balance["credit_micro"]
    parts = {
        "credentials": Table(CREDENTIALS, await context.database.fetch("credential_list", account_id)),
        "apps": Table(APPS, [shown(one) for one in await context.database.fetch("app_list", account_id)]),
        "senders": Table(SENDERS, await context.database.fetch("sender_list", account_id)),
        "binds": Table(BINDS, await context.database.fetch("binds_list", account_id)),
        "templates": Table(TEMPLATES, await context.database.fetch("template_list", account_id)),
    }
    return Detail(SHOW_COLUMNS, {**row, **account_balance, "available_micro": available_micro}, parts)


@account.command("lock")
@click.argument("account")
@click.option("--reason", default="by the operator", show_default=True, help="Kept with the account.")
@in_context
async def lock(context: CommandContext, account: str, reason: str) -> Reply:
    """Refuse the account's calls from now on. What it has already sent runs its course.

    \b
    Example:  homing account lock acme --reason "unpaid since May"
    """
    return await _lock(context, account, reason or "by the operator")


@account.command("unlock")
@click.argument("account")
@in_context
async def unlock(context: CommandContext, account: str) -> Reply:
    """Let a locked account call again.

    \b
    Example:  homing account unlock acme
    """
    return await _lock(context, account, None)


async def _lock(context: CommandContext, account: str, reason: str | None) -> Reply:
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await account_settings.set_lock(transaction, row["account_id"], reason)
    facts = {"account_id": row["account_id"], "name": row["name"], "locked": reason is not None, "lock_reason": reason}
    return Confirmation(f"Account {row['name']} is {f'locked: {reason}' if reason else 'not locked'}.", facts)


@account.command("set")
@click.argument("account")
@click.option("--email", help="The account's e-mail; '' for none.")
@click.option("--credit", type=AMOUNT, help="How far below zero the balance may go.")
@click.option(
    "--allow", metavar="NETWORK", multiple=True, help="Take calls from this address or network alone; can be repeated."
)
@click.option("--allow-any", is_flag=True, help="Take calls from anywhere.")
@click.option("--queries-per-s", type=WholeNumberType(1, 1_000_000), help="Queries a second it may ask.")
@click.option("--binds-max", type=WholeNumberType(0, limits.BINDS_MAX), help="SMPP binds it may have at once.")
@click.option(
    "--bind-window",
    type=WholeNumberType(1, limits.BIND_WINDOW_MAX),
    help="Requests that may wait for their answers on a bind, each way.",
)
@click.option(
    "--submits-per-s",
    type=WholeNumberType(0, limits.SUBMITS_PER_S_MAX),
    help="Submits a second over SMPP, in each smpp process; 0: any.",
)
@click.option(
    "--smpp-charset", type=click.Choice(SMPP_CHARSETS), help="What it takes SMPP's data_coding 0 for, both ways."
)
@click.option("--templates-required/--no-templates-required", default=None, help="Send texts of templates alone.")
@click.option(
    "--unicode-fallback/--no-unicode-fallback",
    default=None,
    help="Send as Unicode what GSM 7-bit cannot carry, although the call asks for GSM 7-bit.",
)
@click.option("--refund-undeliverable/--no-refund-undeliverable", default=None, help="Give money back for these too.")
@click.option("--default-sender", metavar="SENDER", help="One of its senders; '' for the first of them.")
@click.option("--retention-days", type=WholeNumberType(1, 36_500), help="Blank the bodies of messages older than this.")
@click.option("--keep-for-ever", is_flag=True, help="Keep the bodies of messages.")
@in_context
async def change(
    context: CommandContext,
    account: str,
    credit: int | None,
    allow: tuple[str, ...],
    allow_any: bool,
    keep_for_ever: bool,
    **settings: Any,
) -> Reply:
    """Change an account's settings; what is not named stays.

    \b
    Example:  homing account set acme --allow 203.0.113.0/24 --allow 2001:db8::/32
              homing account set acme --credit 100 --refund-undeliverable
    """
    changes = {name: value for name, value in settings.items() if value is not None}
    for name in ("email", "default_sender"):
        if changes.get(name) == "":
            changes[name] = None
    if changes.get("submits_per_s") == 0:
        changes["submits_per_s"] = None
    if allow and allow_any:
        raise click.UsageError("--allow and --allow-any contradict each other")
    if allow or allow_any:
        changes["allowed_networks"] = list(allow)
    if keep_for_ever and "retention_days" in changes:
        raise click.UsageError("--retention-days and --keep-for-ever contradict each other")
    if keep_for_ever:
        changes["retention_days"] = None
    if not changes and credit is None:
        raise click.UsageError("nothing to change: name a setting, such as --credit 50")
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await account_settings.change_account(transaction, row["account_id"], changes)
        if credit is not None:
            await account_settings.set_credit(transaction, row["account_id"], credit)
            changes["credit"] = trimmed(credit)
    names = ", ".join(sorted(name.replace("_", " ") for name in changes))
    return Confirmation(f"Account {row['name']}: changed {names}.", {"account_id": row["account_id"], **changes})
