"""Every movement of an account's money, and all of them as a file."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from homing import limits
from homing.console.account_place import for_both, place_of
from homing.console.page import Section
from homing.console.paging import page_of
from homing.console.visit import Visit
from homing.console.words import N_
from homing.kit.places import NoPlace
from homing.ledger.statement import effect, read_statement, statement_csv
from homing.model import CURRENCY, Book, EntryKind

KINDS: Final = {
    EntryKind.CHARGE: N_("Charge"),
    EntryKind.REFUND: N_("Refund"),
    EntryKind.TOPUP: N_("Top-up"),
    EntryKind.GIFT: N_("Gift"),
    EntryKind.ADJUSTMENT: N_("Adjustment"),
}
PURSES: Final = {Book.GIFT: N_("Gift"), Book.BALANCE: N_("Balance")}


async def show(visit: Visit) -> Response:
    place = await place_of(visit)
    rows = await read_statement(
        visit.database, place.account_id, limits.CONSOLE_PAGE_ROWS + 1, visit.asked_id("before")
    )
    shown = page_of([{**row, "effect": effect(row)} for row in rows], "entry_id")
    return visit.page(
        "statement.html",
        place=place,
        account=place.account,
        entries=shown.rows,
        older_key=shown.older,
        kinds=KINDS,
        purses=PURSES,
    )


async def _within_places(visit: Visit, pieces: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """Nothing, once it may begin; then the pieces."""
    async with visit.shared.downloads.take(visit.user.user_id):
        yield ""
        async for piece in pieces:
            yield piece


async def download(visit: Visit) -> Response:
    place = await place_of(visit)
    pieces = _within_places(visit, statement_csv(visit.database, place.account_id, CURRENCY))
    try:
        await anext(pieces)
    except NoPlace:
        return PlainTextResponse(visit.say("Other downloads are under way. Try again in a moment.") + "\n", 429)
    name = f"homing-{place.name}-{visit.now:%Y-%m-%d}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return visit.finish(StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers))


SECTION = Section((*for_both("statement", show), *for_both("statement.csv", download)))
