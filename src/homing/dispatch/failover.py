"""Where an accepted message goes when its carrier fails it: the next of its route that is up and has not had it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from homing.model import Outbound, options_of
from homing.routing.catalogue_cache import CatalogueCache
from homing.routing.lanes import lane_of
from homing.routing.rules import RouteCandidate, route_request_of
from homing.routing.selection import order
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.dispatch import MessageRef, MessageReroute, QueueMove, RerouteFacts


class Reassignment(msgspec.Struct, frozen=True):
    """A queued message's way to another carrier: from its lane to that carrier's, due at `due_at`. `uncounted` is how
    many attempts its row does not count yet.
    """

    account_id: int
    message_id: int
    lane: int
    to: RouteCandidate
    traffic: int
    due_at: datetime
    uncounted: int = 0


class Failover:
    """Finds other carriers by the same rules and the same price ceiling as at accept, as they are now."""

    def __init__(self, catalogue_cache: CatalogueCache) -> None:
        self._catalogue_cache = catalogue_cache

    def is_down(self, carrier_id: int) -> bool:
        return self._catalogue_cache.catalogue.is_down(carrier_id)

    def cost(self, carrier_id: int, message: Outbound) -> int | None:
        """What a carrier asks for all of a message's segments, in micro-units; None: not known."""
        segment_micro = self._catalogue_cache.catalogue.cost(carrier_id, message.number)
        return None if segment_micro is None else segment_micro * message.segments

    async def alternatives(
        self,
        transaction: DatabaseConnection,
        messages: Sequence[tuple[int, int]],
        carrier_id: int,
        *,
        even_deferred: bool = False,
    ) -> Mapping[int, RouteCandidate]:
        """By message id, the carrier that is to have it instead of `carrier_id`; without those that no other can take.

        `messages`: (account_id, message_id). A carrier that has had the message is not asked again: it refused it or
        may have sent it. With `even_deferred` one that only put it off is.
        """
        rows = await statements.dispatch.reroute_facts(
            transaction,
            keys=[MessageRef(account_id=account, message_id=message) for account, message in messages],
        )
        found = {}
        for row in rows:
            tried = {carrier_id, *(row.had_by if even_deferred else row.tried)}
            chosen = self._next(row, tried)
            if chosen is not None:
                found[row.message_id] = chosen
        return found

    def _next(self, row: RerouteFacts, tried: set[int]) -> RouteCandidate | None:
        catalogue = self._catalogue_cache.catalogue
        ranked = catalogue.rank(route_request_of(row), row.price_micro)
        if ranked is None:
            return None
        usable = (one for one in order(ranked, row.message_id) if not catalogue.is_down(one.carrier_id))
        if options_of(row.notes).flash:
            usable = (one for one in usable if catalogue.carries_flash(one.carrier_id))
        return next((one for one in usable if one.carrier_id not in tried), None)


async def reassign(transaction: DatabaseConnection, moves: Sequence[Reassignment]) -> None:
    """Hands queued messages over to other carriers."""
    await statements.dispatch.queue_move(
        transaction,
        moves=[
            QueueMove(
                lane=one.lane,
                message_id=one.message_id,
                to_lane=lane_of(one.to.carrier_id, one.traffic),
                due_at=one.due_at,
                uncounted=one.uncounted,
            )
            for one in moves
        ],
    )
    ordered = sorted(moves, key=lambda one: (one.account_id, one.message_id))
    await statements.dispatch.messages_reroute(
        transaction,
        moves=[
            MessageReroute(account_id=one.account_id, message_id=one.message_id, carrier_id=one.to.carrier_id)
            for one in ordered
        ],
    )
