"""What was entered in a form, as values. Each raises `OperatorError` in the viewer's words."""

from homing import errors
from homing.accounts.admin import as_id
from homing.console.visit import Visit
from homing.kit import money
from homing.model import CURRENCY, GENERAL


def amount(visit: Visit, name: str) -> int:
    """Micro-units."""
    text = visit.field(name)
    try:
        return money.parse(text)
    except ValueError:
        said = visit.say(
            "{entered} is not an amount of {currency}, such as 12.50.", entered=text[:40], currency=CURRENCY
        )
        raise errors.OperatorError(said) from None


def amount_if_any(visit: Visit, name: str) -> int | None:
    """Likewise; None where nothing was entered."""
    return amount(visit, name) if visit.field(name) else None


def whole(visit: Visit, name: str, digits_max: int = 12) -> int | None:
    """A number of things; None where nothing was entered."""
    text = visit.field(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= digits_max):
        raise errors.OperatorError(visit.say("{entered} is not a whole number.", entered=text[:40]))
    return int(text)


def row_id(visit: Visit, name: str, missing: str) -> int:
    """The id of a row. `missing`: what is said, in the viewer's words, where it can be none."""
    found = as_id(visit.field(name))
    if found is None:
        raise errors.OperatorError(missing)
    return found


async def account_id(visit: Visit, name_or_id: str) -> int:
    """Of an account by its name or id; GENERAL where none is named. For pages that only staff sees."""
    if not name_or_id:
        return GENERAL
    row = await visit.database.row("account_find", name_or_id, as_id(name_or_id))
    if row is None:
        raise errors.OperatorError(visit.say("There is no account {name}.", name=name_or_id[:80]))
    return int(row["account_id"])
