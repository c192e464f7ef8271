"""Where transactions put the pushes that they owe to customers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from homing import limits
from homing.dialects.base import Dialects, NewPush
from homing.messages import smpp_form
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.pushes import ClaimedPush, OutboxPush

LEASE: Final = timedelta(seconds=limits.PUSH_LEASE_S)


class LocalDelivery(Protocol):
    """Who posts pushes in this process: takes fresh ones at once, so that nobody has to look for them."""

    def has_room(self, account_id: int, taken: Counter[int]) -> bool:
        """Whether it takes another one of an account's now, beside those that it was promised: how many of whose."""
        ...

    def leased_until(self) -> datetime:
        """Until when what it takes now is its own, by the clock that it claims by."""
        ...

    def serve(self, claimed: Sequence[ClaimedPush]) -> None: ...


class Outbox:
    """Where one transaction puts the pushes that it owes. With somebody in the process who posts them, and has room,
    those that are their message's only one are written as claimed, and handed over once the transaction is committed.
    A message's further pushes wait for their turn: nothing may overtake what was owed before it.
    """

    def __init__(self, dialects: Dialects, local_delivery: LocalDelivery | None = None) -> None:
        self.dialects = dialects
        self._local_delivery = local_delivery
        self._claimed: list[ClaimedPush] = []

    async def add(self, transaction: DatabaseConnection, pushes: Sequence[NewPush]) -> None:
        alone = self._within_room([push for push in pushes if push.is_only])
        if self._local_delivery and alone:
            rows = await statements.pushes.pushes_add_claimed(
                transaction, pushes=_rows(alone), due_at=self._local_delivery.leased_until()
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
                )
                for push in alone
            ]
        if len(alone) < len(pushes):
            taken = set(map(id, alone))
            await add_pushes(transaction, [push for push in pushes if id(push) not in taken])

    def _within_room(self, pushes: Sequence[NewPush]) -> Sequence[NewPush]:
        if self._local_delivery is None:
            return ()
        taken, within = Counter(push.account_id for push in self._claimed), []
        for push in pushes:
            if self._local_delivery.has_room(push.account_id, taken):
                taken[push.account_id] += 1
                within.append(push)
        return within

    def committed(self) -> None:
        """To be called when the transaction is durable, and not otherwise."""
        if self._local_delivery and self._claimed:
            self._local_delivery.serve(self._claimed)


def lane_of(push: NewPush) -> int:
    return push.account_id % limits.PUSH_LANES if push.url else smpp_form.LANE


async def add_pushes(transaction: DatabaseConnection, pushes: Sequence[NewPush]) -> None:
    """Puts them into the outbox, due at once."""
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
