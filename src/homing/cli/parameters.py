"""Kinds of arguments that more than one command takes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import click
import msgspec

from homing import errors
from homing.admin.price_sheet import EVERY_NUMBER
from homing.admin.prices import check_prefix
from homing.common import ids, money
from homing.model import SendLimit
from homing.text.numbers import first_digits, is_national, normalise

MINUS_IS_A_SIGN: Final = {"ignore_unknown_options": True}
"""For commands with an amount: `-1.5` is one, not a bundle of options."""
AGO: Final = re.compile(r"([0-9]{1,6}) ?(s|min|h|d)")
UNITS_S: Final = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}
LIMIT: Final = re.compile(r"([0-9]{1,10})/(?:([0-9]{1,4}) ?)?(day|hour|minute|second)s?", re.ASCII)


class WholeNumberType(click.IntRange):
    """Whole numbers of a range, called so where one is not."""

    name = "whole number"


class RealNumberType(click.FloatRange):
    """Numbers of a range, called so where one is not."""

    name = "number"


class AmountType(click.ParamType[int]):
    """Money as people write it, in micro-units here."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return money.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PrefixType(click.ParamType[str]):
    """The first digits of numbers; `*` or nothing stands for every number, which is '' here."""

    name = "prefix"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        prefix = "" if value == EVERY_NUMBER else first_digits(str(value))
        try:
            check_prefix(prefix)
        except errors.InvalidInput as error:
            self.fail(str(error), param, ctx)
        return prefix


class PhoneNumberType(click.ParamType[str]):
    """A telephone number in international form, as E.164 digits here."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        number = normalise(str(value))
        if number is None and is_national(str(value)):
            self.fail(f"{value!r} starts with 0, but no country code does; example: +8613800130001", param, ctx)
        if number is None:
            self.fail(f"{value!r} is not a number in international format, such as +8613800130001", param, ctx)
        return number


class TimeType(click.ParamType[datetime]):
    """A time: so long ago (`90min`, `24h`, `7d`), or a date with or without a time of day, in UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        ago = AGO.fullmatch(value)
        try:
            if ago:
                return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS_S[ago[2]])
            at = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time, such as 24h, 7d, 2026-11-26 or 2026-11-26T10:00", param, ctx)
        return at if at.tzinfo else at.replace(tzinfo=UTC)


class SendLimitType(click.ParamType[SendLimit | Literal["none"]]):
    """So many messages in a period: `5/hour`, `100/2days`; `none` for no limit."""

    name = "limit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> SendLimit | Literal["none"]:
        if value == "none":
            return "none"
        if isinstance(value, SendLimit):
            return value
        match = LIMIT.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is not a limit, such as 5/hour, 100/2days or none", param, ctx)
        return msgspec.convert({"unit": match[3], "period": int(match[2] or 1), "most": int(match[1])}, SendLimit)


AMOUNT: Final = AmountType()
SEND_LIMIT: Final = SendLimitType()
MOMENT: Final = TimeType()
PREFIX: Final = PrefixType()
NUMBER: Final = PhoneNumberType()


class MessageIdType(click.ParamType[int]):
    """A message's id, as every list and answer shows it."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= ids.ID_MAX):
            self.fail(f"{value!r} is not a message ID (up to 16 digits); `homing message list` lists them", param, ctx)
        return int(text)


MESSAGE_ID: Final = MessageIdType()
ROW_ID: Final = WholeNumberType(0, 2**63 - 1)

account_option: Final = click.option("--account", help="Only for this account (name or ID).")
limit_option: Final = click.option(
    "--limit",
    type=WholeNumberType(1, 100_000),
    default=50,
    show_default=True,
    help="Maximum number of rows, newest first.",
)
author_option: Final = click.option("--author", help="Author of the change.  [default: your user name on this machine]")
