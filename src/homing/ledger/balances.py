"""What an account has: read together by everyone who asks at the same moment."""

from collections.abc import Sequence

import msgspec

from homing import errors, limits
from homing.common.batching import Batcher
from homing.store import statements
from homing.store.database import Database


class AccountBalance(msgspec.Struct, frozen=True):
    """Micro-units. `balance_micro` below zero is credit in use; `credit_micro` is how far below it may go."""

    gift_micro: int
    balance_micro: int
    credit_micro: int

    @property
    def available_micro(self) -> int:
        return self.gift_micro + self.balance_micro + self.credit_micro


class BalanceReader:
    """Reads purses; the answer was true at a moment after the question."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: Batcher[int, AccountBalance] = Batcher(
            self._read, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def read(self, account_id: int) -> AccountBalance:
        return await self._reads.put(account_id)

    async def _read(self, account_ids: Sequence[int]) -> list[AccountBalance]:
        rows = await statements.ledger.balances_of(self._database, account_ids=list(set(account_ids)))
        found = {row.account_id: AccountBalance(row.gift_micro, row.balance_micro, row.credit_micro) for row in rows}
        if len(found) < len(set(account_ids)):
            raise errors.DatabaseFailed("an account has no purse")
        return [found[account_id] for account_id in account_ids]
