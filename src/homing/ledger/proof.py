"""The proof: every balance from its entries, every charge and refund from messages. One micro-unit is a failure."""

import msgspec

from homing import limits
from homing.store.database import Database

STATEMENTS = ("prove_balances", "prove_submissions", "prove_refunds", "prove_outcomes", "prove_prices")


class LedgerDifference(msgspec.Struct, frozen=True):
    """Two figures that should be equal (micro-units, or a count where the name says so)."""

    account_id: int
    what: str
    recorded: int
    computed: int


class LedgerProof(msgspec.Struct, frozen=True):
    accounts: int
    entries: int
    messages: int
    differences: list[LedgerDifference]

    @property
    def holds(self) -> bool:
        return not self.differences


async def prove(database: Database, account_id: int | None = None) -> LedgerProof:
    """Proves all accounts or one, on one snapshot: traffic may go on meanwhile."""
    async with database.connection() as connection:
        transaction = connection.raw.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        try:
            slow_s = limits.DATABASE_SLOW_TIMEOUT_S
            counted = await connection.fetch("prove_counts", account_id, timeout_s=slow_s)
            found: list[LedgerDifference] = []
            for statement in STATEMENTS:
                rows = await connection.fetch(statement, account_id, timeout_s=slow_s)
                found.extend(
                    LedgerDifference(row["account_id"], row["what"], int(row["recorded"]), int(row["computed"]))
                    for row in rows
                )
        finally:
            await transaction.rollback()
    return LedgerProof(counted[0]["accounts"], counted[0]["entries"], counted[0]["messages"], found)
