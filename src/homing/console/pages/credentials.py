"""An account's keys, and where calls may come from. A secret is shown once, in the answer to the form that made it."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from homing import errors
from homing.admin import account_settings
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.page import CUSTOMERS, NavigationEntry, NavigationGroup, PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.store import statements
from homing.store.statements.admin import AccountRow, AccountSettingsRow

CONSOLE_CREDENTIALS_MAX: Final = 50  # in use, of an account
CONSOLE_NETWORKS_MAX: Final = 100


async def show(context: RequestContext) -> Response:
    place = await account_scope_of(context)
    rows = await statements.admin.credential_list(context.database, account_id=place.account_id)
    return context.page(
        "credentials.html",
        place=place,
        rows=[row for row in rows if row.revoked_at is None],
        revoked=[row for row in rows if row.revoked_at is not None],
        dialects=context.shared.dialects,
        networks="\n".join(map(str, place.account.allowed_networks)),
        version=context.version(_networks(place.account)),
    )


async def change(context: RequestContext) -> Response:
    place = await account_scope_of(context)
    match context.field("do"):
        case "create":
            return await _create(context, place)
        case "revoke":
            return await _revoke(context, place)
        case "allow":
            return await _allow(context, place)
        case _:
            return await back(context)


async def _create(context: RequestContext, place: AccountScope) -> Response:
    """Customers get keys that Homing makes: one of their own choice would tell them which are taken."""
    dialect = next((each for each in context.shared.dialects if each.name == context.field("dialect")), None)
    if dialect is None:
        raise errors.InvalidInput(context.say("Choose the API dialect."))
    key = secret = None
    if not place.is_own:
        key, secret = context.field("key") or None, context.secret_field("secret") or None
    async with context.changing() as transaction:
        await statements.admin.account_settings(transaction, account_id=place.account_id)  # its lock: one at a time
        rows = await statements.admin.credential_list(transaction, account_id=place.account_id)
        if sum(row.revoked_at is None for row in rows) >= CONSOLE_CREDENTIALS_MAX:
            raise errors.InvalidInput(
                context.say("The account has reached its maximum number of credentials. Revoke one first.")
            )
        made = await account_settings.create_credential(
            transaction,
            context.shared.vault,
            place.account_id,
            dialect,
            key=key,
            secret=secret,
            label=context.field("label"),
            may_be_short=bool(context.field("short")),
        )
    return context.page("credential_new.html", place=place, made=made)


async def _revoke(context: RequestContext, place: AccountScope) -> Response:
    given = context.field("credential")
    async with context.changing() as transaction:
        rows = await statements.admin.credential_list(transaction, account_id=place.account_id)
        row = next((row for row in rows if str(row.credential_id) == given), None)
        if row is None:
            raise PageNotFound
        await account_settings.revoke_credential(
            transaction, context.shared.dialects, row.key, row.dialect, place.account_id
        )
    return context.go(place.path("credentials"), context.say("{key} revoked.", key=row.key))


async def _allow(context: RequestContext, place: AccountScope) -> Response:
    networks = context.field("networks").replace(",", " ").split()
    if len(networks) > CONSOLE_NETWORKS_MAX:
        raise errors.InvalidInput(context.say("At most {n} networks.", n=CONSOLE_NETWORKS_MAX))
    async with context.changing() as transaction:
        row = await statements.admin.account_settings(transaction, account_id=place.account_id)
        assert row is not None
        context.check_version(_networks(row))
        await account_settings.change_account(transaction, place.account_id, {"allowed_networks": networks})
    said = (
        context.say("Only these addresses are allowed now.")
        if networks
        else context.say("All addresses are allowed now.")
    )
    return context.go(place.path("credentials"), said)


def _networks(row: AccountRow | AccountSettingsRow) -> Mapping[str, Any]:
    return {"allowed_networks": list(map(str, row.allowed_networks))}


SECTION = PageSection(
    for_both("credentials", show, change),
    (NavigationEntry("/credentials", N_("Credentials"), NavigationGroup.SETUP, "key", CUSTOMERS),),
)
