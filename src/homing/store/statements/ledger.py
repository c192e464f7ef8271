"""Statements of sql/ledger.sql.

Made by tools/sql_bindings.py from sql/ledger.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("ledger")


class PostingRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `postings_page`, `postings_of_message`."""

    posting_id: int
    at: datetime
    kind: int
    source: int
    destination: int
    amount_micro: int
    submission_id: int | None
    message_id: int | None
    author: str | None
    reason: str | None


class ProofCounts(msgspec.Struct, frozen=True, gc=False):
    """A row of `prove_counts`."""

    accounts: int
    postings: int
    messages: int


class LedgerDifference(msgspec.Struct, frozen=True, gc=False):
    """A stored amount that is not the recomputed one, in micro-units. `what` names it, for people."""

    account_id: int
    what: str
    recorded: int
    computed: int


class BalanceRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `balances_of`."""

    account_id: int
    gift_micro: int
    balance_micro: int
    credit_micro: int


class Refund(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `refunds_post` is given."""

    account_id: int
    message_id: int
    gift_micro: int
    rest_micro: int


async def balance_change(
    db: Executor, *, gift_micro: int, balance_micro: int, account_id: int, within_credit: bool
) -> int | None:
    """Changes an account's stored balances; null: it is refused, since the bonus balance would fall below zero or,
    with `within_credit`, a deduction would take the balance below the credit limit.
    """
    return await fetch_row_or_none(
        db, _SQL["balance_change"], single(int), gift_micro, balance_micro, account_id, within_credit
    )


async def balance_set_credit(db: Executor, *, credit_micro: int, account_id: int) -> None:
    await execute(db, _SQL["balance_set_credit"], credit_micro, account_id)


async def posting_add(
    db: Executor,
    *,
    account_id: int,
    kind: int,
    source: int,
    destination: int,
    amount_micro: int,
    author: str | None,
    reason: str | None,
) -> None:
    await execute(db, _SQL["posting_add"], account_id, kind, source, destination, amount_micro, author, reason)


async def postings_page(db: Executor, *, account_id: int, before_id: int | None, rows_max: int) -> list[PostingRow]:
    """The newest first, below `before_id` (null: from the newest on)."""
    return await fetch_rows(db, _SQL["postings_page"], PostingRow, account_id, before_id, rows_max)


async def balance_lock(db: Executor, *, account_id: int) -> None:
    """Locks the account's balance until the transaction ends."""
    await execute(db, _SQL["balance_lock"], account_id)


async def manual_posting_latest(db: Executor, *, account_id: int) -> int:
    """The audit ID of the latest posting made by hand; 0: none. Read from the audit, which has those alone."""
    return await fetch_row(db, _SQL["manual_posting_latest"], single(int), account_id)


async def postings_of_message(
    db: Executor, *, account_id: int, submission_id: int, message_id: int
) -> list[PostingRow]:
    return await fetch_rows(db, _SQL["postings_of_message"], PostingRow, account_id, submission_id, message_id)


async def prove_counts(db: Executor, *, account_id: int | None) -> ProofCounts:
    return await fetch_row(db, _SQL["prove_counts"], ProofCounts, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def prove_balances(db: Executor, *, account_id: int | None) -> list[LedgerDifference]:
    """The stored bonus balance and balance against the sums of their postings."""
    return await fetch_rows(
        db, _SQL["prove_balances"], LedgerDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def prove_submissions(db: Executor, *, account_id: int | None) -> list[LedgerDifference]:
    """The charges of each submission's messages, by the account that paid, against its postings."""
    return await fetch_rows(
        db, _SQL["prove_submissions"], LedgerDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def prove_refunds(db: Executor, *, account_id: int | None) -> list[LedgerDifference]:
    """The refund of each message against its postings. What the bonus balance paid is refunded to the bonus balance."""
    return await fetch_rows(
        db, _SQL["prove_refunds"], LedgerDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def prove_outcomes(db: Executor, *, account_id: int | None) -> list[LedgerDifference]:
    """Rejected, expired and failed messages are refunded; delivered and pending ones are not. Undeliverable ones are
    not checked: their refund followed the account's setting at that time. Every charge names a submission, every
    refund a message.
    """
    return await fetch_rows(
        db, _SQL["prove_outcomes"], LedgerDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def prove_prices(db: Executor, *, account_id: int | None) -> list[LedgerDifference]:
    return await fetch_rows(
        db, _SQL["prove_prices"], LedgerDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def balances_of(db: Executor, *, account_ids: Sequence[int]) -> list[BalanceRow]:
    return await fetch_rows(db, _SQL["balances_of"], BalanceRow, account_ids)


async def balance_create(db: Executor, *, account_id: int) -> None:
    await execute(db, _SQL["balance_create"], account_id)


async def refunds_post(db: Executor, *, refunds: Sequence[Refund]) -> None:
    """Refunds each message to the accounts that paid for it: `gift_micro` to the bonus balance, `rest_micro` to the
    balance.
    """
    await execute(db, _SQL["refunds_post"], *columns(refunds, 4))
