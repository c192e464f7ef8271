"""Carriers' receipts that belong to no message: what they say, why no message is theirs, looking again, forgetting."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from homing import errors, limits
from homing.accounts.admin import as_id
from homing.accounts.catalogue import find_carrier
from homing.console import entered
from homing.console.page import OPERATORS, STAFF, Entry, Group, Page, Section
from homing.console.paging import moment_key, read_moment_key
from homing.console.story import STATE_LABELS, state_tone
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.receipts.forms import Form
from homing.receipts.learning import learnt_form
from homing.receipts.unmatched import (
    consider,
    drop_unmatched,
    find_unmatched,
    read_unmatched,
    replay_unmatched,
)

FORMS: Final[Mapping[Form, str]] = {
    Form.SAME: N_("as it is"),
    Form.DECIMAL: N_("decimal of a hexadecimal id"),
    Form.HEX: N_("hexadecimal of a decimal id"),
}
SAYS: Final = (
    N_("the number agrees"),
    N_("the receipt names another number"),
    N_("the receipt does not tell the number"),
)
"""What receipts/unmatched.py says of the numbers."""


async def show(visit: Visit) -> Response:
    carrier = visit.asked("carrier")
    carrier_id, trouble = None, ""
    try:
        carrier_id = await _carrier_id(visit, carrier)
    except errors.OperatorError:
        trouble = visit.say("There is no carrier {carrier}.", carrier=carrier)
    rows: Sequence[Any] = []
    if not trouble:
        rows_max = limits.CONSOLE_PAGE_ROWS + 1
        rows = await read_unmatched(visit.database, carrier_id, None, rows_max, read_moment_key(visit.asked("before")))
    shown = rows[: limits.CONSOLE_PAGE_ROWS]
    counts = await visit.shared.live.kept_longer.get(
        "unmatched_counts", lambda: visit.database.fetch("unmatched_counts", limits.RECEIPTS_COUNTED_MAX)
    )
    return visit.page(
        "receipts.html",
        rows=shown,
        older_key=moment_key(shown[-1]["received_at"], shown[-1]["parked_id"]) if len(rows) > len(shown) else None,
        counts=counts,
        counted_max=limits.RECEIPTS_COUNTED_MAX,
        carrier=carrier,
        trouble=trouble,
        labels=STATE_LABELS,
        tone=state_tone,
    )


async def show_one(visit: Visit) -> Response:
    parked_id = as_id(visit.part("parked_id"))
    if parked_id is None:
        raise NotFoundHere
    try:
        row = await find_unmatched(visit.database, parked_id)
    except errors.OperatorError:
        raise NotFoundHere from None
    async with visit.database.connection() as connection:
        considered = await consider(connection, row, visit.now)
    return visit.page(
        "receipt.html",
        receipt=row,
        considered=considered,
        learnt=await learnt_form(visit.database, row["carrier_id"]),
        forms=FORMS,
        state=STATE_LABELS[row["state"]],
        tone=state_tone(row["state"]),
    )


async def replay_one(visit: Visit) -> Response:
    """From the list's buttons, or of the page's own receipt."""
    parked_id = as_id(visit.request.path_params.get("parked_id") or visit.field("receipt"))
    if parked_id is None:
        raise errors.OperatorError(visit.say("There is no such receipt."))
    async with visit.changing() as transaction:
        await replay_unmatched(transaction, [parked_id])
    back = visit.here if visit.path == "/receipts" else "/receipts"
    return visit.go(back, visit.say("Its message is looked for again, for five minutes."))


async def confirm_replay(visit: Visit) -> Response:
    return await _confirm(visit, "receipts_replay.html")


async def confirm_drop(visit: Visit) -> Response:
    return await _confirm(visit, "receipts_drop.html")


async def _confirm(visit: Visit, template: str) -> Response:
    carrier = visit.field("carrier") or visit.asked("carrier")
    receipt = visit.field("receipt") or visit.asked("receipt")
    await _carrier_or_nowhere(visit, carrier)
    rows = await visit.database.fetch("unmatched_counts", limits.RECEIPTS_MOVED_MAX)
    counted = sum(row["receipts"] for row in rows if carrier in ("", row["carrier"]))
    count = 1 if receipt else min(limits.RECEIPTS_MOVED_MAX, counted)
    return visit.page(template, carrier=carrier, receipt=receipt, count=count, most=limits.RECEIPTS_MOVED_MAX)


async def replay_all(visit: Visit) -> Response:
    carrier_id = await _carrier_id(visit, visit.field("carrier"))
    async with visit.changing() as transaction:
        moved = await replay_unmatched(transaction, None, carrier_id, most=limits.RECEIPTS_MOVED_MAX)
    said = visit.language.say_n("One receipt is looked into again.", "{n} receipts are looked into again.", len(moved))
    return _back(visit, said)


async def drop(visit: Visit) -> Response:
    """One, or all of a carrier, or all."""
    carrier_id = await _carrier_id(visit, visit.field("carrier"))
    missing = visit.say("There is no such receipt.")
    parked_id = entered.row_id(visit, "receipt", missing) if visit.field("receipt") else None
    async with visit.changing() as transaction:
        chosen = None if parked_id is None else [parked_id]
        moved = await drop_unmatched(transaction, chosen, carrier_id, most=limits.RECEIPTS_MOVED_MAX)
    said = visit.language.say_n("One receipt is forgotten.", "{n} receipts are forgotten.", len(moved))
    return _back(visit, said)


def _back(visit: Visit, said: str) -> Response:
    visit.shared.live.kept_longer.forget()
    return visit.go("/receipts", said)


async def _carrier_id(visit: Visit, carrier: str) -> int | None:
    return int((await find_carrier(visit.database, carrier))["carrier_id"]) if carrier else None


async def _carrier_or_nowhere(visit: Visit, carrier: str) -> None:
    try:
        await _carrier_id(visit, carrier)
    except errors.OperatorError:
        raise NotFoundHere from None


SECTION = Section(
    (
        Page("/receipts", show, replay_one, changed_by=STAFF),
        Page("/receipts/replay", confirm_replay, replay_all, changed_by=STAFF),
        Page("/receipts/drop", confirm_drop, drop, seen_by=OPERATORS),
        Page("/receipts/{parked_id}", show_one, replay_one, changed_by=STAFF),
    ),
    (Entry("/receipts", N_("Unmatched receipts"), Group.TRAFFIC, "receipt"),),
)
