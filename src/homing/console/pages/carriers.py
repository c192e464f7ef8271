"""Carriers: state, links, recent refusals, and the mode (open, draining, closed)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors
from homing.admin import carriers
from homing.admin.carrier_status import CarrierStatus, carrier_errors, carriers_now
from homing.admin.carriers import CarrierMode
from homing.admin.setting_warnings import carrier_warnings
from homing.console.languages import N_
from homing.console.navigation import STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.model import Outcome
from homing.store import statements
from homing.store.statements.admin import CarrierErrorRow, CarrierRow

COSTS_MAX: Final = 200
"""Costs shown; the command line lists all."""
APART: Final = frozenset({"binds", "last_error", "under_way", "window", "submitted_per_s"})
"""Members of a carrier's health that the page shows elsewhere than in the table of the others."""
STATES: Final = {
    "up": ("good", N_("Up")),
    "down": ("bad", N_("Down")),
    "nobody": ("bad", N_("Not running")),
    "draining": ("warn", N_("Draining")),
    "disabled": ("", N_("Disabled")),
}
"""Tone and label by the result of `state_of`."""
OUTCOMES: Final = {
    Outcome.REFUSED: N_("Rejected"),
    Outcome.DEFERRED: N_("Deferred, will be retried"),
    Outcome.UNKNOWN: N_("No response"),
}
LINKS: Final = {
    "bound": "good",
    "throttled": "warn",
    "doubtful": "warn",
    "connecting": "warn",
    "waiting": "warn",
    "refused": "bad",
}
ID_FORMATS: Final = {
    "same": N_("Same as in the submit response"),
    "decimal": N_("Decimal (submit response: hexadecimal)"),
    "hex": N_("Hexadecimal (submit response: decimal)"),
    "number_mismatch": N_("Receipts with a different number"),
}
SWITCHED: Final = {
    CarrierMode.OPEN: N_("Carrier {carrier} enabled."),
    CarrierMode.DRAINING: N_(
        "Carrier {carrier} is draining: it gets no new messages, and waiting messages are still sent."
    ),
    CarrierMode.CLOSED: N_("Carrier {carrier} disabled."),
}


class CarrierLinks(msgspec.Struct, frozen=True):
    """A carrier's sessions in total; None where its kind does not report the figure."""

    up: int | None
    all: int | None
    in_flight: int | None
    window: int | None
    submitted_per_s: float | None
    round_trip_ms: float | None
    last_error: str | None
    binds: Sequence[Mapping[str, Any]]


def links_of(detail: Mapping[str, Any] | None) -> CarrierLinks:
    """From the health of a carrier of any kind."""
    detail = detail or {}
    binds = detail.get("binds")
    if binds is None:
        window, error = detail.get("window"), detail.get("last_error")
        return CarrierLinks(None, None, detail.get("under_way"), window, None, None, error, ())
    trips = [link["round_trip_ms"] for link in binds if link["round_trip_ms"] is not None]
    failed = [link["last_error"] for link in binds if link["last_error"]]
    return CarrierLinks(
        sum(1 for link in binds if link["state"] in ("bound", "throttled", "doubtful")),
        len(binds),
        sum(link["in_flight"] for link in binds),
        sum(link["window"] or 0 for link in binds),
        detail.get("submitted_per_s"),
        sum(trips) / len(trips) if trips else None,
        failed[0] if failed else None,
        binds,
    )


def state_of(carrier: CarrierStatus) -> str:
    """A key of STATES. A failure has precedence over draining."""
    if not carrier.enabled:
        return "disabled"
    if carrier.state != "up":
        return "down" if carrier.state else "nobody"
    return "draining" if carrier.is_draining else "up"


async def show(context: RequestContext) -> Response:
    failed: dict[int, int] = {}
    for row in await _errors(context):
        failed[row.carrier_id] = failed.get(row.carrier_id, 0) + row.answers
    rows = [
        {
            **msgspec.structs.asdict(carrier),
            "state_name": state_of(carrier),
            "links": links_of(carrier.detail),
            "errors": failed.get(carrier.carrier_id, 0),
        }
        for carrier in await _carriers(context)
    ]
    return context.page("carriers.html", rows=rows, states=STATES)


async def show_item(context: RequestContext) -> Response:
    row = await _carrier(context)
    by_id = {carrier.carrier_id: carrier for carrier in await _carriers(context)}
    if row.carrier_id not in by_id:  # added since the cache was filled
        by_id = {carrier.carrier_id: carrier for carrier in await carriers_now(context.database)}
    carrier = msgspec.structs.replace(by_id[row.carrier_id], enabled=row.enabled, is_draining=row.is_draining)
    refusals = [refusal for refusal in await _errors(context) if refusal.carrier_id == row.carrier_id]
    costs = await statements.admin.cost_list(context.database, carrier_id=row.carrier_id)
    return context.page(
        "carrier.html",
        carrier=carrier,
        mode=carriers.carrier_mode_of(enabled=row.enabled, is_draining=row.is_draining).value,
        version=context.version(row),
        state=state_of(carrier),
        states=STATES,
        links=links_of(carrier.detail),
        link_tones=LINKS,
        since=datetime.fromisoformat,
        failures=refusals,
        failed=sum(refusal.answers for refusal in refusals),
        outcomes=OUTCOMES,
        id_formats=await statements.receipts.id_formats_of_carrier(context.database, carrier_id=row.carrier_id),
        id_format_names=ID_FORMATS,
        costs=costs[:COSTS_MAX],
        costs_more=max(0, len(costs) - COSTS_MAX),
        health=[(name, _written(value)) for name, value in (carrier.detail or {}).items() if name not in APART],
        warnings=[context.sentence(warning) for warning in carrier_warnings(carrier.settings)],
        settings=[(name, _written(value)) for name, value in carrier.settings.items()],
    )


async def change(context: RequestContext) -> Response:
    row = await _carrier(context)
    try:
        mode = CarrierMode(context.field("course"))
    except ValueError:
        raise errors.InvalidInput(context.translate("Choose an action for the carrier.")) from None
    async with context.changing() as transaction:
        locked = await statements.admin.carrier_lock(transaction, carrier_id=row.carrier_id)
        assert locked is not None, "carriers are not removed"
        context.check_version(locked)
        await carriers.switch_carrier(transaction, row.carrier_id, mode)
    context.console_state.live.cache.forget()
    return context.redirect(f"/carriers/{row.name}", context.translate(SWITCHED[mode], carrier=row.name))


async def _carrier(context: RequestContext) -> CarrierRow:
    try:
        return await carriers.find_carrier(context.database, context.path_part("carrier"))
    except errors.InvalidInput:
        raise PageNotFound from None


async def _carriers(context: RequestContext) -> Sequence[CarrierStatus]:
    """Unscoped: customers may not see the page."""
    return await context.console_state.live.cache.get("carriers_now", lambda: carriers_now(context.database))


async def _errors(context: RequestContext) -> Sequence[CarrierErrorRow]:
    return await context.console_state.live.cache.get(
        "carrier_errors", lambda: carrier_errors(context.database, context.now)
    )


def _written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


SECTION = PageSection(
    (
        Page("/carriers", show),
        Page("/carriers/{carrier}", show_item, change),
    ),
    (NavigationEntry("/carriers", N_("Carriers"), NavigationGroup.SETUP, "carrier", STAFF),),
)
