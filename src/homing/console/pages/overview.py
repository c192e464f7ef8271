"""The start page: what happens now, and what wants attention."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.responses import Response

from homing.console import charts
from homing.console.alerts import AttentionItem, read_attention
from homing.console.languages import N_
from homing.console.page import EVERYBODY, NavigationEntry, NavigationGroup, Page, PageSection
from homing.console.request_context import RequestContext
from homing.model import PeriodGrain
from homing.statistics.overview import PeriodFigures, TrafficOverview, read_overview
from homing.store import statements
from homing.store.database import Database

LINES_MAX: Final = 8
"""Countries and carriers that have a line of their own."""


class OverviewSpan(msgspec.Struct, frozen=True):
    """How far back, and in which periods."""

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
    """What the guard's refusals saved: of each period, and in all."""

    periods: Sequence[int]
    messages: int
    charge_micro: int


class OverviewFigures(msgspec.Struct, frozen=True):
    """A span's figures and the plots of them, which take as long to draw as all the rest of the page."""

    overview: TrafficOverview
    saved: SavingsByPeriod
    plots: Mapping[str, charts.Plot]
    labels: Sequence[str]


async def show(context: RequestContext) -> Response:
    span = next((one for one in SPANS if one.key == context.asked("span")), SPANS[1])
    live, scope = context.shared.live, context.scope
    shown = await live.kept.get(
        ("overview", span.key, scope, context.language.code, context.zone.key), lambda: _shown(context, span)
    )
    overview = shown.overview
    matters = await live.kept_longer.get(
        ("attention", scope), lambda: read_attention(context.database, context.now, scope)
    )
    names = {row.carrier_id: row.name for row in await context.shared.carriers()}
    return context.page(
        "overview.html",
        spans=SPANS,
        span=span,
        overview=overview,
        total=overview.total,
        saved=shown.saved,
        matters=[(matter, _values(context, matter)) for matter in matters],
        countries=_top(overview.countries),
        carriers=[(names.get(carrier_id, carrier_id), one) for carrier_id, one in _top(overview.carriers)],
        plots=shown.plots,
        labels=shown.labels,
        updated_at=context.now,
    )


async def _shown(context: RequestContext, span: OverviewSpan) -> OverviewFigures:
    live, scope, database, now = context.shared.live, context.scope, context.database, context.now
    overview = await live.kept.get(
        ("figures", span.key, scope), lambda: read_overview(database, span.grain, span.periods, now, scope)
    )
    saved = await live.kept_longer.get(("saved", span.key, scope), lambda: _read_saved(database, overview, now, scope))
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


def _values(context: RequestContext, matter: AttentionItem) -> Mapping[str, object]:
    return {
        name: context.formats.money(value)
        if name.endswith("_micro")
        else context.formats.number(value)
        if isinstance(value, int)
        else value
        for name, value in matter.values.items()
    }


def _top(figures: Mapping[Any, PeriodFigures]) -> Sequence[tuple[Any, PeriodFigures]]:
    return list(figures.items())[:LINES_MAX]


def _labels(context: RequestContext, overview: TrafficOverview) -> Sequence[str]:
    """Under the time axis: its beginning, middle and end."""
    minutes = _minutes(overview)
    told = [minutes[0], minutes[len(minutes) // 2], minutes[-1] + overview.grain]
    times = [datetime.fromtimestamp(minute * 60, UTC) for minute in told]
    is_long = times[2] - times[0] > timedelta(days=2)
    return [context.formats.day(at) if is_long else context.formats.clock(at) for at in times]


def _plots(
    context: RequestContext, span: OverviewSpan, overview: TrafficOverview, saved: SavingsByPeriod
) -> Mapping[str, charts.Plot]:
    """Each period's title tells its figures, for who points at it."""
    say, shown = context.say, context.formats
    periods = overview.periods
    times = [datetime.fromtimestamp(minute * 60, UTC) for minute in _minutes(overview)]
    whens = [_when(context, span, at) for at in times]
    messages = [
        f"{when}: "
        + say(
            "{submitted} messages, {delivered} delivered, {undelivered} not delivered",
            submitted=shown.number(one.submitted),
            delivered=shown.number(one.delivered),
            undelivered=shown.number(one.undelivered),
        )
        for when, one in zip(whens, periods, strict=True)
    ]
    rates = [
        f"{when}: "
        + say(
            "{delivered} delivered, {converted} converted",
            delivered=shown.percent(one.delivered_rate),
            converted=shown.percent(one.converted_rate),
        )
        for when, one in zip(whens, periods, strict=True)
    ]
    money = [
        f"{when}: "
        + say("{spent} charged, {saved} saved", spent=shown.money(one.revenue_micro), saved=shown.money(kept))
        for when, one, kept in zip(whens, periods, saved.periods, strict=True)
    ]
    return {
        "messages": charts.stacked(
            messages,
            [
                charts.Series(say("Delivered"), "good", [one.delivered for one in periods]),
                charts.Series(say("Not delivered"), "bad", [one.undelivered for one in periods]),
                charts.Series(say("In progress"), "wait", [one.under_way for one in periods]),
            ],
        ),
        "rates": charts.lines(
            rates,
            [
                charts.Series(say("Delivered"), "good", [_share(one.delivered, one.sent) for one in periods]),
                charts.Series(say("Converted"), "blue", [_share(one.converted, one.sent) for one in periods]),
            ],
            top=1.0,
        ),
        "money": charts.stacked(
            money,
            [
                charts.Series(say("Charges"), "blue", [one.revenue_micro for one in periods]),
                charts.Series(say("Saved by blocking"), "save", list(saved.periods)),
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
