"""What an account is allowed, and how it is treated: what `homing account set` sets, but for from where it may call."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from homing import errors, limits
from homing.accounts import admin
from homing.console import entered
from homing.console.account_place import place_of
from homing.console.page import Page, Section
from homing.console.visit import Visit
from homing.kit.money import trimmed
from homing.store.database import Connection, Database

RETENTION_DAYS_MAX: Final = 36_500
DIGITS_MAX: Final = 9  # columns of 32 bits
CHARSETS: Final = {"gsm7": "GSM 03.38", "latin-1": "Latin-1", "ascii": "ASCII", "utf-8": "UTF-8"}
COLUMNS: Final = (
    "email",
    "queries_per_s",
    "templates_required",
    "refund_undeliverable",
    "unicode_fallback",
    "default_sender",
    "retention_days",
    "binds_max",
    "bind_window",
    "submits_per_s",
    "smpp_charset",
)


async def show(visit: Visit) -> Response:
    place = await place_of(visit)
    credit_micro = await _credit(visit.database, place.account_id)
    return visit.page(
        "account_settings.html",
        place=place,
        account=place.account,
        senders=[row["sender"] for row in await visit.database.fetch("sender_list", place.account_id)],
        credit=trimmed(credit_micro),
        bounds={
            "binds_max": limits.BINDS_MAX,
            "bind_window": limits.BIND_WINDOW_MAX,
            "submits_per_s": limits.SUBMITS_PER_S_MAX,
            "retention_days": RETENTION_DAYS_MAX,
        },
        charsets=list(CHARSETS.items()),
        version=visit.version(_settings(place.account, credit_micro)),
    )


async def change(visit: Visit) -> Response:
    place = await place_of(visit)
    credit_micro = entered.amount(visit, "credit")
    changes: dict[str, Any] = {
        "email": visit.field("email") or None,
        "default_sender": visit.secret_field("default_sender") or None,
        "templates_required": bool(visit.field("templates_required")),
        "refund_undeliverable": bool(visit.field("refund_undeliverable")),
        "unicode_fallback": bool(visit.field("unicode_fallback")),
        "retention_days": entered.whole(visit, "retention_days", DIGITS_MAX),
        "submits_per_s": entered.whole(visit, "submits_per_s", DIGITS_MAX) or None,
        "smpp_charset": visit.field("smpp_charset"),
    }
    for name in ("queries_per_s", "binds_max", "bind_window"):
        changes[name] = entered.whole(visit, name, DIGITS_MAX)
        if changes[name] is None:
            raise errors.OperatorError(visit.say("A number is missing."))
    days = changes["retention_days"]
    if days is not None and not 1 <= days <= RETENTION_DAYS_MAX:
        raise errors.OperatorError(visit.say("Bodies are kept for 1 to {n} days, or for ever.", n=RETENTION_DAYS_MAX))
    async with visit.changing() as transaction:
        row = await transaction.row("account_settings", place.account_id)
        assert row is not None
        visit.check_version(_settings(row, await _credit(transaction, place.account_id)))
        await admin.change_account(transaction, place.account_id, changes)
        await admin.set_credit(transaction, place.account_id, credit_micro)
    return visit.go(place.path("settings"), visit.say("The settings are saved."))


async def _credit(database: Database | Connection, account_id: int) -> int:
    return int((await database.fetch("purses", [account_id]))[0]["credit_micro"])


def _settings(row: Mapping[str, Any], credit_micro: int) -> Mapping[str, Any]:
    return {**{name: row[name] for name in COLUMNS}, "credit_micro": credit_micro}


SECTION = Section((Page("/accounts/{account}/settings", show, change),))
