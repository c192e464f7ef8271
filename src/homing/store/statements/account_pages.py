"""What the console's pages of accounts read beside what the command line reads.

Made by tools/sql_bindings.py from sql/account_pages.sql.
"""

from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("account_pages")


class AccountPageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `account_page`."""

    account_id: int
    name: str
    email: str | None
    created_at: datetime
    locked_at: datetime | None
    gift_micro: int
    balance_micro: int
    credit_micro: int


class AccountTraffic(msgspec.Struct, frozen=True, gc=False):
    """A row of `account_traffic`."""

    account_id: int
    submitted: int
    sent: int
    delivered: int
    spent_micro: int


class PricePageRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `price_page`."""

    prefix: str
    price_micro: int
    changed_at: datetime


async def account_page(db: Executor, *, before_id: int | None, search: str, rows_max: int) -> list[AccountPageRow]:
    """Accounts whose name or e-mail holds `search`, or whose id it is ('': all), the latest first, below an id
    (`before_id`) if one is given.
    """
    return await fetch_rows(db, _SQL["account_page"], AccountPageRow, before_id, search, rows_max)


async def account_traffic(db: Executor, *, first_hour: int) -> list[AccountTraffic]:
    """What accounts sent in the hours from `first_hour` on."""
    return await fetch_rows(db, _SQL["account_traffic"], AccountTraffic, first_hour)


async def price_page(db: Executor, *, account_id: int, first_prefix: str, rows_max: int) -> list[PricePageRow]:
    """Of one price list, by prefix, from one (`first_prefix`) on."""
    return await fetch_rows(db, _SQL["price_page"], PricePageRow, account_id, first_prefix, rows_max)


async def price_of(db: Executor, *, account_id: int, prefix: str) -> int | None:
    return await fetch_row_or_none(db, _SQL["price_of"], single(int), account_id, prefix)


async def credential_sealed(db: Executor, *, account_id: int, credential_id: int) -> bytes | None:
    return await fetch_row_or_none(db, _SQL["credential_sealed"], single(bytes), account_id, credential_id)
