"""The proof: every balance from its entries, every charge and refund from messages. One micro-unit is a failure."""

from typing import Final

import msgspec

from homing.store import statements
from homing.store.database import Database

PROOFS: Final = (
    statements.ledger.prove_balances,
    statements.ledger.prove_submissions,
    statements.ledger.prove_refunds,
    statements.ledger.prove_outcomes,
    statements.ledger.prove_prices,
)


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
            counted = await statements.ledger.prove_counts(connection, account_id=account_id)
            found = [
                LedgerDifference(row.account_id, row.what, row.recorded, row.computed)
                for proof in PROOFS
                for row in await proof(connection, account_id=account_id)
            ]
        finally:
            await transaction.rollback()
    return LedgerProof(counted.accounts, counted.entries, counted.messages, found)
