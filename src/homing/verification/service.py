"""Verifications: a code is made, sent, sent again, and checked. One engine for all dialects."""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.common import ids
from homing.common.batching import Batcher
from homing.conversions.recorder import ConversionReport, record_conversions
from homing.dialects.base import Dialects
from homing.guard.end_users import EndUserAddress
from homing.intake.commit import find_answer
from homing.intake.intake import Intake
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import MessageGroup, Submission
from homing.intake.terms import AnswerOnce, Bounds, CodeSend, LimitTake, SubmissionTerms
from homing.learning.outlook import LOOK_FIRST_S
from homing.messages.cancellation import cancel_messages
from homing.model import (
    CODE_MARK,
    App,
    CheckOutcome,
    CodeAlphabet,
    CodeFlow,
    CodeTemplate,
    EventType,
    LimitScope,
    Recipient,
    SendLimit,
)
from homing.reasons import Reason
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.intake import NewMessageCode, NewVerification
from homing.store.statements.verifications import (
    CodeGuess,
    JudgedCheck,
    NewVerificationMessage,
    VerificationResend,
    VerificationRow,
)
from homing.verification.codes import CodeKeeper, make_code, masked
from homing.verification.ended import add_ended
from homing.verification.fixed_codes import store_fixed_code, store_fixed_resend

ATTEMPTS_MAX: Final = limits.CODE_ATTEMPTS_MAX
MESSAGES_MAX: Final = 5  # that carry one code
NOT_SENT: Final = b""
"""In place of a sealed code, of a test number: it is never sent again, and "forgotten" (null) is what is over."""
DEFAULT_CODE_CHARS: Final = 6  # digits of a code without a template
DEFAULT_TEXT: Final = f"{CODE_MARK} is your verification code"
PERSON_LIMITS: Final = (SendLimit(unit="hour", period=1, most=5), SendLimit(unit="day", period=1, most=10))
"""Of an app's codes to one number, resent ones included: they keep a person from being flooded."""
BOUNDS_KEPT: Final = 1_000  # of limits that apps have set
NUMBER_LIMITS: Final = (SendLimit(unit="second", period=30, most=1), *PERSON_LIMITS)
"""The same with a wait between two codes, where a dialect asks for Homing's own."""


class NewCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that is to be sent.

    `app`: whose settings hold. `template`: its text; None: `DEFAULT_TEXT`. `code`: the customer's own; None: one is
    made as the template says, else of `DEFAULT_CODE_CHARS` digits. `sender`: "" for the template's or the account's.
    `number_limits`: besides the app's own.
    `text`: with `CODE_MARK`, in place of the template's; "" for that. `once`: builds what a repetition of the call is
    answered with; of a test number from a submission without messages, whose only result has the ID. `end_user`: who
    requested it, as evidence for the guard.
    """

    account: Profile
    dialect: int
    app: App
    recipient: Recipient
    request_id: str
    template: CodeTemplate | None = None
    code: str | None = None
    sender: str = ""
    text: str = ""
    flow: CodeFlow | None = None
    number_limits: Sequence[SendLimit] = ()
    once: AnswerOnce | None = None
    notes: dict[str, object] | None = None
    end_user: EndUserAddress | None = None


class SentCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code that is on its way. `prepared`: its submission; to a test number it has no messages."""

    verification_id: int
    message_id: int
    expires_at: datetime
    prepared: PreparedSubmission


class CheckedCode(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a check. `verification_id` and `expires_at`: None of an unknown one. `attempts_left`: wrong codes
    that may still be entered.
    """

    outcome: CheckOutcome
    verification_id: int | None = None
    attempts_left: int = 0
    expires_at: datetime | None = None
    ended_at: datetime | None = None


class AutomaticResend(msgspec.Struct, frozen=True):
    """A message that the platform sends by itself: why, and the carriers that it may not go by, besides those that had
    the code.
    """

    reason: Reason
    avoid_carriers: frozenset[int]


class _Guess(msgspec.Struct, frozen=True):
    account_id: int
    message_id: int
    dialect: int
    code: str


UNKNOWN: Final = CheckedCode(outcome=CheckOutcome.UNKNOWN)


class Verifications:
    """Sends codes through the intake, and checks them by group commit. A correct check is recorded as a conversion of
    the verification's latest message in the same transaction.
    """

    def __init__(
        self,
        *,
        database: Database,
        intake: Intake,
        keeper: CodeKeeper,
        next_id: Callable[[], int],
        clock: Callable[[], datetime],
        dialects: Dialects,
    ) -> None:
        self._dialects = dialects
        self._database = database
        self._intake = intake
        self._keeper = keeper
        self._next_id = next_id
        self._clock = clock
        self._checks: Batcher[_Guess, CheckedCode] = Batcher(
            self._check,
            weight_max=limits.BATCH_ITEMS_MAX,
            pending_max=limits.BATCH_PENDING_MAX,
            lanes=2,
        )

    async def send(self, new: NewCode) -> SentCode:
        """Makes a code and sends it. It is durable, and can be checked, when this returns.

        Raises a `Refusal`; `EarlierAnswer` when the call was answered before; a `PlatformFailure` as of
        `Intake.submit`.
        """
        now = self._clock()
        message_id = self._next_id()
        template = new.template
        text = new.text or (DEFAULT_TEXT if template is None else template.text)
        test_code = new.account.test_numbers.get(new.recipient.number)
        if test_code is not None:
            code = test_code
        elif new.code is not None:
            code = new.code
        elif template is not None:
            code = make_code(template.alphabet, template.length)
        else:
            code = make_code(CodeAlphabet.NUMERIC, DEFAULT_CODE_CHARS)
        expires_at = now + timedelta(seconds=new.app.code_expiry_s)
        sender = new.sender or (template.sender if template else "") or new.account.default_sender or ""
        carried = NewMessageCode(
            code_text=text,
            template_id=None if template is None else template.template_id,
            flow_id=None if new.flow is None else new.flow.flow_id,
            code_hash=self._keeper.hash(message_id, code),
            code_sealed=NOT_SENT if test_code is not None else self._keeper.seal(message_id, code),
            code_expires_at=expires_at,
            step_due_at=None if test_code is not None else _first_step(new.flow, new.app, now),
            resend_of=None,
            bounds=None,
            ahead=None,
        )
        if test_code is not None:
            fixed = NewVerification(
                account_id=new.account.account_id,
                verification_id=message_id,
                dialect=new.dialect,
                app_id=new.app.app_id,
                number=new.recipient.number,
                raw_number=new.recipient.raw,
                reference=new.recipient.reference,
                template_id=carried.template_id,
                flow_id=carried.flow_id,
                sender=sender,
                text=text,
                code_hash=self._keeper.hash(message_id, code),
                code_sealed=NOT_SENT,
                attempts_max=ATTEMPTS_MAX,
                is_test=True,
                expires_at=expires_at,
                step_due_at=None,
            )
            prepared = await store_fixed_code(self._database, fixed, CodeSend(new=carried), new.once, now)
            return SentCode(verification_id=message_id, message_id=message_id, expires_at=expires_at, prepared=prepared)
        prepared = await self._submit(
            Submission(
                account=new.account,
                dialect=new.dialect,
                app_id=new.app.app_id,
                request_id=new.request_id,
                groups=[_group(text, code, sender, new.recipient, new.notes)],
                validity_s=new.app.code_expiry_s,
                terms=SubmissionTerms(
                    limits=_limits(new.app),
                    once=new.once,
                    code=CodeSend(bounds=_bounds_of_number(new.app, new.number_limits), new=carried),
                ),
                end_user=new.end_user,
            ),
            message_id,
        )
        return SentCode(verification_id=message_id, message_id=message_id, expires_at=expires_at, prepared=prepared)

    async def resend(
        self,
        account: Profile,
        row: VerificationRow,
        request_id: str,
        *,
        number_limits: Sequence[SendLimit] = (),
        steps_done: int | None = None,
        step_due_at: datetime | None = None,
        once: AnswerOnce | None = None,
        automatic: AutomaticResend | None = None,
    ) -> SentCode:
        """Sends a verification's code again, by another carrier where the route has one. The new message can be checked
        by its own id; wrong codes count together. `steps_done`, `step_due_at`: of its flow, of which this is the next
        step; None: as they are. `automatic`: the platform decided it.

        Raises `VerificationOver` when it can no longer be checked, had as many messages as it may, or another process
        has sent this step; else as `send`.
        """
        app = account.apps.get(row.app_id)
        if app is None:
            raise errors.UnknownApp
        now = self._clock()
        expires_at = now + timedelta(seconds=app.code_expiry_s)
        message_id = self._next_id()
        if row.is_test:
            return await self._resend_test(account, row, message_id, expires_at, once)
        if row.code_sealed is None or row.is_expired:
            raise errors.VerificationOver
        code = self._keeper.open(row.verification_id, row.code_sealed)
        earlier = await statements.verifications.verification_story(
            self._database, account_id=row.account_id, verification_id=row.verification_id
        )
        prepared = await self._submit(
            Submission(
                account=account,
                dialect=row.dialect,
                app_id=row.app_id,
                request_id=request_id,
                resend_reason=None if automatic is None else automatic.reason,
                groups=[_group(row.text, code, row.sender, Recipient(row.raw_number, row.number, row.reference), None)],
                validity_s=app.code_expiry_s,
                avoid_carriers=frozenset(message.carrier_id for message in earlier)
                | (frozenset() if automatic is None else automatic.avoid_carriers),
                terms=SubmissionTerms(
                    limits=_limits(app),
                    once=once,
                    code=CodeSend(
                        bounds=_bounds_of_number(app, number_limits),
                        message=NewVerificationMessage(
                            account_id=row.account_id,
                            message_id=message_id,
                            verification_id=row.verification_id,
                            code_hash=self._keeper.hash(message_id, code),
                        ),
                        resend=VerificationResend(
                            account_id=row.account_id,
                            verification_id=row.verification_id,
                            message_id=message_id,
                            expires_at=expires_at,
                            steps_done=steps_done,
                            step_due_at=step_due_at,
                            is_timed=steps_done is not None and automatic is None,
                        ),
                        messages_max=MESSAGES_MAX,
                    ),
                ),
            ),
            message_id,
        )
        return SentCode(
            verification_id=row.verification_id, message_id=message_id, expires_at=expires_at, prepared=prepared
        )

    async def check(self, account_id: int, message_id: int, code: str, dialect: int) -> CheckedCode:
        """Whether `code` is that of the verification which a message (its first or a later one) belongs to. Of all
        checks exactly one is answered `VERIFIED`. Durable when this returns; raises a `PlatformFailure`.
        """
        if not 0 < message_id <= ids.ID_MAX:
            return UNKNOWN
        return await self._checks.put(_Guess(account_id, message_id, dialect, code))

    async def cancel(self, account_id: int, verification_id: int) -> bool:
        """Ends a pending verification: its code is no longer right, and messages that have not left do not leave and
        are refunded. False when it was over.
        """
        now = self._clock()
        async with self._database.transaction() as transaction:
            row = await statements.verifications.verification_cancel(
                transaction, account_id=account_id, verification_id=verification_id, now=now
            )
            if row is not None:
                await self._cancel_messages(transaction, account_id, [verification_id], now)
        return row is not None

    async def cancel_earlier(self, account_id: int, sent: SentCode, number: str, dialect: int) -> None:
        """Ends the pending verifications of a number that the dialect sent before `sent`, as `cancel` does."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            cancelled = await statements.verifications.verifications_cancel_earlier(
                transaction,
                account_id=account_id,
                verification_id=sent.verification_id,
                number=number,
                dialect=dialect,
                now=now,
            )
            if cancelled:
                await self._cancel_messages(transaction, account_id, cancelled, now)

    async def _cancel_messages(
        self, transaction: DatabaseConnection, account_id: int, verification_ids: Sequence[int], now: datetime
    ) -> None:
        again = await statements.verifications.verification_message_ids(
            transaction, account_id=account_id, verification_ids=verification_ids
        )
        await cancel_messages(transaction, account_id, [*verification_ids, *again], now, self._dialects)

    async def find(self, account_id: int, message_id: int) -> VerificationRow | None:
        """By the id of any of its messages."""
        if not 0 < message_id <= ids.ID_MAX:
            return None
        return await statements.verifications.verification_find(
            self._database, account_id=account_id, message_id=message_id, now=self._clock()
        )

    async def drained(self) -> None:
        await self._checks.drained()

    async def _resend_test(
        self, account: Profile, row: VerificationRow, message_id: int, expires_at: datetime, once: AnswerOnce | None
    ) -> SentCode:
        """Nothing is sent; the code can be checked by one more ID."""
        code = account.test_numbers.get(row.number)
        if code is None:
            raise errors.VerificationOver
        message = NewVerificationMessage(
            account_id=row.account_id,
            message_id=message_id,
            verification_id=row.verification_id,
            code_hash=self._keeper.hash(message_id, code),
        )
        prepared = await store_fixed_resend(
            self._database, row, message, once, expires_at=expires_at, messages_max=MESSAGES_MAX, now=self._clock()
        )
        return SentCode(
            verification_id=row.verification_id, message_id=message_id, expires_at=expires_at, prepared=prepared
        )

    async def _submit(self, submission: Submission, message_id: int) -> PreparedSubmission:
        """A repeated call is answered as before, also where it would be refused by now."""
        try:
            prepared, outcome = self._intake.begin_prepared(submission, message_id)
            error = await outcome
        except errors.Refusal as refusal:
            error = refusal
        if error is not None:
            once = submission.terms.once
            if once is not None and isinstance(error, errors.Refusal):
                await find_answer(self._database, submission.account.account_id, once, self._clock())
            raise error
        return prepared

    async def _check(self, guesses: Sequence[_Guess]) -> list[CheckedCode]:
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await statements.verifications.verifications_check(
                transaction,
                now=now,
                guesses=[
                    CodeGuess(
                        account_id=guess.account_id,
                        message_id=guess.message_id,
                        code_hash=self._keeper.hash(guess.message_id, guess.code),
                    )
                    for guess in guesses
                ],
            )
            verified = [
                ConversionReport(row.account_id, row.latest_id, guesses[row.nth - 1].dialect, None)
                for row in rows
                if row.outcome == CheckOutcome.VERIFIED
            ]
            if verified:
                await record_conversions(transaction, verified, now=now)
            ended = {
                (row.account_id, row.verification_id): type
                for row in rows
                if row.event_types and (type := _end_of(row)) in row.event_types
            }
            if ended:
                await add_ended(transaction, self._dialects, ended, now)
        by_place = {row.nth - 1: row for row in rows}
        return [_checked(by_place.get(place), now) for place in range(len(guesses))]


def _end_of(row: JudgedCheck) -> EventType | None:
    """What this check has ended its verification as; None: it has not."""
    if row.outcome == CheckOutcome.VERIFIED:
        return EventType.VERIFICATION_VERIFIED
    return EventType.VERIFICATION_FAILED if row.outcome == CheckOutcome.WRONG and not row.attempts_left else None


def _checked(row: JudgedCheck | None, now: datetime) -> CheckedCode:
    if row is None:
        return UNKNOWN
    outcome = CheckOutcome(row.outcome)
    return CheckedCode(
        outcome=outcome,
        verification_id=row.verification_id,
        attempts_left=row.attempts_left,
        expires_at=row.expires_at,
        ended_at=now if outcome is CheckOutcome.VERIFIED else row.ended_at,
    )


def _group(text: str, code: str, sender: str, recipient: Recipient, notes: dict[str, object] | None) -> MessageGroup:
    return MessageGroup(
        text.replace(CODE_MARK, code),
        sender,
        [recipient],
        notes=notes,
        masked_text=text.replace(CODE_MARK, masked(code)),
    )


def _limits(app: App) -> Sequence[LimitTake]:
    if app.total_limit is None:
        return ()
    bounds = {app.total_limit.period_s: app.total_limit.most}
    refusal = errors.AppLimitReached
    return (LimitTake(scope=LimitScope.APP_CODES, key=app.app_id, bounds=bounds, amount=1, refusal=refusal),)


def _bounds_of_number(app: App, others: Sequence[SendLimit]) -> Bounds:
    """How many codes a number may get from the app: `others`, and the app's own."""
    return _bounds(*others) if app.number_limit is None else _bounds(*others, app.number_limit)


@functools.lru_cache(maxsize=BOUNDS_KEPT)
def _bounds(*send_limits: SendLimit) -> Bounds:
    """Of two limits for the same period the last holds."""
    return tuple({limit.period_s: limit.most for limit in send_limits}.items())


def _first_step(flow: CodeFlow | None, app: App, now: datetime) -> datetime | None:
    """Of a code's flow; without one, of the app's own rule for likely lost codes (verification/likely_lost.py)."""
    if flow is None and app.resend_messages:
        return now + timedelta(seconds=LOOK_FIRST_S)
    return None if flow is None or not flow.steps else now + timedelta(seconds=flow.steps[0].wait_s)
