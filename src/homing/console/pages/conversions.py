"""Conversions: how many messages were sent, delivered and converted."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from homing import errors
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
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
    """A customer sees the own account and no carriers, whatever the query says."""
    span = next((span for span in SPANS if span.key == context.query_value("span")), SPANS[1])
    account, scope, filter_error = context.query_value("account"), context.scope, None
    if scope is None and account:
        try:
            scope = await form_values.account_id(context, account)
        except errors.InvalidInput as error:
            filter_error, scope = context.sentence(error), GENERAL  # matches no account
    database, now, slow = context.database, context.now, context.console_state.live.slow_cache
    funnel = await slow.get(
        ("funnel", span.key, scope), lambda: read_funnel(database, span.grain, span.periods, now, scope)
    )
    apps = [step.key for step in funnel.by["app"][:LINES_MAX]]
    reporting = await slow.get(("reporting", tuple(apps), scope), lambda: read_reporting(database, apps, now, scope))
    sees_carriers = context.scope is None
    names = {}
    if sees_carriers:
        names = {str(row.carrier_id): row.name for row in await context.console_state.carriers()}
    return context.page(
        "conversions.html",
        spans=SPANS,
        span=span,
        account=account if context.scope is None else "",
        filter_error=filter_error,
        total=funnel.total,
        countries=_lines(funnel, "country"),
        networks=_lines(funnel, "network"),
        carriers=_lines(funnel, "carrier") if sees_carriers else [],
        apps=[(step, reporting.get(step.key)) for step in _lines(funnel, "app")],
        more={by: max(0, len(figures) - LINES_MAX) for by, figures in funnel.by.items()},
        names=names,
        expects=_expects,
    )


def _lines(funnel: Funnel, by: str) -> Sequence[FunnelStep]:
    return funnel.by[by][:LINES_MAX]


def _expects(figures: AppReportingFigures | None) -> tuple[str, str]:
    """Tone and label: whether conversions are expected of an app's messages."""
    if figures is None:
        return "", ""
    if figures.declared is not None:
        return ("good", N_("declared: yes")) if figures.declared else ("", N_("declared: no"))
    if figures.shown is None:
        return "", N_("not enough traffic")
    return ("good", N_("detected: yes")) if figures.shown else ("warn", N_("detected: no"))


SECTION = PageSection(
    (Page("/conversions", show, seen_by=EVERYBODY),),
    (NavigationEntry("/conversions", N_("Conversions"), NavigationGroup.WATCH, "funnel", EVERYBODY),),
)
