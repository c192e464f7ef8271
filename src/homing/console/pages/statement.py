"""The statement of an account: its postings by page, and all of them as a file."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

import msgspec
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from homing import limits
from homing.common.slots import NoFreeSlot
from homing.console.account_scope import account_scope_of, for_both
from homing.console.languages import N_
from homing.console.page import PageSection
from homing.console.paging import page_of
from homing.console.request_context import RequestContext
from homing.ledger.account_statement import effect, read_statement, statement_csv
from homing.model import CURRENCY, LedgerAccount, PostingKind

KINDS: Final = {
    PostingKind.CHARGE: N_("Charge"),
    PostingKind.REFUND: N_("Refund"),
    PostingKind.TOPUP: N_("Top-up"),
    PostingKind.GIFT: N_("Bonus balance"),
    PostingKind.ADJUSTMENT: N_("Adjustment"),
}
LEDGER_ACCOUNTS: Final = {LedgerAccount.GIFT: N_("Bonus balance"), LedgerAccount.BALANCE: N_("Balance")}


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    rows = await read_statement(
        context.database, account_scope.account_id, limits.CONSOLE_PAGE_ROWS + 1, context.query_id("before")
    )
    page = page_of(rows, lambda row: row.posting_id)
    return context.page(
        "statement.html",
        account_scope=account_scope,
        account=account_scope.account,
        postings=[{**msgspec.structs.asdict(row), "effect": effect(row)} for row in page.rows],
        older_key=page.older,
        kinds=KINDS,
        ledger_accounts=LEDGER_ACCOUNTS,
    )


async def _within_places(context: RequestContext, pieces: AsyncIterator[str]) -> AsyncGenerator[str, None]:
    """Nothing, once it may begin; then the pieces."""
    async with context.console_state.downloads.take(context.user.user_id):
        yield ""
        async for piece in pieces:
            yield piece


async def download(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    pieces = _within_places(context, statement_csv(context.database, account_scope.account_id, CURRENCY))
    try:
        await anext(pieces)
    except NoFreeSlot:
        return PlainTextResponse(
            context.translate("Other downloads are in progress. Try again in a moment.") + "\n", 429
        )
    name = f"homing-{account_scope.name}-{context.now:%Y-%m-%d}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return context.finish(StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers))


SECTION = PageSection((*for_both("statement", show), *for_both("statement.csv", download)))
