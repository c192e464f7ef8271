"""Answers that came after a submit was said to have none: the attempt gets its id, and the message stays with it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from homing import limits
from homing.common.storable_text import storable_text
from homing.dialects.base import Dialects
from homing.messages.outbox import Outbox
from homing.messages.transitions import StateChange, apply
from homing.model import LateAnswer
from homing.states import MessageState
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.dispatch import NewPart
from homing.store.statements.receipts import LateAnswerKey


class LateAnswers:
    def __init__(self, database: Database, clock: Callable[[], datetime], dialects: Dialects) -> None:
        self._dialects = dialects
        self._database = database
        self._clock = clock

    async def take(self, carrier_id: int, answers: Sequence[LateAnswer]) -> None:
        """Durable when it returns. A message that waits to go again does not go: it is sent. One that is under way
        again, or has ended, keeps what it is; the id leads receipts to the attempt all the same.
        """
        ordered = sorted(answers, key=lambda one: (one.account_id, one.message_id))
        parts = [(one, number, ref) for one in ordered for number, ref in enumerate(one.part_refs, 1)]
        async with self._database.transaction() as transaction:
            rows = await statements.receipts.answers_late(
                transaction,
                grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
                answers=[
                    LateAnswerKey(
                        account_id=one.account_id,
                        message_id=one.message_id,
                        attempt=one.attempt,
                        carrier_ref=storable_text(one.carrier_ref, limits.RECEIPT_REF_CHARS_MAX),
                    )
                    for one in ordered
                ],
            )
            if parts:
                await statements.dispatch.parts_add(
                    transaction,
                    carrier_id=carrier_id,
                    parts=[
                        NewPart(
                            account_id=one.account_id,
                            message_id=one.message_id,
                            attempt=one.attempt,
                            part=number,
                            carrier_ref=storable_text(ref, limits.RECEIPT_REF_CHARS_MAX),
                        )
                        for one, number, ref in parts
                    ],
                )
            now = self._clock()
            await apply(
                transaction,
                [StateChange(row.account_id, row.message_id, MessageState.SENT, now) for row in rows if row.is_current],
                Outbox(self._dialects),
            )
