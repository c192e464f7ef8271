"""`homing sender`."""

import click

from homing.accounts import admin
from homing.accounts.warnings import sender_warnings
from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.show import TIME, YES, Column, Reply, Said, Table

SENDERS = (
    Column("sender", "Sender"),
    Column("is_default", "Default", YES),
    Column("created_at", "Added (UTC)", TIME),
)


@click.group(cls=Noun)
def sender() -> None:
    """The sender IDs a customer may use.

    \b
    Example:  homing sender add acme ACME --default
    """


@sender.command("add")
@click.argument("account")
@click.argument("sender")
@click.option("--default", is_flag=True, help="Use it where a message names none, or one that is not registered.")
@at_desk
async def add(desk: Desk, account: str, sender: str, default: bool) -> Reply:
    """Register a sender ID: up to 32 characters. The first one is the default until another is.

    \b
    Example:  homing sender add acme ACME
    """
    row = await desk.account(account)
    async with desk.database.transaction() as transaction:
        await admin.add_sender(transaction, row["account_id"], sender, default)
    return Said(
        f"{row['name']} may send as {sender}.",
        {"account_id": row["account_id"], "sender": sender},
        [*map(str, sender_warnings(sender))],
    )


@sender.command("list")
@click.argument("account")
@at_desk
async def list_senders(desk: Desk, account: str) -> Reply:
    """An account's sender IDs.

    \b
    Example:  homing sender list acme
    """
    row = await desk.account(account)
    return Table(SENDERS, await desk.database.fetch("sender_list", row["account_id"]), "No senders yet.")


@sender.command("remove")
@click.argument("account")
@click.argument("sender")
@at_desk
async def remove(desk: Desk, account: str, sender: str) -> Reply:
    """Take a sender ID from an account.

    \b
    Example:  homing sender remove acme ACME
    """
    row = await desk.account(account)
    async with desk.database.transaction() as transaction:
        await admin.remove_sender(transaction, row["account_id"], sender)
    return Said(f"{row['name']} may no longer send as {sender}.", {"account_id": row["account_id"], "sender": sender})
