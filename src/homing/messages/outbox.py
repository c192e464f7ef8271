"""The outbox: pushes to customers are stored in the transaction of the change that they report."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from homing import limits
from homing.dialects.base import Dialects, NewPush
from homing.messages import smpp_bodies
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.pushes import ClaimedPush, OutboxPush

LEASE: Final = timedelta(seconds=limits.PUSH_LEASE_S)


class LocalDelivery(Protocol):
    """The pusher of this process, which can post new pushes at once, without polling the outbox."""

    def has_room(self, account_id: int, taken: Counter[int]) -> bool:
        """Whether it has room for another push of an account, beside those reserved: `taken`, their number
        by account.
        """
        ...

    def leased_until(self) -> datetime:
        """The end of the lease of a push that it takes now, by its own clock."""
        ...

    def serve(self, claimed: Sequence[ClaimedPush]) -> None:
        """Posts pushes that are stored as claimed."""
        ...


class Outbox:
    """The pushes of one transaction.

    With a pusher in this process that has room, a message's only push is stored as claimed, and handed to it after the
    commit. A message with several pushes has them stored as due, since they must be posted in their order.
    """

    def __init__(self, dialects: Dialects, local_delivery: LocalDelivery | None = None) -> None:
        self.dialects = dialects
        self._local_delivery = local_delivery
        self._claimed: list[ClaimedPush] = []

    async def add(self, transaction: DatabaseConnection, pushes: Sequence[NewPush]) -> None:
        immediate = self._within_room([push for push in pushes if push.is_only])
        if self._local_delivery and immediate:
            rows = await statements.pushes.pushes_add_claimed(
                transaction, pushes=_rows(immediate), due_at=self._local_delivery.leased_until()
            )
            ids = {row.message_id: row.push_id for row in rows}
            self._claimed += [
                ClaimedPush(
                    account_id=push.account_id,
                    push_id=ids[push.message_id],
                    message_id=push.message_id,
                    dialect=push.dialect,
                    kind=push.kind,
                    url=push.url,
                    body=push.body,
                    attempts=1,
                    attempts_replayed=0,
                    webhook_id=0,
                    event_id=None,
                )
                for push in immediate
            ]
        if len(immediate) < len(pushes):
            taken = set(map(id, immediate))
            await add_pushes(transaction, [push for push in pushes if id(push) not in taken])

    def _within_room(self, pushes: Sequence[NewPush]) -> Sequence[NewPush]:
        if self._local_delivery is None:
            return ()
        taken, immediate = Counter(push.account_id for push in self._claimed), []
        for push in pushes:
            if self._local_delivery.has_room(push.account_id, taken):
                taken[push.account_id] += 1
                immediate.append(push)
        return immediate

    def committed(self) -> None:
        """Hands the claimed pushes to the pusher. To be called when the transaction is durable, and only then."""
        if self._local_delivery and self._claimed:
            self._local_delivery.serve(self._claimed)


def lane_of(push: NewPush) -> int:
    """The outbox lane: of an HTTP push by its account; one lane for all SMPP sessions."""
    return push.account_id % limits.PUSH_LANES if push.url else smpp_bodies.LANE


async def add_pushes(transaction: DatabaseConnection, pushes: Sequence[NewPush]) -> None:
    """Stores pushes in the outbox, due at once."""
    await statements.pushes.pushes_add(transaction, pushes=_rows(pushes))


def _rows(pushes: Sequence[NewPush]) -> Sequence[OutboxPush]:
    return [
        OutboxPush(
            account_id=push.account_id,
            lane=lane_of(push),
            message_id=push.message_id,
            dialect=push.dialect,
            kind=push.kind,
            url=push.url,
            body=push.body,
        )
        for push in pushes
    ]
