"""An account's keys, and where calls may come from. A secret is shown once, in the answer to the form that made it."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from homing import errors, limits
from homing.accounts import admin
from homing.console.account_place import Place, back, for_both, place_of
from homing.console.page import CUSTOMERS, Entry, Group, Section
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_


async def show(visit: Visit) -> Response:
    place = await place_of(visit)
    rows = await visit.database.fetch("credential_list", place.account_id)
    return visit.page(
        "credentials.html",
        place=place,
        rows=[row for row in rows if row["revoked_at"] is None],
        revoked=[row for row in rows if row["revoked_at"] is not None],
        dialects=visit.shared.dialects,
        networks="\n".join(map(str, place.account["allowed_networks"])),
        version=visit.version(_networks(place.account)),
    )


async def change(visit: Visit) -> Response:
    place = await place_of(visit)
    match visit.field("do"):
        case "create":
            return await _create(visit, place)
        case "revoke":
            return await _revoke(visit, place)
        case "allow":
            return await _allow(visit, place)
        case _:
            return await back(visit)


async def _create(visit: Visit, place: Place) -> Response:
    """Customers get keys that Homing makes: one of their own choice would tell them which are taken."""
    dialect = next((each for each in visit.shared.dialects if each.name == visit.field("dialect")), None)
    if dialect is None:
        raise errors.OperatorError(visit.say("Choose the dialect that it is for."))
    key = secret = None
    if not place.is_own:
        key, secret = visit.field("key") or None, visit.secret_field("secret") or None
    async with visit.changing() as transaction:
        await transaction.execute("account_settings", place.account_id)  # its lock: one at a time
        rows = await transaction.fetch("credential_list", place.account_id)
        if sum(row["revoked_at"] is None for row in rows) >= limits.CONSOLE_CREDENTIALS_MAX:
            raise errors.OperatorError(visit.say("There are as many as there may be. Revoke one first."))
        made = await admin.create_credential(
            transaction,
            visit.shared.vault,
            place.account_id,
            dialect,
            key,
            secret,
            visit.field("label"),
            may_be_short=bool(visit.field("short")),
        )
    return visit.page("credential_new.html", place=place, made=made)


async def _revoke(visit: Visit, place: Place) -> Response:
    given = visit.field("credential")
    async with visit.changing() as transaction:
        rows = await transaction.fetch("credential_list", place.account_id)
        row = next((row for row in rows if str(row["credential_id"]) == given), None)
        if row is None:
            raise NotFoundHere
        await admin.revoke_credential(transaction, visit.shared.dialects, row["key"], row["dialect"], place.account_id)
    return visit.go(place.path("credentials"), visit.say("{key} is revoked.", key=row["key"]))


async def _allow(visit: Visit, place: Place) -> Response:
    networks = visit.field("networks").replace(",", " ").split()
    if len(networks) > limits.CONSOLE_NETWORKS_MAX:
        raise errors.OperatorError(visit.say("{n} networks at most.", n=limits.CONSOLE_NETWORKS_MAX))
    async with visit.changing() as transaction:
        row = await transaction.row("account_settings", place.account_id)
        assert row is not None
        visit.check_version(_networks(row))
        await admin.change_account(transaction, place.account_id, {"allowed_networks": networks})
    said = (
        visit.say("Calls are taken from these alone now.") if networks else visit.say("Calls are taken from anywhere.")
    )
    return visit.go(place.path("credentials"), said)


def _networks(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"allowed_networks": list(map(str, row["allowed_networks"]))}


SECTION = Section(
    for_both("credentials", show, change),
    (Entry("/credentials", N_("Credentials"), Group.SETUP, "key", CUSTOMERS),),
)
