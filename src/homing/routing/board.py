"""The current tariff, read whole and replaced whole whenever a price, route, carrier or word changes."""

import asyncio
import contextlib
from collections.abc import Iterable

from homing import errors, limits
from homing.model import Strategy
from homing.routing.rules import Candidate, Match, Rule
from homing.routing.tariff import Tariff
from homing.store.database import Database, Record


class TariffBoard:
    """`tariff` is always a consistent whole; a change notice makes the board read a new one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stale = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.tariff = Tariff((), (), (), ())

    async def open(self) -> None:
        """Reads the tariff. Raises `StoreAway` when it cannot."""
        self.tariff = await read_tariff(self._database)
        self._reader = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        if self._reader:
            self._reader.cancel()

    def changed(self) -> None:
        self._stale.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.PROFILE_AGE_S_MAX):
                    await self._stale.wait()
            self._stale.clear()
            try:
                self.tariff = await read_tariff(self._database)
            except errors.PlatformFailure:
                self._stale.set()
                await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)


async def read_tariff(database: Database) -> Tariff:
    async with database.transaction("repeatable_read") as transaction:
        prices = await transaction.fetch("tariff_prices")
        routes = await transaction.fetch("tariff_routes")
        carriers = await transaction.fetch("tariff_carriers")
        costs = await transaction.fetch("tariff_costs")
        words = await transaction.fetch("tariff_words")
    return Tariff(
        ((row["account_id"], row["prefix"], row["price_micro"]) for row in prices),
        rules_of(routes),
        [row["carrier_id"] for row in carriers],
        ((row["account_id"], row["word"]) for row in words),
        ((row["carrier_id"], row["prefix"], row["cost_micro"]) for row in costs),
        frozenset(row["carrier_id"] for row in carriers if row["is_down"]),
    )


def rules_of(rows: Iterable[Record]) -> list[Rule]:
    """The table's rows gathered into rules. The strategy and the ceiling are the same in all rows of a match."""
    grouped: dict[Match, list[Record]] = {}
    for row in rows:
        match = Match(
            row["account_id"],
            row["app_id"],
            row["sender"],
            row["traffic"],
            row["country"],
            row["network"],
            row["prefix"],
        )
        grouped.setdefault(match, []).append(row)
    return [
        Rule(
            match,
            Strategy(found[0]["strategy"]),
            found[0]["ceiling_micro"],
            tuple(Candidate(row["route_id"], row["carrier_id"], row["priority"], row["weight"]) for row in found),
        )
        for match, found in grouped.items()
    ]
