"""What a segment costs, by number prefix: an account's own list, and the general one that stands behind it."""

import io
from typing import Final

from starlette.responses import Response

from homing import errors, limits
from homing.admin import price_sheet
from homing.admin.price_sheet import EVERY_NUMBER
from homing.admin.prices import check_prefix, remove_price, replace_prices, set_prices
from homing.common.money import trimmed
from homing.console import form_values
from homing.console.account_scope import AccountScope, account_scope_of, back
from homing.console.languages import N_
from homing.console.page import NavigationEntry, NavigationGroup, Page, PageSection
from homing.console.request_context import RequestContext
from homing.model import GENERAL
from homing.store import statements
from homing.text.numbers import first_digits

SHEET: Final = "CSV"


async def show(context: RequestContext) -> Response:
    place = await _place(context)
    start = first_digits(context.asked("from"))
    start = "" if start == EVERY_NUMBER else start
    rows = await statements.account_pages.price_page(
        context.database, account_id=_list(place), first_prefix=start, rows_max=limits.CONSOLE_PAGE_ROWS + 1
    )
    beyond = rows[limits.CONSOLE_PAGE_ROWS].prefix if len(rows) > limits.CONSOLE_PAGE_ROWS else None
    return context.page(
        "prices.html",
        place=place,
        rows=rows[: limits.CONSOLE_PAGE_ROWS],
        start=start,
        beyond=beyond,
        every_number=EVERY_NUMBER,
        trimmed=trimmed,
    )


async def change(context: RequestContext) -> Response:
    place = await _place(context)
    match context.field("do"):
        case "set":
            return await _set(context, place)
        case "remove":
            return await _remove(context, place)
        case "import":
            return await _import(context, place)
        case _:
            return await back(context)


async def _set(context: RequestContext, place: AccountScope | None) -> Response:
    """One price, whatever it was."""
    prefix, micro = _prefix(context), form_values.amount(context, "price")
    async with context.changing() as transaction:
        await set_prices(transaction, _list(place), [(prefix, micro)])
    said = context.say(
        "{prefix}: {price} per segment.", prefix=prefix or EVERY_NUMBER, price=context.formats.exact(micro)
    )
    return context.go(context.path, said)


async def _remove(context: RequestContext, place: AccountScope | None) -> Response:
    prefix = _prefix(context)
    async with context.changing() as transaction:
        price_micro = await statements.account_pages.price_of(transaction, account_id=_list(place), prefix=prefix)
        if price_micro is not None:
            context.check_version({"price_micro": price_micro})
        await remove_price(transaction, _list(place), prefix)
    return context.go(context.path, context.say("{prefix} removed from the price list.", prefix=prefix or EVERY_NUMBER))


async def _import(context: RequestContext, place: AccountScope | None) -> Response:
    sheet = context.secret_field("sheet")
    prices = price_sheet.read(io.StringIO(sheet.removeprefix("\ufeff")), SHEET)
    if not prices:
        raise errors.InvalidInput(context.say("The CSV contains no prices."))
    put = replace_prices if context.field("replace") else set_prices
    async with context.changing() as transaction:
        await put(transaction, _list(place), prices)
    said = context.language.say_n("One price saved.", "{count} prices saved.", len(prices), count=len(prices))
    return context.go(context.path, said)


async def _place(context: RequestContext) -> AccountScope | None:
    """None: the general list."""
    return await account_scope_of(context) if "account" in context.request.path_params else None


def _list(place: AccountScope | None) -> int:
    return place.account_id if place else GENERAL


def _prefix(context: RequestContext) -> str:
    given = first_digits(context.field("prefix"))
    prefix = "" if given == EVERY_NUMBER else given
    if not given:
        raise errors.InvalidInput(context.say("Enter a prefix, or * for all numbers."))
    check_prefix(prefix)
    return prefix


SECTION = PageSection(
    (Page("/prices", show, change), Page("/accounts/{account}/prices", show, change)),
    (NavigationEntry("/prices", N_("Prices"), NavigationGroup.SETUP, "money"),),
)
