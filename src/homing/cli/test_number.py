"""`homing test-number`."""

from typing import Final

import click

from homing.admin import code_settings
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import NUMBER
from homing.cli.show import Column, Confirmation, Reply, Table
from homing.store import statements

NUMBERS: Final = (Column("number", "Number"),)


@click.group("test-number", cls=CommandGroup)
def test_number() -> None:
    """A customer's test numbers: nothing is sent to them, and their verification code is always the same.

    For app stores' reviewers, who cannot receive a message. A code is not shown again; adding the number once more
    replaces it.

    \b
    Example:  homing test-number add acme +8613800139999 428193
    """


@test_number.command("add")
@click.argument("account")
@click.argument("number", type=NUMBER)
@click.argument("code")
@in_context
async def add(context: CommandContext, account: str, number: str, code: str) -> Reply:
    """Add a test number, or replace its code.

    \b
    Example:  homing test-number add acme +8613800139999 428193
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        digits = await code_settings.set_test_number(transaction, row.account_id, number, code)
    return Confirmation(f"{digits} is a test number of {row.name}.", {"number": digits})


@test_number.command("list")
@click.argument("account")
@in_context
async def list_test_numbers(context: CommandContext, account: str) -> Reply:
    """List an account's test numbers.

    \b
    Example:  homing test-number list acme
    """
    row = await context.account(account)
    listed = await statements.verifications.test_number_list(context.database, account_ids=[row.account_id])
    return Table(NUMBERS, listed, "No test numbers.")


@test_number.command("remove")
@click.argument("account")
@click.argument("number", type=NUMBER)
@in_context
async def remove(context: CommandContext, account: str, number: str) -> Reply:
    """Remove a test number. Codes are then sent to it as to any other.

    \b
    Example:  homing test-number remove acme +8613800139999
    """
    row = await context.account(account)
    async with context.database.transaction() as transaction:
        await code_settings.remove_test_number(transaction, row.account_id, number)
    return Confirmation(f"{number} is no longer a test number of {row.name}.", {"number": number})
