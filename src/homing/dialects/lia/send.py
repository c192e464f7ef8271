"""lia: SendSMS and SendSMSMulti (contract, sections 3 and 4)."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.accounts.refused_calls import HasReason
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.http.wire import HttpRequest
from homing.common.urls import is_web_address
from homing.dialects.lia import bounds
from homing.dialects.lia.number import NUMBER
from homing.dialects.lia.parameters import Parameters, storable
from homing.dialects.lia.words import REMARKS, SYSTEM_ERROR, remark_of
from homing.intake.intake import Intake
from homing.intake.submission import AcceptedMessage, MessageGroup, RepeatedReferences, Submission
from homing.intake.templates import VARIABLES, fill
from homing.model import NO_OPTIONS, Options, Recipient, Template, Traffic
from homing.reasons import Reason, ReasonCode
from homing.text.gsm7 import is_gsm
from homing.text.numbers import normalise
from homing.text.segments import TextEncoding, utf16_units

TRAFFIC: Final = {"T": Traffic.TRANSACTIONAL, "P": Traffic.PROMOTIONAL, "O": Traffic.TRANSACTIONAL}
"""O: a one-time code, as other brands of the platform say it."""
ENCODINGS: Final = {
    "T": (TextEncoding.GSM7, False),
    "U": (TextEncoding.UCS2, False),
    "FS": (TextEncoding.GSM7, True),
    "UFS": (TextEncoding.UCS2, True),
}


class UnknownSender(errors.BadParameter, HasReason):
    """The sender ID is not registered to the account."""

    reason = Reason.of(ReasonCode.CALL_SENDER_UNKNOWN)


class LiaSendReply(msgspec.Struct):
    """The wire's reply for one number; members in the contract's order."""

    message_id: int
    status: str
    remarks: str
    uid: str


def failed(remarks: str, uid: str = "") -> LiaSendReply:
    return LiaSendReply(0, "F", remarks, uid)


def whole_failure(replies: Sequence[LiaSendReply]) -> LiaSendReply | None:
    """The reply to a call of which every number failed alike, None for any other: drivers take an array for success
    (contract, section 4). What stands behind a remark's colon explains; where that differs, it is left out.
    """
    first = replies[0]
    if any(reply.status != "F" for reply in replies):
        return None
    if all(reply.remarks == first.remarks for reply in replies):
        return first
    remarks = {reply.remarks.partition(":")[0] for reply in replies}
    return failed(remarks.pop(), first.uid) if len(remarks) == 1 else None


def echo_of(parameters: Parameters) -> str:
    """The call's uid as a refusal echoes it; one that could not be stored is not repeated."""
    uid = parameters.get("uid", "")
    return uid if len(uid) <= bounds.REFERENCE_CHARS_MAX and storable(uid) else ""


class LiaSender:
    """Turns a call's parameters into submissions, one for each number: a number that fails fails alone."""

    def __init__(self, intake: Intake, success_remark: str) -> None:
        self._intake = intake
        self._success_remark = success_remark

    async def send(
        self, account: Profile, parameters: Parameters, numbers: Sequence[str], request: HttpRequest
    ) -> list[LiaSendReply]:
        """A reply per number, in order. Raises a `Refusal` when the call as a whole is wrong.

        The checks run in the contract's order of parameters; the number's own comes between the sender's and the
        text's, so that a call with one bad number hears of the number.
        """
        traffic = _one_of(parameters, "sms_type", TRAFFIC)
        encoding, flash = _encoding(parameters)
        sender = _sender(account, parameters)
        uid = _optional(parameters, "uid", bounds.REFERENCE_CHARS_MAX)
        recipients = _recipients(numbers, uid)
        template = _template(account, parameters)
        text = _text(parameters, template)
        notes: dict[str, object] = {} if template is None else {"template": template.name}
        if encoding is TextEncoding.GSM7 and not is_gsm(text):
            if not account.unicode_fallback:
                raise errors.BadParameter("encoding T cannot carry this text")
            encoding = TextEncoding.UCS2
            notes["encoding_asked"] = parameters["encoding"]
        options = _options(parameters, flash, template)
        validity_s, callback_url = _validity_s(parameters), _callback_url(parameters)
        repeated = RepeatedReferences.ANSWERED if uid and account.unique_references else RepeatedReferences.SENT
        submissions = [
            recipient
            if not isinstance(recipient, Recipient)
            else Submission(
                account=account,
                dialect=NUMBER,
                app_id=account.default_app.app_id if account.default_app else "",
                request_id=request.request_id,
                groups=(MessageGroup(text, sender, (recipient,), encoding, notes or None, options),),
                traffic=traffic,
                validity_s=validity_s,
                callback_url=callback_url,
                repeated_references=repeated,
            )
            for recipient in recipients
        ]
        if len(submissions) == 1:
            return [await self._submit(submissions[0], uid or "", request)]
        return await asyncio.gather(*(self._submit(submission, uid or "", request) for submission in submissions))

    async def _submit(
        self, submission: Submission | type[errors.NumbersAbnormal], uid: str, request: HttpRequest
    ) -> LiaSendReply:
        if not isinstance(submission, Submission):
            request.refuse(submission, REMARKS.of(submission), messages=1)
            return failed(REMARKS.of(submission), uid)
        try:
            result = (await self._intake.submit(submission))[0]
        except errors.Refusal as refusal:
            request.refuse(refusal, remark_of(refusal), messages=1)
            return failed(remark_of(refusal), uid)
        except errors.PlatformFailure as failure:
            request.refuse(failure, SYSTEM_ERROR, messages=1)
            return failed(SYSTEM_ERROR, uid)
        assert isinstance(result, AcceptedMessage)
        return LiaSendReply(result.message_id, "S", self._success_remark, uid)


def _one_of(parameters: Parameters, name: str, table: dict[str, Traffic]) -> Traffic:
    value = parameters.get(name)
    if value is None:
        raise errors.BadParameter(f"{name} not specified")
    if value not in table:
        raise errors.BadParameter(f"Invalid {name}")
    return table[value]


def _encoding(parameters: Parameters) -> tuple[TextEncoding | None, bool]:
    """(encoding or None for the text to decide, flash)."""
    value = parameters.get("encoding")
    if value is None:
        return None, False
    if value not in ENCODINGS:
        raise errors.BadParameter("Invalid encoding")
    return ENCODINGS[value]


def _sender(account: Profile, parameters: Parameters) -> str:
    requested = parameters.get("sender_id")
    if requested is None:
        raise errors.BadParameter("sender_id not specified")
    sender = account.registered(requested)
    if sender is None:
        raise UnknownSender("Invalid sender_id")
    return sender


def _recipients(numbers: Sequence[str], uid: str | None) -> list[Recipient | type[errors.NumbersAbnormal]]:
    """Why, for a number that is not valid. Raises when there is no number, or one alone that is not valid."""
    if not numbers:
        raise errors.NumbersEmpty
    if len(numbers) > bounds.NUMBERS_MAX:
        raise errors.NumbersTooMany
    recipients: list[Recipient | type[errors.NumbersAbnormal]] = []
    for raw in numbers:
        number = normalise(raw)
        recipients.append(number_refusal(raw) if number is None else Recipient(raw, number, uid))
    if len(recipients) == 1 and not isinstance(recipients[0], Recipient):
        raise recipients[0]
    return recipients


def _template(account: Profile, parameters: Parameters) -> Template | None:
    """The stored template that the call names. Beside a text an unknown one is none: some customers give India's
    registration id there (contract, section 3).
    """
    template_id = parameters.get("templateid")
    if template_id is None:
        return None
    template = next((t for t in account.templates if template_id in (str(t.template_id), t.name)), None)
    if template is None and "textmessage" not in parameters:
        raise errors.BadParameter("Invalid templateid")
    return template


def _options(parameters: Parameters, flash: bool, template: Template | None) -> Options:
    pe_id, template_id = _registration(parameters, "pe_id"), _registered_template(parameters, template)
    return Options(flash, pe_id, template_id) if flash or pe_id or template_id else NO_OPTIONS


def _registered_template(parameters: Parameters, template: Template | None) -> str:
    """India's registration id of the text: what `template_id` says, else a `templateid` that is no stored template."""
    if "template_id" in parameters or template is not None:
        return _registration(parameters, "template_id")
    return _registration(parameters, "templateid")


def _text(parameters: Parameters, template: Template | None) -> str:
    """The text, from the call or from a stored template."""
    if template is not None:
        variables = {n: parameters[f"V{n}"] for n in VARIABLES if f"V{n}" in parameters}
        if any(len(value) > limits.TEMPLATE_VARIABLE_CHARS_MAX for value in variables.values()):
            raise errors.BadParameter("Invalid V1..V5: too long")
        text = fill(template, variables)
    elif "textmessage" in parameters:
        text = parameters["textmessage"]
    else:
        raise errors.ContentEmpty
    if not storable(text):
        raise errors.BadParameter("Invalid textmessage")
    if utf16_units(text) > bounds.TEXT_UNITS_MAX:
        raise errors.ContentTooLong
    return text


def _optional(parameters: Parameters, name: str, chars_max: int) -> str | None:
    value = parameters.get(name)
    if value is not None and (len(value) > chars_max or not storable(value)):
        raise errors.BadParameter(f"Invalid {name}")
    return value


def _registration(parameters: Parameters, name: str) -> str:
    return _optional(parameters, name, limits.REGISTRATION_CHARS_MAX) or ""


def _validity_s(parameters: Parameters) -> int:
    value = parameters.get("ValidityPeriodInSeconds")
    if value is None:
        return limits.VALIDITY_S_DEFAULT
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise errors.BadParameter("Invalid ValidityPeriodInSeconds")
    validity_s = int(value)
    if not limits.VALIDITY_S_MIN <= validity_s <= limits.VALIDITY_S_MAX:
        raise errors.BadParameter("Invalid ValidityPeriodInSeconds")
    return validity_s


def _callback_url(parameters: Parameters) -> str | None:
    url = _optional(parameters, "callback_url", limits.URL_CHARS_MAX)
    if url is not None and not is_web_address(url):
        raise errors.BadParameter("Invalid callback_url")
    return url
