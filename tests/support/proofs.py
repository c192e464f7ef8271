"""Everything that Homing can prove of a database."""

from datetime import UTC, datetime

from homing.ledger.proof import prove as prove_ledger
from homing.statistics.proof import prove as prove_statistics
from homing.store.database import Database


async def all_adds_up(database: Database) -> None:
    """The money and the figures. `database` with FREE_PLANS."""
    proof = await prove_ledger(database)
    assert proof.holds, proof.differences[:5]
    differences = await prove_statistics(database, datetime.now(UTC))
    assert not differences, differences[:5]
