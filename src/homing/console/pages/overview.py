"""The start page: current traffic, and items that need attention."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing.console import charts
from homing.console.alerts import AttentionItem, read_attention
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.request_context import RequestContext
from homing.model import PeriodGrain
from homing.statistics.overview import PeriodFigures, TrafficOverview, read_overview
from homing.statistics.verified import read_verified
from homing.store import statements
from homing.store.database import Database

LINES_MAX: Final = 8
"""Of countries and of carriers."""


class OverviewSpan(msgspec.Struct, frozen=True):
    """A time span and its division into periods."""

    key: str
    label: str
    grain: PeriodGrain
    periods: int


SPANS: Final = (
    OverviewSpan("1h", N_("Last hour"), PeriodGrain.MINUTE, 60),
    OverviewSpan("24h", N_("24 hours"), PeriodGrain.HOUR, 24),
    OverviewSpan("7d", N_("7 days"), PeriodGrain.HOUR, 7 * 24),
    OverviewSpan("30d", N_("30 days"), PeriodGrain.DAY, 30),
)


class SavingsByPeriod(msgspec.Struct, frozen=True):
    """Savings by the guard's refusals: charges by period (micro-units), and totals."""

    periods: Sequence[int]
    messages: int
    charge_micro: int


class OverviewFigures(msgspec.Struct, frozen=True):
    """A span's figures and their plots, which take as long as the rest of the page."""

    overview: TrafficOverview
    saved: SavingsByPeriod
    plots: Mapping[str, charts.Plot]
    labels: Sequence[str]


async def show(context: RequestContext) -> Response:
    span = next((span for span in SPANS if span.key == context.query_value("span")), SPANS[1])
    live, scope = context.console_state.live, context.scope
    figures = await live.cache.get(
        ("overview", span.key, scope, context.language.code, context.zone.key), lambda: _figures(context, span)
    )
    overview = figures.overview
    items = await live.slow_cache.get(
        ("attention", scope), lambda: read_attention(context.database, context.now, scope)
    )
    since = datetime.fromtimestamp(overview.first_minute * 60, UTC)
    verified = await live.slow_cache.get(
        ("verified_total", span.key, scope), lambda: read_verified(context.database, "", since, scope)
    )
    names = {row.carrier_id: row.name for row in await context.console_state.carriers()}
    return context.page(
        "overview.html",
        spans=SPANS,
        span=span,
        overview=overview,
        total=overview.total,
        saved=figures.saved,
        verified=next(iter(verified), None),
        items=[(item, _values(context, item)) for item in items],
        countries=_top(overview.countries),
        carriers=[(names.get(carrier_id, carrier_id), total) for carrier_id, total in _top(overview.carriers)],
        plots=figures.plots,
        labels=figures.labels,
        updated_at=context.now,
    )


async def _figures(context: RequestContext, span: OverviewSpan) -> OverviewFigures:
    live, scope, database, now = context.console_state.live, context.scope, context.database, context.now
    overview = await live.cache.get(
        ("figures", span.key, scope), lambda: read_overview(database, span.grain, span.periods, now, scope)
    )
    saved = await live.slow_cache.get(("saved", span.key, scope), lambda: _read_saved(database, overview, now, scope))
    return OverviewFigures(overview, saved, _plots(context, span, overview, saved), _labels(context, overview))


async def _read_saved(
    database: Database, overview: TrafficOverview, now: datetime, scope: int | None
) -> SavingsByPeriod:
    since = datetime.fromtimestamp(overview.first_minute * 60, UTC)
    rows = await statements.guard.guard_saved_over_time(
        database, grain=int(overview.grain), since=since, account_id=scope
    )
    by_period = {row.period * overview.grain: row.charge_micro for row in rows}
    return SavingsByPeriod(
        [by_period.get(minute, 0) for minute in _minutes(overview)],
        sum(row.messages for row in rows),
        sum(row.charge_micro for row in rows),
    )


def _minutes(overview: TrafficOverview) -> Sequence[int]:
    return [overview.first_minute + n * overview.grain for n in range(len(overview.periods))]


def _values(context: RequestContext, item: AttentionItem) -> Mapping[str, object]:
    return {
        name: context.formats.money(value)
        if name.endswith("_micro")
        else context.formats.number(value)
        if isinstance(value, int)
        else value
        for name, value in item.values.items()
    }


def _top(figures: Mapping[Any, PeriodFigures]) -> Sequence[tuple[Any, PeriodFigures]]:
    return list(figures.items())[:LINES_MAX]


def _labels(context: RequestContext, overview: TrafficOverview) -> Sequence[str]:
    """Under the time axis: its beginning, middle and end."""
    minutes = _minutes(overview)
    minutes_shown = [minutes[0], minutes[len(minutes) // 2], minutes[-1] + overview.grain]
    times = [datetime.fromtimestamp(minute * 60, UTC) for minute in minutes_shown]
    is_long = times[2] - times[0] > timedelta(days=2)
    return [context.formats.day(at) if is_long else context.formats.clock(at) for at in times]


def _plots(
    context: RequestContext, span: OverviewSpan, overview: TrafficOverview, saved: SavingsByPeriod
) -> Mapping[str, charts.Plot]:
    """Each period's title has its figures, shown under the pointer."""
    translate, formats = context.translate, context.formats
    periods = overview.periods
    times = [datetime.fromtimestamp(minute * 60, UTC) for minute in _minutes(overview)]
    whens = [_when(context, span, at) for at in times]
    messages = [
        f"{when}: "
        + translate(
            "{submitted} messages, {delivered} delivered, {undelivered} not delivered",
            submitted=formats.number(period.submitted),
            delivered=formats.number(period.delivered),
            undelivered=formats.number(period.undelivered),
        )
        for when, period in zip(whens, periods, strict=True)
    ]
    rates = [
        f"{when}: "
        + translate(
            "{delivered} delivered, {converted} converted",
            delivered=formats.percent(period.delivered_rate),
            converted=formats.percent(period.converted_rate),
        )
        for when, period in zip(whens, periods, strict=True)
    ]
    money = [
        f"{when}: "
        + translate(
            "{spent} charged, {saved} saved",
            spent=formats.money(period.revenue_micro),
            saved=formats.money(micro),
        )
        for when, period, micro in zip(whens, periods, saved.periods, strict=True)
    ]
    return {
        "messages": charts.stacked(
            messages,
            [
                charts.Series(translate("Delivered"), "good", [period.delivered for period in periods]),
                charts.Series(translate("Not delivered"), "bad", [period.undelivered for period in periods]),
                charts.Series(translate("In progress"), "wait", [period.under_way for period in periods]),
            ],
        ),
        "rates": charts.lines(
            rates,
            [
                charts.Series(translate("Delivered"), "good", [_share(each.delivered, each.sent) for each in periods]),
                charts.Series(translate("Converted"), "blue", [_share(each.converted, each.sent) for each in periods]),
            ],
            top=1.0,
        ),
        "money": charts.stacked(
            money,
            [
                charts.Series(translate("Charges"), "blue", [period.revenue_micro for period in periods]),
                charts.Series(translate("Saved by blocking"), "save", list(saved.periods)),
            ],
        ),
    }


def _when(context: RequestContext, span: OverviewSpan, at: datetime) -> str:
    day, clock = context.formats.day(at), context.formats.clock(at)
    if span.grain is PeriodGrain.DAY:
        return day
    return clock if span.periods * span.grain <= PeriodGrain.DAY else f"{day} {clock}"


def _share(part: int, whole: int) -> float | None:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else None


SECTION = PageSection(
    (Page("/", show, seen_by=EVERYBODY),),
    (NavigationEntry("/", N_("Overview"), NavigationGroup.WATCH, "overview", EVERYBODY),),
)
