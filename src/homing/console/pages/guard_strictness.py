"""How strict the guard is, by account, and what each strictness would have done with an account's messages of late."""

from typing import Final

from starlette.responses import Response

from homing import errors
from homing.admin import guard_strictness
from homing.console import form_values
from homing.console.languages import N_
from homing.console.request_context import RequestContext
from homing.guard.strictness import Strictness
from homing.model import GENERAL
from homing.store import statements

STRICTNESS_LABELS: Final = {
    Strictness.LENIENT: N_("Lenient (odds of 150 to 1)"),
    Strictness.STANDARD: N_("Standard (20 to 1)"),
    Strictness.STRICT: N_("Strict (3 to 1)"),
}
REPORTS_MAX: Final = 300


async def show(context: RequestContext) -> Response:
    name, error = context.query_value("account"), None
    owner: int | None = None
    try:
        owner = await form_values.account_id(context, name) if name else None
    except errors.InvalidInput as failure:
        error = context.sentence(failure)
    settings = await statements.guard.guard_strictness_of(context.database, account_id=None)
    reports = [] if error else await guard_strictness.read_reports(context.database, owner)
    backtests = context.console_state.backtests
    return context.page(
        "guard_strictness.html",
        account=name,
        filter_error=error,
        labels=STRICTNESS_LABELS,
        general=next((row.strictness for row in settings if row.account_id == GENERAL), int(Strictness.STANDARD)),
        own=[row for row in settings if row.account_id != GENERAL],
        reports=reports[:REPORTS_MAX],
        running=backtests.running,
        has_failed=backtests.has_failed,
    )


async def change(context: RequestContext) -> Response:
    name = context.field("account")
    owner = await form_values.account_id(context, name)
    match context.field("do"):
        case "backtest":
            if owner == GENERAL:
                raise errors.InvalidInput(context.translate("Name an account."))
            started = context.console_state.backtests.start(owner, name)
            text = N_("Calculating. This takes a minute or two.")
            notice = context.translate(text if started else N_("Another calculation is running."))
        case "remove":
            async with context.changing() as transaction:
                await guard_strictness.remove_strictness(transaction, owner)
            notice = context.translate("Strictness removed.")
        case _:
            values = {str(int(strictness)): strictness for strictness in Strictness}
            strictness = values.get(context.field("strictness"))
            if strictness is None:
                raise errors.InvalidInput(context.translate("Choose a strictness."))
            async with context.changing() as transaction:
                await guard_strictness.set_strictness(transaction, owner, strictness)
            notice = context.translate("Strictness saved. It applies within 30 seconds.")
    return context.redirect("/guard/strictness", notice)
