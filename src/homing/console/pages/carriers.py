"""Carriers: how each does now, its links, what it refused lately, and whether messages go by it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors
from homing.accounts import catalogue
from homing.accounts.carriers_now import carrier_errors, carriers_now
from homing.accounts.catalogue import Course
from homing.accounts.warnings import carrier_warnings
from homing.console.page import STAFF, Entry, Group, Page, Section
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.model import Outcome
from homing.store.database import Record

COSTS_MAX: Final = 200
"""Costs that are shown; the command line lists them all."""
APART: Final = frozenset({"binds", "last_error", "under_way", "window", "submitted_per_s"})
"""What of a carrier's health has a place of its own."""
STATES: Final = {
    "up": ("good", N_("Up")),
    "down": ("bad", N_("Down")),
    "nobody": ("bad", N_("Not running")),
    "draining": ("warn", N_("Draining")),
    "disabled": ("", N_("Disabled")),
}
"""By what `state_of` gives: the tone and the word."""
OUTCOMES: Final = {
    Outcome.REFUSED: N_("Refused for good"),
    Outcome.DEFERRED: N_("Not taken, tried again"),
    Outcome.UNKNOWN: N_("No answer"),
}
LINKS: Final = {
    "bound": "good",
    "throttled": "warn",
    "doubtful": "warn",
    "connecting": "warn",
    "waiting": "warn",
    "refused": "bad",
}
FORMS: Final = {
    "same": N_("As in the answer"),
    "decimal": N_("In decimal, where the answer has hexadecimal"),
    "hex": N_("In hexadecimal, where the answer has decimal"),
}
SWITCHED: Final = {
    Course.OPEN: N_("Messages go by {carrier} again."),
    Course.DRAINING: N_("{carrier} gets no new messages; what waits for it still goes."),
    Course.CLOSED: N_("{carrier} gets no messages any more."),
}


class Links(msgspec.Struct, frozen=True):
    """A carrier's sessions together; None where its kind does not tell."""

    up: int | None
    all: int | None
    in_flight: int | None
    window: int | None
    submitted_per_s: float | None
    round_trip_ms: float | None
    last_error: str | None
    binds: Sequence[Mapping[str, Any]]


def links_of(detail: Mapping[str, Any] | None) -> Links:
    """From what a carrier's health tells, whatever its kind."""
    detail = detail or {}
    binds = detail.get("binds")
    if binds is None:
        window, error = detail.get("window"), detail.get("last_error")
        return Links(None, None, detail.get("under_way"), window, None, None, error, ())
    trips = [one["round_trip_ms"] for one in binds if one["round_trip_ms"] is not None]
    failed = [one["last_error"] for one in binds if one["last_error"]]
    return Links(
        sum(1 for one in binds if one["state"] in ("bound", "throttled", "doubtful")),
        len(binds),
        sum(one["in_flight"] for one in binds),
        sum(one["window"] or 0 for one in binds),
        detail.get("submitted_per_s"),
        sum(trips) / len(trips) if trips else None,
        failed[0] if failed else None,
        binds,
    )


def state_of(carrier: Mapping[str, Any]) -> str:
    """One of STATES. What is wrong is said before that it is being drained."""
    if not carrier["enabled"]:
        return "disabled"
    if carrier["state"] != "up":
        return "down" if carrier["state"] else "nobody"
    return "draining" if carrier["is_draining"] else "up"


async def show(visit: Visit) -> Response:
    found = await _errors(visit)
    failed: dict[int, int] = {}
    for one in found:
        failed[one["carrier_id"]] = failed.get(one["carrier_id"], 0) + one["answers"]
    rows = [
        {**row, "shown": state_of(row), "links": links_of(row["detail"]), "errors": failed.get(row["carrier_id"], 0)}
        for row in await _carriers(visit)
    ]
    return visit.page("carriers.html", rows=rows, states=STATES)


async def show_one(visit: Visit) -> Response:
    row = await _named(visit)
    known = {one["carrier_id"]: one for one in await _carriers(visit)}
    if row["carrier_id"] not in known:  # added since the last look
        known = {one["carrier_id"]: one for one in await carriers_now(visit.database)}
    carrier = known[row["carrier_id"]]
    found = [one for one in await _errors(visit) if one["carrier_id"] == row["carrier_id"]]
    costs = await visit.database.fetch("cost_list", row["carrier_id"])
    return visit.page(
        "carrier.html",
        carrier={**carrier, "enabled": row["enabled"], "is_draining": row["is_draining"]},
        course=catalogue.course_of(row).value,
        version=visit.version(row),
        shown=state_of({**carrier, "enabled": row["enabled"], "is_draining": row["is_draining"]}),
        states=STATES,
        links=links_of(carrier["detail"]),
        link_tones=LINKS,
        since=datetime.fromisoformat,
        failures=found,
        failed=sum(one["answers"] for one in found),
        outcomes=OUTCOMES,
        forms=await visit.database.fetch("reference_forms", row["carrier_id"]),
        form_words=FORMS,
        costs=costs[:COSTS_MAX],
        costs_more=max(0, len(costs) - COSTS_MAX),
        told=[(name, _written(value)) for name, value in (carrier["detail"] or {}).items() if name not in APART],
        warnings=[visit.word(one) for one in carrier_warnings(carrier["settings"])],
        settings=[(name, _written(value)) for name, value in carrier["settings"].items()],
    )


async def change(visit: Visit) -> Response:
    row = await _named(visit)
    try:
        course = Course(visit.field("course"))
    except ValueError:
        raise errors.OperatorError(visit.say("Choose what is to become of the carrier.")) from None
    async with visit.changing() as transaction:
        locked = await transaction.row("carrier_lock", row["carrier_id"])
        assert locked is not None, "carriers are not removed"
        visit.check_version(locked)
        await catalogue.switch_carrier(transaction, row["carrier_id"], course)
    visit.shared.live.kept.forget()
    return visit.go(f"/carriers/{row['name']}", visit.say(SWITCHED[course], carrier=row["name"]))


async def _named(visit: Visit) -> Record:
    try:
        return await catalogue.find_carrier(visit.database, visit.part("carrier"))
    except errors.OperatorError:
        raise NotFoundHere from None


async def _carriers(visit: Visit) -> Sequence[dict[str, Any]]:
    """Of all accounts together: customers do not come here."""
    return await visit.shared.live.kept.get("carriers_now", lambda: carriers_now(visit.database))


async def _errors(visit: Visit) -> Sequence[Record]:
    return await visit.shared.live.kept.get("carrier_errors", lambda: carrier_errors(visit.database, visit.now))


def _written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


SECTION = Section(
    (
        Page("/carriers", show),
        Page("/carriers/{carrier}", show_one, change),
    ),
    (Entry("/carriers", N_("Carriers"), Group.SETUP, "carrier", STAFF),),
)
