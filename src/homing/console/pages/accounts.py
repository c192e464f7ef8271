"""All accounts: what they have, and what they sent lately; and a new one."""

from collections.abc import Mapping

from starlette.responses import Response

from homing import limits
from homing.accounts import admin
from homing.console import entered
from homing.console.page import Entry, Group, Page, Section
from homing.console.paging import page_of
from homing.console.visit import Visit
from homing.console.words import N_
from homing.store.database import Record


async def show(visit: Visit) -> Response:
    search = visit.asked("q")
    rows = await visit.database.fetch("account_page", search, visit.asked_id("before"), limits.CONSOLE_PAGE_ROWS + 1)
    shown = page_of(rows, "account_id")
    return visit.page(
        "accounts.html", rows=shown.rows, older_key=shown.older, search=search, traffic=await _traffic(visit)
    )


async def _traffic(visit: Visit) -> Mapping[int, Record]:
    """By account, of the last 24 hours."""
    first_hour = int(visit.now.timestamp()) // 3600 - 23

    async def read() -> Mapping[int, Record]:
        return {row["account_id"]: row for row in await visit.database.fetch("account_traffic", first_hour)}

    return await visit.shared.live.kept_longer.get("account traffic", read)


async def create(visit: Visit) -> Response:
    name = visit.field("name")
    credit_micro = entered.amount_if_any(visit, "credit") or 0
    async with visit.changing() as transaction:
        account_id = await admin.create_account(transaction, name, visit.field("email") or None)
        await admin.set_credit(transaction, account_id, credit_micro)
    return visit.go(f"/accounts/{name}", visit.say("The account is made. It needs money and a credential next."))


SECTION = Section((Page("/accounts", show, create),), (Entry("/accounts", N_("Accounts"), Group.SETUP, "account"),))
