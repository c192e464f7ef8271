"""Money that people move: top-ups, gifts and adjustments, each with its author and reason. Charges are written by
the intake's statement and refunds by the receipts', beside the messages they are for.
"""

import msgspec

from homing import errors
from homing.common.money import AMOUNT_MICRO_MAX
from homing.model import LedgerAccount, PostingKind
from homing.store import statements
from homing.store.database import DatabaseConnection


class Posting(msgspec.Struct, frozen=True):
    """An amount (micro-units, above zero) from one book of an account to another."""

    kind: PostingKind
    from_book: LedgerAccount
    to_book: LedgerAccount
    amount_micro: int


def top_up(amount_micro: int) -> Posting:
    return Posting(PostingKind.TOPUP, LedgerAccount.FUNDING, LedgerAccount.BALANCE, amount_micro)


def gift(amount_micro: int) -> Posting:
    return Posting(PostingKind.GIFT, LedgerAccount.PROMOTION, LedgerAccount.GIFT, amount_micro)


def adjustment(amount_micro: int, book: LedgerAccount = LedgerAccount.BALANCE) -> Posting:
    """A correction by hand: above zero in the customer's favour, below zero against it."""
    if amount_micro < 0:
        return Posting(PostingKind.ADJUSTMENT, book, LedgerAccount.ADJUSTMENT, -amount_micro)
    return Posting(PostingKind.ADJUSTMENT, LedgerAccount.ADJUSTMENT, book, amount_micro)


class CreditLimitReached(errors.InvalidInput):
    """A movement would take the balance below what the account's credit allows."""


async def post(
    transaction: DatabaseConnection,
    account_id: int,
    movement: Posting,
    author: str,
    reason: str,
    *,
    within_credit: bool = False,
) -> None:
    """Books a movement. The purse's row is locked first, so it takes its turn among the sends.

    Raises `InvalidInput` when the amount is nothing or absurd, or a gift would fall below zero; `CreditLimitReached`
    when `within_credit` is asked for and the balance would not be.
    """
    if not 0 < movement.amount_micro <= AMOUNT_MICRO_MAX:
        raise errors.InvalidInput("the amount must be greater than 0 and less than one billion")
    if not author or not reason:
        raise errors.InvalidInput("a transaction needs an author and a reason")
    gift_micro = _effect(movement, LedgerAccount.GIFT)
    balance_micro = _effect(movement, LedgerAccount.BALANCE)
    account_balance = await statements.ledger.balance_move(
        transaction,
        account_id=account_id,
        gift_micro=gift_micro,
        balance_micro=balance_micro,
        within_credit=within_credit,
    )
    if account_balance is None:
        if gift_micro >= 0:
            raise CreditLimitReached("the balance would exceed the account's credit limit")
        raise errors.InvalidInput("insufficient bonus balance")
    await statements.ledger.entry_add(
        transaction,
        account_id=account_id,
        kind=movement.kind,
        from_book=movement.from_book,
        to_book=movement.to_book,
        amount_micro=movement.amount_micro,
        author=author,
        reason=reason,
    )


def _effect(movement: Posting, book: LedgerAccount) -> int:
    if movement.to_book is book:
        return movement.amount_micro
    return -movement.amount_micro if movement.from_book is book else 0
