"""Pushes that customers did not acknowledge, and sending them again."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import PageNotFound, RequestContext
from homing.console.timeline_view import OUTCOME_LABELS, outcome_tone
from homing.delivery.pushes import PushSelection, count_given_up, read_pushes, replay_given_up, replay_push, replay_span
from homing.i18n.labels import PUSHES
from homing.model import PushKind
from homing.store.statements.pushes import PushRow

TABS: Final = (
    (PushSelection.GIVEN_UP, N_("Push failed")),
    (PushSelection.FAILING, N_("Retrying")),
    (PushSelection.RECENT, N_("All")),
)


async def show(context: RequestContext) -> Response:
    chosen = context.query_value("show")
    selection = next((selection for selection, _label in TABS if selection == chosen), PushSelection.GIVEN_UP)
    filter_error, account_id = "", context.scope
    try:
        account_id = await _account_id(context, context.query_value("account"))
    except PageNotFound:
        filter_error = context.translate("Account {account} does not exist.", account=context.query_value("account"))
    rows: Sequence[PushRow] = []
    if not filter_error:
        before_id = context.query_id("before")
        rows = await read_pushes(context.database, selection, account_id, before_id, limits.CONSOLE_PAGE_ROWS + 1)
    page = page_of(rows, lambda row: row.push_id)
    return context.page(
        "pushes.html",
        tabs=TABS,
        selection=selection,
        rows=[_push_row(context, row) for row in page.rows],
        older_key=page.older,
        account=context.query_value("account"),
        filter_error=filter_error,
        items_max=limits.PUSHES_REPLAYED_MAX,
    )


async def replay_item(context: RequestContext) -> Response:
    """From the list's buttons, and its form for a time span."""
    if context.field("do") == "span":
        return await _replay_span(context)
    push_id = form_values.row_id(context, "push", context.translate("The push does not exist."))
    async with context.changing() as transaction:
        await replay_push(transaction, push_id)
    return context.redirect(context.url, context.translate("The push will be sent again."))


async def _replay_span(context: RequestContext) -> Response:
    account = await context.account(context.field("account"))
    since, until = form_values.moment(context, "from"), form_values.moment(context, "to")
    if since is None:
        raise errors.InvalidInput(context.translate("Enter a start time."))
    async with context.changing() as transaction:
        count = await replay_span(
            transaction, account.account_id, since=since, until=until or context.now, only_failed=False
        )
    notice = context.language.translate_plural("One push will be sent again.", "{n} pushes will be sent again.", count)
    return context.redirect(f"/pushes?show=recent&account={account.name}", notice)


async def confirm(context: RequestContext) -> Response:
    """Shows how many pushes would be sent again."""
    account = context.field("account") or context.query_value("account")
    count, latest_id = await count_given_up(context.database, await _account_id(context, account))
    return context.page(
        "pushes_replay.html", account=account, count=count, latest_id=latest_id, items_max=limits.PUSHES_REPLAYED_MAX
    )


async def replay_all(context: RequestContext) -> Response:
    account = context.field("account")
    latest_id = form_values.row_id(context, "latest", context.translate("The push does not exist."))
    account_id = await _account_id(context, account)
    async with context.changing() as transaction:
        count = await replay_given_up(transaction, account_id, latest_id)
    notice = context.language.translate_plural("One push will be sent again.", "{n} pushes will be sent again.", count)
    return context.redirect(f"/pushes?account={account}" if account else "/pushes", notice)


async def _account_id(context: RequestContext, account: str) -> int | None:
    """Of a filter by a name or an id; a customer's is the own one."""
    if context.scope is not None or not account:
        return context.scope
    return (await context.account(account)).account_id


def _push_row(context: RequestContext, push: PushRow) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(push),
        "label": OUTCOME_LABELS[push.outcome],
        "tone": outcome_tone(push.outcome),
        "kind_label": context.translate_phrases(
            [PUSHES[push.kind](context.console_state.dialects.title_of(push.dialect))]
        ),
        "has_message": bool(push.message_id) and push.kind != PushKind.EVENT,
        "http_status": push.status if push.url else None,
        "is_failing": push.due_at is not None and push.answered_at is not None,
    }


SECTION = PageSection(
    (
        Page("/pushes", show, replay_item, seen_by=EVERYBODY, changed_by=STAFF),
        Page("/pushes/replay", confirm, replay_all, seen_by=STAFF, changed_by=STAFF),
    ),
    (NavigationEntry("/pushes", N_("Pushes"), NavigationGroup.TRAFFIC, "push", EVERYBODY),),
)
