"""Verifications: a code is sent, checked, sent again or called off."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET

from homing.accounts.profile import Profile
from homing.api.http.wire import HttpResponse
from homing.dialects.v1.bodies import CheckBody, VerificationBody
from homing.dialects.v1.calls import (
    V1Call,
    app_of,
    end_user_of,
    id_of,
    read_nothing,
    reader,
    recipient_of,
    sender_of,
    storable,
)
from homing.dialects.v1.idempotency import AnsweredCalls, once
from homing.dialects.v1.number import NUMBER
from homing.dialects.v1.problems import V1Refusal, wrong_member
from homing.dialects.v1.replies import (
    VerificationView,
    code_message_view,
    money_of,
    time_of_id,
    verification_view,
    whole_second,
)
from homing.dialects.v1.words import VerificationWord
from homing.guard.end_users import AddressHasher
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage
from homing.model import CheckOutcome, CodeTemplate
from homing.store.database import Database
from homing.store.statements.verifications import VerificationRow
from homing.verification.records import read_story
from homing.verification.service import ATTEMPTS_MAX, NUMBER_LIMITS, CheckedCode, NewCode, Verifications

encode: Final = msgspec.json.encode
CREATED: Final = 201
read_new: Final = reader(VerificationBody)
read_check: Final = reader(CheckBody)
CHECK_WORDS: Final[dict[CheckOutcome, VerificationWord]] = {
    CheckOutcome.VERIFIED: "verified",
    CheckOutcome.WRONG: "pending",
    CheckOutcome.EXPIRED: "expired",
    CheckOutcome.TOO_MANY_ATTEMPTS: "failed",
    CheckOutcome.CANCELLED: "cancelled",
}


class VerificationCalls:
    def __init__(
        self,
        *,
        database: Database,
        verifications: Verifications,
        answered: AnsweredCalls,
        addresses: AddressHasher,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._verifications = verifications
        self._answered = answered
        self._addresses = addresses
        self._clock = clock

    async def create(self, call: V1Call) -> HttpResponse:
        """Raises a `Refusal`, a `PlatformFailure`, or `EarlierAnswer`."""
        body = read_new(call.body)
        end_user = end_user_of(self._addresses, call.account, body.end_user)
        new = msgspec.structs.replace(_new_code(call, body), end_user=end_user)
        sent = await self._verifications.send(msgspec.structs.replace(new, once=once(call, CREATED, _sent_answer)))
        return HttpResponse(_sent_answer(sent.prepared), CREATED)

    async def check(self, call: V1Call) -> HttpResponse:
        code = read_check(call.body).code
        return await self._answered.answer(call, lambda call: self._check(call, code))

    async def _check(self, call: V1Call, code: str) -> HttpResponse:
        message_id = id_of(call.target)
        if message_id is None:
            raise V1Refusal("verification_not_found")
        checked = await self._verifications.check(call.account.account_id, message_id, code, NUMBER)
        if checked.outcome is CheckOutcome.UNKNOWN:
            raise V1Refusal("verification_not_found")
        if checked.outcome is CheckOutcome.ALREADY_VERIFIED:
            raise V1Refusal("already_verified")
        return HttpResponse(encode(_checked_view(checked)))

    async def resend(self, call: V1Call) -> HttpResponse:
        read_nothing(call.body or b"{}")
        row = await self._row(call)
        if row.is_test:
            return HttpResponse(encode(verification_view(row)))
        if row.status or row.is_expired:
            raise V1Refusal("verification_over")

        def answer(prepared: PreparedSubmission) -> bytes:
            message = prepared.messages[0]
            code = prepared.terms.code
            assert code is not None
            assert code.resend is not None
            view = verification_view(row)
            view.expires_at = whole_second(max(row.expires_at, code.resend.expires_at))
            view.segments, view.price = message.segments, money_of(message.price_micro * message.segments)
            return encode(view)

        sent = await self._verifications.resend(
            call.account,
            row,
            call.request.request_id,
            number_limits=NUMBER_LIMITS,
            once=once(call, 200, answer),
        )
        return HttpResponse(answer(sent.prepared))

    async def cancel(self, call: V1Call) -> HttpResponse:
        """A verification that was cancelled before is answered alike."""
        read_nothing(call.body or b"{}")
        row = await self._row(call)
        await self._verifications.cancel(call.account.account_id, row.verification_id)
        view = verification_view(await self._row(call))
        if view.status != "cancelled":
            raise V1Refusal("verification_over", f"it is {view.status}")
        return HttpResponse(encode(view))

    async def show(self, call: V1Call) -> HttpResponse:
        message_id = id_of(call.target)
        story = None
        if message_id is not None:
            story = await read_story(self._database, message_id, now=self._clock(), account_id=call.account.account_id)
        if story is None:
            raise V1Refusal("verification_not_found")
        messages = [code_message_view(row, story.verification.number) for row in story.messages]
        return HttpResponse(encode(verification_view(story.verification, messages)))

    async def _row(self, call: V1Call) -> VerificationRow:
        message_id = id_of(call.target)
        row = None
        if message_id is not None:
            row = await self._verifications.find(call.account.account_id, message_id)
        if row is None:
            raise V1Refusal("verification_not_found")
        return row


def _new_code(call: V1Call, body: VerificationBody) -> NewCode:
    account = call.account
    recipient = recipient_of(body.to, body.reference or None)
    template = None if body.template is UNSET else _template(account, body.template, body.locale)
    given = body.app or (template.app_id if template is not None else None) or None
    app = app_of(account, given)
    if app is None:
        raise V1Refusal("app_unknown", "the account has no app yet")
    return NewCode(
        account=account,
        dialect=NUMBER,
        app=app,
        recipient=recipient,
        request_id=call.request.request_id,
        template=template,
        code=body.code or None,
        sender="" if body.sender is UNSET else sender_of(account, body.sender),
        number_limits=NUMBER_LIMITS,
    )


def _template(account: Profile, name: str, locale: str) -> CodeTemplate:
    """By name and locale, else by id."""
    storable(name, "template")
    template = account.code_template(name, locale)
    if template is None and (template_id := id_of(name)) is not None:
        template = account.code_templates.get(template_id)
    if template is None:
        raise wrong_member("template", "the account has none of this name and locale", "template_unknown")
    return template


def _sent_answer(prepared: PreparedSubmission) -> bytes:
    """Of a new verification; of the same submission always the same. To a test number it costs nothing."""
    code = prepared.terms.code
    assert code is not None
    assert code.new is not None
    (result,) = prepared.results
    assert isinstance(result, AcceptedMessage)
    return encode(
        VerificationView(
            id=str(result.message_id),
            status="pending",
            to=result.recipient.number,
            reference=result.recipient.reference,
            attempts_left=ATTEMPTS_MAX,
            created_at=time_of_id(result.message_id),
            expires_at=whole_second(code.new.code_expires_at),
            segments=sum(message.segments for message in prepared.messages),
            price=money_of(prepared.total_micro),
        )
    )


def _checked_view(checked: CheckedCode) -> VerificationView:
    word = CHECK_WORDS[checked.outcome]
    if word == "pending" and not checked.attempts_left:
        word = "failed"
    return VerificationView(
        id=str(checked.verification_id),
        status=word,
        attempts_left=checked.attempts_left if word == "pending" else 0,
        expires_at=whole_second(checked.expires_at),
        ended_at=whole_second(checked.ended_at),
    )
