"""What was entered in a form, as values. Each raises `OperatorError` in the viewer's words."""

from homing import errors
from homing.console.visit import Visit
from homing.kit import money
from homing.model import GENERAL


def amount(visit: Visit, name: str) -> int | None:
    """Micro-units; None where nothing was entered."""
    text = visit.field(name)
    if not text:
        return None
    try:
        return money.parse(text)
    except ValueError:
        raise errors.OperatorError(visit.say("{entered} is not an amount such as 0.031.", entered=text[:40])) from None


def whole(visit: Visit, name: str) -> int | None:
    """Likewise, a number of things."""
    text = visit.field(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise errors.OperatorError(visit.say("{entered} is not a whole number.", entered=text[:40]))
    return int(text)


async def account_id(visit: Visit, name_or_id: str) -> int:
    """Of an account by its name or id; GENERAL where none is named. For pages that only staff sees."""
    if not name_or_id:
        return GENERAL
    row = await visit.database.row("account_find", name_or_id, int(name_or_id) if _is_id(name_or_id) else None)
    if row is None:
        raise errors.OperatorError(visit.say("There is no account {name}.", name=name_or_id[:80]))
    return int(row["account_id"])


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
