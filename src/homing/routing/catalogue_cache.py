"""The current tariff, read whole and replaced whole whenever a price, route, carrier or word changes."""

import asyncio
import math
import time
from collections.abc import Iterable
from typing import Final

import msgspec

from homing import limits
from homing.model import Strategy
from homing.reasons import decode_reason
from homing.routing.catalogue import Catalogue
from homing.routing.cells import CellKey
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope
from homing.routing.share_table import NO_SHARES, ShareTable
from homing.routing.shares import Objective, RouteShares
from homing.store import statements
from homing.store.database import Database
from homing.store.refreshing import refresh_on_change
from homing.store.statements.catalogue import CatalogueRoute
from homing.store.statements.learning import LearnTermsRow, NamedLearnTerms

SHARES_AGE_S_MAX: Final = 30.0  # even if a notice is missed


SHARES_CHANNEL: Final = "homing_shares"


class CatalogueCache:
    """`catalogue` is always a consistent whole; a change notice makes the board read a new one.

    Shares of adaptive routes change every few seconds and have a notice of their own: what is new is read and laid over
    the tariff as it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stale = asyncio.Event()
        self._shares_stale = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []
        self._shares = SharesReader()
        self.catalogue = Catalogue(prices=(), rules=(), carriers_enabled=(), words=())

    async def open(self) -> None:
        """Reads the tariff. Raises `DatabaseUnavailable` when it cannot."""
        self.catalogue = await read_catalogue(self._database)
        await self._read_shares()
        stale = self._shares_stale.set
        listening = self._database.listen(SHARES_CHANNEL, lambda _payload: stale(), stale)
        works = (
            refresh_on_change(self._stale, self._read, limits.PROFILE_AGE_S_MAX),
            refresh_on_change(self._shares_stale, self._read_shares, SHARES_AGE_S_MAX),
            listening,
        )
        self._readers = [asyncio.get_running_loop().create_task(work) for work in works]

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()

    def settings_changed(self, _account: str) -> None:
        self._stale.set()

    def settings_missed(self) -> None:
        self._stale.set()

    async def _read(self) -> None:
        catalogue = await read_catalogue(self._database)
        self.catalogue = catalogue.with_shares(self._shares.book)

    async def _read_shares(self) -> None:
        if await self._shares.read(self._database):
            self.catalogue = self.catalogue.with_shares(self._shares.book)


class SharesReader:
    """The shares in force: what is new since the last look, and now and then all, since some are taken away."""

    def __init__(self) -> None:
        self._known: dict[tuple[RouteScope, CellKey], RouteShares] = {}
        self._version = 0
        self._whole_s = -math.inf
        self.book = NO_SHARES

    async def read(self, database: Database) -> bool:
        """Whether anything may have changed. Raises a `PlatformFailure`."""
        is_whole = time.monotonic() - self._whole_s >= SHARES_AGE_S_MAX
        rows = await statements.learning.learn_shares_read(database, after_version=0 if is_whole else self._version)
        if is_whole:
            self._whole_s = time.monotonic()
            self._known.clear()
        elif not rows:
            return False
        for row in rows:
            cell = CellKey(row.account_id, row.app_id, row.country, row.network)
            weights = dict(zip(row.carriers, row.weights, strict=True))
            self._known[read_match(row.rule), cell] = RouteShares(weights, decode_reason(row.reason), row.version)
            self._version = max(self._version, row.version)
        self.book = ShareTable(self._known)
        return True


def read_match(written: str) -> RouteScope:
    """A rule's match from its JSON array."""
    return RouteScope(*msgspec.json.decode(written))


def write_match(match: RouteScope) -> str:
    return msgspec.json.encode(msgspec.structs.astuple(match)).decode()


async def read_catalogue(database: Database) -> Catalogue:
    async with database.transaction("repeatable_read") as transaction:
        prices = await statements.catalogue.catalogue_prices(transaction)
        routes = await statements.catalogue.catalogue_routes(transaction)
        carriers = await statements.catalogue.catalogue_carriers(transaction)
        costs = await statements.catalogue.catalogue_costs(transaction)
        words = await statements.catalogue.catalogue_words(transaction)
        terms = await statements.learning.learn_terms(transaction)
    return Catalogue(
        prices=((row.account_id, row.prefix, row.price_micro) for row in prices),
        rules=rules_of(routes),
        carriers_enabled=[row.carrier_id for row in carriers],
        words=((row.account_id, row.word) for row in words),
        costs=((row.carrier_id, row.prefix, row.cost_micro) for row in costs),
        down=frozenset(row.carrier_id for row in carriers if row.is_down),
        terms={(row.account_id, row.app_id): objectives_of(row) for row in terms},
        without_flash=frozenset(row.carrier_id for row in carriers if not row.carries_flash),
    )


def objectives_of(row: LearnTermsRow | NamedLearnTerms) -> Objective:
    """What a row of learn_terms leaves open is as by default."""
    named = {
        "quality_floor": row.quality_floor,
        "explore_min": row.explore_min,
        "share_max": row.share_max,
    }
    set_ones = {name: value for name, value in named.items() if value is not None}
    return msgspec.structs.replace(Objective(worth_micro=row.worth_micro, opted_out=row.opted_out), **set_ones)


def rules_of(rows: Iterable[CatalogueRoute]) -> list[RouteRule]:
    """The table's rows gathered into rules. The strategy and the ceiling are the same in all rows of a match."""
    grouped: dict[RouteScope, list[CatalogueRoute]] = {}
    for row in rows:
        match = RouteScope(
            row.account_id,
            row.app_id,
            row.sender,
            row.traffic,
            row.country,
            row.network,
            row.prefix,
        )
        grouped.setdefault(match, []).append(row)
    return [
        RouteRule(
            match,
            Strategy(found[0].strategy),
            found[0].ceiling_micro,
            tuple(RouteCandidate(row.route_id, row.carrier_id, row.priority, row.weight) for row in found),
        )
        for match, found in grouped.items()
    ]
