"""Leases on carriers: a carrier's sessions belong to one process, which keeps renewing its lease.

When the process dies another one takes the carrier as soon as the lease has ended; at once, if it ran on the same
machine and so can be seen to be dead.
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

CARRIER_FREE_S: Final = 2.0  # a carrier without an owner for so long is taken even beyond the fair share
CARRIER_SHARE_S: Final = 5.0  # a process above its fair share for so long, while others run, releases a carrier


class CarrierLeases:
    """Call `tick` once a second: it renews this process's leases and takes free carriers, up to its fair share of them.

    `surplus` names a carrier to release when this process has more than its share.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._lease = timedelta(seconds=limits.CARRIER_LEASE_S)
        self._owned: set[int] = set()
        self._valid_until_s = 0.0
        self._free_since_s: dict[int, float] = {}
        self._fair_share = 0
        self._has_other_links = False
        self._above_share_since_s: float | None = None

    @property
    def are_valid(self) -> bool:
        """False: the leases have ended, and other processes may have taken the carriers; close them at once."""
        return not self._owned or asyncio.get_running_loop().time() < self._valid_until_s

    async def tick(self, carrier_ids: Sequence[int], health: Mapping[int, CarrierHealth]) -> set[int]:
        """Returns the IDs of the carriers that this process owns now. It should run those that are in `carrier_ids`
        (the enabled ones), and close and `release` the others. `health`: of the carriers that it runs.

        Raises a `PlatformFailure` when the database is unavailable; the carriers are still owned while `are_valid`.
        """
        before_s = asyncio.get_running_loop().time()
        renewed = await self._renew(health)
        self._valid_until_s = before_s + limits.CARRIER_LEASE_S - limits.CARRIER_LEASE_TICK_S
        self._owned &= renewed
        await self._update_fair_share(len(carrier_ids))
        await self._take(carrier_ids, before_s)
        return set(self._owned)

    def forget_all(self) -> set[int]:
        """Forgets all leases, which have ended, and returns the IDs of their carriers."""
        lost, self._owned = self._owned, set()
        return lost

    async def release(self, carrier_ids: set[int]) -> None:
        """Ends leases, so that other processes can take the carriers at once; call it when their sessions
        are closed.
        """
        self._owned -= carrier_ids
        await statements.dispatch.carrier_release(self._database, carrier_ids=sorted(carrier_ids), owner=self._owner)

    def surplus(self) -> int | None:
        """The ID of a carrier to release, since this process has been above its fair share for a while; None: none."""
        is_above_share = len(self._owned) > self._fair_share and self._has_other_links
        now_s = asyncio.get_running_loop().time()
        if not is_above_share:
            self._above_share_since_s = None
        elif self._above_share_since_s is None:
            self._above_share_since_s = now_s
        elif now_s - self._above_share_since_s > CARRIER_SHARE_S:
            self._above_share_since_s = None
            return max(self._owned)
        return None

    async def _renew(self, health: Mapping[int, CarrierHealth]) -> set[int]:
        reports = []
        for carrier_id in sorted(self._owned):
            reported = health.get(carrier_id, CarrierHealth(False))
            detail = storable_json(reported.detail)
            reports.append(CarrierHealthReport(carrier_id=carrier_id, is_up=reported.is_up, detail=detail))
        return set(
            await statements.dispatch.carriers_renew(
                self._database, owner=self._owner, lease=self._lease, reports=reports
            )
        )

    async def _take(self, carrier_ids: Sequence[int], now_s: float) -> None:
        rows = {row.carrier_id: row for row in await statements.dispatch.carriers_owned(self._database)}
        dead = [row.owner for row in rows.values() if is_dead(row.owner, self._owner)]
        free = [
            carrier_id
            for carrier_id in carrier_ids
            if carrier_id not in self._owned
            and (carrier_id not in rows or rows[carrier_id].is_lapsed or rows[carrier_id].owner in dead)
        ]
        self._free_since_s = {carrier_id: self._free_since_s.get(carrier_id, now_s) for carrier_id in free}
        within_share = max(0, self._fair_share - len(self._owned))
        to_take = free[:within_share]
        to_take += [
            carrier_id for carrier_id in free[within_share:] if now_s - self._free_since_s[carrier_id] > CARRIER_FREE_S
        ]
        if to_take:
            taken = await statements.dispatch.carriers_take(
                self._database, owner=self._owner, lease=self._lease, carrier_ids=to_take, dead_owners=dead
            )
            self._owned.update(taken)

    async def _update_fair_share(self, carriers: int) -> None:
        alive = await statements.dispatch.links_alive(self._database)
        links = {owner for owner in alive if not is_dead(owner, self._owner)} | {self._owner}
        self._fair_share = math.ceil(carriers / len(links))
        self._has_other_links = len(links) > 1
