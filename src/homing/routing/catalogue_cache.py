"""The current catalogue: reloaded as a whole whenever a price, route, carrier or word changes."""

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
from homing.routing.objective import Objective
from homing.routing.rules import RouteCandidate, RouteRule, RouteScope
from homing.routing.shares import NO_SHARES, RouteShares, ShareTable
from homing.store import statements
from homing.store.database import Database
from homing.store.refreshing import refresh_on_change
from homing.store.statements.catalogue import CatalogueRoute
from homing.store.statements.learning import LearnTermsRow, NamedLearnTerms

SHARES_AGE_S_MAX: Final = 30.0  # even if a notice is missed
SHARES_CHANNEL: Final = "homing_shares"


class CatalogueCache:
    """`catalogue` is always a consistent snapshot; a change notice makes the cache load a new one.

    Shares of adaptive routes change every few seconds and have their own notice: only new shares are read, and they
    replace the shares of the current catalogue.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stale = asyncio.Event()
        self._shares_stale = asyncio.Event()
        self._readers: list[asyncio.Task[None]] = []
        self._shares = SharesReader()
        self.catalogue = Catalogue()

    async def open(self) -> None:
        """Loads the catalogue. Raises a `PlatformFailure`."""
        self.catalogue = await read_catalogue(self._database)
        await self._read_shares()
        stale = self._shares_stale.set
        listening = self._database.listen(SHARES_CHANNEL, lambda _payload: stale(), stale)
        loops = (
            refresh_on_change(self._stale, self._read, limits.PROFILE_AGE_S_MAX),
            refresh_on_change(self._shares_stale, self._read_shares, SHARES_AGE_S_MAX),
            listening,
        )
        self._readers = [asyncio.get_running_loop().create_task(loop) for loop in loops]

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()

    def settings_changed(self, _account: str) -> None:
        self._stale.set()

    def settings_missed(self) -> None:
        self._stale.set()

    async def _read(self) -> None:
        catalogue = await read_catalogue(self._database)
        self.catalogue = catalogue.with_shares(self._shares.table)

    async def _read_shares(self) -> None:
        if await self._shares.read(self._database):
            self.catalogue = self.catalogue.with_shares(self._shares.table)


class SharesReader:
    """Reads the shares in force: new ones by version, and all of them every SHARES_AGE_S_MAX, since rows are deleted as
    well.
    """

    def __init__(self) -> None:
        self._shares: dict[tuple[RouteScope, CellKey], RouteShares] = {}
        self._version = 0
        self._reloaded_s = -math.inf
        self.table = NO_SHARES

    async def read(self, database: Database) -> bool:
        """Updates `table`; whether it may have changed. Raises a `PlatformFailure`."""
        is_reload = time.monotonic() - self._reloaded_s >= SHARES_AGE_S_MAX
        rows = await statements.learning.learn_shares_read(database, after_version=0 if is_reload else self._version)
        if is_reload:
            self._reloaded_s = time.monotonic()
            self._shares.clear()
        elif not rows:
            return False
        for row in rows:
            cell = CellKey(row.account_id, row.app_id, row.country, row.network)
            weights = dict(zip(row.carriers, row.weights, strict=True))
            self._shares[decode_scope(row.rule), cell] = RouteShares(weights, decode_reason(row.reason), row.version)
            self._version = max(self._version, row.version)
        self.table = ShareTable(self._shares)
        return True


def encode_scope(scope: RouteScope) -> str:
    """A rule's scope as stored: a JSON array of its fields."""
    return msgspec.json.encode(msgspec.structs.astuple(scope)).decode()


def decode_scope(text: str) -> RouteScope:
    return RouteScope(*msgspec.json.decode(text))


async def read_catalogue(database: Database) -> Catalogue:
    """The settings of one snapshot of the database, without shares. Raises a `PlatformFailure`."""
    async with database.transaction("repeatable_read") as transaction:
        prices = await statements.catalogue.catalogue_prices(transaction)
        routes = await statements.catalogue.catalogue_routes(transaction)
        carriers = await statements.catalogue.catalogue_carriers(transaction)
        costs = await statements.catalogue.catalogue_costs(transaction)
        words = await statements.catalogue.catalogue_words(transaction)
        objectives = await statements.learning.learn_terms(transaction)
    return Catalogue(
        prices=((row.account_id, row.prefix, row.price_micro) for row in prices),
        rules=rules_of(routes),
        enabled=[row.carrier_id for row in carriers],
        words=((row.account_id, row.word) for row in words),
        costs=((row.carrier_id, row.prefix, row.cost_micro) for row in costs),
        down=frozenset(row.carrier_id for row in carriers if row.is_down),
        objectives={(row.account_id, row.app_id): objective_of(row) for row in objectives},
        without_flash=frozenset(row.carrier_id for row in carriers if not row.carries_flash),
    )


def objective_of(row: LearnTermsRow | NamedLearnTerms) -> Objective:
    """The objective of a row of `learn_terms`; columns that are NULL have the default."""
    columns = {
        "quality_floor": row.quality_floor,
        "explore_min": row.explore_min,
        "share_max": row.share_max,
    }
    not_null = {name: value for name, value in columns.items() if value is not None}
    return msgspec.structs.replace(Objective(worth_micro=row.worth_micro, opted_out=row.opted_out), **not_null)


def rules_of(rows: Iterable[CatalogueRoute]) -> list[RouteRule]:
    """Groups the rows of routes into rules. All rows of a scope have the same strategy and ceiling."""
    grouped: dict[RouteScope, list[CatalogueRoute]] = {}
    for row in rows:
        scope = RouteScope(
            row.account_id,
            row.app_id,
            row.sender,
            row.traffic,
            row.country,
            row.network,
            row.prefix,
        )
        grouped.setdefault(scope, []).append(row)
    return [
        RouteRule(
            scope,
            Strategy(candidates[0].strategy),
            candidates[0].ceiling_micro,
            tuple(RouteCandidate(row.route_id, row.carrier_id, row.priority, row.weight) for row in candidates),
        )
        for scope, candidates in grouped.items()
    ]
