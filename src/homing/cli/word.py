"""`homing word`."""

import click

from homing.admin import catalogue
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import account_option
from homing.cli.show import SCOPE, TIME, Column, Confirmation, Reply, Table
from homing.model import GENERAL

WORDS = (
    Column("word", "Word"),
    Column("account", "For", SCOPE),
    Column("created_at", "Added (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def word() -> None:
    """Words that no message may hold.

    A text with one of them is refused before it costs anything. Case and width do not matter, and a word is found
    inside others too.

    \b
    Example:  homing word add casino
              homing word add loan --account acme
    """


@word.command("add")
@click.argument("word")
@account_option
@in_context
async def add(context: CommandContext, word: str, account: str | None) -> Reply:
    """Refuse texts that hold a word, of every account or of one.

    \b
    Example:  homing word add casino
    """
    async with context.database.transaction() as transaction:
        await catalogue.add_word(transaction, await context.scope(account), word)
    return Confirmation(
        f"Texts of {account or 'every account'} may not hold {word!r}.", {"word": word, "account": account}
    )


@word.command("list")
@account_option
@in_context
async def list_words(context: CommandContext, account: str | None) -> Reply:
    """All words, or with --account those that hold for one account.

    \b
    Example:  homing word list --account acme
    """
    scope = None if account is None else [GENERAL, await context.scope(account)]
    return Table(WORDS, await context.database.fetch("word_list", scope), "No words are refused.")


@word.command("remove")
@click.argument("word")
@account_option
@in_context
async def remove(context: CommandContext, word: str, account: str | None) -> Reply:
    """Let a word pass again.

    \b
    Example:  homing word remove casino
    """
    await catalogue.remove_word(context.database, await context.scope(account), word)
    return Confirmation(
        f"{word!r} is refused no longer for {account or 'every account'}.", {"word": word, "account": account}
    )
