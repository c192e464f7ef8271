"""An account's entries as it reads them: the latest first, page by page, or all of them as CSV in bounded memory."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from typing import Final

from homing import limits
from homing.common.csv_cells import plain_cell
from homing.common.money import trimmed
from homing.model import LedgerAccount, PostingKind
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.ledger import EntryRow

COLUMNS: Final = (
    "entry_id",
    "time_utc",
    "kind",
    "purse",
    "amount",
    "currency",
    "submission_id",
    "message_id",
    "reason",
)
PURSES: Final = (LedgerAccount.GIFT, LedgerAccount.BALANCE)
"""The books that a customer holds; every entry has one of them on one side."""


async def read_statement(
    database: Database, account_id: int, rows_max: int, before_id: int | None = None
) -> Sequence[EntryRow]:
    """The latest entries with an id below `before_id`."""
    return await statements.ledger.ledger_entries(
        database, account_id=account_id, before_id=before_id, rows_max=rows_max
    )


def effect(entry: EntryRow) -> tuple[LedgerAccount, int]:
    """Which purse of the account an entry moves, and by how much: micro-units, below zero where it takes."""
    from_book, to_book = LedgerAccount(entry.from_book), LedgerAccount(entry.to_book)
    if to_book in PURSES:
        return to_book, int(entry.amount_micro)
    return from_book, -int(entry.amount_micro)


async def statement_csv(database: Database, account_id: int, currency: str) -> AsyncIterator[str]:
    """In pieces. No connection is held while a slow reader takes one; entries added meanwhile are not in it."""
    yield _csv([COLUMNS])
    before_id: int | None = None
    while rows := await read_statement(database, account_id, limits.STATEMENT_ROWS, before_id):
        yield _csv([_line(row, currency) for row in rows])
        before_id = rows[-1].entry_id


def _line(entry: EntryRow, currency: str) -> Sequence[object]:
    book, micro = effect(entry)
    return (
        entry.entry_id,
        entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        PostingKind(entry.kind).name.lower(),
        book.name.lower(),
        trimmed(micro),
        currency,
        entry.submission_id,
        entry.message_id,
        plain_cell(entry.reason or ""),
    )


def _csv(rows: Sequence[Sequence[object]]) -> str:
    page = io.StringIO()
    csv.writer(page).writerows(rows)
    return page.getvalue()
