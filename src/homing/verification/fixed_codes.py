"""Codes of test numbers: rows as of any other, and no message."""

from datetime import datetime

from homing import errors
from homing.intake.commit import take_key
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage
from homing.intake.terms import AnswerOnce, CodeSend, SubmissionTerms
from homing.model import Recipient
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.intake import NewVerification
from homing.store.statements.verifications import (
    NewVerificationMessage,
    VerificationKey,
    VerificationResend,
    VerificationRow,
)


async def store_fixed_code(
    database: Database,
    fixed: NewVerification,
    code: CodeSend,
    once: AnswerOnce | None,
    now: datetime,
) -> PreparedSubmission:
    """Returns the submission that a call is answered from: with the code, and without messages. Raises `EarlierAnswer`
    when the call was answered before.
    """
    recipient = Recipient(fixed.raw_number, fixed.number, fixed.reference)
    prepared = _without_messages(fixed.account_id, fixed.verification_id, recipient, code)
    async with database.transaction() as transaction:
        if once is not None:
            await take_key(transaction, prepared, once, now)
        await statements.intake.verifications_add(transaction, now=now, verifications=[fixed])
    return prepared


async def store_fixed_resend(
    database: Database,
    row: VerificationRow,
    message: NewVerificationMessage,
    once: AnswerOnce | None,
    *,
    expires_at: datetime,
    messages_max: int,
    now: datetime,
) -> PreparedSubmission:
    """As `store_fixed_code`. Raises `EarlierAnswer`; `VerificationOver` as of a code that is sent."""
    key = VerificationKey(account_id=row.account_id, verification_id=row.verification_id, steps_before=None)
    resend = VerificationResend(
        account_id=row.account_id,
        verification_id=row.verification_id,
        message_id=message.message_id,
        expires_at=expires_at,
        steps_done=None,
        step_due_at=None,
        is_timed=False,
    )
    recipient = Recipient(row.raw_number, row.number, row.reference)
    prepared = _without_messages(
        row.account_id, message.message_id, recipient, CodeSend(message=message, resend=resend)
    )
    async with database.transaction() as transaction:
        if once is not None:
            await take_key(transaction, prepared, once, now)
        if not await statements.verifications.verifications_open(
            transaction, now=now, messages_max=messages_max, keys=[key]
        ):
            raise errors.VerificationOver
        await statements.verifications.verifications_resent(transaction, now=now, resends=[resend])
        await statements.verifications.verification_messages_add(transaction, messages=[message])
    return prepared


def _without_messages(account_id: int, message_id: int, recipient: Recipient, code: CodeSend) -> PreparedSubmission:
    terms = SubmissionTerms(code=code)
    return PreparedSubmission(account_id, 0, [], [AcceptedMessage(message_id, recipient)], terms)
