"""What people sent and no account was found for: looking again, forgetting."""

from starlette.responses import Response

from homing import limits
from homing.accounts.admin import as_id
from homing.console import entered
from homing.console.page import STAFF, Entry, Group, Page, Section
from homing.console.visit import Visit
from homing.console.words import N_
from homing.receipts.unmatched_inbound import (
    drop_unmatched_inbound,
    read_unmatched_inbound,
    replay_unmatched_inbound,
)


async def show(visit: Visit) -> Response:
    rows = await read_unmatched_inbound(
        visit.database,
        carrier_id=None,
        since=None,
        rows_max=limits.CONSOLE_PAGE_ROWS + 1,
        before_id=as_id(visit.asked("before")),
    )
    shown = rows[: limits.CONSOLE_PAGE_ROWS]
    older_key = shown[-1]["unmatched_id"] if len(rows) > len(shown) else None
    return visit.page("replies.html", rows=shown, older_key=older_key)


async def change(visit: Visit) -> Response:
    """The list's buttons: look again, or forget."""
    missing = visit.say("There is no such reply.")
    if visit.field("drop"):
        unmatched_id = entered.row_id(visit, "drop", missing)
        async with visit.changing() as transaction:
            await drop_unmatched_inbound(transaction, [unmatched_id])
        return visit.go("/replies", visit.say("The reply is forgotten."))
    unmatched_id = entered.row_id(visit, "replay", missing)
    async with visit.changing() as transaction:
        await replay_unmatched_inbound(transaction, [unmatched_id])
    return visit.go("/replies", visit.say("Its account is looked for again within seconds."))


SECTION = Section(
    (Page("/replies", show, change, changed_by=STAFF),),
    (Entry("/replies", N_("Unmatched replies"), Group.TRAFFIC, "receipt"),),
)
