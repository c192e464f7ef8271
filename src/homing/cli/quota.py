"""`homing quota`."""

from datetime import UTC, datetime

import click

from homing.admin import send_quotas
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import AMOUNT, WholeNumberType, account_option
from homing.cli.show import COUNT, MONEY, Column, ColumnKind, Confirmation, Reply, Table
from homing.model import SendQuota

NO_LIMIT = ColumnKind(absent="no limit", right=True)
COUNT_MAX = 10**12
QUOTAS = (
    Column("account_id", programs_only=True),
    Column("account", "Account"),
    Column("app_id", "App", ColumnKind(lambda app_id: app_id or "all")),
    Column("messages_per_s", "Messages per second", NO_LIMIT),
    Column("messages_per_day", "Messages per day", NO_LIMIT),
    Column("messages_used", "Used", COUNT),
    Column("money_per_day_micro", "Money per day", ColumnKind(MONEY.text, MONEY.json, absent="no limit", right=True)),
    Column("money_used_micro", "Used", MONEY),
)
app_option = click.option("--app", "app_id", metavar="APP_ID", default="", help="Of this app; else of the account.")


@click.group(cls=CommandGroup)
def quota() -> None:
    """Quotas: how much an account or an app may send.

    A call that does not fit is rejected as a whole, without charge. A day is 24 hours from the first message. At four
    fifths of a day's quota the console's overview warns.

    \b
    Example:  homing quota set acme --messages-per-day 50000 --money-per-day 500
              homing quota list
    """


@quota.command("set")
@click.argument("account")
@app_option
@click.option("--messages-per-s", type=WholeNumberType(1, 1_000_000), help="Messages allowed per second.")
@click.option("--messages-per-day", type=WholeNumberType(1, COUNT_MAX), help="Messages allowed per day.")
@click.option("--money-per-day", "money_per_day_micro", type=AMOUNT, help="Money allowed per day.")
@in_context
async def change(context: CommandContext, account: str, app_id: str, **values: int | None) -> Reply:
    """Set a quota in place of the present one. Options not given are not limited.

    \b
    Example:  homing quota set acme --messages-per-s 200 --money-per-day 500
              homing quota set acme --app 4luaKsL2 --messages-per-day 10000
    """
    async with context.database.transaction() as transaction:
        row = await context.account(account)
        await send_quotas.set_quota(transaction, row.account_id, app_id, SendQuota(**values))
    return Confirmation(f"Quota of {app_id or row.name} set.", {"account": row.name, "app_id": app_id, **values})


@quota.command("list")
@account_option
@in_context
async def list_quotas(context: CommandContext, account: str | None) -> Reply:
    """List quotas, and what is used up of them.

    \b
    Example:  homing quota list --account acme
    """
    account_id = None if account is None else (await context.account(account)).account_id
    rows = await send_quotas.list_quotas(context.database, datetime.now(UTC), account_id)
    return Table(QUOTAS, rows, "No quotas yet: add one with `homing quota set`.")


@quota.command("remove")
@click.argument("account")
@app_option
@in_context
async def remove(context: CommandContext, account: str, app_id: str) -> Reply:
    """Remove a quota.

    \b
    Example:  homing quota remove acme
    """
    async with context.database.transaction() as transaction:
        row = await context.account(account)
        await send_quotas.remove_quota(transaction, row.account_id, app_id)
    return Confirmation(f"Quota of {app_id or row.name} removed.", {"account": row.name, "app_id": app_id})
