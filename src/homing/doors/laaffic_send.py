"""laaffic: sendSms and sendSms/batch (contract, sections 4 and 5)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.doors.laaffic_parameters import Batch, Group, split_list, text_of
from homing.intake import submission as intake
from homing.intake.intake import Intake
from homing.intake.submission import Accepted
from homing.model import Door, Recipient
from homing.text.numbers import normalise
from homing.text.segments import utf16_units


class SentMessage(msgspec.Struct):
    msgId: str
    number: str
    orderId: str | None


class SendReply(msgspec.Struct):
    """Members in the contract's order; the counts are decimal strings."""

    status: str
    reason: str
    success: str
    fail: str
    array: list[SentMessage]


class BatchFailed(errors.PlatformFailure):
    """The bulk submission failed on the platform's side."""

    laaffic = "-12"


class Parsed(msgspec.Struct):
    """A group whose text and sender are checked: its valid recipients and how many numbers were not valid."""

    group: intake.Group
    invalid: int


class Sender:
    """Turns send calls into one submission each: all groups are checked before anything is accepted."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def send(self, account: Profile, call: Group, numbers_max: int, request_id: str) -> SendReply:
        app_id = app_of(account, call.appId)
        return await self._submit(account, app_id, [parse(account, call, numbers_max)], request_id)

    async def send_batch(self, account: Profile, call: Batch, request_id: str) -> SendReply:
        app_id = app_of(account, call.appId)
        if not call.array:
            raise errors.BatchEmpty
        left = limits.LAAFFIC_NUMBERS_POST_MAX
        parsed = []
        for group in call.array:
            parsed.append(parse(account, group, left))
            left -= len(parsed[-1].group.recipients) + parsed[-1].invalid
        try:
            return await self._submit(account, app_id, parsed, request_id)
        except errors.StoreFailed as failure:
            raise BatchFailed from failure

    async def _submit(self, account: Profile, app_id: str, parsed: Sequence[Parsed], request_id: str) -> SendReply:
        groups = [one.group for one in parsed if one.group.recipients]
        if not groups:
            raise errors.NumbersAbnormal
        fates = await self._intake.submit(
            intake.Submission(account=account, door=Door.LAAFFIC, app_id=app_id, request_id=request_id, groups=groups)
        )
        sent = [
            SentMessage(str(fate.message_id), fate.recipient.raw, fate.recipient.reference)
            for fate in fates
            if isinstance(fate, Accepted)
        ]
        failed = len(fates) - len(sent) + sum(one.invalid for one in parsed)
        return SendReply("0", "success", str(len(sent)), str(failed), sent)


def app_of(account: Profile, given: object) -> str:
    """The id of one of the account's apps. Raises `UnknownApp` for anything else, a missing one included."""
    app_id = str(given) if isinstance(given, str | int) else ""
    if app_id not in account.apps:
        raise errors.UnknownApp
    return app_id


NO_ORDERS: Final[tuple[str, ...]] = ()


def parse(account: Profile, call: Group, numbers_max: int) -> Parsed:
    """Checks one text and its numbers. Raises a `Refusal`: -8, -7, -4, -5, -22 in this order."""
    numbers = split_list(text_of(call.numbers))
    if not numbers:
        raise errors.NumbersEmpty
    if len(numbers) > numbers_max:
        raise errors.NumbersTooMany
    content = text_of(call.content)
    if not content or content.isspace():
        raise errors.ContentEmpty
    if utf16_units(content) > limits.LAAFFIC_CONTENT_UNITS_MAX:
        raise errors.ContentTooLong
    sender, notes = sender_of(account, text_of(call.senderId))
    orders = orders_of(text_of(call.orderId), len(numbers))
    recipients = []
    for position, raw in enumerate(numbers):
        number = normalise(raw)
        if number is not None:
            recipients.append(Recipient(raw, number, orders[position] if orders else None))
    return Parsed(intake.Group(content, sender, recipients, None, notes), len(numbers) - len(recipients))


def sender_of(account: Profile, asked: str) -> tuple[str, dict[str, object] | None]:
    """The sender, and a note when another was asked for: an unregistered one is replaced by the default."""
    if len(asked) > limits.LAAFFIC_SENDER_CHARS_MAX:
        raise errors.BadShape
    if asked in account.senders:
        return asked, None
    default = account.default_sender or ""
    if not asked:
        return default, None
    return default, {"sender_asked": asked, "sender_replaced": "not registered to the account"}


def orders_of(text: str, numbers: int) -> Sequence[str | None]:
    """An orderId for each number, or nothing when none was sent."""
    if not text:
        return NO_ORDERS
    orders = text.split(",")
    if len(orders) != numbers or any(len(order) > limits.LAAFFIC_ORDER_CHARS_MAX for order in orders):
        raise errors.BadShape
    return [order or None for order in orders]
