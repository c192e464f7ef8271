"""`homing price`."""

from typing import TextIO

import click

from homing.admin import catalogue, price_sheet
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import AMOUNT, MINUS_IS_A_SIGN, PREFIX, account_option
from homing.cli.show import MONEY, SCOPE, TIME, Column, Confirmation, Reply, Table
from homing.cli.show import PREFIX as PREFIX_KIND
from homing.common.money import trimmed
from homing.model import CURRENCY, GENERAL

PRICES = (
    Column("prefix", "Prefix", PREFIX_KIND),
    Column("price_micro", "USD a segment", MONEY),
    Column("account", "For", SCOPE),
    Column("changed_at", "Changed (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def price() -> None:
    """What a segment costs, by number prefix.

    The longest matching prefix decides; an account's own list, where it matches at all, stands before the general one.
    A number without a price is refused.

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
    """Set the price of a prefix; '*' is every number. AMOUNT is in USD a segment.

    \b
    Example:  homing price set 86 0.031
    """
    async with context.database.transaction() as transaction:
        await catalogue.set_prices(transaction, await context.scope(account), [(prefix, amount)])
    shown = PREFIX_KIND.text(prefix)
    return Confirmation(
        f"{shown} costs {trimmed(amount)} {CURRENCY} a segment for {account or 'everyone'}.",
        {"prefix": shown, "price": trimmed(amount), "account": account},
    )


@price.command("list")
@account_option
@in_context
async def list_prices(context: CommandContext, account: str | None) -> Reply:
    """All prices, or with --account those that hold for one account.

    \b
    Example:  homing price list --account acme
    """
    scope = None if account is None else [GENERAL, await context.scope(account)]
    return Table(
        PRICES, await context.database.fetch("price_list", scope), "No prices yet: every message would be refused."
    )


@price.command("remove")
@click.argument("prefix", type=PREFIX)
@account_option
@in_context
async def remove(context: CommandContext, prefix: str, account: str | None) -> Reply:
    """Remove a prefix from a list.

    \b
    Example:  homing price remove 86 --account acme
    """
    await catalogue.remove_price(context.database, await context.scope(account), prefix)
    shown = PREFIX_KIND.text(prefix)
    return Confirmation(
        f"{shown} has no price of its own for {account or 'everyone'}.", {"prefix": shown, "account": account}
    )


@price.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@account_option
@click.option("--replace", is_flag=True, help="Remove what the list holds beside the file's rows.")
@in_context
async def import_(context: CommandContext, file: TextIO, account: str | None, replace: bool) -> Reply:
    """Set many prices from a CSV file; '-' reads standard input.

    The header names the columns prefix and price; other columns are passed over. Every row is checked first: with
    one that cannot be used nothing is changed, and all of those are listed with their line numbers.

    \b
    Example:  homing price import prices.csv --account acme --replace
    """
    prices = price_sheet.read(file, getattr(file, "name", "-"))
    account_id = await context.scope(account)
    async with context.database.transaction() as transaction:
        await (catalogue.replace_prices if replace else catalogue.set_prices)(transaction, account_id, prices)
    return Confirmation(
        f"{len(prices)} prices are set for {account or 'everyone'}{', and no others' if replace else ''}.",
        {"prices": len(prices), "account": account, "replaced": replace},
    )
