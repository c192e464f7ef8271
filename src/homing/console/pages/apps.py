"""An account's apps: where their reports and replies are pushed, a push to try that, and what is expected of them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors
from homing.accounts.code_settings import send_limit_of
from homing.admin import account_settings, code_settings
from homing.admin.setting_warnings import SettingWarning, push_address_warnings
from homing.admin.signing_secrets import read_signing_secrets
from homing.audit import record
from homing.console import form_values
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.delivery.push_trial import PushTrial, send_test_push
from homing.delivery.signing import signing_keys
from homing.model import UNIT_S, PushKind, SendLimit
from homing.store import statements

CONSOLE_APPS_MAX: Final = 50
EXPECTS: Final[Mapping[str, bool | None]] = {"detect": None, "yes": True, "no": False}
EXPECTS_LABELS: Final = {
    "detect": N_("Detect automatically"),
    "yes": N_("Yes, conversions are reported"),
    "no": N_("No, conversions are not reported"),
}
URLS: Final = ("report_url", "inbound_url")
SETTINGS: Final = (*URLS, "expects_conversions")
CODES: Final = ("code_expiry_s", "total_limit", "number_limit", "resend_messages", "resend_worth_micro")
"""An app's settings for verification codes."""
UNIT_LABELS: Final = {"second": N_("seconds"), "minute": N_("minutes"), "hour": N_("hours"), "day": N_("days")}
KINDS: Final = {"report_url": PushKind.REPORT, "inbound_url": PushKind.INBOUND}


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    return context.page("apps.html", account_scope=account_scope, rows=await _apps(context, account_scope))


async def create(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    name = context.field("name")
    if not name:
        raise errors.InvalidInput(context.translate("Enter an app name."))
    async with context.changing() as transaction:
        await statements.admin.account_settings(
            transaction, account_id=account_scope.account_id
        )  # its lock: one at a time
        if len(await statements.admin.app_list(transaction, account_id=account_scope.account_id)) >= CONSOLE_APPS_MAX:
            raise errors.InvalidInput(context.translate("The account has reached its maximum number of apps."))
        await account_settings.create_app(
            transaction,
            account_scope.account_id,
            name=name,
            app_id=None,
            report_url=context.field("report_url") or None,
            inbound_url=context.field("inbound_url") or None,
        )
    return context.redirect(
        account_scope.path("apps"), context.translate("App {name} created.", name=name), _warnings(context)
    )


async def show_item(context: RequestContext) -> Response:
    return await _show_item(context, None)


async def _show_item(context: RequestContext, trial: PushTrial | None) -> Response:
    account_scope = await account_scope_of(context)
    app = next((row for row in await _apps(context, account_scope) if row["app_id"] == context.query_value("id")), None)
    if app is None:
        raise PageNotFound
    return context.page(
        "app.html",
        account_scope=account_scope,
        app=app,
        expects=next(key for key, value in EXPECTS.items() if value is app["expects_conversions"]),
        expects_labels=EXPECTS_LABELS,
        version=context.version({name: app[name] for name in SETTINGS}),
        codes_version=context.version({name: app[name] for name in CODES}),
        limits={name: send_limit_of(app[f"{name}_limit"]) for name in ("total", "number")},
        expiry_bounds=code_settings.EXPIRY_S,
        resends_max=code_settings.RESEND_MESSAGES_MAX,
        units=UNIT_LABELS,
        trial=trial,
    )


async def change_item(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    match context.field("do"):
        case "save":
            return await _save(context, account_scope)
        case "codes":
            return await _save_codes(context, account_scope)
        case "try":
            return await _try(context, account_scope)
        case _:
            return await back(context)


async def _save(context: RequestContext, account_scope: AccountScope) -> Response:
    app_id = context.query_value("id")
    async with context.changing() as transaction:
        row = await statements.admin.app_lock(transaction, app_id=app_id, account_id=account_scope.account_id)
        if row is None:
            raise PageNotFound
        context.check_version({name: getattr(row, name) for name in SETTINGS})
        changes: dict[str, str | bool | None] = {name: context.field(name) or None for name in URLS}
        changes["expects_conversions"] = EXPECTS.get(context.field("expects"))
        await account_settings.change_app(transaction, app_id, changes)
    return context.redirect(
        account_scope.path("apps"), context.translate("App {name} saved.", name=row.name), _warnings(context)
    )


async def _save_codes(context: RequestContext, account_scope: AccountScope) -> Response:
    app_id, account_id = context.query_value("id"), account_scope.account_id
    expiry_s = form_values.whole(context, "expiry_s")
    total_limit, number_limit = _limit(context, "total"), _limit(context, "number")
    async with context.changing() as transaction:
        await statements.admin.account_settings(transaction, account_id=account_id)  # its lock: one at a time
        row = await statements.verifications.app_verification(transaction, account_id=account_id, app_id=app_id)
        if row is None:
            raise PageNotFound
        context.check_version({name: getattr(row, name) for name in CODES})
        await code_settings.change_code_app(
            transaction,
            account_id,
            app_id,
            name=row.name,
            code_expiry_s=expiry_s or 0,
            total_limit=total_limit,
            number_limit=number_limit,
            resend_messages=form_values.whole(context, "resend_messages") or 0,
            resend_worth_micro=form_values.amount_if_any(context, "resend_worth") or 0,
        )
    return context.redirect(account_scope.path("apps"), context.translate("App {name} saved.", name=row.name))


def _limit(context: RequestContext, name: str) -> SendLimit | None:
    most = form_values.whole(context, f"{name}_most")
    if most is None:
        return None
    unit = context.field(f"{name}_unit")
    return msgspec.convert(
        {
            "unit": unit if unit in UNIT_S else "day",
            "period": form_values.whole(context, f"{name}_period") or 1,
            "most": most,
        },
        SendLimit,
    )


def _warnings(context: RequestContext) -> Iterator[SettingWarning]:
    for name in URLS:
        yield from push_address_warnings(context.field(name), context.console_state.push_networks)


async def _try(context: RequestContext, account_scope: AccountScope) -> Response:
    """To the address as it is saved: what a form says at this moment is not yet where pushes go."""
    name, app_id = context.field("url"), context.query_value("id")
    row = await statements.admin.app_find(context.database, app_id=app_id)
    if row is None or row.account_id != account_scope.account_id or name not in KINDS:
        raise PageNotFound
    url = row.report_url if name == "report_url" else row.inbound_url
    if not url:
        raise errors.InvalidInput(context.translate("Save an address first."))
    if not context.console_state.may_try_push(account_scope.account_id, asyncio.get_running_loop().time()):
        raise errors.InvalidInput(context.translate("Too many test pushes. Wait a moment, then try again."))
    async with context.changing() as transaction:
        await record(
            transaction,
            "app",
            "try_push",
            f"{row.name} {app_id}",
            account_id=account_scope.account_id,
            after={"url": url},
        )
    account_id = account_scope.account_id
    secrets = await read_signing_secrets(context.database, context.console_state.vault, [account_id])
    trial = await send_test_push(
        context.console_state.http_client,
        context.console_state.dialects,
        signing_keys=signing_keys(secrets[account_id]),
        account_id=account_id,
        kind=KINDS[name],
        url=url,
        app_id=app_id,
        now=context.now,
    )
    return await _show_item(context, trial)


async def _apps(context: RequestContext, account_scope: AccountScope) -> Sequence[Mapping[str, Any]]:
    return [
        account_settings.shown_app(row)
        for row in await statements.admin.app_list(context.database, account_id=account_scope.account_id)
    ]


SECTION = PageSection(
    (*for_both("apps", show, create), *for_both("apps/one", show_item, change_item)),
    (NavigationEntry("/apps", N_("Apps"), NavigationGroup.SETUP, "push", CUSTOMERS),),
)
