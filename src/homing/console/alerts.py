"""Items that need attention now, each with the page that has the details; the most severe first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from homing.admin.account_settings import find_account
from homing.admin.carrier_status import carriers_now
from homing.admin.send_quotas import QUOTA_WARNING_SHARE, list_quotas
from homing.common.urls import without_password
from homing.console.languages import N_
from homing.store import statements
from homing.store.alarms import (
    ACCOUNT_SKIPPED,
    CARRIER,
    CLOCK,
    DATABASE,
    DISABLED,
    FAILED,
    GUARD,
    LEARNER,
    PROCESS,
    RESTARTED,
    STEPPED_BACK,
    UNREADABLE_SECRETS,
    UNUSABLE,
    WEBHOOK,
    read_alarms,
)
from homing.store.database import Database

ROWS_MAX: Final = 5
UNMATCHED_MAX: Final = 10_000

Weight = Literal["bad", "warn"]


class AttentionItem(msgspec.Struct, frozen=True):
    """`text` is a marked text with {names} of `values`; amounts are micro-units under names that end in `_micro`."""

    weight: Weight
    text: str
    values: dict[str, Any]
    path: str


async def read_attention(database: Database, now: datetime, account_id: int | None = None) -> Sequence[AttentionItem]:
    """The items of the whole installation, or those for an account's own users."""
    items: list[AttentionItem] = []
    if account_id is None:
        items += await _alarms(database)
        items += await _carriers(database)
        items += await _guesses(database)
    items += await _balances(database, now, account_id)
    items += await _quotas(database, now, account_id)
    items += await _pushes(database, account_id)
    if account_id is not None:
        items += await _webhooks(database, account_id)
    items += await _verdicts(database, account_id)
    if account_id is None:
        items += await _fakes(database)
        items += await _unmatched(database)
        items += await _unmatched_inbound(database)
    return sorted(items, key=lambda item: item.weight)


ALARMS: Final = {
    (DATABASE, RESTARTED): (N_("The database stopped and was restarted in the last hour."), "/settings"),
    (CLOCK, STEPPED_BACK): (
        N_(
            "The system clock was set back. {subject} keeps its previous time until the clock catches"
            " up. Correct the clock."
        ),
        "/settings",
    ),
    (CARRIER, UNUSABLE): (N_("Carrier {subject} cannot run with its current settings."), "/carriers"),
    (WEBHOOK, DISABLED): (
        N_("Webhook endpoint {subject} was disabled: it has failed for days."),
        "/pushes?show=given_up",
    ),
    (PROCESS, UNREADABLE_SECRETS): (
        N_(
            "Process {subject} cannot open secrets that sign pushes: they were sealed with another key. The pushes"
            " wait. Start it with that key, or rotate the secrets."
        ),
        "/pushes?show=recent",
    ),
    (LEARNER, FAILED): (N_("Adaptive routing has stopped updating: learning keeps failing."), "/routes"),
    (LEARNER, ACCOUNT_SKIPPED): (
        N_("Adaptive routing skips account {account}: its traffic data causes an error."),
        "/routes",
    ),
    (GUARD, FAILED): (N_("The guard has stopped updating: detection keeps failing."), "/guard"),
    (GUARD, ACCOUNT_SKIPPED): (
        N_("The guard skips account {account}: its traffic data causes an error."),
        "/guard",
    ),
}
"""Text and page of an alarm."""
OTHER_ALARMS: Final = {
    CARRIER: (N_("Carrier {subject} is only partly working: {code}."), "/carriers"),
    PROCESS: (N_("Process {subject} is only partly working: {code}."), "/settings"),
}
"""Text and page for components with many codes."""


async def _alarms(database: Database) -> Sequence[AttentionItem]:
    items = []
    for alarm in await read_alarms(database):
        text, path = ALARMS.get((alarm.component, alarm.code)) or OTHER_ALARMS[alarm.component]
        values = {"subject": alarm.subject, "code": alarm.code}
        if alarm.code == ACCOUNT_SKIPPED:
            values["account"] = (await find_account(database, alarm.subject)).name
        items.append(AttentionItem("bad", text, values, path))
    return items


async def _carriers(database: Database) -> Sequence[AttentionItem]:
    items = []
    for carrier in await carriers_now(database):
        if not carrier.enabled or carrier.state == "up":
            continue
        text = (
            N_("Carrier {carrier} is down. Messages waiting for it: {n}.")
            if carrier.state == "down"
            else N_("No process is running carrier {carrier}. Messages waiting for it: {n}.")
        )
        items.append(AttentionItem("bad", text, {"carrier": carrier.name, "n": carrier.waiting}, "/carriers"))
    return items


async def _guesses(database: Database) -> Sequence[AttentionItem]:
    networks = await statements.passwords.password_locks_count(database)
    if not networks:
        return []
    text = N_("Addresses locked out in the last hour for guessing API passwords: {n}.")
    return [AttentionItem("warn", text, {"n": networks}, "/accounts")]


async def _balances(database: Database, now: datetime, account_id: int | None) -> Sequence[AttentionItem]:
    hour = int(now.timestamp()) // 3600
    rows = await statements.attention.attention_balances(
        database, account_id=account_id, after_hour=hour - 24, rows_max=ROWS_MAX
    )
    items = []
    for row in rows:
        hours = max(0, row.available_micro) * 24 // row.day_micro
        text = (
            N_(
                "Account {account} has {available_micro} available, enough for about {n} h at the rate of"
                " the last 24 hours."
            )
            if hours
            else N_(
                "Account {account} has {available_micro} available, not enough for one more hour at the"
                " rate of the last 24 hours."
            )
        )
        values = {"account": row.account, "available_micro": row.available_micro, "n": hours}
        items.append(AttentionItem("warn" if hours else "bad", text, values, f"/accounts/{row.account}"))
    return items


async def _quotas(database: Database, now: datetime, account_id: int | None) -> Sequence[AttentionItem]:
    items = []
    for quota in await list_quotas(database, now, account_id):
        if quota.used_share < QUOTA_WARNING_SHARE:
            continue
        text = (
            N_("Quota of account {account}: {n} % of the day are used.")
            if not quota.app_id
            else N_("Quota of app {app} of account {account}: {n} % of the day are used.")
        )
        share = int(quota.used_share * 100)
        values = {"account": quota.account, "app": quota.app_id, "n": share}
        items.append(AttentionItem("bad" if share >= 100 else "warn", text, values, f"/accounts/{quota.account}"))
    return items


async def _pushes(database: Database, account_id: int | None) -> Sequence[AttentionItem]:
    rows = await statements.attention.attention_pushes(database, account_id=account_id, rows_max=ROWS_MAX)
    text = N_("Failed pushes to account {account} in the last 24 hours: {n}.")
    return [AttentionItem("warn", text, {"n": row.pushes, "account": row.account}, "/pushes") for row in rows]


async def _webhooks(database: Database, account_id: int) -> Sequence[AttentionItem]:
    """Endpoints of the account that were disabled, or fail; operators have an alarm of those that were disabled."""
    items = []
    for row in await statements.webhooks.webhook_list(database, account_id=account_id):
        path, values = f"/webhooks/one?id={row.webhook_id}", {"url": without_password(row.url)}
        if row.disabled_for_failures:
            text = N_("Webhook endpoint {url} was disabled: it has failed for days.")
            items.append(AttentionItem("bad", text, values, path))
        elif row.is_enabled and row.failing_since is not None:
            items.append(AttentionItem("warn", N_("Webhook endpoint {url} fails."), values, path))
    return items


async def _verdicts(database: Database, account_id: int | None) -> Sequence[AttentionItem]:
    row = await statements.attention.attention_verdicts(database, account_id=account_id)
    if not row.ranges:
        return []
    text = N_("Number ranges suspected of SMS pumping: {n}.")
    return [AttentionItem("warn", text, {"n": row.ranges}, "/guard")]


async def _fakes(database: Database) -> Sequence[AttentionItem]:
    text = N_("The receipts of carrier {carrier} look fake.")
    return [
        AttentionItem("warn", text, {"carrier": carrier}, "/carriers")
        for carrier in await statements.attention.attention_fakes(database)
    ]


async def _unmatched(database: Database) -> Sequence[AttentionItem]:
    receipts = await statements.attention.attention_unmatched(database, counted_max=UNMATCHED_MAX)
    if not receipts:
        return []
    return [AttentionItem("warn", N_("Unmatched receipts in the last 24 hours: {n}."), {"n": receipts}, "/receipts")]


async def _unmatched_inbound(database: Database) -> Sequence[AttentionItem]:
    messages = await statements.attention.attention_unmatched_inbound(database, counted_max=UNMATCHED_MAX)
    if not messages:
        return []
    text = N_("Unmatched inbound messages in the last 24 hours: {n}.")
    return [AttentionItem("warn", text, {"n": messages}, "/replies")]
