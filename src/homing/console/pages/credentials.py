"""An account's keys, and where calls may come from. A secret is shown once, in the answer to the form that made it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import Response

from homing import errors
from homing.admin import account_settings
from homing.admin.signing_secrets import (
    OVERLAP_DEFAULT,
    read_signing_secrets,
    record_shown,
    revoke_older_secret,
    rotate_signing_secret,
)
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.dialects.base import Dialect
from homing.store import statements
from homing.store.statements.admin import AccountRow, AccountSettingsRow
from homing.store.statements.signing import SigningOwner

CONSOLE_CREDENTIALS_MAX: Final = 50  # in use, of an account
CONSOLE_NETWORKS_MAX: Final = 100


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    rows = await statements.admin.credential_list(context.database, account_id=account_scope.account_id)
    return context.page(
        "credentials.html",
        account_scope=account_scope,
        rows=[row for row in rows if row.revoked_at is None],
        revoked=[row for row in rows if row.revoked_at is not None],
        dialects=context.console_state.dialects,
        scoped=_scoped(context),
        networks="\n".join(map(str, account_scope.account.allowed_networks)),
        version=context.version(_networks(account_scope.account)),
        keep_hours=int(OVERLAP_DEFAULT / timedelta(hours=1)),
        previous_until=await _previous_until(context, account_scope),
    )


def _scoped(context: RequestContext) -> Sequence[tuple[str, Sequence[str]]]:
    """The dialects whose keys can be restricted, by title, with their scopes."""
    formats = context.console_state.dialects.credential_formats
    return [(dialect.title, credentials.scopes) for dialect, credentials in formats if credentials.scopes]


async def change(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    match context.field("do"):
        case "create":
            return await _create(context, account_scope)
        case "revoke":
            return await _revoke(context, account_scope)
        case "allow":
            return await _allow(context, account_scope)
        case "show_signing":
            return await _show_signing(context, account_scope)
        case "rotate_signing":
            async with context.changing() as transaction:
                await rotate_signing_secret(
                    transaction, context.console_state.vault, account_scope.account_id, now=context.now
                )
            return await _show_signing(context, account_scope)
        case "revoke_signing":
            async with context.changing() as transaction:
                await revoke_older_secret(transaction, account_scope.account_id, context.now)
            return context.redirect(
                account_scope.path("credentials"), context.translate("The previous signing secret has ended.")
            )
        case _:
            return await back(context)


async def _show_signing(context: RequestContext, account_scope: AccountScope) -> Response:
    account_id = account_scope.account_id
    secrets = await read_signing_secrets(context.database, context.console_state.vault, [account_id])
    async with context.changing() as transaction:
        await record_shown(transaction, account_id)
    return context.page("signing_secret.html", account_scope=account_scope, secrets=secrets[account_id])


async def _previous_until(context: RequestContext, account_scope: AccountScope) -> datetime | None:
    """When the previous signing secret ends; None: none is valid."""
    owner = SigningOwner(account_id=account_scope.account_id, webhook_id=0)
    rows = await statements.signing.signing_secrets_valid(context.database, owners=[owner])
    return next((row.expires_at for row in rows if row.expires_at is not None), None)


async def _create(context: RequestContext, account_scope: AccountScope) -> Response:
    """Customers get keys that Homing makes: one of their own choice would tell them which are taken."""
    dialect = next((each for each in context.console_state.dialects if each.name == context.field("dialect")), None)
    if dialect is None:
        raise errors.InvalidInput(context.translate("Choose the API dialect."))
    key = secret = None
    if not account_scope.is_own:
        key, secret = context.field("key") or None, context.raw_field("secret") or None
    async with context.changing() as transaction:
        await statements.admin.account_settings(
            transaction, account_id=account_scope.account_id
        )  # its lock: one at a time
        rows = await statements.admin.credential_list(transaction, account_id=account_scope.account_id)
        if sum(row.revoked_at is None for row in rows) >= CONSOLE_CREDENTIALS_MAX:
            raise errors.InvalidInput(
                context.translate("The account has reached its maximum number of credentials. Revoke one first.")
            )
        credential = await account_settings.create_credential(
            transaction,
            context.console_state.vault,
            account_scope.account_id,
            dialect,
            key=key,
            secret=secret,
            label=context.field("label"),
            may_be_short=bool(context.field("short")),
            scopes=_scopes(context, dialect),
        )
    return context.page("credential_new.html", account_scope=account_scope, made=credential)


def _scopes(context: RequestContext, dialect: Dialect) -> Sequence[str]:
    """What the form chose of the dialect's scopes: all of them are no restriction. Raises `InvalidInput` for none."""
    rules = dialect.credentials
    if rules is None or not rules.scopes:
        return ()
    chosen = context.fields("scope")
    if not chosen:
        raise errors.InvalidInput(context.translate("Choose at least one scope."))
    return () if set(chosen) == set(rules.scopes) else chosen


async def _revoke(context: RequestContext, account_scope: AccountScope) -> Response:
    key = context.field("credential")
    async with context.changing() as transaction:
        rows = await statements.admin.credential_list(transaction, account_id=account_scope.account_id)
        row = next((row for row in rows if str(row.credential_id) == key), None)
        if row is None:
            raise PageNotFound
        await account_settings.revoke_credential(
            transaction, context.console_state.dialects, row.key, row.dialect, account_scope.account_id
        )
    return context.redirect(account_scope.path("credentials"), context.translate("{key} revoked.", key=row.key))


async def _allow(context: RequestContext, account_scope: AccountScope) -> Response:
    networks = context.field("networks").replace(",", " ").split()
    if len(networks) > CONSOLE_NETWORKS_MAX:
        raise errors.InvalidInput(context.translate("At most {n} networks.", n=CONSOLE_NETWORKS_MAX))
    async with context.changing() as transaction:
        row = await statements.admin.account_settings(transaction, account_id=account_scope.account_id)
        assert row is not None
        context.check_version(_networks(row))
        await account_settings.change_account(transaction, account_scope.account_id, {"allowed_networks": networks})
    notice = (
        context.translate("Only these addresses are allowed now.")
        if networks
        else context.translate("All addresses are allowed now.")
    )
    return context.redirect(account_scope.path("credentials"), notice)


def _networks(row: AccountRow | AccountSettingsRow) -> Mapping[str, Any]:
    return {"allowed_networks": list(map(str, row.allowed_networks))}


SECTION = PageSection(
    for_both("credentials", show, change),
    (NavigationEntry("/credentials", N_("Credentials"), NavigationGroup.SETUP, "key", CUSTOMERS),),
)
