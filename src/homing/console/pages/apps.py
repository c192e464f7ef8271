"""An account's apps: where their reports and replies are pushed, a push to try that, and what is expected of them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from homing import errors, limits
from homing.accounts import admin
from homing.accounts.warnings import SettingWarning, push_address_warnings
from homing.console.account_place import Place, back, for_both, place_of
from homing.console.page import CUSTOMERS, Entry, Group, Section
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.events.trial import Trial, try_address
from homing.model import PushKind
from homing.users.audit import record

EXPECTS: Final[Mapping[str, bool | None]] = {"detect": None, "yes": True, "no": False}
EXPECTS_SAID: Final = {
    "detect": N_("As its traffic shows"),
    "yes": N_("Yes: people come back after its messages"),
    "no": N_("No: its messages ask for nothing"),
}
URLS: Final = ("report_url", "inbound_url")
KINDS: Final = {"report_url": PushKind.REPORT, "inbound_url": PushKind.INBOUND}


async def show(visit: Visit) -> Response:
    place = await place_of(visit)
    return visit.page("apps.html", place=place, rows=await _apps(visit, place))


async def create(visit: Visit) -> Response:
    place = await place_of(visit)
    name = visit.field("name")
    if not name:
        raise errors.OperatorError(visit.say("An app needs a name."))
    async with visit.changing() as transaction:
        await transaction.execute("account_settings", place.account_id)  # its lock: one at a time
        if len(await transaction.fetch("app_list", place.account_id)) >= limits.CONSOLE_APPS_MAX:
            raise errors.OperatorError(visit.say("There are as many apps as there may be."))
        await admin.create_app(
            transaction,
            place.account_id,
            name,
            None,
            visit.field("report_url") or None,
            visit.field("inbound_url") or None,
        )
    return visit.go(place.path("apps"), visit.say("The app {name} is made.", name=name), _warnings(visit))


async def show_one(visit: Visit) -> Response:
    return await _show_one(visit, None)


async def _show_one(visit: Visit, trial: Trial | None) -> Response:
    place = await place_of(visit)
    app = next((row for row in await _apps(visit, place) if row["app_id"] == visit.asked("id")), None)
    if app is None:
        raise NotFoundHere
    return visit.page(
        "app.html",
        place=place,
        app=app,
        expects=next(key for key, value in EXPECTS.items() if value is app["expects_conversions"]),
        expects_said=EXPECTS_SAID,
        version=visit.version(_settings(app)),
        trial=trial,
    )


async def change_one(visit: Visit) -> Response:
    place = await place_of(visit)
    match visit.field("do"):
        case "save":
            return await _save(visit, place)
        case "try":
            return await _try(visit, place)
        case _:
            return await back(visit)


async def _save(visit: Visit, place: Place) -> Response:
    app_id = visit.asked("id")
    async with visit.changing() as transaction:
        row = await transaction.row("app_lock", app_id, place.account_id)
        if row is None:
            raise NotFoundHere
        visit.check_version(_settings(row))
        changes: dict[str, str | bool | None] = {name: visit.field(name) or None for name in URLS}
        changes["expects_conversions"] = EXPECTS.get(visit.field("expects"))
        await admin.change_app(transaction, app_id, changes)
    return visit.go(place.path("apps"), visit.say("The app {name} is saved.", name=row["name"]), _warnings(visit))


def _warnings(visit: Visit) -> Iterator[SettingWarning]:
    for name in URLS:
        yield from push_address_warnings(visit.field(name), visit.shared.push_networks)


async def _try(visit: Visit, place: Place) -> Response:
    """To the address as it is saved: what a form says at this moment is not yet where pushes go."""
    name, app_id = visit.field("url"), visit.asked("id")
    row = await visit.database.row("app_find", app_id)
    if row is None or row["account_id"] != place.account_id or name not in KINDS:
        raise NotFoundHere
    if not row[name]:
        raise errors.OperatorError(visit.say("Save an address first."))
    if not visit.shared.may_try_push(place.account_id, asyncio.get_running_loop().time()):
        raise errors.OperatorError(visit.say("These were many test pushes. Wait a little, then try again."))
    async with visit.changing() as transaction:
        await record(
            transaction, "app", "try_push", f"{row['name']} {app_id}", place.account_id, after={"url": row[name]}
        )
    trial = await try_address(
        visit.shared.poster, visit.shared.dialects, place.account_id, KINDS[name], row[name], app_id, visit.now
    )
    return await _show_one(visit, trial)


async def _apps(visit: Visit, place: Place) -> Sequence[Mapping[str, Any]]:
    return [admin.shown_app(row) for row in await visit.database.fetch("app_list", place.account_id)]


def _settings(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: row[name] for name in (*URLS, "expects_conversions")}


SECTION = Section(
    (*for_both("apps", show, create), *for_both("apps/one", show_one, change_one)),
    (Entry("/apps", N_("Apps"), Group.SETUP, "push", CUSTOMERS),),
)
