"""The ledger proof: recomputes balances from postings, and charges and refunds from messages, to the micro-unit."""

from typing import Final

import msgspec

from homing.store import statements
from homing.store.database import Database
from homing.store.statements.ledger import LedgerDifference

PROOFS: Final = (
    statements.ledger.prove_balances,
    statements.ledger.prove_submissions,
    statements.ledger.prove_refunds,
    statements.ledger.prove_outcomes,
    statements.ledger.prove_prices,
)


class LedgerProof(msgspec.Struct, frozen=True):
    """How many accounts, postings and messages were checked, and the differences that were found."""

    accounts: int
    postings: int
    messages: int
    differences: list[LedgerDifference]

    @property
    def holds(self) -> bool:
        return not self.differences


async def prove(database: Database, account_id: int | None = None) -> LedgerProof:
    """Checks all accounts or one, on one snapshot of the database, so that concurrent traffic makes no difference."""
    async with database.connection() as connection:
        transaction = connection.raw.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        try:
            counts = await statements.ledger.prove_counts(connection, account_id=account_id)
            differences = [row for proof in PROOFS for row in await proof(connection, account_id=account_id)]
        finally:
            await transaction.rollback()
    return LedgerProof(counts.accounts, counts.postings, counts.messages, differences)
