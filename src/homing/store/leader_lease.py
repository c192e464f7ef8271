"""A lease for work that one process does for all, renewed in the transaction of the work."""

from datetime import timedelta

from homing import limits
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.owners import is_dead


class LeaderLease:
    """A lease by its name. A process takes it when it is free; one that a dead process of our machine held is free at
    once.

    A stalled owner does no harm: its next transaction fails to renew the lease and is rolled back.
    """

    def __init__(self, database: Database, name: str, owner: str) -> None:
        self._database = database
        self._name = name
        self._owner = owner
        self._lease = timedelta(seconds=limits.LEADER_LEASE_S)

    async def take(self) -> int | None:
        """The number of rounds so far, if the lease is ours now; None: another process has it."""
        owner = await statements.leader_lease.lease_owner(self._database, name=self._name)
        dead = [owner] if owner and (owner == self._owner or is_dead(owner, self._owner)) else []
        return await statements.leader_lease.lease_take(
            self._database, name=self._name, owner=self._owner, lease=self._lease, dead_owners=dead
        )

    async def renew(self, transaction: DatabaseConnection, turns: int = 1) -> int | None:
        """Begins a round in its transaction, which locks the lease until it ends; gives the round's number, None when
        the lease is no longer ours. `turns` 0: work that is not counted as a round.
        """
        return await statements.leader_lease.lease_renew(
            transaction, name=self._name, owner=self._owner, lease=self._lease, turns=turns
        )

    async def release(self) -> None:
        await statements.leader_lease.lease_release(self._database, name=self._name, owner=self._owner)
