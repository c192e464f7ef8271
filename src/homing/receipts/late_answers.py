"""Submit answers that came after the submit was recorded as unanswered: the attempt gets its carrier message ID."""

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
from homing.store.statements.receipts import LateAnswerReference


class LateAnswers:
    """Stores late answers of all carriers."""

    def __init__(self, database: Database, clock: Callable[[], datetime], dialects: Dialects) -> None:
        self._dialects = dialects
        self._database = database
        self._clock = clock

    async def store(self, carrier_id: int, answers: Sequence[LateAnswer]) -> None:
        """The answers are durable when this returns. Raises a `PlatformFailure` when they are not.

        A message that waits to be sent again is sent, and waits for its receipt. One that has been submitted again or
        is final keeps its state; with the ID its receipts still find the attempt.
        """
        ordered = sorted(answers, key=lambda answer: (answer.account_id, answer.message_id))
        parts = [
            NewPart(
                account_id=answer.account_id,
                message_id=answer.message_id,
                attempt=answer.attempt,
                part=part,
                carrier_ref=storable_text(part_ref, limits.RECEIPT_REF_CHARS_MAX),
            )
            for answer in ordered
            for part, part_ref in enumerate(answer.part_refs, 1)
        ]
        async with self._database.transaction() as transaction:
            rows = await statements.receipts.late_answers_apply(
                transaction,
                grace=timedelta(seconds=limits.EXPIRY_GRACE_S),
                answers=[
                    LateAnswerReference(
                        account_id=answer.account_id,
                        message_id=answer.message_id,
                        attempt=answer.attempt,
                        carrier_ref=storable_text(answer.carrier_ref, limits.RECEIPT_REF_CHARS_MAX),
                    )
                    for answer in ordered
                ],
            )
            if parts:
                await statements.dispatch.parts_add(transaction, carrier_id=carrier_id, parts=parts)
            now = self._clock()
            await apply(
                transaction,
                [StateChange(row.account_id, row.message_id, MessageState.SENT, now) for row in rows if row.is_current],
                Outbox(self._dialects),
            )
