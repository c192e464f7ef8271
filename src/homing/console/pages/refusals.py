"""Refused calls: which, with what code and why. A customer sees the own account's."""

from datetime import timedelta
from typing import Final

import msgspec
from starlette.responses import Response

from homing import errors, limits
from homing.accounts.refusal_search import FoundRefusals, RefusalFilter, count_refusals, find_refusals
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import RequestContext
from homing.i18n.reasons import CALL_TITLES
from homing.reasons import decode_reason

SPANS: Final = {
    "1h": (N_("Last hour"), timedelta(hours=1)),
    "24h": (N_("24 hours"), timedelta(hours=24)),
    "7d": (N_("7 days"), timedelta(days=7)),
    "14d": (N_("14 days"), timedelta(days=limits.REFUSED_CALL_DAYS)),
}
SPAN_DEFAULT: Final = "24h"


async def show(context: RequestContext) -> Response:
    span = context.query_value("span")
    span = span if span in SPANS else SPAN_DEFAULT
    since = context.now - SPANS[span][1]
    filter_error, result, counts = "", FoundRefusals([], None), []
    try:
        wanted = await _filter(context)
    except errors.InvalidInput as error:
        filter_error = context.sentence(error)
    else:
        cache = context.console_state.live.cache
        listed = msgspec.structs.replace(wanted, since=since)
        result = await cache.get(
            ("refusals", wanted, span), lambda: find_refusals(context.database, listed, limits.CONSOLE_PAGE_ROWS + 1)
        )
        counted = msgspec.structs.replace(wanted, before_id=0)
        counts = list(
            await cache.get(("refusal_counts", counted, span), lambda: count_refusals(context.database, wanted, since))
        )
    page = page_of(result.rows, lambda row: row.refused_call_id)
    return context.page(
        "refusals.html",
        rows=page.rows,
        older_key=page.older,
        stopped_id=result.stopped_id,
        counts=counts,
        filter_error=filter_error,
        spans=[(key, context.translate(label)) for key, (label, _length) in SPANS.items()],
        span=span,
        dialects=[(dialect.name, dialect.title) for dialect in context.console_state.dialects],
        code_of=lambda row: decode_reason(row.reason).code,
        reason_codes=[code.value for code in CALL_TITLES],
        is_filtered=any(context.query_value(name) for name in ("account", "dialect", "reason", "unknown", "span")),
        days=limits.REFUSED_CALL_DAYS,
        sum_days=limits.REFUSED_CALL_SUM_DAYS,
    )


async def _filter(context: RequestContext) -> RefusalFilter:
    """A customer's is of the own account, whatever the query says. Raises `InvalidInput` for an unknown account."""
    account, account_id, is_unknown = context.query_value("account"), context.scope, False
    if context.scope is None:
        is_unknown = bool(context.query_value("unknown"))
        if account and not is_unknown:
            account_id = await form_values.account_id(context, account)
    wanted = RefusalFilter(
        account_id=account_id,
        is_unknown=is_unknown,
        dialect=context.query_value("dialect") or None,
        reason_code=context.query_value("reason") or None,
    )
    before_id = context.query_id("before")
    return wanted if before_id is None else msgspec.structs.replace(wanted, before_id=before_id)


SECTION = PageSection(
    (Page("/refusals", show, seen_by=EVERYBODY),),
    (NavigationEntry("/refusals", N_("Refused calls"), NavigationGroup.TRAFFIC, "warn", EVERYBODY),),
)
