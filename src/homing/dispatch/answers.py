"""What a carrier answered, written down: the attempts, where each message goes next, and what it gives back."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from homing import limits
from homing.kit.backoff import doubling_s
from homing.messages.transitions import Event, apply
from homing.model import Answer, Outbound, Outcome
from homing.states import State
from homing.store.database import Connection, Database


class Answered(msgspec.Struct, frozen=True):
    """One message's answer, and the lane it was claimed from."""

    lane: int
    message: Outbound
    answer: Answer
    started_at: datetime


async def record(
    database: Database, carrier_id: int, answered: Sequence[Answered], now: datetime, chance: random.Random
) -> None:
    """Accepted messages wait for their receipt; refused ones end and are refunded; deferred ones come again later,
    with growing waits, until their attempts or their validity are used up.
    """
    async with database.transaction() as transaction:
        await _add_attempts(transaction, carrier_id, answered, now)
        accepted = [one for one in answered if one.answer.outcome is Outcome.ACCEPTED]
        again = [one for one in answered if one.answer.outcome is Outcome.DEFERRED and not _used_up(one)]
        if accepted:
            await transaction.execute(
                "queue_await",
                [one.lane for one in accepted],
                [one.message.message_id for one in accepted],
                timedelta(seconds=limits.EXPIRY_GRACE_S),
            )
        if again:
            await transaction.execute(
                "queue_defer",
                [one.lane for one in again],
                [one.message.message_id for one in again],
                [now + timedelta(seconds=_wait_s(one, chance)) for one in again],
            )
        waiting = {one.message.message_id for one in again}
        await apply(
            transaction,
            [_event(one, carrier_id, now) for one in answered if one.message.message_id not in waiting],
        )


async def _add_attempts(transaction: Connection, carrier_id: int, answered: Sequence[Answered], now: datetime) -> None:
    await transaction.execute(
        "attempts_add",
        carrier_id,
        now,
        [one.message.account_id for one in answered],
        [one.message.message_id for one in answered],
        [one.message.attempt for one in answered],
        [one.started_at for one in answered],
        [int(one.answer.outcome) for one in answered],
        [one.answer.carrier_ref for one in answered],
        [one.answer.error_code for one in answered],
        [one.answer.error_text for one in answered],
    )


def _used_up(one: Answered) -> bool:
    return one.message.attempt >= limits.ATTEMPTS_MAX


def _wait_s(one: Answered, chance: random.Random) -> float:
    return doubling_s(one.message.attempt, limits.RETRY_FIRST_S, limits.RETRY_LONGEST_S, chance)


def _event(one: Answered, carrier_id: int, now: datetime) -> Event:
    states = {
        Outcome.ACCEPTED: State.SENT,
        Outcome.REFUSED: State.REJECTED,
        Outcome.DEFERRED: State.FAILED,
    }
    answer = one.answer
    return Event(
        one.message.account_id,
        one.message.message_id,
        states[answer.outcome],
        now,
        one.lane,
        answer.error_code,
        answer.error_text,
        carrier_id,
        answer.carrier_ref,
    )
