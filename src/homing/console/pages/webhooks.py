"""An account's webhook endpoints: which events they get, whether they take them, a test, and what is pushed again."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.admin.setting_warnings import push_address_warnings
from homing.admin.signing_secrets import OVERLAP_DEFAULT
from homing.admin.webhooks import (
    EVENT_TYPES,
    TooManyWebhooks,
    change_webhook,
    create_webhook,
    remove_webhook,
    rotate_webhook_secret,
)
from homing.audit import record
from homing.console import form_values
from homing.console.account_scope import AccountScope, account_scope_of, back, for_both
from homing.console.languages import N_
from homing.console.navigation import CUSTOMERS, NavigationEntry, NavigationGroup
from homing.console.page import PageSection
from homing.console.paging import page_of
from homing.console.request_context import PageNotFound, RequestContext
from homing.console.timeline_view import OUTCOME_LABELS, outcome_tone
from homing.delivery.endpoints import EndpointTrial, replay_event, replay_events, try_endpoint
from homing.dialects.base import Dialect
from homing.messages.events import EVENTS_KEPT_DAYS
from homing.model import EventType, PushOutcome
from homing.store import statements
from homing.store.statements.webhooks import WebhookDelivery, WebhookRow

TYPE_LABELS: Final[Mapping[str, str]] = {
    EventType.MESSAGE_SENT: N_("Message sent to a carrier"),
    EventType.MESSAGE_DELIVERED: N_("Message delivered"),
    EventType.MESSAGE_FAILED: N_("Message failed"),
    EventType.MESSAGE_UNKNOWN: N_("Message without a receipt"),
    EventType.MESSAGE_INBOUND: N_("Inbound message received"),
    EventType.VERIFICATION_VERIFIED: N_("Code entered correctly"),
    EventType.VERIFICATION_FAILED: N_("Too many wrong codes"),
    EventType.VERIFICATION_EXPIRED: N_("Code expired"),
    EventType.BALANCE_LOW: N_("Balance low"),
    EventType.QUOTA_WARNING: N_("Quota nearly used"),
    EventType.WEBHOOK_DISABLED: N_("Another endpoint disabled"),
}
SPANS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "1h": (N_("Last hour"), timedelta(hours=1)),
    "24h": (N_("Last 24 hours"), timedelta(hours=24)),
    "7d": (N_("Last 7 days"), timedelta(days=7)),
    "30d": (N_("Last 30 days"), timedelta(days=EVENTS_KEPT_DAYS)),
}


async def show(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    rows = await statements.webhooks.webhook_list(context.database, account_id=account_scope.account_id)
    return context.page(
        "webhooks.html",
        account_scope=account_scope,
        rows=rows,
        labels=TYPE_LABELS,
        entered=context.fields("type") if context.error else list(TYPE_LABELS),
        endpoints_max=limits.WEBHOOKS_MAX,
    )


async def create(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    url = context.field("url")
    async with context.changing() as transaction:
        try:
            row, secret = await create_webhook(
                transaction,
                context.console_state.vault,
                account_scope.account_id,
                url=url,
                types=context.fields("type"),
                description=context.field("description"),
            )
        except TooManyWebhooks:
            raise errors.InvalidInput(
                context.translate("The account has reached its maximum number of endpoints.")
            ) from None
    return context.page(
        "webhook_secret.html",
        account_scope=account_scope,
        row=row,
        secret=secret,
        warnings=[
            context.sentence(warning) for warning in push_address_warnings(url, context.console_state.push_networks)
        ],
    )


async def show_item(context: RequestContext) -> Response:
    return await _show_item(context)


async def change_item(context: RequestContext) -> Response:
    account_scope = await account_scope_of(context)
    row = await _row(context, account_scope)
    match context.field("do"):
        case "save":
            return await _save(context, account_scope, row)
        case "enable" | "disable":
            return await _switch(context, account_scope, row)
        case "test":
            return await _test(context, row)
        case "rotate":
            return await _rotate(context, account_scope, row)
        case "replay":
            return await _replay(context, account_scope, row)
        case "replay_event":
            return await _replay_event(context, account_scope, row)
        case "remove":
            async with context.changing() as transaction:
                await remove_webhook(transaction, account_scope.account_id, row.webhook_id)
            return context.redirect(account_scope.path("webhooks"), context.translate("The endpoint was removed."))
        case _:
            return await back(context)


async def _show_item(context: RequestContext, trial: EndpointTrial | None = None) -> Response:
    account_scope = await account_scope_of(context)
    row = await _row(context, account_scope)
    only_failed = context.query_value("show") == "failed"
    deliveries = await statements.webhooks.webhook_deliveries(
        context.database,
        account_id=account_scope.account_id,
        webhook_id=row.webhook_id,
        before_id=context.query_id("before") or 2**63 - 1,
        outcome=int(PushOutcome.GIVEN_UP) if only_failed else None,
        rows_max=limits.CONSOLE_PAGE_ROWS + 1,
    )
    page = page_of(deliveries, lambda delivery: delivery.push_id)
    return context.page(
        "webhook.html",
        account_scope=account_scope,
        row=row,
        version=context.version(_settings(row)),
        labels=TYPE_LABELS,
        entered=context.fields("type") if context.error and context.field("do") == "save" else row.types,
        spans=[(key, label) for key, (label, _span) in SPANS.items()],
        deliveries=[_delivery(delivery) for delivery in page.rows],
        older_key=page.older,
        only_failed=only_failed,
        trial=trial,
        keep_hours=int(OVERLAP_DEFAULT / timedelta(hours=1)),
    )


def _delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    is_failing = delivery.due_at is not None and delivery.at is not None
    return {
        **msgspec.structs.asdict(delivery),
        "label": OUTCOME_LABELS[delivery.outcome],
        "tone": "warn" if is_failing else outcome_tone(delivery.outcome),
        "is_failing": is_failing,
    }


def _settings(row: WebhookRow) -> Mapping[str, Any]:
    """What the form changes."""
    return {"url": row.url, "types": row.types, "description": row.description}


async def _row(context: RequestContext, account_scope: AccountScope) -> WebhookRow:
    webhook_id = context.query_id("id")
    row = None
    if webhook_id is not None:
        row = await statements.webhooks.webhook_find(
            context.database, account_id=account_scope.account_id, webhook_id=webhook_id
        )
    if row is None:
        raise PageNotFound
    return row


def _path(account_scope: AccountScope, row: WebhookRow) -> str:
    return f"{account_scope.path('webhooks/one')}?id={row.webhook_id}"


async def _save(context: RequestContext, account_scope: AccountScope, row: WebhookRow) -> Response:
    url = context.field("url")
    async with context.changing() as transaction:
        present = await statements.webhooks.webhook_lock(
            transaction, account_id=row.account_id, webhook_id=row.webhook_id
        )
        if present is None:
            raise PageNotFound
        context.check_version(_settings(present))
        await change_webhook(
            transaction,
            present,
            {"url": url, "types": context.fields("type"), "description": context.field("description")},
        )
    return context.redirect(
        _path(account_scope, row),
        context.translate("The endpoint was changed."),
        push_address_warnings(url, context.console_state.push_networks),
    )


async def _switch(context: RequestContext, account_scope: AccountScope, row: WebhookRow) -> Response:
    is_enabled = context.field("do") == "enable"
    async with context.changing() as transaction:
        await change_webhook(transaction, row, {"is_enabled": is_enabled})
    notice = (
        context.translate("The endpoint is enabled. Replay what it has missed.")
        if is_enabled
        else context.translate("The endpoint is disabled: nothing is pushed to it.")
    )
    return context.redirect(_path(account_scope, row), notice)


async def _test(context: RequestContext, row: WebhookRow) -> Response:
    state = context.console_state
    if not state.may_try_push(row.account_id, asyncio.get_running_loop().time()):
        raise errors.InvalidInput(context.translate("Too many test pushes. Wait a moment, then try again."))
    async with context.changing() as transaction:
        subject, account_id = str(row.webhook_id), row.account_id
        await record(transaction, "webhook", "try_push", subject, account_id=account_id, after={"url": row.url})
    trial = await try_endpoint(
        context.database, state.vault, state.http_client, _wording(context), row, now=context.now
    )
    return await _show_item(context, trial)


async def _rotate(context: RequestContext, account_scope: AccountScope, row: WebhookRow) -> Response:
    async with context.changing() as transaction:
        secret = await rotate_webhook_secret(transaction, context.console_state.vault, row, now=context.now)
    return context.page("webhook_secret.html", account_scope=account_scope, row=row, secret=secret, warnings=[])


async def _replay(context: RequestContext, account_scope: AccountScope, row: WebhookRow) -> Response:
    """Between two times in the viewer's zone, or else the last hours or days."""
    since, until = form_values.moment(context, "from"), form_values.moment(context, "to")
    span = context.field("span")
    if since is None:
        since = context.now - SPANS[span if span in SPANS else "24h"][1]
    async with context.changing() as transaction:
        replayed = await replay_events(
            transaction,
            row,
            dialect=_wording(context).number,
            since=since,
            until=until or context.now,
            types=row.types,
        )
    notice = context.language.translate_plural(
        "One event will be pushed again.", "{n} events will be pushed again.", replayed.queued
    )
    if replayed.last_id is not None:
        notice += " " + context.translate("The time span has more: replay a later part of it as well.")
    return context.redirect(_path(account_scope, row), notice)


async def _replay_event(context: RequestContext, account_scope: AccountScope, row: WebhookRow) -> Response:
    missing = context.translate("The event is no longer kept.")
    event_id = form_values.row_id(context, "event", missing)
    event = await statements.events.event_find(context.database, account_id=row.account_id, event_id=event_id)
    if event is None:
        raise errors.InvalidInput(missing)
    async with context.changing() as transaction:
        await replay_event(transaction, row, dialect=_wording(context).number, event_id=event.event_id, type=event.type)
    return context.redirect(_path(account_scope, row), context.translate("The event will be pushed again."))


def _wording(context: RequestContext) -> Dialect:
    wording = context.console_state.dialects.of_events
    if wording is None:
        raise PageNotFound
    return wording


assert set(TYPE_LABELS) == set(EVENT_TYPES), "each type can be chosen"

SECTION = PageSection(
    (*for_both("webhooks", show, create), *for_both("webhooks/one", show_item, change_item)),
    (NavigationEntry("/webhooks", N_("Webhooks"), NavigationGroup.SETUP, "push", CUSTOMERS),),
)
