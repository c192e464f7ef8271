"""Statements of sql/ledger.sql.

Made by tools/sql_bindings.py from sql/ledger.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, many, one, one_or_none, single

_SQL: Final = queries.load("ledger")


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `ledger_entries`, `ledger_of_message`."""

    entry_id: int
    at: datetime
    kind: int
    from_book: int
    to_book: int
    amount_micro: int
    submission_id: int | None
    message_id: int | None
    author: str | None
    reason: str | None


class ProofCounts(msgspec.Struct, frozen=True, gc=False):
    """A row of `prove_counts`."""

    accounts: int
    entries: int
    messages: int


class ProofDifference(msgspec.Struct, frozen=True, gc=False):
    """A row of `prove_balances`, `prove_submissions`, `prove_refunds`, `prove_outcomes`, `prove_prices`."""

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
    """What `refunds_book` is given."""

    account_id: int
    message_id: int
    gift_micro: int
    rest_micro: int


async def balance_move(
    db: Executor, *, gift_micro: int, balance_micro: int, account_id: int, within_credit: bool
) -> int | None:
    """`within_credit`: only if the balance stays within the credit, where money is taken from it."""
    return await one_or_none(
        db, _SQL["balance_move"], single(int), gift_micro, balance_micro, account_id, within_credit
    )


async def balance_set_credit(db: Executor, *, credit_micro: int, account_id: int) -> None:
    await execute(db, _SQL["balance_set_credit"], credit_micro, account_id)


async def entry_add(
    db: Executor,
    *,
    account_id: int,
    kind: int,
    from_book: int,
    to_book: int,
    amount_micro: int,
    author: str | None,
    reason: str | None,
) -> None:
    await execute(db, _SQL["entry_add"], account_id, kind, from_book, to_book, amount_micro, author, reason)


async def ledger_entries(db: Executor, *, account_id: int, before_id: int | None, rows_max: int) -> list[EntryRow]:
    """Newest first, those below an id (`before_id`) if one is given."""
    return await many(db, _SQL["ledger_entries"], EntryRow, account_id, before_id, rows_max)


async def balance_lock(db: Executor, *, account_id: int) -> None:
    """Locks the purse."""
    await execute(db, _SQL["balance_lock"], account_id)


async def moved_by_people(db: Executor, *, account_id: int) -> int:
    """The latest that people moved, by its row in the audit: the entries themselves are too many to look through."""
    return await one(db, _SQL["moved_by_people"], single(int), account_id)


async def ledger_of_message(db: Executor, *, account_id: int, submission_id: int, message_id: int) -> list[EntryRow]:
    return await many(db, _SQL["ledger_of_message"], EntryRow, account_id, submission_id, message_id)


async def prove_counts(db: Executor, *, account_id: int | None) -> ProofCounts:
    return await one(db, _SQL["prove_counts"], ProofCounts, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def prove_balances(db: Executor, *, account_id: int | None) -> list[ProofDifference]:
    """The two books that customers hold, against what their entries come to."""
    return await many(db, _SQL["prove_balances"], ProofDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def prove_submissions(db: Executor, *, account_id: int | None) -> list[ProofDifference]:
    """What each submission's messages were charged, by the book that paid, against its entries."""
    return await many(
        db, _SQL["prove_submissions"], ProofDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )


async def prove_refunds(db: Executor, *, account_id: int | None) -> list[ProofDifference]:
    """Each refund against its message, purse by purse: what the gift had paid goes back to the gift."""
    return await many(db, _SQL["prove_refunds"], ProofDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def prove_outcomes(db: Executor, *, account_id: int | None) -> list[ProofDifference]:
    """Messages that ended refused, expired or failed have their money back; delivered ones and those on their way
    have not. Undeliverable ones followed their account's policy of the day.
    """
    return await many(db, _SQL["prove_outcomes"], ProofDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def prove_prices(db: Executor, *, account_id: int | None) -> list[ProofDifference]:
    return await many(db, _SQL["prove_prices"], ProofDifference, account_id, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def balances_of(db: Executor, *, account_ids: Sequence[int]) -> list[BalanceRow]:
    return await many(db, _SQL["balances_of"], BalanceRow, account_ids)


async def balance_create(db: Executor, *, account_id: int) -> None:
    await execute(db, _SQL["balance_create"], account_id)


async def refunds_book(db: Executor, *, refunds: Sequence[Refund]) -> None:
    """Back to where it came from: first what the gift paid, then the rest."""
    await execute(db, _SQL["refunds_book"], *columns(refunds, 4))
