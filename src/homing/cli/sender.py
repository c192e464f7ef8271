"""`homing sender`."""

import click

from homing.admin import account_settings
from homing.admin.setting_warnings import sender_warnings
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.show import TIME, YES, Column, Confirmation, Reply, Table
from homing.store import statements

SENDERS = (
    Column("sender", "Sender ID"),
    Column("is_default", "Default", YES),
    Column("created_at", "Added (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def sender() -> None:
    """A customer's registered sender IDs.

    \b
    Example:  homing sender add acme ACME --default
    """


@sender.command("add")
@click.argument("account")
@click.argument("sender")
@click.option(
    "--default", is_flag=True, help="Use it for messages without a sender ID, or with one that is not registered."
)
@in_context
async def add(context: CommandContext, account: str, sender: str, default: bool) -> Reply:
    """Register a sender ID of up to 32 characters. The first one is the default until another is set.

    \b
    Example:  homing sender add acme ACME
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await account_settings.add_sender(transaction, row.account_id, sender, default)
    return Confirmation(
        f"Sender ID {sender} added for {row.name}.",
        {"account_id": row.account_id, "sender": sender},
        [*map(str, sender_warnings(sender))],
    )


@sender.command("list")
@click.argument("account")
@in_context
async def list_senders(context: CommandContext, account: str) -> Reply:
    """List an account's sender IDs.

    \b
    Example:  homing sender list acme
    """
    row = await context.account(account)
    return Table(
        SENDERS, await statements.admin.sender_list(context.database, account_id=row.account_id), "No sender IDs yet."
    )


@sender.command("remove")
@click.argument("account")
@click.argument("sender")
@in_context
async def remove(context: CommandContext, account: str, sender: str) -> Reply:
    """Remove a sender ID from an account.

    \b
    Example:  homing sender remove acme ACME
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await account_settings.remove_sender(transaction, row.account_id, sender)
    return Confirmation(
        f"Sender ID {sender} removed from {row.name}.", {"account_id": row.account_id, "sender": sender}
    )
