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
from homing.console.navigation import NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.model import GENERAL
from homing.store import statements
from homing.text.numbers import first_digits

SHEET: Final = "CSV"


async def show(context: RequestContext) -> Response:
    account_scope = await _account_scope(context)
    start = first_digits(context.query_value("from"))
    start = "" if start == EVERY_NUMBER else start
    rows = await statements.account_pages.price_page(
        context.database, account_id=_list(account_scope), first_prefix=start, rows_max=limits.CONSOLE_PAGE_ROWS + 1
    )
    beyond = rows[limits.CONSOLE_PAGE_ROWS].prefix if len(rows) > limits.CONSOLE_PAGE_ROWS else None
    return context.page(
        "prices.html",
        account_scope=account_scope,
        rows=rows[: limits.CONSOLE_PAGE_ROWS],
        start=start,
        beyond=beyond,
        every_number=EVERY_NUMBER,
        trimmed=trimmed,
    )


async def change(context: RequestContext) -> Response:
    account_scope = await _account_scope(context)
    match context.field("do"):
        case "set":
            return await _set(context, account_scope)
        case "remove":
            return await _remove(context, account_scope)
        case "import":
            return await _import(context, account_scope)
        case _:
            return await back(context)


async def _set(context: RequestContext, account_scope: AccountScope | None) -> Response:
    """One price, whatever it was."""
    prefix, micro = _prefix(context), form_values.amount(context, "price")
    async with context.changing() as transaction:
        await set_prices(transaction, _list(account_scope), [(prefix, micro)])
    notice = context.translate(
        "{prefix}: {price} per segment.", prefix=prefix or EVERY_NUMBER, price=context.formats.exact(micro)
    )
    return context.redirect(context.path, notice)


async def _remove(context: RequestContext, account_scope: AccountScope | None) -> Response:
    prefix = _prefix(context)
    async with context.changing() as transaction:
        price_micro = await statements.account_pages.price_of(
            transaction, account_id=_list(account_scope), prefix=prefix
        )
        if price_micro is not None:
            context.check_version({"price_micro": price_micro})
        await remove_price(transaction, _list(account_scope), prefix)
    return context.redirect(
        context.path, context.translate("{prefix} removed from the price list.", prefix=prefix or EVERY_NUMBER)
    )


async def _import(context: RequestContext, account_scope: AccountScope | None) -> Response:
    sheet = context.raw_field("sheet")
    prices = price_sheet.read(io.StringIO(sheet.removeprefix("\ufeff")), SHEET)
    if not prices:
        raise errors.InvalidInput(context.translate("The CSV contains no prices."))
    put = replace_prices if context.field("replace") else set_prices
    async with context.changing() as transaction:
        await put(transaction, _list(account_scope), prices)
    notice = context.language.translate_plural(
        "One price saved.", "{count} prices saved.", len(prices), count=len(prices)
    )
    return context.redirect(context.path, notice)


async def _account_scope(context: RequestContext) -> AccountScope | None:
    """None: the general list."""
    return await account_scope_of(context) if "account" in context.request.path_params else None


def _list(account_scope: AccountScope | None) -> int:
    return account_scope.account_id if account_scope else GENERAL


def _prefix(context: RequestContext) -> str:
    entered_prefix = first_digits(context.field("prefix"))
    prefix = "" if entered_prefix == EVERY_NUMBER else entered_prefix
    if not entered_prefix:
        raise errors.InvalidInput(context.translate("Enter a prefix, or * for all numbers."))
    check_prefix(prefix)
    return prefix


SECTION = PageSection(
    (Page("/prices", show, change), Page("/accounts/{account}/prices", show, change)),
    (NavigationEntry("/prices", N_("Prices"), NavigationGroup.SETUP, "money"),),
)
