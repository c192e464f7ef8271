"""An account's statement: its postings page by page, the newest first, or all of them as CSV in bounded memory."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from typing import Final

from homing.common.csv_cells import plain_cell
from homing.common.money import trimmed
from homing.model import LedgerAccount, PostingKind
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.ledger import PostingRow

STATEMENT_ROWS: Final = 1_000  # that are read at once for a download
COLUMNS: Final = (
    "posting_id",
    "time_utc",
    "kind",
    "ledger_account",
    "amount",
    "currency",
    "submission_id",
    "message_id",
    "reason",
)
CUSTOMER_ACCOUNTS: Final = (LedgerAccount.GIFT, LedgerAccount.BALANCE)
"""The ledger accounts that hold the customer's money. Every posting has exactly one of them on one side."""


async def read_statement(
    database: Database, account_id: int, rows_max: int, before_id: int | None = None
) -> Sequence[PostingRow]:
    """The newest `rows_max` postings, the newest first; with `before_id` those with a lower posting ID."""
    return await statements.ledger.postings_page(
        database, account_id=account_id, before_id=before_id, rows_max=rows_max
    )


async def read_message_postings(
    connection: DatabaseConnection, account_id: int, message_id: int, submission_id: int
) -> Sequence[PostingRow]:
    """The charges of a message's submission and the refunds of the message, the oldest first."""
    return await statements.ledger.postings_of_message(
        connection, account_id=account_id, message_id=message_id, submission_id=submission_id
    )


async def latest_manual_posting(database: Database | DatabaseConnection, account_id: int) -> int:
    """The audit ID of an account's latest top-up, gift or adjustment; 0: none. It changes with each."""
    return await statements.ledger.manual_posting_latest(database, account_id=account_id)


def effect(posting: PostingRow) -> tuple[LedgerAccount, int]:
    """The customer's ledger account that a posting changes, and by how many micro-units; negative: a deduction."""
    source, destination = LedgerAccount(posting.source), LedgerAccount(posting.destination)
    if destination in CUSTOMER_ACCOUNTS:
        return destination, int(posting.amount_micro)
    return source, -int(posting.amount_micro)


async def statement_csv(database: Database, account_id: int, currency: str) -> AsyncIterator[str]:
    """The whole statement as CSV, in pieces of `STATEMENT_ROWS` rows.

    No connection is held between pieces, however slow the reader. Postings added meanwhile are not included.
    """
    yield _csv([COLUMNS])
    before_id: int | None = None
    while rows := await read_statement(database, account_id, STATEMENT_ROWS, before_id):
        yield _csv([_line(row, currency) for row in rows])
        before_id = rows[-1].posting_id


def _line(posting: PostingRow, currency: str) -> Sequence[object]:
    ledger_account, amount_micro = effect(posting)
    return (
        posting.posting_id,
        posting.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        PostingKind(posting.kind).name.lower(),
        ledger_account.name.lower(),
        trimmed(amount_micro),
        currency,
        posting.submission_id,
        posting.message_id,
        plain_cell(posting.reason or ""),
    )


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
