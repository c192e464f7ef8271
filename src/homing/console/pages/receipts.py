"""Carriers' receipts that belong to no message: what they say, why no message is theirs, looking again, forgetting."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from homing import errors, limits
from homing.admin.account_settings import as_id
from homing.admin.carriers import find_carrier
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import OPERATORS, STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import moment_key, read_moment_key
from homing.console.request_context import PageNotFound, RequestContext
from homing.console.timeline_view import STATE_LABELS, state_tone
from homing.receipts.id_formats import IdFormat
from homing.receipts.learnt_formats import learnt_id_format
from homing.receipts.unmatched_receipts import (
    delete_unmatched,
    find_unmatched,
    possible_messages,
    read_unmatched,
    replay_unmatched,
)
from homing.store import statements
from homing.store.statements.receipts import UnmatchedReceiptRow

RECEIPTS_MOVED_MAX: Final = 5_000  # unmatched receipts that one act of the console looks for again or forgets


ID_FORMATS: Final[Mapping[IdFormat, str]] = {
    IdFormat.SAME: N_("identical"),
    IdFormat.DECIMAL: N_("decimal of a hexadecimal ID"),
    IdFormat.HEX: N_("hexadecimal of a decimal ID"),
}
CHECKS: Final = (
    N_("the number matches"),
    N_("the receipt has a different number"),
    N_("the receipt has no number"),
)
"""The results of comparing numbers (receipts/unmatched_receipts.py)."""


async def show(context: RequestContext) -> Response:
    carrier = context.query_value("carrier")
    carrier_id, filter_error = None, ""
    try:
        carrier_id = await _carrier_id(context, carrier)
    except errors.InvalidInput:
        filter_error = context.translate("Carrier {carrier} does not exist.", carrier=carrier)
    rows: Sequence[UnmatchedReceiptRow] = []
    if not filter_error:
        rows_max = limits.CONSOLE_PAGE_ROWS + 1
        rows = await read_unmatched(
            context.database, carrier_id, None, rows_max, read_moment_key(context.query_value("before"))
        )
    visible = rows[: limits.CONSOLE_PAGE_ROWS]
    counts = await context.console_state.live.slow_cache.get(
        "unmatched_counts",
        lambda: statements.receipts.unmatched_counts(context.database, counted_max=limits.RECEIPTS_COUNTED_MAX),
    )
    return context.page(
        "receipts.html",
        rows=visible,
        older_key=moment_key(visible[-1].received_at, visible[-1].parked_id) if len(rows) > len(visible) else None,
        counts=counts,
        counted_max=limits.RECEIPTS_COUNTED_MAX,
        carrier=carrier,
        filter_error=filter_error,
        labels=STATE_LABELS,
        tone=state_tone,
    )


async def show_item(context: RequestContext) -> Response:
    parked_id = as_id(context.path_part("parked_id"))
    if parked_id is None:
        raise PageNotFound
    try:
        row = await find_unmatched(context.database, parked_id)
    except errors.InvalidInput:
        raise PageNotFound from None
    async with context.database.connection() as connection:
        possible = await possible_messages(connection, row, context.now)
    return context.page(
        "receipt.html",
        receipt=row,
        possible=possible,
        learnt=await learnt_id_format(context.database, row.carrier_id),
        id_formats=ID_FORMATS,
        state=STATE_LABELS[row.state],
        tone=state_tone(row.state),
    )


async def replay_item(context: RequestContext) -> Response:
    """From the list's buttons, or of the page's own receipt."""
    parked_id = as_id(context.request.path_params.get("parked_id") or context.field("receipt"))
    if parked_id is None:
        raise errors.InvalidInput(context.translate("The receipt does not exist."))
    async with context.changing() as transaction:
        await replay_unmatched(transaction, [parked_id])
    back = context.url if context.path == "/receipts" else "/receipts"
    return context.redirect(back, context.translate("Homing will try to match the receipt for the next five minutes."))


async def confirm_replay(context: RequestContext) -> Response:
    return await _confirm(context, "receipts_replay.html")


async def confirm_drop(context: RequestContext) -> Response:
    return await _confirm(context, "receipts_drop.html")


async def _confirm(context: RequestContext, template: str) -> Response:
    carrier = context.field("carrier") or context.query_value("carrier")
    receipt = context.field("receipt") or context.query_value("receipt")
    await _check_carrier(context, carrier)
    rows = await statements.receipts.unmatched_counts(context.database, counted_max=RECEIPTS_MOVED_MAX)
    counted = sum(row.receipts for row in rows if carrier in ("", row.carrier))
    count = 1 if receipt else min(RECEIPTS_MOVED_MAX, counted)
    return context.page(template, carrier=carrier, receipt=receipt, count=count, items_max=RECEIPTS_MOVED_MAX)


async def replay_all(context: RequestContext) -> Response:
    carrier_id = await _carrier_id(context, context.field("carrier"))
    async with context.changing() as transaction:
        moved = await replay_unmatched(transaction, None, carrier_id, rows_max=RECEIPTS_MOVED_MAX)
    notice = context.language.translate_plural(
        "Retrying to match one receipt.", "Retrying to match {n} receipts.", len(moved)
    )
    return _back(context, notice)


async def drop(context: RequestContext) -> Response:
    """One, or all of a carrier, or all."""
    carrier_id = await _carrier_id(context, context.field("carrier"))
    missing = context.translate("The receipt does not exist.")
    parked_id = form_values.row_id(context, "receipt", missing) if context.field("receipt") else None
    async with context.changing() as transaction:
        chosen = None if parked_id is None else [parked_id]
        moved = await delete_unmatched(transaction, chosen, carrier_id, rows_max=RECEIPTS_MOVED_MAX)
    notice = context.language.translate_plural("One receipt deleted.", "{n} receipts deleted.", len(moved))
    return _back(context, notice)


def _back(context: RequestContext, notice: str) -> Response:
    context.console_state.live.slow_cache.forget()
    return context.redirect("/receipts", notice)


async def _carrier_id(context: RequestContext, carrier: str) -> int | None:
    return int((await find_carrier(context.database, carrier)).carrier_id) if carrier else None


async def _check_carrier(context: RequestContext, carrier: str) -> None:
    try:
        await _carrier_id(context, carrier)
    except errors.InvalidInput:
        raise PageNotFound from None


SECTION = PageSection(
    (
        Page("/receipts", show, replay_item, changed_by=STAFF),
        Page("/receipts/replay", confirm_replay, replay_all, changed_by=STAFF),
        Page("/receipts/drop", confirm_drop, drop, seen_by=OPERATORS),
        Page("/receipts/{parked_id}", show_item, replay_item, changed_by=STAFF),
    ),
    (NavigationEntry("/receipts", N_("Unmatched receipts"), NavigationGroup.TRAFFIC, "receipt"),),
)
