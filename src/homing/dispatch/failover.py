"""Failover of accepted messages: the next carrier of the route that is up and has not had the message."""

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
    """A queued message's move from its lane to that of another carrier, due at `due_at`. `uncounted_attempts`: how many
    attempts its queue row does not count yet.
    """

    account_id: int
    message_id: int
    lane: int
    carrier: RouteCandidate
    traffic: int
    due_at: datetime
    uncounted_attempts: int = 0


class Failover:
    """Finds other carriers by the present routing rules, with the price ceiling that held at accept."""

    def __init__(self, catalogue_cache: CatalogueCache) -> None:
        self._catalogue_cache = catalogue_cache

    def is_down(self, carrier_id: int) -> bool:
        return self._catalogue_cache.catalogue.is_down(carrier_id)

    def cost(self, carrier_id: int, message: Outbound) -> int | None:
        """A carrier's price for all segments of a message, in micro-units; None: not known."""
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
        """The carrier to use instead of `carrier_id`, by message ID; without messages that no other carrier can take.

        `messages`: (account_id, message_id). Carriers of earlier attempts are left out: they refused the message or may
        have sent it. With `even_deferred`, those that only deferred it are candidates again.
        """
        rows = await statements.dispatch.reroute_facts(
            transaction,
            keys=[MessageRef(account_id=account_id, message_id=message_id) for account_id, message_id in messages],
        )
        alternatives = {}
        for row in rows:
            tried = {carrier_id, *(row.tried_not_deferred if even_deferred else row.tried)}
            alternative = self._next_carrier(row, tried)
            if alternative is not None:
                alternatives[row.message_id] = alternative
        return alternatives

    def _next_carrier(self, row: RerouteFacts, tried: set[int]) -> RouteCandidate | None:
        catalogue = self._catalogue_cache.catalogue
        ranked = catalogue.rank(route_request_of(row), row.price_micro)
        if ranked is None:
            return None
        usable = (
            candidate for candidate in order(ranked, row.message_id) if not catalogue.is_down(candidate.carrier_id)
        )
        if options_of(row.notes).flash:
            usable = (candidate for candidate in usable if catalogue.carries_flash(candidate.carrier_id))
        return next((candidate for candidate in usable if candidate.carrier_id not in tried), None)


async def reassign(transaction: DatabaseConnection, reassignments: Sequence[Reassignment]) -> None:
    """Moves queued messages to other carriers."""
    await statements.dispatch.queue_move(
        transaction,
        moves=[
            QueueMove(
                lane=move.lane,
                message_id=move.message_id,
                to_lane=lane_of(move.carrier.carrier_id, move.traffic),
                due_at=move.due_at,
                uncounted_attempts=move.uncounted_attempts,
            )
            for move in reassignments
        ],
    )
    ordered = sorted(reassignments, key=lambda move: (move.account_id, move.message_id))
    await statements.dispatch.messages_reroute(
        transaction,
        moves=[
            MessageReroute(account_id=move.account_id, message_id=move.message_id, carrier_id=move.carrier.carrier_id)
            for move in ordered
        ],
    )
