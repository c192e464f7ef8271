"""The ledger proof: recomputes balances from postings, and charges and refunds from messages, to the micro-unit."""

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
    """A stored amount that is not the recomputed one, in micro-units. `what` names it, for people."""

    account_id: int
    what: str
    recorded: int
    computed: int


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
            differences = [
                LedgerDifference(row.account_id, row.what, row.recorded, row.computed)
                for proof in PROOFS
                for row in await proof(connection, account_id=account_id)
            ]
        finally:
            await transaction.rollback()
    return LedgerProof(counts.accounts, counts.postings, counts.messages, differences)
