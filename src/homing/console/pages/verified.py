"""Cost per verified person, and the shares that customers count themselves."""

from datetime import timedelta
from functools import partial
from typing import Final

from starlette.responses import Response

from homing import errors
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.model import GENERAL
from homing.statistics.verified import GROUPINGS, VerifiedLine, read_verified
from homing.store import statements

SPANS: Final = {
    "24h": (N_("24 hours"), timedelta(hours=24)),
    "7d": (N_("7 days"), timedelta(days=7)),
    "30d": (N_("30 days"), timedelta(days=30)),
}
LABELS: Final = {
    "country": N_("By country"),
    "network": N_("By network"),
    "carrier": N_("By carrier"),
    "app": N_("By app"),
}
NOTHING: Final = VerifiedLine("", 0, 0, 0)
LINES_MAX: Final = 20
REPORTS_MAX: Final = 20


async def show(context: RequestContext) -> Response:
    """A customer sees the own account and no carriers, whatever the query says."""
    span = context.query_value("span")
    span = span if span in SPANS else "7d"
    account, scope, filter_error = context.query_value("account"), context.scope, ""
    if scope is None and account:
        try:
            scope = await form_values.account_id(context, account)
        except errors.InvalidInput as error:
            filter_error, scope = context.sentence(error), GENERAL  # matches no account
    since, slow, database = context.now - SPANS[span][1], context.console_state.live.slow_cache, context.database
    tables = {}
    for by in ("", *GROUPINGS):
        if by == "carrier" and context.scope is not None:
            continue
        make = partial(read_verified, database, by, since, scope)
        tables[by] = await slow.get(("verified", by, span, scope), make)
    reports = await slow.get(
        ("reported_rates", scope),
        lambda: statements.verified.reported_rates(database, account_id=scope, rows_max=REPORTS_MAX),
    )
    return context.page(
        "verified.html",
        spans=[(key, label) for key, (label, _length) in SPANS.items()],
        span=span,
        account=account if context.scope is None else "",
        filter_error=filter_error,
        total=next(iter(tables.pop("")), NOTHING),
        tables=[(by, LABELS[by], lines[:LINES_MAX], max(0, len(lines) - LINES_MAX)) for by, lines in tables.items()],
        reports=reports,
    )


SECTION = PageSection(
    (Page("/verified", show, seen_by=EVERYBODY),),
    (NavigationEntry("/verified", N_("Cost per verified"), NavigationGroup.WATCH, "money", EVERYBODY),),
)
