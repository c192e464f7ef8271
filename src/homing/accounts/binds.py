"""The SMPP binds of customers in all processes, which an account's binds_max counts."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import errors, limits
from homing.common.batching import Batcher
from homing.model import BindKind
from homing.store import statements
from homing.store.database import Database
from homing.store.rows import Executor
from homing.store.statements.binds import BindKey, NewBind

BIND_SEEN_S: Final = 3_600.0  # resolution of an account's last bind
BIND_BATCH_ITEMS_MAX: Final = 500  # binds that share a transaction


class RegisteredBind(msgspec.Struct, frozen=True):
    """A customer's bind. `address`: its IP address."""

    account_id: int
    bind_id: int
    kind: BindKind
    system_id: str
    address: str


class BindRegister:
    """One row for each bind. The rows of a process that died count until its lease on a node number ends, or until
    another process of the same machine detects that it is gone.
    """

    def __init__(self, database: Database, owner: str, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._unreleased: list[RegisteredBind] = []
        self._takes: Batcher[RegisteredBind, bool] = Batcher(
            self._take, weight_max=BIND_BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )
        self._releases: Batcher[RegisteredBind, None] = Batcher(
            self._release, weight_max=BIND_BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def take(self, bind: RegisteredBind) -> bool:
        """Registers a bind. False: the account has its maximum of binds. Raises a `PlatformFailure`."""
        return await self._takes.put(bind)

    def release(self, bind: RegisteredBind) -> None:
        """Does not wait; a bind that cannot be released now is released by the next `tidy`."""
        try:
            self._releases.put(bind).add_done_callback(lambda released: self._retry_later(bind, released))
        except errors.Overloaded:
            self._unreleased.append(bind)

    def _retry_later(self, bind: RegisteredBind, released: "asyncio.Future[None]") -> None:
        if released.cancelled() or released.exception() is not None:
            self._unreleased.append(bind)

    async def drained(self) -> None:
        await self._takes.drained()
        await self._releases.drained()

    async def seen(self, accounts: Sequence[int]) -> None:
        """Records that these accounts have a receiving bind: inbound messages are kept for them."""
        await self._seen(self._database, accounts)

    async def _seen(self, db: Executor, accounts: Iterable[int]) -> None:
        await statements.binds.binds_seen(
            db,
            account_ids=sorted(set(accounts)),
            seen_at=self._clock(),
            resolution=timedelta(seconds=BIND_SEEN_S),
        )

    async def tidy(self, is_dead: Callable[[str], bool]) -> None:
        """Removes the binds of processes that have ended, and ours that could not be released. `is_dead`: for owners
        whose lease has not ended yet.
        """
        unreleased, self._unreleased = self._unreleased, []
        for bind in unreleased:
            self.release(bind)
        rows = await statements.binds.binds_owners(self._database)
        dead = [row.owner for row in rows if row.owner != self._owner and (not row.is_alive or is_dead(row.owner))]
        if dead:
            await statements.binds.binds_forget(self._database, owners=dead)

    async def _take(self, binds: Sequence[RegisteredBind]) -> list[bool]:
        async with self._database.transaction() as transaction:
            await statements.binds.binds_lock(transaction, account_ids=[bind.account_id for bind in binds])
            taken = await statements.binds.binds_take(
                transaction,
                owner=self._owner,
                binds=[
                    NewBind(
                        account_id=bind.account_id,
                        bind_id=bind.bind_id,
                        kind=bind.kind,
                        system_id=bind.system_id,
                        address=bind.address,
                    )
                    for bind in binds
                ],
            )
            receiving = [bind for bind in binds if bind.bind_id in taken and bind.kind is not BindKind.TRANSMITTER]
            if receiving:
                await self._seen(transaction, [bind.account_id for bind in receiving])
        return [bind.bind_id in taken for bind in binds]

    async def _release(self, binds: Sequence[RegisteredBind]) -> list[None]:
        await statements.binds.binds_release(
            self._database,
            binds=[BindKey(account_id=bind.account_id, bind_id=bind.bind_id) for bind in binds],
        )
        return [None] * len(binds)
