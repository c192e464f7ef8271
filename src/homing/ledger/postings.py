"""Makes postings: top-ups, gifts and adjustments by hand, each with its author and reason, and refunds of messages."""

from collections.abc import Sequence

import msgspec

from homing import errors
from homing.common.money import AMOUNT_MICRO_MAX
from homing.model import LedgerAccount, PostingKind
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.ledger import Refund


class Posting(msgspec.Struct, frozen=True):
    """An amount (micro-units, positive) from one ledger account of a customer to another."""

    kind: PostingKind
    source: LedgerAccount
    destination: LedgerAccount
    amount_micro: int


def top_up(amount_micro: int) -> Posting:
    """A customer's payment. Micro-units, like all amounts here."""
    return Posting(PostingKind.TOPUP, LedgerAccount.FUNDING, LedgerAccount.BALANCE, amount_micro)


def gift(amount_micro: int) -> Posting:
    """Bonus balance, which is spent before the balance."""
    return Posting(PostingKind.GIFT, LedgerAccount.PROMOTION, LedgerAccount.GIFT, amount_micro)


def adjustment(amount_micro: int, ledger_account: LedgerAccount = LedgerAccount.BALANCE) -> Posting:
    """A correction by hand; a negative amount is deducted from the ledger account."""
    if amount_micro < 0:
        return Posting(PostingKind.ADJUSTMENT, ledger_account, LedgerAccount.ADJUSTMENT, -amount_micro)
    return Posting(PostingKind.ADJUSTMENT, LedgerAccount.ADJUSTMENT, ledger_account, amount_micro)


class CreditLimitReached(errors.InvalidInput):
    """A posting would take the balance below the account's credit limit."""


async def post(
    transaction: DatabaseConnection,
    account_id: int,
    posting: Posting,
    author: str,
    reason: str,
    *,
    within_credit: bool = False,
) -> None:
    """Makes a posting by hand. The balance is changed first, so that its row lock orders it among the charges.

    Raises `InvalidInput` when the amount is not positive or too large, author or reason are missing, or the bonus
    balance would fall below zero; `CreditLimitReached` when `within_credit` is set and a deduction would take the
    balance below the credit limit.
    """
    if not 0 < posting.amount_micro <= AMOUNT_MICRO_MAX:
        raise errors.InvalidInput("the amount must be greater than 0 and less than one billion")
    if not author or not reason:
        raise errors.InvalidInput("a transaction needs an author and a reason")
    gift_micro = _effect(posting, LedgerAccount.GIFT)
    balance_micro = _effect(posting, LedgerAccount.BALANCE)
    changed_id = await statements.ledger.balance_change(
        transaction,
        account_id=account_id,
        gift_micro=gift_micro,
        balance_micro=balance_micro,
        within_credit=within_credit,
    )
    if changed_id is None:
        if gift_micro >= 0:
            raise CreditLimitReached("the balance would exceed the account's credit limit")
        raise errors.InvalidInput("insufficient bonus balance")
    await statements.ledger.posting_add(
        transaction,
        account_id=account_id,
        kind=posting.kind,
        source=posting.source,
        destination=posting.destination,
        amount_micro=posting.amount_micro,
        author=author,
        reason=reason,
    )


async def refund_messages(transaction: DatabaseConnection, refunds: Sequence[Refund]) -> None:
    """Refunds the charges of messages to the ledger accounts that paid them, in the transaction that ends the messages.

    The caller makes sure that a message is refunded once: `messages_move` reports the change to its final state once.
    """
    await statements.ledger.refunds_post(transaction, refunds=refunds)


def _effect(posting: Posting, ledger_account: LedgerAccount) -> int:
    if posting.destination is ledger_account:
        return posting.amount_micro
    return -posting.amount_micro if posting.source is ledger_account else 0
