"""All accounts: what they have, and what they sent lately; and a new one."""

from collections.abc import Mapping

from starlette.responses import Response

from homing import limits
from homing.admin import account_settings
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import RequestContext
from homing.store import statements
from homing.store.statements.account_pages import AccountTraffic


async def show(context: RequestContext) -> Response:
    search = context.query_value("q")
    rows = await statements.account_pages.account_page(
        context.database, search=search, before_id=context.query_id("before"), rows_max=limits.CONSOLE_PAGE_ROWS + 1
    )
    page = page_of(rows, lambda row: row.account_id)
    return context.page(
        "accounts.html", rows=page.rows, older_key=page.older, search=search, traffic=await _traffic(context)
    )


async def _traffic(context: RequestContext) -> Mapping[int, AccountTraffic]:
    """By account, of the last 24 hours."""
    first_hour = int(context.now.timestamp()) // 3600 - 23

    async def read() -> Mapping[int, AccountTraffic]:
        return {
            row.account_id: row
            for row in await statements.account_pages.account_traffic(context.database, first_hour=first_hour)
        }

    return await context.console_state.live.slow_cache.get("account traffic", read)


async def create(context: RequestContext) -> Response:
    name = context.field("name")
    credit_micro = form_values.amount_if_any(context, "credit") or 0
    async with context.changing() as transaction:
        account_id = await account_settings.create_account(transaction, name, context.field("email") or None)
        await account_settings.set_credit(transaction, account_id, credit_micro)
    return context.redirect(
        f"/accounts/{name}", context.translate("Account created. Next, add funds and create a credential.")
    )


SECTION = PageSection(
    (Page("/accounts", show, create),),
    (NavigationEntry("/accounts", N_("Accounts"), NavigationGroup.SETUP, "account"),),
)
