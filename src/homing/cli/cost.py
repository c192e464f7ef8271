"""`homing cost`."""

from typing import TextIO

import click

from homing.admin import carriers, price_sheet, prices
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import AMOUNT, MINUS_IS_A_SIGN, PREFIX
from homing.cli.show import MONEY, TIME, Column, Confirmation, Reply, Table
from homing.cli.show import PREFIX as PREFIX_KIND
from homing.common.money import trimmed
from homing.model import CURRENCY
from homing.store import statements

COSTS = (
    Column("carrier", "Carrier"),
    Column("prefix", "Prefix", PREFIX_KIND),
    Column("cost_micro", "USD per segment", MONEY),
    Column("changed_at", "Changed (UTC)", TIME),
)


@click.group(cls=CommandGroup)
def cost() -> None:
    """Carrier costs per segment, by number prefix.

    The longest matching prefix applies. Least-cost routes are ordered by these costs, and a carrier that costs more
    than the customer pays is not used, unless its route allows it.

    \b
    Example:  homing cost set fast 86 0.025
              homing cost import fast prices.csv
    """


@cost.command("set", context_settings=MINUS_IS_A_SIGN)
@click.argument("carrier")
@click.argument("prefix", type=PREFIX)
@click.argument("amount", type=AMOUNT)
@in_context
async def change(context: CommandContext, carrier: str, prefix: str, amount: int) -> Reply:
    """Set a carrier's (name or ID) cost for a prefix.

    PREFIX '*' stands for all numbers. AMOUNT is in USD per segment.

    \b
    Example:  homing cost set fast 86 0.025
    """
    row = await carriers.find_carrier(context.database, carrier)
    async with context.database.transaction() as transaction:
        await prices.set_costs(transaction, row.carrier_id, [(prefix, amount)])
    prefix_text = PREFIX_KIND.text(prefix)
    return Confirmation(
        f"{row.name}: {trimmed(amount)} {CURRENCY} per segment for {prefix_text}.",
        {"carrier": row.name, "prefix": prefix_text, "cost": trimmed(amount)},
    )


@cost.command("list")
@click.option("--carrier", help="Only this carrier (name or ID).")
@in_context
async def list_costs(context: CommandContext, carrier: str | None) -> Reply:
    """List all costs, or those of one carrier.

    \b
    Example:  homing cost list --carrier fast
    """
    only = None if carrier is None else (await carriers.find_carrier(context.database, carrier)).carrier_id
    return Table(COSTS, await statements.admin.cost_list(context.database, carrier_id=only), "No costs set.")


@cost.command("remove")
@click.argument("carrier")
@click.argument("prefix", type=PREFIX)
@in_context
async def remove(context: CommandContext, carrier: str, prefix: str) -> Reply:
    """Remove a carrier's cost for a prefix.

    \b
    Example:  homing cost remove fast 86
    """
    row = await carriers.find_carrier(context.database, carrier)
    await prices.remove_cost(context.database, row.carrier_id, prefix)
    prefix_text = PREFIX_KIND.text(prefix)
    return Confirmation(f"Cost of {row.name} for {prefix_text} removed.", {"carrier": row.name, "prefix": prefix_text})


@cost.command("import")
@click.argument("carrier")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@in_context
async def import_(context: CommandContext, carrier: str, file: TextIO) -> Reply:
    """Import costs from a CSV file.

    FILE '-' reads standard input. The header must contain the columns prefix and price; other columns are ignored. If
    any row is invalid, nothing is changed.

    \b
    Example:  homing cost import fast prices.csv
    """
    costs = price_sheet.read(file, getattr(file, "name", "-"))
    row = await carriers.find_carrier(context.database, carrier)
    async with context.database.transaction() as transaction:
        await prices.set_costs(transaction, row.carrier_id, costs)
    return Confirmation(f"{len(costs)} costs set for {row.name}.", {"costs": len(costs), "carrier": row.name})
