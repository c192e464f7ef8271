"""`homing account`."""

from typing import Any

import click
import msgspec

from homing import limits
from homing.accounts.profile import SMPP_CHARSETS
from homing.admin import account_settings
from homing.cli.app import APPS, app_row
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
    enum_kind,
)
from homing.cli.template import TEMPLATES
from homing.common.money import trimmed
from homing.model import BindKind
from homing.store import statements

BALANCE = (
    Column("balance_micro", "Balance", MONEY),
    Column("gift_micro", "Bonus", MONEY),
    Column("credit_micro", "Credit limit", MONEY),
)
LIST_COLUMNS = (
    Column("account_id", "ID", COUNT),
    Column("name", "Name"),
    Column("email", "Email", programs_only=True),
    *BALANCE,
    Column("created_at", "Created (UTC)", TIME),
    Column("locked_at", "Locked (UTC)", TIME),
    Column("lock_reason", programs_only=True),
)
SHOW_COLUMNS = (
    Column("account_id", "ID", COUNT),
    Column("name", "Name"),
    Column("email", "Email"),
    Column("created_at", "Created (UTC)", TIME),
    Column("locked_at", "Locked (UTC)", TIME),
    Column("lock_reason", "Lock reason", PROSE),
    *BALANCE,
    Column("available_micro", "Available", MONEY),
    Column("allowed_networks", "IP allow list", ColumnKind(LIST.text, LIST.json, absent="all addresses", wraps=True)),
    Column("queries_per_s", "Queries per second", COUNT),
    Column("binds_max", "SMPP sessions", COUNT),
    Column("bind_window", "SMPP window", COUNT),
    Column("submits_per_s", "SMPP submits per second", ColumnKind(absent="no limit", right=True)),
    Column("smpp_charset", "SMPP default alphabet"),
    Column("bound_at", "Last SMPP session (UTC)", TIME),
    Column("templates_required", "Templates required", YES),
    Column("unicode_fallback", "Unicode fallback", YES),
    Column("unique_references", "Unique references", YES),
    Column("refund_undeliverable", "Refund undeliverable", YES),
    Column("default_sender", "Default sender ID", ColumnKind(absent="first in the list")),
    Column("retention_days", "Text retention", ColumnKind(lambda days: f"{days} days", absent="permanent")),
)
BINDS = (
    Column("kind", "Bind type", enum_kind(BindKind)),
    Column("system_id", "System ID"),
    Column("address", "IP address"),
    Column("since", "Since (UTC)", TIME),
    Column("owner", "Process"),
)


@click.group(cls=CommandGroup)
def account() -> None:
    """Customer accounts: create, list, show, change, lock.

    Accounts are given by name or ID. Amounts are in USD.

    \b
    Example:  homing account create acme --email ops@acme.example --credit 50
              homing topup acme 200
              homing credential create acme --dialect smpp
    """


@account.command("create")
@click.argument("name")
@click.option("--email", help="Also accepted as the API key in some dialects.")
@click.option(
    "--credit", type=AMOUNT, default=0, help=("Credit limit: how far the balance may go below zero.  [default: 0]")
)
@in_context
async def create(context: CommandContext, name: str, email: str | None, credit: int) -> Reply:
    """Create an account with a balance of 0.

    \b
    Example:  homing account create acme --credit 50
    """
    async with context.database.transaction() as transaction:
        account_id = await account_settings.create_account(transaction, name, email)
        await account_settings.set_credit(transaction, account_id, credit)
    return Confirmation(
        f"Account {name} created with ID {account_id}.",
        {"account_id": account_id, "name": name, "email": email, "credit": trimmed(credit)},
    )


@account.command("list")
@in_context
async def list_accounts(context: CommandContext) -> Reply:
    """List all accounts with their balances.

    \b
    Example:  homing account list
    """
    rows = await statements.admin.account_list(context.database)
    return Table(LIST_COLUMNS, rows, "No accounts yet. Create one: homing account create NAME")


@account.command("show")
@click.argument("account")
@in_context
async def show(context: CommandContext, account: str) -> Reply:
    """Show an account.

    Balances, settings, credentials (without secrets), apps, sender IDs, SMPP sessions and templates.

    \b
    Example:  homing account show demo
    """
    row = await context.account(account)
    account_id = row.account_id
    account_balance = (await statements.ledger.balances_of(context.database, account_ids=[account_id]))[0]
    available_micro = account_balance.gift_micro + account_balance.balance_micro + account_balance.credit_micro
    parts = {
        "credentials": Table(
            CREDENTIALS, await statements.admin.credential_list(context.database, account_id=account_id)
        ),
        "apps": Table(
            APPS, [app_row(app) for app in await statements.admin.app_list(context.database, account_id=account_id)]
        ),
        "senders": Table(SENDERS, await statements.admin.sender_list(context.database, account_id=account_id)),
        "binds": Table(BINDS, await statements.binds.binds_list(context.database, account_id=account_id)),
        "templates": Table(TEMPLATES, await statements.admin.template_list(context.database, account_id=account_id)),
    }
    return Detail(
        SHOW_COLUMNS,
        {**msgspec.structs.asdict(row), **msgspec.structs.asdict(account_balance), "available_micro": available_micro},
        parts,
    )


@account.command("lock")
@click.argument("account")
@click.option("--reason", default="by the operator", show_default=True, help="Stored with the account.")
@in_context
async def lock(context: CommandContext, account: str, reason: str) -> Reply:
    """Lock an account: its API calls are rejected. Messages already accepted are still processed.

    \b
    Example:  homing account lock acme --reason "unpaid since May"
    """
    return await _lock(context, account, reason or "by the operator")


@account.command("unlock")
@click.argument("account")
@in_context
async def unlock(context: CommandContext, account: str) -> Reply:
    """Unlock an account.

    \b
    Example:  homing account unlock acme
    """
    return await _lock(context, account, None)


async def _lock(context: CommandContext, account: str, reason: str | None) -> Reply:
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await account_settings.set_lock(transaction, row.account_id, reason)
    facts = {"account_id": row.account_id, "name": row.name, "locked": reason is not None, "lock_reason": reason}
    return Confirmation(f"Account {row.name} {f'locked: {reason}' if reason else 'unlocked'}.", facts)


@account.command("set")
@click.argument("account")
@click.option("--email", help="The account's email; '' for none.")
@click.option("--credit", type=AMOUNT, help="Credit limit: how far the balance may go below zero.")
@click.option(
    "--allow",
    metavar="NETWORK",
    multiple=True,
    help="Allow calls only from this IP address or network; can be repeated.",
)
@click.option("--allow-any", is_flag=True, help="Allow calls from all addresses.")
@click.option("--queries-per-s", type=WholeNumberType(1, 1_000_000), help="API queries allowed per second.")
@click.option("--binds-max", type=WholeNumberType(0, limits.BINDS_MAX), help="Maximum number of SMPP sessions.")
@click.option(
    "--bind-window",
    type=WholeNumberType(1, limits.BIND_WINDOW_MAX),
    help="Unanswered requests allowed per SMPP session, in each direction.",
)
@click.option(
    "--submits-per-s",
    type=WholeNumberType(0, limits.SUBMITS_PER_S_MAX),
    help="SMPP submits allowed per second and smpp process; 0: no limit.",
)
@click.option(
    "--smpp-charset", type=click.Choice(SMPP_CHARSETS), help="Character set of SMPP data_coding 0, in both directions."
)
@click.option("--templates-required/--no-templates-required", default=None, help="Require templates.")
@click.option(
    "--unicode-fallback/--no-unicode-fallback",
    default=None,
    help="Send as Unicode if the call requests GSM 7-bit but it cannot encode the text.",
)
@click.option(
    "--unique-references/--no-unique-references",
    default=None,
    help="Of a reference repeated to a number within 24 hours, answer with the first message and send none.",
)
@click.option("--refund-undeliverable/--no-refund-undeliverable", default=None, help="Refund undeliverable messages.")
@click.option(
    "--default-sender", metavar="SENDER", help="One of the account's sender IDs; '' for the first in the list."
)
@click.option("--retention-days", type=WholeNumberType(1, 36_500), help="Delete message texts older than this.")
@click.option("--keep-for-ever", is_flag=True, help="Keep message texts permanently.")
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
    """Change settings of an account. Options not given stay unchanged.

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
        raise click.UsageError("--allow and --allow-any cannot be combined")
    if allow or allow_any:
        changes["allowed_networks"] = list(allow)
    if keep_for_ever and "retention_days" in changes:
        raise click.UsageError("--retention-days and --keep-for-ever cannot be combined")
    if keep_for_ever:
        changes["retention_days"] = None
    if not changes and credit is None:
        raise click.UsageError("nothing to change: give a setting, such as --credit 50")
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await account_settings.change_account(transaction, row.account_id, changes)
        if credit is not None:
            await account_settings.set_credit(transaction, row.account_id, credit)
            changes["credit"] = trimmed(credit)
    names = ", ".join(sorted(name.replace("_", " ") for name in changes))
    return Confirmation(f"Account {row.name}: changed {names}.", {"account_id": row.account_id, **changes})
