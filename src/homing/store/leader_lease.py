"""Work that one process does for all of them, under a lease that is renewed in the transaction of the work itself."""

from datetime import timedelta

from homing import limits
from homing.store.database import Database, DatabaseConnection
from homing.store.owners import is_dead


class LeaderLease:
    """One such work, by its name. Whoever finds it free takes it; a dead process of our own machine is free at once.

    A stalled owner cannot do harm: its next transaction finds that the duty is another's and comes to nothing.
    """

    def __init__(self, database: Database, name: str, owner: str) -> None:
        self._database = database
        self._name = name
        self._owner = owner
        self._lease = timedelta(seconds=limits.DUTY_LEASE_S)

    async def take(self) -> int | None:
        """How often the work has been done so far, now that it is ours; None: it is another's."""
        row = await self._database.row("duty_owner", self._name)
        dead = [row["owner"]] if row and (row["owner"] == self._owner or is_dead(row["owner"], self._owner)) else []
        taken = await self._database.row("duty_take", self._name, self._owner, self._lease, dead)
        return None if taken is None else int(taken["turns"])

    async def renew(self, transaction: DatabaseConnection, turns: int = 1) -> int | None:
        """Begins a turn of the work in its transaction, which holds up others' until its end: its number, or None when
        the duty is no longer ours. `turns` 0: work beside it, that does not count.
        """
        row = await transaction.row("duty_renew", self._name, self._owner, self._lease, turns)
        return None if row is None else int(row["turns"])

    async def release(self) -> None:
        await self._database.execute("duty_release", self._name, self._owner)
