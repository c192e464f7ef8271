"""Cost per verified person, and the shares that customers count themselves."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response

from homing import errors
from homing.common.workbook import WORKBOOK_TYPE
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import EVERYBODY, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.request_context import PageNotFound, RequestContext
from homing.model import GENERAL
from homing.statistics.verified import GROUPINGS, VerifiedLine, read_verified
from homing.statistics.verified_export import verified_csv, verified_workbook
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
NOTHING: Final = VerifiedLine("", 0, 0, 0, 0)
LINES_MAX: Final = 20
REPORTS_MAX: Final = 20


class VerifiedFigures(msgspec.Struct, frozen=True):
    """What the query asks for. `scope`: the account; None for all. `tables`: by grouping, "" for the total."""

    span: str
    account: str
    scope: int | None
    filter_error: str
    tables: dict[str, Sequence[VerifiedLine]]


async def _read(context: RequestContext) -> VerifiedFigures:
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
        if by == "carrier" and not _shows_cost(context):
            continue
        make = partial(read_verified, database, by, since, scope)
        tables[by] = await slow.get(("verified", by, span, scope), make)
    return VerifiedFigures(span, account if context.scope is None else "", scope, filter_error, tables)


def _shows_cost(context: RequestContext) -> bool:
    """Carriers and what they cost are the operator's."""
    return context.scope is None


async def show(context: RequestContext) -> Response:
    figures, database = await _read(context), context.database
    tables, scope = figures.tables, figures.scope
    reports = await context.console_state.live.slow_cache.get(
        ("reported_rates", scope),
        lambda: statements.verified.reported_rates(database, account_id=scope, rows_max=REPORTS_MAX),
    )
    return context.page(
        "verified.html",
        spans=[(key, label) for key, (label, _length) in SPANS.items()],
        span=figures.span,
        account=figures.account,
        filter_error=figures.filter_error,
        shows_cost=_shows_cost(context),
        total=next(iter(tables.pop("")), NOTHING),
        tables=[(by, LABELS[by], lines[:LINES_MAX], max(0, len(lines) - LINES_MAX)) for by, lines in tables.items()],
        reports=reports,
    )


async def download_csv(context: RequestContext) -> Response:
    """One grouping's lines, all of them. Raises `PageNotFound` for a grouping that the viewer has not."""
    figures, by = await _read(context), context.query_value("by")
    if by not in figures.tables:
        raise PageNotFound
    text = verified_csv(by, figures.tables[by], shows_cost=_shows_cost(context))
    return _file(context, figures, text.encode(), "csv", "text/csv; charset=utf-8", by or "total")


async def download_workbook(context: RequestContext) -> Response:
    figures = await _read(context)
    content = verified_workbook(figures.tables, shows_cost=_shows_cost(context))
    return _file(context, figures, content, "xlsx", WORKBOOK_TYPE)


def _file(
    context: RequestContext, figures: VerifiedFigures, content: bytes, suffix: str, kind: str, part: str = ""
) -> Response:
    pieces = ("homing-verified", part, figures.span, f"{context.now:%Y-%m-%d}")
    name = "-".join(piece for piece in pieces if piece)
    headers = {"content-disposition": f'attachment; filename="{name}.{suffix}"'}
    return context.finish(Response(content, media_type=kind, headers=headers))


SECTION = PageSection(
    (
        Page("/verified", show, seen_by=EVERYBODY),
        Page("/verified.csv", download_csv, seen_by=EVERYBODY),
        Page("/verified.xlsx", download_workbook, seen_by=EVERYBODY),
    ),
    (NavigationEntry("/verified", N_("Cost per verified"), NavigationGroup.WATCH, "money", EVERYBODY),),
)
