"""`homing word`."""

import click

from homing.admin import words
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import account_option
from homing.cli.show import SCOPE, TIME, Column, Confirmation, Reply, Table
from homing.model import GENERAL
from homing.store import statements

WORDS = (
    Column("word", "Word"),
    Column("account", "For", SCOPE),
    Column("created_at", "Added (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def word() -> None:
    """Sensitive words: messages that contain one are rejected.

    Such messages are not charged. Upper/lower case and full/half width are ignored, and a word also matches inside
    other words.

    \b
    Example:  homing word add casino
              homing word add loan --account acme
    """


@word.command("add")
@click.argument("word")
@account_option
@in_context
async def add(context: CommandContext, word: str, account: str | None) -> Reply:
    """Add a sensitive word, for all accounts or for one.

    \b
    Example:  homing word add casino
    """
    async with context.database.transaction() as transaction:
        await words.add_word(transaction, await context.scope(account), word)
    return Confirmation(
        f"Sensitive word {word!r} added for {account or 'all accounts'}.", {"word": word, "account": account}
    )


@word.command("list")
@account_option
@in_context
async def list_words(context: CommandContext, account: str | None) -> Reply:
    """List all sensitive words, or those of --account.

    \b
    Example:  homing word list --account acme
    """
    scope = None if account is None else [GENERAL, await context.scope(account)]
    return Table(
        WORDS, await statements.admin.word_list(context.database, account_ids=scope), "No sensitive words yet."
    )


@word.command("remove")
@click.argument("word")
@account_option
@in_context
async def remove(context: CommandContext, word: str, account: str | None) -> Reply:
    """Remove a sensitive word.

    \b
    Example:  homing word remove casino
    """
    await words.remove_word(context.database, await context.scope(account), word)
    return Confirmation(
        f"Sensitive word {word!r} removed for {account or 'all accounts'}.", {"word": word, "account": account}
    )
