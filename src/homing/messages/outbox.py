"""Where transactions put the pushes that they owe to customers."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from homing import limits
from homing.dialects.base import Dialects, NewPush
from homing.messages import smpp_form
from homing.store.database import DatabaseConnection

LEASE: Final = timedelta(seconds=limits.PUSH_LEASE_S)


class ClaimedPush(msgspec.Struct, frozen=True):
    """A push that a process has claimed until the lease of its row ends. `attempts`: with the one that it now has."""

    account_id: int
    push_id: int
    message_id: int
    dialect: int
    kind: int
    url: str
    body: str
    attempts: int
    attempts_replayed: int


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

    def __init__(self, dialects: Dialects, handover: LocalDelivery | None = None) -> None:
        self.dialects = dialects
        self._handover = handover
        self._claimed: list[ClaimedPush] = []

    async def add(self, transaction: DatabaseConnection, pushes: Sequence[NewPush]) -> None:
        alone = self._within_room([push for push in pushes if push.is_only])
        if self._handover and alone:
            rows = await transaction.fetch("pushes_add_claimed", *_columns(alone), self._handover.leased_until())
            ids = {row["message_id"]: row["push_id"] for row in rows}
            self._claimed += [
                ClaimedPush(
                    push.account_id,
                    ids[push.message_id],
                    push.message_id,
                    push.dialect,
                    push.kind,
                    push.url,
                    push.body,
                    1,
                    0,
                )
                for push in alone
            ]
        if len(alone) < len(pushes):
            taken = set(map(id, alone))
            await add_pushes(transaction, [push for push in pushes if id(push) not in taken])

    def _within_room(self, pushes: Sequence[NewPush]) -> Sequence[NewPush]:
        if self._handover is None:
            return ()
        taken, within = Counter(push.account_id for push in self._claimed), []
        for push in pushes:
            if self._handover.has_room(push.account_id, taken):
                taken[push.account_id] += 1
                within.append(push)
        return within

    def committed(self) -> None:
        """To be called when the transaction is durable, and not otherwise."""
        if self._handover and self._claimed:
            self._handover.serve(self._claimed)


def lane_of(push: NewPush) -> int:
    return push.account_id % limits.PUSH_LANES if push.url else smpp_form.LANE


async def add_pushes(transaction: DatabaseConnection, pushes: Sequence[NewPush]) -> None:
    """Puts them into the outbox, due at once."""
    await transaction.execute("pushes_add", *_columns(pushes))


def _columns(pushes: Sequence[NewPush]) -> Sequence[Sequence[int | str]]:
    return (
        [push.account_id for push in pushes],
        [lane_of(push) for push in pushes],
        [push.message_id for push in pushes],
        [push.dialect for push in pushes],
        [int(push.kind) for push in pushes],
        [push.url for push in pushes],
        [push.body for push in pushes],
    )
