"""Conversions: how many messages were sent, delivered, and brought their people back."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from homing import errors
from homing.console import form_values
from homing.console.languages import N_
from homing.console.page import EVERYBODY, NavigationEntry, NavigationGroup, Page, PageSection
from homing.console.pages.overview import OverviewSpan
from homing.console.request_context import RequestContext
from homing.model import GENERAL, PeriodGrain
from homing.statistics.app_reporting import AppReportingFigures, read_reporting
from homing.statistics.funnel import Funnel, FunnelStep, read_funnel

LINES_MAX: Final = 20
"""Of each kind."""
SPANS: Final = (
    OverviewSpan("24h", N_("24 hours"), PeriodGrain.HOUR, 24),
    OverviewSpan("7d", N_("7 days"), PeriodGrain.DAY, 7),
    OverviewSpan("30d", N_("30 days"), PeriodGrain.DAY, 30),
)


async def show(context: RequestContext) -> Response:
    """A customer sees the own account and no carriers, whatever is asked for."""
    span = next((one for one in SPANS if one.key == context.asked("span")), SPANS[1])
    account, scope, trouble = context.asked("account"), context.scope, None
    if scope is None and account:
        try:
            scope = await form_values.account_id(context, account)
        except errors.InvalidInput as error:
            trouble, scope = context.word(error), GENERAL  # nobody's
    database, now, slow = context.database, context.now, context.shared.live.kept_longer
    funnel = await slow.get(
        ("funnel", span.key, scope), lambda: read_funnel(database, span.grain, span.periods, now, scope)
    )
    apps = [one.key for one in funnel.by["app"][:LINES_MAX]]
    reporting = await slow.get(("reporting", tuple(apps), scope), lambda: read_reporting(database, apps, now, scope))
    sees_carriers = context.scope is None
    names = {}
    if sees_carriers:
        names = {str(row.carrier_id): row.name for row in await context.shared.carriers()}
    return context.page(
        "conversions.html",
        spans=SPANS,
        span=span,
        account=account if context.scope is None else "",
        wrong=trouble,
        total=funnel.total,
        countries=_lines(funnel, "country"),
        networks=_lines(funnel, "network"),
        carriers=_lines(funnel, "carrier") if sees_carriers else [],
        apps=[(one, reporting.get(one.key)) for one in _lines(funnel, "app")],
        more={by: max(0, len(found) - LINES_MAX) for by, found in funnel.by.items()},
        names=names,
        expects=_expects,
    )


def _lines(funnel: Funnel, by: str) -> Sequence[FunnelStep]:
    return funnel.by[by][:LINES_MAX]


def _expects(found: AppReportingFigures | None) -> tuple[str, str]:
    """The tone and the word of whether an app's messages are to lead to conversions."""
    if found is None:
        return "", ""
    if found.declared is not None:
        return ("good", N_("declared: yes")) if found.declared else ("", N_("declared: no"))
    if found.shown is None:
        return "", N_("not enough traffic")
    return ("good", N_("detected: yes")) if found.shown else ("warn", N_("detected: no"))


SECTION = PageSection(
    (Page("/conversions", show, seen_by=EVERYBODY),),
    (NavigationEntry("/conversions", N_("Conversions"), NavigationGroup.WATCH, "funnel", EVERYBODY),),
)
