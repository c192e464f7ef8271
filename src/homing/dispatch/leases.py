"""Which carriers this process owns: a carrier's sessions belong to one process, under a lease that it keeps renewing.

When the process dies another takes the carrier as soon as the lease has ended, or at once when it can see that the
owner is dead because it ran on the same machine.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from homing import limits
from homing.carriers.base import CarrierHealth
from homing.common.storable_text import storable_json
from homing.store import statements
from homing.store.database import Database
from homing.store.owners import is_dead
from homing.store.statements.dispatch import CarrierHealthReport

CARRIER_FREE_S: Final = 2.0  # free for so long: taken above one's share as well
CARRIER_SHARE_S: Final = 5.0  # above one's share for so long while others are below: one is given up


class CarrierLeases:
    """`tick` once a second keeps what is owned and takes what is free; a process takes no more than its share of the
    carriers while others may want theirs, and gives one up when another process has stayed below its share.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._lease = timedelta(seconds=limits.CARRIER_LEASE_S)
        self._owned: set[int] = set()
        self._certain_until_s = 0.0
        self._free_since_s: dict[int, float] = {}
        self._fair_share = 0
        self._are_others = False
        self._unfair_since_s: float | None = None

    @property
    def are_certain(self) -> bool:
        """Whether the leases still hold. When not, another process may have taken the carriers: let go of them."""
        return not self._owned or asyncio.get_running_loop().time() < self._certain_until_s

    async def tick(self, wanted: Sequence[int], health: Mapping[int, CarrierHealth]) -> set[int]:
        """The carriers that this process owns now: those of `wanted` (the enabled ones) are for it to run, the others
        to close and `release`. `health` is of those it runs.

        Raises a `PlatformFailure` when the database cannot be asked; what is owned stays owned until `are_certain` is
        false.
        """
        asked_s = asyncio.get_running_loop().time()
        kept = await self._renew(health)
        self._certain_until_s = asked_s + limits.CARRIER_LEASE_S - limits.CARRIER_LEASE_TICK_S
        self._owned &= kept
        await self._count_links(len(wanted))
        await self._take(wanted, asked_s)
        return set(self._owned)

    def lose(self) -> set[int]:
        """Forgets what is owned, since the leases have run out; gives what it was."""
        lost, self._owned = self._owned, set()
        return lost

    async def release(self, carriers: set[int]) -> None:
        """Frees carriers for others at once; call it when their sessions are closed."""
        self._owned -= carriers
        await statements.dispatch.carrier_release(self._database, carrier_ids=sorted(carriers), owner=self._owner)

    def surplus(self) -> int | None:
        """A carrier to give up, because another process has been below its share for a while; None: none."""
        is_unfair = len(self._owned) > self._fair_share and self._are_others
        now_s = asyncio.get_running_loop().time()
        if not is_unfair:
            self._unfair_since_s = None
        elif self._unfair_since_s is None:
            self._unfair_since_s = now_s
        elif now_s - self._unfair_since_s > CARRIER_SHARE_S:
            self._unfair_since_s = None
            return max(self._owned)
        return None

    async def _renew(self, health: Mapping[int, CarrierHealth]) -> set[int]:
        told = {carrier_id: health.get(carrier_id, CarrierHealth(False)) for carrier_id in sorted(self._owned)}
        renewed = await statements.dispatch.carriers_renew(
            self._database,
            owner=self._owner,
            lease=self._lease,
            reports=[
                CarrierHealthReport(carrier_id=carrier_id, is_up=one.is_up, detail=storable_json(one.detail))
                for carrier_id, one in told.items()
            ],
        )
        return set(renewed)

    async def _take(self, wanted: Sequence[int], now_s: float) -> None:
        rows = {row.carrier_id: row for row in await statements.dispatch.carriers_owned(self._database)}
        dead = [row.owner for row in rows.values() if is_dead(row.owner, self._owner)]
        free = [
            carrier_id
            for carrier_id in wanted
            if carrier_id not in self._owned
            and (carrier_id not in rows or rows[carrier_id].is_lapsed or rows[carrier_id].owner in dead)
        ]
        self._free_since_s = {one: self._free_since_s.get(one, now_s) for one in free}
        if not free:
            return
        overdue = {one for one in free if now_s - self._free_since_s[one] > CARRIER_FREE_S}
        asked = [one for n, one in enumerate(free) if one in overdue or n < self._fair_share - len(self._owned)]
        if asked:
            taken = await statements.dispatch.carriers_take(
                self._database, owner=self._owner, lease=self._lease, carrier_ids=asked, dead_owners=dead
            )
            self._owned.update(taken)

    async def _count_links(self, carriers: int) -> None:
        alive = await statements.dispatch.links_alive(self._database)
        links = {owner for owner in alive if not is_dead(owner, self._owner)} | {self._owner}
        self._fair_share = math.ceil(carriers / len(links))
        self._are_others = len(links) > 1
