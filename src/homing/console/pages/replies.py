"""What people sent and no account was found for: looking again, forgetting."""

from starlette.responses import Response

from homing import limits
from homing.admin.account_settings import as_id
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.receipts.unmatched_inbound import (
    delete_unmatched_inbound,
    read_unmatched_inbound,
    replay_unmatched_inbound,
)


async def show(context: RequestContext) -> Response:
    rows = await read_unmatched_inbound(
        context.database,
        carrier_id=None,
        since=None,
        rows_max=limits.CONSOLE_PAGE_ROWS + 1,
        before_id=as_id(context.query_value("before")),
    )
    visible = rows[: limits.CONSOLE_PAGE_ROWS]
    older_key = visible[-1].unmatched_id if len(rows) > len(visible) else None
    return context.page("replies.html", rows=visible, older_key=older_key)


async def change(context: RequestContext) -> Response:
    """The list's buttons: look again, or forget."""
    missing = context.translate("The inbound message does not exist.")
    if context.field("drop"):
        unmatched_id = form_values.row_id(context, "drop", missing)
        async with context.changing() as transaction:
            await delete_unmatched_inbound(transaction, [unmatched_id])
        return context.redirect("/replies", context.translate("Inbound message deleted."))
    unmatched_id = form_values.row_id(context, "replay", missing)
    async with context.changing() as transaction:
        await replay_unmatched_inbound(transaction, [unmatched_id])
    return context.redirect("/replies", context.translate("Homing will try to match it again within seconds."))


SECTION = PageSection(
    (Page("/replies", show, change, changed_by=STAFF),),
    (NavigationEntry("/replies", N_("Unmatched inbound"), NavigationGroup.TRAFFIC, "receipt"),),
)
