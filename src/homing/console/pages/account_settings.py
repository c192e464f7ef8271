"""What an account is allowed, and how it is treated: what `homing account set` sets, but for from where it may call."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from homing import errors, limits
from homing.admin import account_settings
from homing.common.money import trimmed
from homing.console import form_values
from homing.console.account_scope import account_scope_of
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.admin import AccountRow, AccountSettingsRow

RETENTION_DAYS_MAX: Final = 36_500
DIGITS_MAX: Final = 9  # columns of 32 bits
CHARSETS: Final = {"gsm7": "GSM 03.38", "latin-1": "Latin-1", "ascii": "ASCII", "utf-8": "UTF-8"}
COLUMNS: Final = (
    "email",
    "queries_per_s",
    "templates_required",
    "refund_undeliverable",
    "unicode_fallback",
    "unique_references",
    "default_sender",
    "retention_days",
    "binds_max",
    "bind_window",
    "submits_per_s",
    "smpp_charset",
)


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    credit_micro = await _credit(context.database, account_scope.account_id)
    return context.page(
        "account_settings.html",
        account_scope=account_scope,
        account=account_scope.account,
        senders=[
            row.sender
            for row in await statements.admin.sender_list(context.database, account_id=account_scope.account_id)
        ],
        credit=trimmed(credit_micro),
        bounds={
            "binds_max": limits.BINDS_MAX,
            "bind_window": limits.BIND_WINDOW_MAX,
            "submits_per_s": limits.SUBMITS_PER_S_MAX,
            "retention_days": RETENTION_DAYS_MAX,
        },
        charsets=list(CHARSETS.items()),
        version=context.version(_settings(account_scope.account, credit_micro)),
    )


async def change(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    credit_micro = form_values.amount(context, "credit")
    changes: dict[str, Any] = {
        "email": context.field("email") or None,
        "default_sender": context.raw_field("default_sender") or None,
        "templates_required": bool(context.field("templates_required")),
        "refund_undeliverable": bool(context.field("refund_undeliverable")),
        "unicode_fallback": bool(context.field("unicode_fallback")),
        "unique_references": bool(context.field("unique_references")),
        "retention_days": form_values.whole(context, "retention_days", DIGITS_MAX),
        "submits_per_s": form_values.whole(context, "submits_per_s", DIGITS_MAX) or None,
        "smpp_charset": context.field("smpp_charset"),
    }
    for name in ("queries_per_s", "binds_max", "bind_window"):
        changes[name] = form_values.whole(context, name, DIGITS_MAX)
        if changes[name] is None:
            raise errors.InvalidInput(context.translate("Enter a number."))
    days = changes["retention_days"]
    if days is not None and not 1 <= days <= RETENTION_DAYS_MAX:
        raise errors.InvalidInput(
            context.translate("Message texts can be kept for 1 to {n} days, or permanently.", n=RETENTION_DAYS_MAX)
        )
    async with context.changing() as transaction:
        row = await statements.admin.account_settings(transaction, account_id=account_scope.account_id)
        assert row is not None
        context.check_version(_settings(row, await _credit(transaction, account_scope.account_id)))
        await account_settings.change_account(transaction, account_scope.account_id, changes)
        await account_settings.set_credit(transaction, account_scope.account_id, credit_micro)
    return context.redirect(account_scope.path("settings"), context.translate("Settings saved."))


async def _credit(database: Database | DatabaseConnection, account_id: int) -> int:
    return (await statements.ledger.balances_of(database, account_ids=[account_id]))[0].credit_micro


def _settings(row: AccountRow | AccountSettingsRow, credit_micro: int) -> Mapping[str, Any]:
    return {**{name: getattr(row, name) for name in COLUMNS}, "credit_micro": credit_micro}


SECTION = PageSection((Page("/accounts/{account}/settings", show, change),))
