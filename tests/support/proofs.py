"""Everything that Homing can prove of a database."""

from datetime import UTC, datetime

from homing.ledger.proof import prove as prove_ledger
from homing.statistics.proof import prove as prove_statistics
from homing.store.database import Database


async def all_adds_up(database: Database, account_id: int | None = None) -> None:
    """The money and the figures. `database` with FREE_PLANS. `account_id`: of this account alone, in a database that
    tests share, where others write messages that were never sent.
    """
    proof = await prove_ledger(database, account_id)
    assert proof.holds, proof.differences[:5]
    differences = await prove_statistics(database, datetime.now(UTC), account_id)
    assert not differences, differences[:5]
