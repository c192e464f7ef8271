"""Statements of sql/tariff.sql.

Made by tools/sql_bindings.py from sql/tariff.sql.
"""

from typing import Final

from homing.store import queries
from homing.store.rows import Executor, execute

_SQL: Final = queries.load("tariff")


async def tariff_prices(db: Executor) -> None:
    await execute(db, _SQL["tariff_prices"])


async def tariff_routes(db: Executor) -> None:
    await execute(db, _SQL["tariff_routes"])


async def tariff_costs(db: Executor) -> None:
    await execute(db, _SQL["tariff_costs"])


async def tariff_carriers(db: Executor) -> None:
    """A carrier that no process owns yet is not down: none has looked."""
    await execute(db, _SQL["tariff_carriers"])


async def tariff_words(db: Executor) -> None:
    await execute(db, _SQL["tariff_words"])
