"""The balances of accounts: one stored row each, changed with every posting. Concurrent reads share a statement."""

from collections.abc import Sequence

import msgspec

from homing import errors, limits
from homing.common.batching import Batcher
from homing.store import statements
from homing.store.database import Database, DatabaseConnection


class AccountBalance(msgspec.Struct, frozen=True):
    """Amounts in micro-units.

    `gift_micro` is the bonus balance, which is spent first. A negative `balance_micro` is credit in use; `credit_micro`
    is the credit limit: how far below zero charges may take the balance.
    """

    gift_micro: int
    balance_micro: int
    credit_micro: int

    @property
    def available_micro(self) -> int:
        """The amount that messages may still cost."""
        return self.gift_micro + self.balance_micro + self.credit_micro


async def create_balance(connection: DatabaseConnection, account_id: int) -> None:
    """Gives a new account balances of zero and no credit."""
    await statements.ledger.balance_create(connection, account_id=account_id)


async def set_credit_limit(connection: DatabaseConnection, account_id: int, credit_micro: int) -> None:
    """Sets how far below zero charges may take the balance, in micro-units."""
    await statements.ledger.balance_set_credit(connection, account_id=account_id, credit_micro=credit_micro)


async def lock_balance(transaction: DatabaseConnection, account_id: int) -> None:
    """Keeps the account's money from changing until the transaction ends."""
    await statements.ledger.balance_lock(transaction, account_id=account_id)


async def read_balance(connection: Database | DatabaseConnection, account_id: int) -> AccountBalance:
    """An account's balances, read at once; in a transaction they include its own postings.

    Raises `DatabaseFailed` when the account has none.
    """
    return (await _read_balances(connection, [account_id]))[account_id]


class BalanceReader:
    """Reads balances for many callers; a result was true at some time between the call and its return."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: Batcher[int, AccountBalance] = Batcher(
            self._read, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def read(self, account_id: int) -> AccountBalance:
        """Raises `DatabaseFailed` when the account has no balance."""
        return await self._reads.put(account_id)

    async def _read(self, account_ids: Sequence[int]) -> list[AccountBalance]:
        balances = await _read_balances(self._database, account_ids)
        return [balances[account_id] for account_id in account_ids]


async def _read_balances(
    connection: Database | DatabaseConnection, account_ids: Sequence[int]
) -> dict[int, AccountBalance]:
    distinct_ids = set(account_ids)
    rows = await statements.ledger.balances_of(connection, account_ids=list(distinct_ids))
    if len(rows) < len(distinct_ids):
        raise errors.DatabaseFailed("an account has no balance")
    return {row.account_id: AccountBalance(row.gift_micro, row.balance_micro, row.credit_micro) for row in rows}
