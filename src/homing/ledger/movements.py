"""Money that people move: top-ups, gifts and adjustments, each with its author and reason. Charges are written by
the intake's statement and refunds by the receipts', beside the messages they are for.
"""

import msgspec

from homing import errors
from homing.kit.money import AMOUNT_MICRO_MAX
from homing.model import Book, EntryKind
from homing.store.database import Connection


class Movement(msgspec.Struct, frozen=True):
    """An amount (micro-units, above zero) from one book of an account to another."""

    kind: EntryKind
    from_book: Book
    to_book: Book
    amount_micro: int


def top_up(amount_micro: int) -> Movement:
    return Movement(EntryKind.TOPUP, Book.FUNDING, Book.BALANCE, amount_micro)


def gift(amount_micro: int) -> Movement:
    return Movement(EntryKind.GIFT, Book.PROMOTION, Book.GIFT, amount_micro)


def adjustment(amount_micro: int, book: Book = Book.BALANCE) -> Movement:
    """A correction by hand: above zero in the customer's favour, below zero against it."""
    if amount_micro < 0:
        return Movement(EntryKind.ADJUSTMENT, book, Book.ADJUSTMENT, -amount_micro)
    return Movement(EntryKind.ADJUSTMENT, Book.ADJUSTMENT, book, amount_micro)


class BelowCredit(errors.OperatorError):
    """A movement would take the balance below what the account's credit allows."""


async def move(
    transaction: Connection,
    account_id: int,
    movement: Movement,
    author: str,
    reason: str,
    *,
    within_credit: bool = False,
) -> None:
    """Books a movement. The purse's row is locked first, so it takes its turn among the sends.

    Raises `OperatorError` when the amount is nothing or absurd, or a gift would fall below zero; `BelowCredit` when
    `within_credit` is asked for and the balance would not be.
    """
    if not 0 < movement.amount_micro <= AMOUNT_MICRO_MAX:
        raise errors.OperatorError("the amount must be above zero and below a billion")
    if not author or not reason:
        raise errors.OperatorError("a movement needs an author and a reason")
    gift_micro = _effect(movement, Book.GIFT)
    balance_micro = _effect(movement, Book.BALANCE)
    purse = await transaction.row("purse_move", account_id, gift_micro, balance_micro, within_credit)
    if purse is None:
        if gift_micro >= 0:
            raise BelowCredit("the balance would fall below what the account's credit allows")
        raise errors.OperatorError("the gift does not hold that much")
    await transaction.execute(
        "entry_add",
        account_id,
        movement.kind,
        movement.from_book,
        movement.to_book,
        movement.amount_micro,
        author,
        reason,
    )


def _effect(movement: Movement, book: Book) -> int:
    if movement.to_book is book:
        return movement.amount_micro
    return -movement.amount_micro if movement.from_book is book else 0
