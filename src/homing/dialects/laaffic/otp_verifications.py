"""laaffic: codes that are sent, sent again and checked (otp contract, sections 4 to 6)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from homing import errors
from homing.accounts.profile import Profile
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.http.wire import HttpRequest, HttpResponse
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.codes import ABNORMAL_PARAMETER
from homing.dialects.laaffic.number import NUMBER
from homing.dialects.laaffic.otp_answers import OtpReply, encode, success
from homing.dialects.laaffic.otp_parameters import (
    OtpRate,
    OtpResend,
    OtpSend,
    OtpVerify,
    app_id_of,
    bounded_int,
    bounded_text,
    channel_of,
    is_given,
    message_id_of,
    order_of,
    verification_id_of,
)
from homing.dialects.laaffic.otp_profiles import ProfileReader
from homing.dialects.laaffic.otp_records import FAILED, NOT_VERIFIED, UNKNOWN, VERIFIED
from homing.dialects.laaffic.otp_setting_changes import ID_MAX
from homing.dialects.laaffic.parameters import Scalar, decode, decoder
from homing.dialects.laaffic.send import sender_of
from homing.dialects.serving import Services
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage
from homing.intake.terms import AnswerOnce, EarlierAnswer
from homing.model import CheckOutcome, Recipient
from homing.store import statements
from homing.text.numbers import normalise
from homing.verification.service import PERSON_LIMITS, NewCode

send_body: Final = decoder(OtpSend)
resend_body: Final = decoder(OtpResend)
verify_body: Final = decoder(OtpVerify)
rate_body: Final = decoder(OtpRate)

CHECKED: Final[Mapping[CheckOutcome, tuple[str, int]]] = {
    CheckOutcome.WRONG: ("code is wrong", NOT_VERIFIED),
    CheckOutcome.EXPIRED: ("code expired", NOT_VERIFIED),
    CheckOutcome.TOO_MANY_ATTEMPTS: ("too many attempts", FAILED),
    CheckOutcome.ALREADY_VERIFIED: ("already verified", NOT_VERIFIED),
    CheckOutcome.CANCELLED: ("verification cancelled", NOT_VERIFIED),
    CheckOutcome.UNKNOWN: ("unknown verificationId", UNKNOWN),
}
"""Reason and `matched` of a check that found no right code. One that comes after the right one is not verified: a
program that reads `matched` alone must not take a code for right twice.
"""


class OtpSent(msgspec.Struct):
    verificationId: str
    to: str
    channel: str


class OtpChecked(msgspec.Struct):
    verificationId: str
    matched: int


class OtpVerifications:
    def __init__(self, services: Services, profiles: ProfileReader) -> None:
        self._verifications = services.verifications
        self._database = services.database
        self._profiles = profiles
        self._steady_s = services.steady_s

    async def send(self, request: HttpRequest, account: Profile) -> HttpResponse:
        """Homing makes the code."""
        call = decode(request.body, send_body)
        template_id = bounded_int(call.templateId, "templateId", 1, ID_MAX)
        return await self._send(request, account, call, template_id, None)

    async def send_rule(self, request: HttpRequest, account: Profile) -> HttpResponse:
        """The code is the customer's own."""
        call = decode(request.body, send_body)
        code = _code_of(call.code)
        if not code.isprintable():
            raise errors.BadShape("code holds a character that is not printable")
        return await self._send(request, account, call, _optional_id(call.templateId, "templateId"), code)

    async def _send(
        self, request: HttpRequest, account: Profile, call: OtpSend, template_id: int | None, code: str | None
    ) -> HttpResponse:
        channel_of(call.channel)
        order_id = order_of(call.orderId)
        recipient = _recipient_of(call.to, order_id)
        choice = await self._profiles.choose(
            account, app_id_of(call.appId), template_id, _optional_id(call.flowId, "flowId")
        )
        template, notes = choice.template, None
        if template is not None:
            sender, notes = sender_of(choice.profile, template.sender)
            template = msgspec.structs.replace(template, sender=sender)

        def answer(prepared: PreparedSubmission) -> bytes:
            (message_id,) = (each.message_id for each in prepared.results if isinstance(each, AcceptedMessage))
            return encode(OtpReply("0", "success", _sent(message_id, recipient.raw)))

        try:
            sent = await self._verifications.send(
                NewCode(
                    account=choice.profile,
                    dialect=NUMBER,
                    app=choice.app,
                    recipient=recipient,
                    request_id=request.request_id,
                    template=template,
                    code=code,
                    flow=choice.flow,
                    number_limits=PERSON_LIMITS,
                    once=_once(choice.app.app_id, order_id, answer) if order_id else None,
                    notes=notes,
                )
            )
        except EarlierAnswer as earlier:
            return HttpResponse(earlier.answer)
        return success(_sent(sent.message_id, recipient.raw))

    async def resend(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, resend_body)
        channel_of(call.channel)
        message_id = message_id_of(_verification_id_of(call.verificationId))
        row = None if message_id is None else await self._verifications.find(account.account_id, message_id)
        if row is None:
            raise errors.BadShape("verificationId is unknown")
        account = await self._profiles.with_app(account, row.app_id)
        try:
            sent = await self._verifications.resend(account, row, request.request_id, number_limits=PERSON_LIMITS)
        except errors.VerificationOver:
            raise errors.BadShape("verificationId is over, or its code was sent as often as it may be") from None
        return success(_sent(sent.message_id, row.raw_number))

    async def verify(self, request: HttpRequest, account: Profile) -> HttpResponse:
        call = decode(request.body, verify_body)
        given, code = _verification_id_of(call.verificationId), _code_of(call.code)
        message_id = message_id_of(given)
        outcome = CheckOutcome.UNKNOWN
        if message_id is not None:
            outcome = (await self._verifications.check(account.account_id, message_id, code, NUMBER)).outcome
        if outcome is CheckOutcome.VERIFIED:
            return success(OtpChecked(given, VERIFIED))
        reason, matched = CHECKED[outcome]
        return HttpResponse(encode(OtpReply(ABNORMAL_PARAMETER, reason, OtpChecked(given, matched))))

    async def report_rate(self, request: HttpRequest, account: Profile) -> HttpResponse:
        """A share that the customer counted: kept as it came, beside Homing's own figures."""
        call = decode(request.body, rate_body)
        app_id = app_id_of(call.appId)
        texts = {
            name: bounded_text(getattr(call, name), name, 0, bounds.OPAQUE_CHARS_MAX)
            for name in ("mcc", "backfillNumber", "backfillCardinalNumber", "backfillNow", "callbackTime")
        }
        await self._profiles.with_app(account, app_id)
        await statements.verifications.reported_rate_add(
            self._database,
            account_id=account.account_id,
            app_id=app_id,
            mcc=texts["mcc"],
            converted=texts["backfillNumber"],
            sent=texts["backfillCardinalNumber"],
            rate=texts["backfillNow"],
            called_at=texts["callbackTime"],
            reported_at=datetime.fromtimestamp(self._steady_s(), UTC),
        )
        return success(None)


def _once(app_id: str, order_id: str, answer: Callable[[PreparedSubmission], bytes]) -> AnswerOnce:
    """Whatever else the call says, an orderId of an app is answered once."""
    return AnswerOnce(scope=f"laaffic otp {app_id}", key=order_id, digest=b"", answer=answer)


def _sent(message_id: int, to: str) -> OtpSent:
    return OtpSent(verification_id_of(message_id), to, "sms")


def _recipient_of(value: Scalar, order_id: str) -> Recipient:
    """Raises `BadShape`, naming `to`."""
    raw = bounded_text(value, "to", 1, bounds.OPAQUE_CHARS_MAX)
    number = normalise(raw)
    if number is None:
        is_national = number_refusal(raw) is errors.NationalNumber
        raise errors.BadShape("to: the country code comes first" if is_national else "to is no phone number")
    low, high = bounds.TO_DIGITS
    if not low <= len(number) <= high:
        raise errors.BadShape(f"to has {low} to {high} digits, the country code included")
    return Recipient(raw, number, order_id or None)


def _code_of(value: Scalar) -> str:
    code = bounded_text(value, "code", 1, bounds.OPAQUE_CHARS_MAX).strip()
    if not 1 <= len(code) <= bounds.OWN_CODE_CHARS_MAX:
        raise errors.BadShape(f"code has 1 to {bounds.OWN_CODE_CHARS_MAX} characters")
    return code


def _verification_id_of(value: Scalar) -> str:
    return bounded_text(value, "verificationId", 1, bounds.OPAQUE_CHARS_MAX)


def _optional_id(value: Scalar, name: str) -> int | None:
    """0 is what programs send that have none."""
    return (bounded_int(value, name, 0, ID_MAX) or None) if is_given(value) else None
