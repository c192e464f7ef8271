"""Accounts with money, and several intakes over one database, as so many processes have them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from homing import errors
from homing.accounts.profile import Profile
from homing.admin import account_settings, carriers, prices, routes
from homing.common.ids import IdSource
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.intake.intake import Clock, Intake, utc_now
from homing.intake.submission import AcceptedMessage, MessageGroup, Submission
from homing.ledger.postings import gift, post, top_up
from homing.ledger.proof import LedgerProof, prove
from homing.model import GENERAL, App, Recipient
from homing.routing.catalogue_cache import CatalogueCache
from homing.routing.rules import RouteScope
from homing.store.database import FREE_PLANS, Database
from homing.store.migrate import migrate
from homing.text.numbers import Destination, Numbering

PRICES = {"1": 8_000, "44": 20_001, "86": 31_000, "91": 4_000, "7": 1, "99": 0}
"""By prefix, in micro-units a segment; 99 costs nothing."""
NOWHERE = "800"
"""Numbers that begin so have neither price nor route."""
CONNECTIONS = 3


@dataclass(frozen=True)
class Purse:
    """Micro-units."""

    gift: int
    balance: int
    credit: int

    @property
    def available(self) -> int:
        return self.gift + self.balance + self.credit

    def charged(self, total: int) -> "Purse":
        """After a charge: gift first, then the balance, which may go below zero as far as the credit says."""
        from_gift = min(self.gift, total)
        return Purse(self.gift - from_gift, self.balance - (total - from_gift), self.credit)


@dataclass
class Bank:
    """One database, and `intakes` that share nothing but it."""

    dsn: str
    databases: list[Database]
    intakes: list[Intake]
    plain: Database
    lane: int
    boards: list[CatalogueCache]
    _names: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @classmethod
    async def open(cls, dsn: str, processes: int, clock: Clock = utc_now) -> Self:
        await migrate(dsn)
        plain = Database(dsn=dsn, connections_max=CONNECTIONS, plans=FREE_PLANS)
        await plain.open()
        async with plain.transaction() as transaction:
            await prices.set_prices(transaction, GENERAL, list(PRICES.items()))
            carrier_id = await carriers.add_carrier(transaction, "sim", "simulator")
            for prefix in PRICES:
                await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=carrier_id)
        databases = [Database(dsn=dsn, connections_max=CONNECTIONS) for _ in range(processes)]
        numbering = Numbering({"1": Destination("US", "1", "310", "-1", "")})
        boards, intakes = [], []
        for node, database in enumerate(databases):
            await database.open()
            boards.append(CatalogueCache(database))
            await boards[-1].open()
            intakes.append(
                Intake(
                    database=database,
                    catalogue_cache=boards[-1],
                    numbering=numbering,
                    next_id=IdSource(node).next,
                    clock=clock,
                )
            )
        return cls(dsn, databases, intakes, plain, carrier_id * 2, boards)

    async def close(self) -> None:
        for board in self.boards:
            await board.close()
        for database in (*self.databases, self.plain):
            await database.close()

    async def account(
        self, *, balance: int = 0, gifted: int = 0, credit: int = 0, refund_undeliverable: bool = False
    ) -> Profile:
        """A new account; money in micro-units."""
        name = f"account-{next(self._names)}"
        async with self.plain.transaction() as transaction:
            account_id = await account_settings.create_account(transaction, name)
            await account_settings.change_account(
                transaction, account_id, {"refund_undeliverable": refund_undeliverable}
            )
            if balance:
                await post(transaction, account_id, top_up(balance), "test", "balance")
            if gifted:
                await post(transaction, account_id, gift(gifted), "test", "gift")
            await account_settings.set_credit(transaction, account_id, credit)
        app = App(name, name, None, None)
        return Profile(account_id, name, False, (), 20, False, "HOMING", frozenset(("HOMING",)), {name: app}, ())

    async def clear(self) -> None:
        """Forgets all accounts, their money and their messages."""
        await self.query("TRUNCATE account, balance, posting, message, queue, push CASCADE")

    async def send(
        self, process: int, account: Profile, groups: Sequence[MessageGroup], request_id: str = "r"
    ) -> list[int]:
        """The ids of a submission's messages. Raises as the intake does."""
        app_id = account.apps[account.name].app_id
        fates = await self.intakes[process].submit(Submission(account, LAAFFIC, app_id, request_id, groups))
        return [fate.message_id for fate in fates if isinstance(fate, AcceptedMessage)]

    async def purse(self, account: Profile) -> Purse:
        (row,) = await self.query(
            "SELECT gift_micro, balance_micro, credit_micro FROM balance WHERE account_id = $1", account.account_id
        )
        return Purse(*row)

    async def prove(self, account: Profile | None = None) -> LedgerProof:
        return await prove(self.plain, account.account_id if account else None)

    async def query(self, sql: str, *values: Any) -> list[Any]:
        async with self.plain.connection() as connection:
            found: list[Any] = await connection.raw.fetch(sql, *values)
        return found


@asynccontextmanager
async def opened(dsn: str, processes: int, clock: Clock = utc_now) -> AsyncIterator[Bank]:
    bank = await Bank.open(dsn, processes, clock)
    try:
        yield bank
    finally:
        await bank.close()


def group(prefix: str, count: int, segments: int = 1) -> MessageGroup:
    """A text of so many segments to so many numbers with a prefix."""
    text = "a" * (160 if segments == 1 else 153 * segments)
    return MessageGroup(
        text, "HOMING", [Recipient(number, number) for number in (f"{prefix}{n:07d}" for n in range(count))]
    )


async def outcomes(sends: Iterable[Any]) -> list[list[int] | errors.InsufficientBalance]:
    """What became of sends that all begin at once: message ids, or the refusal. Anything else is raised."""
    ended: list[Any] = await asyncio.gather(*sends, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException) and not isinstance(one, errors.InsufficientBalance):
            raise one
    return ended
