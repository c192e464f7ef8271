"""Statements of sql/catalogue.sql.

Made by tools/sql_bindings.py from sql/catalogue.sql.
"""

from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, fetch_rows

_SQL: Final = queries.load("catalogue")


class CataloguePrice(msgspec.Struct, frozen=True, gc=False):
    """A row of `catalogue_prices`."""

    account_id: int
    prefix: str
    price_micro: int


class CatalogueRoute(msgspec.Struct, frozen=True, gc=False):
    """A row of `catalogue_routes`."""

    route_id: int
    account_id: int
    app_id: str
    sender: str
    traffic: int
    country: str
    network: str
    prefix: str
    carrier_id: int
    priority: int
    weight: int
    strategy: int
    ceiling_micro: int | None


class CatalogueCost(msgspec.Struct, frozen=True, gc=False):
    """A row of `catalogue_costs`."""

    carrier_id: int
    prefix: str
    cost_micro: int


class CatalogueCarrier(msgspec.Struct, frozen=True, gc=False):
    """A row of `catalogue_carriers`."""

    carrier_id: int
    carries_flash: bool
    is_down: bool


class CatalogueWord(msgspec.Struct, frozen=True, gc=False):
    """A row of `catalogue_words`."""

    account_id: int
    word: str


async def catalogue_prices(db: Executor) -> list[CataloguePrice]:
    return await fetch_rows(db, _SQL["catalogue_prices"], CataloguePrice)


async def catalogue_routes(db: Executor) -> list[CatalogueRoute]:
    return await fetch_rows(db, _SQL["catalogue_routes"], CatalogueRoute)


async def catalogue_costs(db: Executor) -> list[CatalogueCost]:
    return await fetch_rows(db, _SQL["catalogue_costs"], CatalogueCost)


async def catalogue_carriers(db: Executor) -> list[CatalogueCarrier]:
    """A carrier that no process owns yet is not down: none has looked."""
    return await fetch_rows(db, _SQL["catalogue_carriers"], CatalogueCarrier)


async def catalogue_words(db: Executor) -> list[CatalogueWord]:
    return await fetch_rows(db, _SQL["catalogue_words"], CatalogueWord)
