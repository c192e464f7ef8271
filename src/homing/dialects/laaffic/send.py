"""laaffic: sendSms and sendSms/batch (contract, sections 4 and 5)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.api.http.abnormal_numbers import number_refusal
from homing.api.http.wire import HttpRequest
from homing.dialects.laaffic import bounds
from homing.dialects.laaffic.codes import CODES, INTERFACE_FAULT
from homing.dialects.laaffic.number import NUMBER
from homing.dialects.laaffic.parameters import Batch, Group, split_list, text_of
from homing.dialects.laaffic.refusals import BatchFailed
from homing.intake import submission as intake
from homing.intake.intake import Intake
from homing.intake.submission import AcceptedMessage, RefusedRecipient
from homing.model import Recipient
from homing.reasons import Reason, ReasonCode
from homing.text.numbers import normalise
from homing.text.segments import has_lone_surrogate, utf16_units


class SentMessage(msgspec.Struct):
    msgId: str
    number: str
    orderId: str | None


class FailedNumber(msgspec.Struct):
    """A number of a send that was not accepted, as it was submitted; it has no msgId."""

    msgId: str
    number: str
    reason: str


class LaafficSendReply(msgspec.Struct, omit_defaults=True):
    """Members in the contract's order; the counts are decimal strings. `failArray` is left out where nothing failed."""

    status: str
    reason: str
    success: str
    fail: str
    array: list[SentMessage]
    failArray: list[FailedNumber] | msgspec.UnsetType = msgspec.UNSET


class SendFailed(Exception):
    """A send of which nothing was accepted, and the numbers that it named."""

    def __init__(self, error: errors.HomingError, numbers: Sequence[str]) -> None:
        super().__init__()
        self.error = error
        self.numbers = numbers


def failed(error: errors.HomingError, numbers: Sequence[str] = ()) -> LaafficSendReply:
    """The reply to a send of which nothing was accepted."""
    reason = reason_of(error)
    is_of_numbers = isinstance(error, errors.NumbersAbnormal)
    listed = [FailedNumber("", raw, _why(raw) if is_of_numbers else reason) for raw in numbers]
    return LaafficSendReply(CODES.of(type(error)), reason, "0", str(len(numbers)), [], listed)


def _why(raw: str) -> str:
    """Why one of several numbers is not valid."""
    why = number_refusal(raw)
    return "The number is not valid" if why is errors.NumbersAbnormal else why.message()


def reason_of(error: errors.HomingError) -> str:
    """The text of a failure, which names the member where the request has a wrong shape."""
    if CODES.of(type(error)) == INTERFACE_FAULT:
        return "interface fault, try again later"
    message = type(error).message()
    return f"{message}: {error.detail}" if error.detail and isinstance(error, errors.BadShape) else message


class Parsed(msgspec.Struct):
    """A group whose text and sender are checked: its valid recipients, and the numbers that are not valid."""

    group: intake.MessageGroup
    invalid: list[str]


class LaafficSender:
    """Turns send calls into one submission each: all groups are checked before anything is accepted."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def send(self, account: Profile, call: Group, numbers_max: int, request: HttpRequest) -> LaafficSendReply:
        """Raises `SendFailed` when nothing is accepted."""
        try:
            app_id = app_of(account, call.appId)
            return await self._submit(account, app_id, [parse(account, call, numbers_max)], request)
        except errors.HomingError as error:
            raise SendFailed(error, _numbers([call])) from error

    async def send_batch(self, account: Profile, call: Batch, request: HttpRequest) -> LaafficSendReply:
        """Raises `SendFailed` when nothing is accepted."""
        try:
            return await self._send_groups(account, call, request)
        except errors.DatabaseFailed as error:
            raise SendFailed(BatchFailed(), _numbers(call.array or ())) from error
        except errors.HomingError as error:
            raise SendFailed(error, _numbers(call.array or ())) from error

    async def _send_groups(self, account: Profile, call: Batch, request: HttpRequest) -> LaafficSendReply:
        app_id = app_of(account, call.appId)
        if not call.array:
            raise errors.BatchEmpty
        left = bounds.NUMBERS_POST_MAX
        parsed = []
        for position, group in enumerate(call.array):
            try:
                parsed.append(parse(account, group, left))
            except errors.BadShape as error:
                raise errors.BadShape(f"array[{position}].{error.detail}") from None
            left -= len(parsed[-1].group.recipients) + len(parsed[-1].invalid)
        return await self._submit(account, app_id, parsed, request)

    async def _submit(
        self, account: Profile, app_id: str, parsed: Sequence[Parsed], request: HttpRequest
    ) -> LaafficSendReply:
        groups = [each.group for each in parsed if each.group.recipients]
        if not groups:
            kinds = {number_refusal(raw) for each in parsed for raw in each.invalid}
            raise kinds.pop() if len(kinds) == 1 else errors.NumbersAbnormal
        results = await self._intake.submit(
            intake.Submission(
                account=account,
                dialect=NUMBER,
                app_id=app_id,
                request_id=request.request_id,
                groups=groups,
                repeated_references=_repeated(account, groups),
            )
        )
        sent = [
            SentMessage(str(result.message_id), result.recipient.raw, result.recipient.reference)
            for result in results
            if isinstance(result, AcceptedMessage)
        ]
        for result in results:
            if isinstance(result, RefusedRecipient):
                request.refuse(result.reason, CODES.of(type(result.reason)), messages=1, app_id=app_id)
        for raw in (raw for each in parsed for raw in each.invalid):
            kind = number_refusal(raw)
            request.refuse(kind, CODES.of(kind), messages=1, app_id=app_id)
        unsent = [FailedNumber("", raw, _why(raw)) for each in parsed for raw in each.invalid]
        unsent += [
            FailedNumber("", result.recipient.raw, reason_of(result.reason))
            for result in results
            if isinstance(result, RefusedRecipient)
        ]
        return LaafficSendReply("0", "success", str(len(sent)), str(len(unsent)), sent, unsent or msgspec.UNSET)


def _repeated(account: Profile, groups: Sequence[intake.MessageGroup]) -> intake.RepeatedReferences:
    if account.unique_references and any(recipient.reference for group in groups for recipient in group.recipients):
        return intake.RepeatedReferences.ANSWERED
    return intake.RepeatedReferences.SENT


def _numbers(groups: Sequence[Group]) -> list[str]:
    """What a failed send names, as far as a call can carry it."""
    texts = [group.numbers if isinstance(group.numbers, str) else str(group.numbers or "") for group in groups]
    numbers = split_list(",".join(texts))[: bounds.NUMBERS_POST_MAX]
    return [number for number in numbers if not has_lone_surrogate(number)]


def app_of(account: Profile, given: object) -> str:
    """The id of one of the account's apps. Raises `UnknownApp` for anything else, a missing one included."""
    app_id = str(given) if isinstance(given, str | int) else ""
    if app_id not in account.apps:
        raise errors.UnknownApp
    return app_id


NO_ORDERS: Final[tuple[str, ...]] = ()


def parse(account: Profile, call: Group, numbers_max: int) -> Parsed:
    """Checks one text and its numbers. Raises a `Refusal`: -8, -7, -4, -5, -22 in this order."""
    numbers = split_list(text_of(call.numbers, "numbers"))
    if not numbers:
        raise errors.NumbersEmpty
    if len(numbers) > numbers_max:
        raise errors.NumbersTooMany
    content = text_of(call.content, "content")
    if not content or content.isspace():
        raise errors.ContentEmpty
    if utf16_units(content) > bounds.CONTENT_UNITS_MAX:
        raise errors.ContentTooLong
    sender, notes = sender_of(account, text_of(call.senderId, "senderId"))
    orders = orders_of(text_of(call.orderId, "orderId"), len(numbers))
    recipients, invalid = [], []
    for position, raw in enumerate(numbers):
        number = normalise(raw)
        if number is None:
            invalid.append(raw)
        else:
            recipients.append(Recipient(raw, number, orders[position] if orders else None))
    return Parsed(intake.MessageGroup(content, sender, recipients, None, notes), invalid)


def sender_of(account: Profile, requested: str) -> tuple[str, dict[str, object] | None]:
    """The sender, and a note when another was asked for: an unregistered one is replaced by the default."""
    if len(requested) > limits.SENDER_CHARS_MAX:
        raise errors.BadShape(f"senderId has at most {limits.SENDER_CHARS_MAX} characters")
    sender = account.registered(requested)
    if sender is not None:
        return sender, None
    default = account.default_sender or ""
    if not requested:
        return default, None
    return default, {"sender_asked": requested, "sender_replaced": Reason.of(ReasonCode.SENDER_NOT_REGISTERED)}


def orders_of(text: str, numbers: int) -> Sequence[str | None]:
    """An orderId for each number, or nothing when none was sent; a single one goes to each number."""
    if not text:
        return NO_ORDERS
    orders = text.split(",")
    if len(orders) == 1:
        orders *= numbers
    if len(orders) != numbers:
        raise errors.BadShape("orderId is one, or as many as numbers")
    if any(len(order) > bounds.ORDER_CHARS_MAX for order in orders):
        raise errors.BadShape(f"orderId has at most {bounds.ORDER_CHARS_MAX} characters")
    return [order or None for order in orders]
