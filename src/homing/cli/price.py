"""`homing price`."""

from typing import TextIO

import click

from homing.admin import price_sheet
from homing.admin.prices import remove_price, replace_prices, set_prices
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import AMOUNT, MINUS_IS_A_SIGN, PREFIX, account_option
from homing.cli.show import MONEY, SCOPE, TIME, Column, Confirmation, Reply, Table
from homing.cli.show import PREFIX as PREFIX_KIND
from homing.common.money import trimmed
from homing.model import CURRENCY, GENERAL
from homing.store import statements

PRICES = (
    Column("prefix", "Prefix", PREFIX_KIND),
    Column("price_micro", "USD per segment", MONEY),
    Column("account", "For", SCOPE),
    Column("changed_at", "Changed (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def price() -> None:
    """Customer prices per segment, by number prefix.

    The longest matching prefix applies. An account's own prices take precedence over the default list. Messages to a
    number without a price are rejected.

    \b
    Example:  homing price set 86 0.031
              homing price set '*' 0.02
              homing price import prices.csv --account acme
    """


@price.command("set", context_settings=MINUS_IS_A_SIGN)
@click.argument("prefix", type=PREFIX)
@click.argument("amount", type=AMOUNT)
@account_option
@in_context
async def change(context: CommandContext, prefix: str, amount: int, account: str | None) -> Reply:
    """Set the price of a prefix; '*' stands for all numbers. AMOUNT is in USD per segment.

    \b
    Example:  homing price set 86 0.031
    """
    async with context.database.transaction() as transaction:
        await set_prices(transaction, await context.scope(account), [(prefix, amount)])
    prefix_text = PREFIX_KIND.text(prefix)
    return Confirmation(
        f"{prefix_text}: {trimmed(amount)} {CURRENCY} per segment for {account or 'all accounts'}.",
        {"prefix": prefix_text, "price": trimmed(amount), "account": account},
    )


@price.command("list")
@account_option
@in_context
async def list_prices(context: CommandContext, account: str | None) -> Reply:
    """List all prices, or those that apply to --account.

    \b
    Example:  homing price list --account acme
    """
    scope = None if account is None else [GENERAL, await context.scope(account)]
    return Table(
        PRICES,
        await statements.admin.price_list(context.database, account_ids=scope),
        "No prices yet: all messages are rejected.",
    )


@price.command("remove")
@click.argument("prefix", type=PREFIX)
@account_option
@in_context
async def remove(context: CommandContext, prefix: str, account: str | None) -> Reply:
    """Remove a price.

    \b
    Example:  homing price remove 86 --account acme
    """
    await remove_price(context.database, await context.scope(account), prefix)
    prefix_text = PREFIX_KIND.text(prefix)
    return Confirmation(
        f"Price for {prefix_text} removed for {account or 'all accounts'}.", {"prefix": prefix_text, "account": account}
    )


@price.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@account_option
@click.option("--replace", is_flag=True, help="Remove prices that are not in the file.")
@in_context
async def import_(context: CommandContext, file: TextIO, account: str | None, replace: bool) -> Reply:
    """Import prices from a CSV file; '-' reads standard input.

    The header must contain the columns prefix and price; other columns are ignored. All rows are checked first: if any
    is invalid, nothing is changed and the invalid rows are listed with their line numbers.

    \b
    Example:  homing price import prices.csv --account acme --replace
    """
    prices = price_sheet.read(file, getattr(file, "name", "-"))
    account_id = await context.scope(account)
    async with context.database.transaction() as transaction:
        await (replace_prices if replace else set_prices)(transaction, account_id, prices)
    return Confirmation(
        f"{len(prices)} prices set for {account or 'all accounts'}{'; all others removed' if replace else ''}.",
        {"prices": len(prices), "account": account, "replaced": replace},
    )
