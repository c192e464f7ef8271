"""Routes: the rules, the test of a number against them, and the learned shares."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import msgspec
from starlette.responses import Response

from homing import errors
from homing.admin import carriers, routes
from homing.admin.account_settings import as_id
from homing.common import money
from homing.console import form_values
from homing.console.languages import N_
from homing.console.navigation import STAFF, NavigationEntry, NavigationGroup
from homing.console.page import Page, PageSection
from homing.console.paging import page_of
from homing.console.request_context import PageNotFound, RequestContext
from homing.model import GENERAL, Strategy, Traffic
from homing.routing.catalogue_cache import objective_of
from homing.routing.explain import RouteExplanation, candidate_evidence, explain
from homing.routing.rules import ANY_TRAFFIC, RouteScope
from homing.store import statements
from homing.store.statements.admin import CarrierRow, LockedRoute, RouteListRow
from homing.text.numbers import first_digits, normalise

ROWS_MAX: Final = 500
ROUTE_ID_DIGITS_MAX: Final = 9  # a column of 32 bits
"""Routes that are shown at once; a filter finds the others."""
LEARNT_ROWS: Final = 20
STRATEGIES: Final = {
    Strategy.PRIORITY: N_("By priority"),
    Strategy.WEIGHTED: N_("By weight"),
    Strategy.LEAST_COST: N_("Least cost"),
    Strategy.ADAPTIVE: N_("Adaptive"),
}
TRAFFICS: Final = {Traffic.TRANSACTIONAL: N_("OTP and notifications"), Traffic.PROMOTIONAL: N_("Marketing")}
LABELS: Final[Mapping[str, Any]] = {"strategies": STRATEGIES, "traffics": TRAFFICS, "any_traffic": ANY_TRAFFIC}
SOURCES: Final = {
    "conversions": N_("Conversions"),
    "repeats": N_("People asking again"),
    "receipts": N_("Receipts"),
    "prior": N_("No own data"),
}


async def show(context: RequestContext) -> Response:
    account, filter_error = context.query_value("account"), None
    try:
        scope = [GENERAL, await form_values.account_id(context, account)] if account else None
    except errors.InvalidInput as error:
        scope, filter_error = [GENERAL], context.sentence(error)
    rows = await statements.admin.route_list(context.database, account_ids=scope)
    carrier = context.query_value("carrier")
    if carrier:
        rows = [row for row in rows if row.carrier == carrier]
    return context.page(
        "routes.html",
        rules=_rules(rows[:ROWS_MAX]),
        more=max(0, len(rows) - ROWS_MAX),
        account=account,
        carrier=carrier,
        account_error=filter_error,
        carriers=await _carriers(context),
        **LABELS,
    )


def _rules(rows: Sequence[RouteListRow]) -> Sequence[tuple[RouteListRow, Sequence[RouteListRow]]]:
    """(a row for the common values, the rows) of each match, in the order of the rows."""
    grouped: dict[RouteScope, list[RouteListRow]] = {}
    for row in rows:
        grouped.setdefault(_match(row), []).append(row)
    return [(group[0], group) for group in grouped.values()]


def _match(row: RouteListRow | LockedRoute) -> RouteScope:
    return RouteScope(
        account_id=row.account_id,
        app_id=row.app_id,
        sender=row.sender,
        traffic=row.traffic,
        country=row.country,
        network=row.network,
        prefix=row.prefix,
    )


# --- adding, changing, removing -----------------------------------------------------------------------------------


async def show_new(context: RequestContext) -> Response:
    return context.page("route_new.html", carriers=await _carriers(context), **LABELS)


async def add(context: RequestContext) -> Response:
    carrier = await carriers.find_carrier(context.database, context.field("carrier"))
    traffic = context.field("traffic")
    match = RouteScope(
        await form_values.account_id(context, context.field("account")),
        context.field("app"),
        context.field("sender"),
        int(traffic) if traffic in {str(int(kind)) for kind in Traffic} else ANY_TRAFFIC,
        context.field("country").upper(),
        context.field("network").replace("-", ""),
        first_digits(context.field("prefix")).removeprefix("*"),
    )
    async with context.changing() as transaction:
        route = await routes.set_route(transaction, match, carrier_id=carrier.carrier_id, **_terms(context))
    notice = context.translate("Route {n} to carrier {carrier} added.", n=route.route_id, carrier=carrier.name)
    return context.redirect("/routes", notice)


async def show_item(context: RequestContext) -> Response:
    row = await _route(context)
    ceiling_micro = row.ceiling_micro
    return context.page(
        "route.html",
        route=row,
        ceiling_entered="" if ceiling_micro is None else money.trimmed(ceiling_micro),
        version=context.version(row),
        **LABELS,
    )


async def change(context: RequestContext) -> Response:
    row = await _route(context)
    async with context.changing() as transaction:
        locked = await statements.admin.route_lock(transaction, route_id=row.route_id)
        if locked is None:
            raise PageNotFound
        context.check_version(locked)
        if context.field("do") == "remove":
            await routes.remove_route(transaction, row.route_id)
            return context.redirect("/routes", context.translate("Route {n} removed.", n=row.route_id))
        terms = _terms(context)
        await routes.set_route(transaction, _match(row), carrier_id=row.carrier_id, **terms)
        if terms["ceiling_micro"] is None:
            await routes.forget_ceiling(transaction, _match(row))
    return context.redirect("/routes", context.translate("Route {n} saved.", n=row.route_id))


class _RouteTerms(TypedDict):
    priority: int | None
    weight: int | None
    strategy: Strategy | None
    ceiling_micro: int | None


def _terms(context: RequestContext) -> _RouteTerms:
    strategies = {str(int(strategy)): strategy for strategy in Strategy}
    return {
        "priority": form_values.whole(context, "priority"),
        "weight": form_values.whole(context, "weight"),
        "strategy": strategies.get(context.field("strategy")),
        "ceiling_micro": form_values.amount_if_any(context, "ceiling"),
    }


async def _route(context: RequestContext) -> LockedRoute:
    part = context.path_part("route_id")
    route_id = as_id(part) if len(part) <= ROUTE_ID_DIGITS_MAX else None
    async with context.database.transaction() as transaction:
        row = None if route_id is None else await statements.admin.route_lock(transaction, route_id=route_id)
    if row is None:
        raise PageNotFound
    return row


# --- the route tester ---------------------------------------------------------------------------------------------


async def show_explained(context: RequestContext) -> Response:
    """All parameters are in the URL, so that it can be sent to a colleague."""
    explanation, filter_error = None, None
    if context.query_value("number"):
        try:
            explanation = await _explained(context)
        except errors.InvalidInput as error:
            filter_error = context.sentence(error)
    names = {row.carrier_id: row.name for row in await _carriers(context)}
    return context.page(
        "route_explained.html",
        explanation=explanation,
        filter_error=filter_error,
        names=names,
        sources=SOURCES,
        **LABELS,
    )


async def _explained(context: RequestContext) -> RouteExplanation:
    number = normalise(context.query_value("number"))
    if number is None:
        raise errors.InvalidInput(
            context.translate("Enter the number in international format, such as +8613800138000.")
        )
    account_id = await form_values.account_id(context, context.query_value("account"))
    traffic = Traffic.PROMOTIONAL if context.query_value("traffic") == "1" else Traffic.TRANSACTIONAL
    return await explain(
        context.database,
        context.console_state.numbering,
        number,
        account_id=account_id,
        app_id=context.query_value("app"),
        sender=context.query_value("sender"),
        traffic=int(traffic),
    )


# --- learned shares -----------------------------------------------------------------------------------------------


async def show_learnt(context: RequestContext) -> Response:
    app = context.query_value("app")
    rows = await statements.learning.learn_shares_page(
        context.database, app_id=app or None, before_version=context.query_id("before"), rows_max=LEARNT_ROWS + 1
    )
    page = page_of(rows, lambda row: row.version, LEARNT_ROWS)
    terms = [
        {**msgspec.structs.asdict(row), "terms": objective_of(row)}
        for row in await statements.learning.learn_terms_named(context.database, rows_max=ROWS_MAX)
    ]
    return context.page(
        "routes_learnt.html",
        cells=[(row, list(candidate_evidence(row))) for row in page.rows],
        older_key=page.older,
        app=app,
        terms=terms,
        fakes=await statements.learning.learn_fakes(context.database),
        names={row.carrier_id: row.name for row in await _carriers(context)},
        sources=SOURCES,
    )


async def _carriers(context: RequestContext) -> Sequence[CarrierRow]:
    return await statements.admin.carrier_list(context.database)


SECTION = PageSection(
    (
        Page("/routes", show),
        Page("/routes/new", show_new, add),
        Page("/routes/explain", show_explained),
        Page("/routes/learnt", show_learnt),
        Page("/routes/{route_id}", show_item, change),
    ),
    (NavigationEntry("/routes", N_("Routes"), NavigationGroup.SETUP, "route", STAFF),),
)
