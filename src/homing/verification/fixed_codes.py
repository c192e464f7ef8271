"""Codes of test numbers: rows as of any other, and no message."""

from datetime import datetime

import msgspec

from homing import errors, limits
from homing.intake.commit import take_key
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage
from homing.intake.terms import AnswerOnce, CodeSend, SubmissionTerms
from homing.model import Recipient
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.intake import NewMessageCode, NewVerification
from homing.store.statements.verifications import (
    NewVerificationMessage,
    VerificationKey,
    VerificationResend,
    VerificationRow,
)


class FixedCode(msgspec.Struct, frozen=True, kw_only=True):
    """A test number's new code."""

    account_id: int
    verification_id: int
    dialect: int
    app_id: str
    recipient: Recipient
    sender: str
    code: NewMessageCode

    def stored(self) -> NewVerification:
        return NewVerification(
            account_id=self.account_id,
            verification_id=self.verification_id,
            dialect=self.dialect,
            app_id=self.app_id,
            number=self.recipient.number,
            raw_number=self.recipient.raw,
            reference=self.recipient.reference,
            template_id=self.code.template_id,
            flow_id=self.code.flow_id,
            sender=self.sender,
            text=self.code.code_text,
            code_hash=self.code.code_hash,
            code_sealed=self.code.code_sealed,
            attempts_max=limits.CODE_ATTEMPTS_MAX,
            is_test=True,
            expires_at=self.code.code_expires_at,
            step_due_at=self.code.step_due_at,
        )


async def store_fixed_code(
    database: Database,
    fixed: FixedCode,
    once: AnswerOnce | None,
    now: datetime,
) -> PreparedSubmission:
    """Returns the submission that a call is answered from: with the code, and without messages. Raises `EarlierAnswer`
    when the call was answered before.
    """
    prepared = _without_messages(fixed.account_id, fixed.verification_id, fixed.recipient, CodeSend(new=fixed.code))
    async with database.transaction() as transaction:
        if once is not None:
            await take_key(transaction, prepared, once, now)
        await statements.intake.verifications_add(transaction, now=now, verifications=[fixed.stored()])
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
        nth=None,
        sent_times=None,
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
