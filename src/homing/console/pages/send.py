"""The composer: a message or a code, sent as the account by the way of its calls, charged and limited alike."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from starlette.responses import Response

from homing import audit, errors, limits
from homing.accounts.profile import Profile
from homing.accounts.refused_calls import reason_for
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.i18n.reasons import reason_phrase
from homing.intake.prepare import PreparedSubmission
from homing.intake.submission import AcceptedMessage, MessageGroup, Submission
from homing.intake.templates import VARIABLES, fill, variables_of
from homing.intake.terms import AnswerOnce, EarlierAnswer, SubmissionTerms
from homing.model import App, Recipient, Template
from homing.store.statements.intake import NewMessage
from homing.text.numbers import normalise
from homing.text.segments import Segmentation, TextEncoding, count, utf16_units
from homing.users.tokens import make_token
from homing.verification.service import NUMBER_LIMITS, NewCode

SCOPE: Final = "console"
REQUEST: Final = "console"
"""In place of the id of an HTTP request: it stands in the message's timeline."""
TEXT_UNITS_MAX: Final = 2_000
MESSAGE_FIELDS: Final = ("to", "text", "message_template", *(f"V{number}" for number in VARIABLES), "sender", "app")


class Preview(msgspec.Struct, frozen=True):
    """A text's segments, how many more characters its last one carries, and the message's price; None: no price yet,
    for the reason in `problem` where there is one.
    """

    text: str
    segmentation: Segmentation
    left: int
    message: NewMessage | None
    problem: str

    @property
    def is_gsm(self) -> bool:
        return self.segmentation.encoding is TextEncoding.GSM7


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    profile = await _profile(context, account_scope)
    template = _template(profile, context.form_values.get("message_template") or context.query_value("template"))
    variables = [] if template is None else variables_of(template)
    text = context.form_values.get("text", "")
    if template is not None:
        text = _partly_filled(template, context.form_values) if variables else text or template.body
    return context.page(
        "send.html",
        account_scope=account_scope,
        profile=profile,
        senders=sorted(profile.senders),
        apps=[(app.app_id, app.name or app.app_id) for app in profile.apps.values()],
        code_templates=[
            (str(each.template_id), f"{each.name} {each.locale}".strip()) for each in profile.code_templates.values()
        ],
        filled_template=template if variables else None,
        variables=[f"V{number}" for number in variables],
        variable_chars_max=limits.TEMPLATE_VARIABLE_CHARS_MAX,
        text=text,
        preview=_preview(context, profile, text) if text else None,
        once=make_token(),
    )


async def change(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    profile = await _profile(context, account_scope)
    match context.field("do"):
        case "preview":
            context.form_values = {name: context.raw_field(name) for name in MESSAGE_FIELDS}
            return await show(context)
        case "send":
            return await _send(context, profile)
        case "verify":
            return await _verify(context, profile)
        case _:
            return await back(context)


async def _profile(context: RequestContext, account_scope: AccountScope) -> Profile:
    profile = await context.console_state.sending.directory.profile_of(account_scope.account_id)
    if profile is None:
        raise PageNotFound
    return profile


async def _send(context: RequestContext, profile: Profile) -> Response:
    submission = _submission(context, profile, _text(context, profile))
    once = _once(context, "message", lambda prepared: str(prepared.messages[0].message_id).encode())
    submission = msgspec.structs.replace(submission, terms=SubmissionTerms(once=once))
    _check_lock(context, profile)
    try:
        results = await context.console_state.sending.intake.submit(submission)
    except EarlierAnswer as earlier:
        return _again(context, earlier, once, "messages")
    except errors.Refusal as refusal:
        raise _worded(context, refusal) from None
    (message_id,) = (each.message_id for each in results if isinstance(each, AcceptedMessage))
    await _record(context, profile, "message", message_id)
    return context.redirect(f"/messages/{message_id}", context.translate("Message sent."))


async def _verify(context: RequestContext, profile: Profile) -> Response:
    app = _app(context, profile, "person_app")
    template_id = context.field("template")
    template = next((each for each in profile.code_templates.values() if str(each.template_id) == template_id), None)
    if app is None:
        raise errors.InvalidInput(context.translate("The account has no app yet; codes need one."))
    once = _once(context, "verification", _verification_id)
    _check_lock(context, profile)
    try:
        sent = await context.console_state.sending.verifications.send(
            NewCode(
                account=profile,
                dialect=context.console_state.sending.dialect,
                app=app,
                recipient=_recipient(context, "person"),
                request_id=REQUEST,
                template=template,
                sender=_sender(context, profile, "person_sender"),
                number_limits=NUMBER_LIMITS,
                once=once,
            )
        )
    except EarlierAnswer as earlier:
        return _again(context, earlier, once, "verifications")
    except errors.Refusal as refusal:
        raise _worded(context, refusal) from None
    await _record(context, profile, "verification", sent.verification_id)
    return context.redirect(
        f"/verifications/{sent.verification_id}", context.translate("Code sent. Enter it below when it arrives.")
    )


def _verification_id(prepared: PreparedSubmission) -> bytes:
    (message_id,) = (each.message_id for each in prepared.results if isinstance(each, AcceptedMessage))
    return str(message_id).encode()


def _once(context: RequestContext, kind: str, answer: Callable[[PreparedSubmission], bytes]) -> AnswerOnce:
    """A form is sent once, however often its button is pressed. Each form that is shown has a key of its own."""
    key = context.field("once")
    if not key:
        raise errors.InvalidInput(context.translate("The form could not be read."))
    names = (*MESSAGE_FIELDS, "person", "template", "person_sender", "person_app")
    written = "\0".join(context.raw_field(name) for name in names)
    return AnswerOnce(
        scope=SCOPE, key=f"{kind} {key[:64]}", digest=hashlib.sha256(written.encode()).digest(), answer=answer
    )


def _again(context: RequestContext, earlier: EarlierAnswer, once: AnswerOnce, part: str) -> Response:
    if earlier.digest != once.digest:
        raise errors.InvalidInput(
            context.translate("This form was sent already, with other values. Send it again to send another message.")
        )
    return context.redirect(f"/{part}/{earlier.answer.decode()}", context.translate("It was sent already, once."))


def _template(profile: Profile, chosen: str) -> Template | None:
    return next((each for each in profile.templates if str(each.template_id) == chosen), None)


def _text(context: RequestContext, profile: Profile) -> str:
    """What was written, or the chosen template with its variables. Raises `InvalidInput` where one is missing."""
    chosen = context.field("message_template")
    if not chosen:
        return context.raw_field("text").replace("\r\n", "\n")
    template = _template(profile, chosen)
    if template is None:
        raise errors.InvalidInput(context.translate("This template no longer exists."))
    variables = {number: context.raw_field(f"V{number}") for number in variables_of(template)}
    for number, value in variables.items():
        if not value:
            raise errors.InvalidInput(context.translate("Fill in {variable}.", variable=f"V{number}"))
        if len(value) > limits.TEMPLATE_VARIABLE_CHARS_MAX:
            raise errors.InvalidInput(
                context.translate(
                    "{variable} is longer than {n} characters.",
                    variable=f"V{number}",
                    n=limits.TEMPLATE_VARIABLE_CHARS_MAX,
                )
            )
    return fill(template, variables)


def _partly_filled(template: Template, values: Mapping[str, str]) -> str:
    """Variables without a value stay as they are named."""
    return fill(template, {number: values.get(f"V{number}") or f"{{V{number}}}" for number in variables_of(template)})


def _submission(context: RequestContext, profile: Profile, text: str) -> Submission:
    """Raises `InvalidInput`."""
    if not text.strip():
        raise _worded(context, errors.ContentEmpty())
    if utf16_units(text) > TEXT_UNITS_MAX:
        raise _worded(context, errors.ContentTooLong())
    app = _app(context, profile, "app")
    group = MessageGroup(text, _sender(context, profile, "sender"), [_recipient(context, "to")])
    return Submission(
        account=profile,
        dialect=context.console_state.sending.dialect,
        app_id="" if app is None else app.app_id,
        request_id=REQUEST,
        groups=[group],
    )


def _preview(context: RequestContext, profile: Profile, text: str) -> Preview:
    """By the intake's own reckoning, without the guard and the limits, which decide when it is sent."""
    text = text.replace("\r\n", "\n")[:TEXT_UNITS_MAX]
    segmentation = count(text)
    low, high = 0, 160
    while low < high:  # how many letters more leave it at as many segments
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text + "a" * middle).parts == segmentation.parts else (low, middle - 1)
    try:
        if not context.form_values.get("to", "").strip():
            return Preview(text, segmentation, low, None, "")
        prepared = context.console_state.sending.intake.quote(_submission(context, profile, _text(context, profile)))
    except errors.Refusal as refusal:
        return Preview(text, segmentation, low, None, str(_worded(context, refusal)))
    except errors.InvalidInput as error:
        return Preview(text, segmentation, low, None, context.sentence(error))
    return Preview(text, segmentation, low, prepared.messages[0], "")


def _recipient(context: RequestContext, name: str) -> Recipient:
    given = context.field(name)
    number = normalise(given)
    if number is None:
        kind = errors.NationalNumber if given.startswith("0") else errors.NumbersAbnormal
        raise _worded(context, kind())
    return Recipient(given, number)


def _sender(context: RequestContext, profile: Profile, name: str) -> str:
    given = context.field(name)
    if not given:
        return profile.default_sender or ""
    sender = profile.registered(given)
    if sender is None:
        raise errors.InvalidInput(context.translate("The sender ID is not registered to the account."))
    return sender


def _app(context: RequestContext, profile: Profile, name: str) -> App | None:
    given = context.field(name)
    return profile.apps.get(given, profile.default_app) if given else profile.default_app


def _check_lock(context: RequestContext, profile: Profile) -> None:
    if profile.locked:
        raise errors.InvalidInput(context.translate("The account is locked: it cannot send."))


def _worded(context: RequestContext, refusal: errors.Refusal) -> errors.InvalidInput:
    reason = context.translate_phrases([reason_phrase(reason_for(refusal))])
    return errors.InvalidInput(context.translate("Refused, nothing was sent or charged: {reason}", reason=reason))


async def _record(context: RequestContext, profile: Profile, kind: str, message_id: int) -> None:
    async with context.changing() as transaction:
        await audit.record(transaction, kind, "send_test", str(message_id), account_id=profile.account_id)


SECTION = PageSection(
    for_both("send", show, change),
    (NavigationEntry("/send", N_("Send a test"), NavigationGroup.SETUP, "push", CUSTOMERS),),
)
