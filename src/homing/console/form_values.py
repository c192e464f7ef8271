"""Reads form fields as values. Each function raises `InvalidInput` with a text in the viewer's language."""

from datetime import UTC, datetime

from homing import errors
from homing.admin.account_settings import as_id
from homing.common import money
from homing.console.request_context import RequestContext
from homing.model import CURRENCY, GENERAL
from homing.store import statements


def amount(context: RequestContext, name: str) -> int:
    """Micro-units."""
    text = context.field(name)
    try:
        return money.parse(text)
    except ValueError:
        message = context.translate(
            "{entered} is not a valid {currency} amount, such as 12.50.", entered=text[:40], currency=CURRENCY
        )
        raise errors.InvalidInput(message) from None


def amount_if_any(context: RequestContext, name: str) -> int | None:
    """Likewise; None for an empty field."""
    return amount(context, name) if context.field(name) else None


def whole(context: RequestContext, name: str, digits_max: int = 12) -> int | None:
    """A whole number; None for an empty field."""
    text = context.field(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= digits_max):
        raise errors.InvalidInput(context.translate("{entered} is not a whole number.", entered=text[:40]))
    return int(text)


def row_id(context: RequestContext, name: str, missing: str) -> int:
    """The id of a row. `missing`: the error, in the viewer's language, for any other text."""
    value = as_id(context.field(name))
    if value is None:
        raise errors.InvalidInput(missing)
    return value


def moment(context: RequestContext, name: str) -> datetime | None:
    """A time in the viewer's zone; None for an empty field."""
    text = context.field(name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=context.zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise errors.InvalidInput(context.translate("{entered} is not a time.", entered=text[:40])) from None


async def account_id(context: RequestContext, name_or_id: str) -> int:
    """Id of an account by its name or id; GENERAL for an empty text. For pages that only staff sees."""
    if not name_or_id:
        return GENERAL
    row = await statements.admin.account_find(context.database, name=name_or_id, account_id=as_id(name_or_id))
    if row is None:
        raise errors.InvalidInput(context.translate("Account {name} does not exist.", name=name_or_id[:80]))
    return int(row.account_id)
