"""Work that one process does for all of them, under a lease that is renewed in the transaction of the work itself."""

from datetime import timedelta

from homing import limits
from homing.store import statements
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
        self._lease = timedelta(seconds=limits.LEADER_LEASE_S)

    async def take(self) -> int | None:
        """How often the work has been done so far, now that it is ours; None: it is another's."""
        owner = await statements.leader_lease.duty_owner(self._database, name=self._name)
        dead = [owner] if owner and (owner == self._owner or is_dead(owner, self._owner)) else []
        return await statements.leader_lease.duty_take(
            self._database, name=self._name, owner=self._owner, lease=self._lease, dead_owners=dead
        )

    async def renew(self, transaction: DatabaseConnection, turns: int = 1) -> int | None:
        """Begins a turn of the work in its transaction, which holds up others' until its end: its number, or None when
        the duty is no longer ours. `turns` 0: work beside it, that does not count.
        """
        return await statements.leader_lease.duty_renew(
            transaction, name=self._name, owner=self._owner, lease=self._lease, turns=turns
        )

    async def release(self) -> None:
        await statements.leader_lease.duty_release(self._database, name=self._name, owner=self._owner)
