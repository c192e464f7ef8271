"""What a segment costs, by number prefix: an account's own list, and the general one that stands behind it."""

import io
from typing import Final

from starlette.responses import Response

from homing import errors, limits
from homing.accounts import catalogue, price_sheet
from homing.accounts.price_sheet import EVERY_NUMBER
from homing.console import entered
from homing.console.account_place import Place, back, place_of
from homing.console.page import Entry, Group, Page, Section
from homing.console.visit import Visit
from homing.console.words import N_
from homing.kit.money import trimmed
from homing.model import GENERAL
from homing.text.numbers import first_digits

SHEET: Final = "CSV"


async def show(visit: Visit) -> Response:
    place = await _place(visit)
    start = first_digits(visit.asked("from"))
    start = "" if start == EVERY_NUMBER else start
    rows = await visit.database.fetch("price_page", _list(place), start, limits.CONSOLE_PAGE_ROWS + 1)
    beyond = rows[limits.CONSOLE_PAGE_ROWS]["prefix"] if len(rows) > limits.CONSOLE_PAGE_ROWS else None
    return visit.page(
        "prices.html",
        place=place,
        rows=rows[: limits.CONSOLE_PAGE_ROWS],
        start=start,
        beyond=beyond,
        every_number=EVERY_NUMBER,
        trimmed=trimmed,
    )


async def change(visit: Visit) -> Response:
    place = await _place(visit)
    match visit.field("do"):
        case "set":
            return await _set(visit, place)
        case "remove":
            return await _remove(visit, place)
        case "import":
            return await _import(visit, place)
        case _:
            return await back(visit)


async def _set(visit: Visit, place: Place | None) -> Response:
    """One price, whatever it was."""
    prefix, micro = _prefix(visit), entered.amount(visit, "price")
    async with visit.changing() as transaction:
        await catalogue.set_prices(transaction, _list(place), [(prefix, micro)])
    said = visit.say(
        "{prefix} costs {price} a segment.", prefix=prefix or EVERY_NUMBER, price=visit.formats.exact(micro)
    )
    return visit.go(visit.path, said)


async def _remove(visit: Visit, place: Place | None) -> Response:
    prefix = _prefix(visit)
    async with visit.changing() as transaction:
        row = await transaction.row("price_of", _list(place), prefix)
        if row is not None:
            visit.check_version(row)
        await catalogue.remove_price(transaction, _list(place), prefix)
    return visit.go(visit.path, visit.say("{prefix} is taken off the list.", prefix=prefix or EVERY_NUMBER))


async def _import(visit: Visit, place: Place | None) -> Response:
    sheet = visit.secret_field("sheet")
    prices = price_sheet.read(io.StringIO(sheet.removeprefix("\ufeff")), SHEET)
    if not prices:
        raise errors.OperatorError(visit.say("The sheet has no prices."))
    put = catalogue.replace_prices if visit.field("replace") else catalogue.set_prices
    async with visit.changing() as transaction:
        await put(transaction, _list(place), prices)
    said = visit.language.say_n("One price is set.", "{count} prices are set.", len(prices), count=len(prices))
    return visit.go(visit.path, said)


async def _place(visit: Visit) -> Place | None:
    """None: the general list."""
    return await place_of(visit) if "account" in visit.request.path_params else None


def _list(place: Place | None) -> int:
    return place.account_id if place else GENERAL


def _prefix(visit: Visit) -> str:
    given = first_digits(visit.field("prefix"))
    prefix = "" if given == EVERY_NUMBER else given
    if not given:
        raise errors.OperatorError(visit.say("Enter a prefix, or * for every number."))
    catalogue.check_prefix(prefix)
    return prefix


SECTION = Section(
    (Page("/prices", show, change), Page("/accounts/{account}/prices", show, change)),
    (Entry("/prices", N_("Prices"), Group.SETUP, "money"),),
)
