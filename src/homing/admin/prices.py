"""Changing price lists: what customers pay and what carriers charge for a segment. Running processes notice every
change at once (triggers tell them).
"""

from collections.abc import Sequence

from homing import errors, limits
from homing.common.money import AMOUNT_MICRO_MAX
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.admin import PrefixAmount


def check_prefix(prefix: str) -> None:
    """Raises `InvalidInput` unless it is digits, or "" for every number."""
    is_prefix = prefix.isascii() and prefix.isdigit() and len(prefix) <= limits.PREFIX_DIGITS_MAX
    if prefix and (not is_prefix or prefix.startswith("0")):
        raise errors.InvalidInput(
            "{prefix} is not a valid prefix: use digits without + or 00, or * for all numbers", prefix=repr(prefix)
        )


def check_price(micro: int) -> None:
    """Raises `InvalidInput` unless it is a valid price of a segment."""
    if not 0 <= micro <= AMOUNT_MICRO_MAX:
        raise errors.InvalidInput("the price must be 0 or more")


async def set_prices(connection: DatabaseConnection, account_id: int, prices: Sequence[tuple[str, int]]) -> None:
    """Sets prices, (prefix, micro-units a segment); account_id 0 is the general list. The prefix "" matches every
    number.
    """
    for prefix, micro in prices:
        check_prefix(prefix)
        check_price(micro)
    await statements.admin.prices_set(
        connection,
        account_id=account_id,
        prices=[PrefixAmount(prefix=prefix, micro=micro) for prefix, micro in prices],
    )


async def replace_prices(connection: DatabaseConnection, account_id: int, prices: Sequence[tuple[str, int]]) -> None:
    """As `set_prices`, and removes the list's other prices."""
    await set_prices(connection, account_id, prices)
    await statements.admin.prices_clear(
        connection, account_id=account_id, kept_prefixes=[prefix for prefix, _micro in prices]
    )


async def remove_price(connection: DatabaseConnection | Database, account_id: int, prefix: str) -> None:
    """Raises `InvalidInput` when the list has no such price."""
    if await statements.admin.price_remove(connection, account_id=account_id, prefix=prefix) is None:
        raise errors.InvalidInput("the price list has no price for prefix {prefix}", prefix=prefix or "*")


async def set_costs(connection: DatabaseConnection, carrier_id: int, costs: Sequence[tuple[str, int]]) -> None:
    """Sets a carrier's costs, (prefix, micro-units a segment). The prefix "" matches every number."""
    for prefix, micro in costs:
        check_prefix(prefix)
        check_price(micro)
    await statements.admin.costs_set(
        connection,
        carrier_id=carrier_id,
        costs=[PrefixAmount(prefix=prefix, micro=micro) for prefix, micro in costs],
    )


async def remove_cost(connection: DatabaseConnection | Database, carrier_id: int, prefix: str) -> None:
    """Raises `InvalidInput` when the carrier has no such cost."""
    if await statements.admin.cost_remove(connection, carrier_id=carrier_id, prefix=prefix) is None:
        raise errors.InvalidInput(f"the carrier has no cost for the prefix {prefix or '*'}")
