"""Routes: which numbers go by which carrier, what would become of one number, and what the learner believes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from homing import errors
from homing.accounts import catalogue
from homing.accounts.admin import as_id
from homing.console import entered
from homing.console.page import STAFF, Entry, Group, Page, Section
from homing.console.paging import page_of
from homing.console.visit import NotFoundHere, Visit
from homing.console.words import N_
from homing.kit import money
from homing.model import GENERAL, Strategy, Traffic
from homing.routing.board import terms_of
from homing.routing.explain import Explanation, candidates, explain
from homing.routing.rules import ANY_TRAFFIC, Match
from homing.store.database import Record
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
TRAFFICS: Final = {Traffic.TRANSACTIONAL: N_("Codes"), Traffic.PROMOTIONAL: N_("Campaigns")}
WORDS: Final[Mapping[str, Any]] = {"strategies": STRATEGIES, "traffics": TRAFFICS, "any_traffic": ANY_TRAFFIC}
SOURCES: Final = {
    "conversions": N_("Conversions"),
    "receipts": N_("Receipts"),
    "prior": N_("Nothing of its own"),
}


async def show(visit: Visit) -> Response:
    account, trouble = visit.asked("account"), None
    try:
        scope = [GENERAL, await entered.account_id(visit, account)] if account else None
    except errors.OperatorError as error:
        scope, trouble = [GENERAL], visit.word(error)
    rows = await visit.database.fetch("route_list", scope)
    carrier = visit.asked("carrier")
    if carrier:
        rows = [row for row in rows if row["carrier"] == carrier]
    return visit.page(
        "routes.html",
        rules=_rules(rows[:ROWS_MAX]),
        more=max(0, len(rows) - ROWS_MAX),
        account=account,
        carrier=carrier,
        account_trouble=trouble,
        carriers=await _carriers(visit),
        **WORDS,
    )


def _rules(rows: Sequence[Record]) -> Sequence[tuple[Record, Sequence[Record]]]:
    """(one row for what its rows share, the rows) of each match, in the order of the rows."""
    grouped: dict[Match, list[Record]] = {}
    for row in rows:
        grouped.setdefault(_match(row), []).append(row)
    return [(found[0], found) for found in grouped.values()]


def _match(row: Mapping[str, Any]) -> Match:
    names = ("account_id", "app_id", "sender", "traffic", "country", "network", "prefix")
    return Match(*(row[name] for name in names))


# --- adding, changing, removing -----------------------------------------------------------------------------------


async def show_new(visit: Visit) -> Response:
    return visit.page("route_new.html", carriers=await _carriers(visit), **WORDS)


async def add(visit: Visit) -> Response:
    carrier = await catalogue.find_carrier(visit.database, visit.field("carrier"))
    traffic = visit.field("traffic")
    match = Match(
        await entered.account_id(visit, visit.field("account")),
        visit.field("app"),
        visit.field("sender"),
        int(traffic) if traffic in {str(int(one)) for one in Traffic} else ANY_TRAFFIC,
        visit.field("country").upper(),
        visit.field("network").replace("-", ""),
        first_digits(visit.field("prefix")).removeprefix("*"),
    )
    async with visit.changing() as transaction:
        made = await catalogue.set_route(transaction, match, carrier["carrier_id"], *_terms(visit))
    said = visit.say("Route {n} leads to {carrier}.", n=made["route_id"], carrier=carrier["name"])
    return visit.go("/routes", said)


async def show_one(visit: Visit) -> Response:
    row = await _route(visit)
    ceiling_micro = row["ceiling_micro"]
    return visit.page(
        "route.html",
        route=row,
        ceiling_entered="" if ceiling_micro is None else money.trimmed(ceiling_micro),
        version=visit.version(row),
        **WORDS,
    )


async def change(visit: Visit) -> Response:
    row = await _route(visit)
    async with visit.changing() as transaction:
        locked = await transaction.row("route_lock", row["route_id"])
        if locked is None:
            raise NotFoundHere
        visit.check_version(locked)
        if visit.field("do") == "remove":
            await catalogue.remove_route(transaction, row["route_id"])
            return visit.go("/routes", visit.say("Route {n} is removed.", n=row["route_id"]))
        priority, weight, strategy, ceiling_micro = _terms(visit)
        await catalogue.set_route(
            transaction, _match(row), row["carrier_id"], priority, weight, strategy, ceiling_micro
        )
        if ceiling_micro is None:
            await catalogue.forget_ceiling(transaction, _match(row))
    return visit.go("/routes", visit.say("Route {n} is changed.", n=row["route_id"]))


def _terms(visit: Visit) -> tuple[int | None, int | None, Strategy | None, int | None]:
    """Priority, weight, strategy and ceiling as entered."""
    strategy = visit.field("strategy")
    known = {str(int(one)): one for one in Strategy}
    return (
        entered.whole(visit, "priority"),
        entered.whole(visit, "weight"),
        known.get(strategy),
        entered.amount_if_any(visit, "ceiling"),
    )


async def _route(visit: Visit) -> Record:
    part = visit.part("route_id")
    route_id = as_id(part) if len(part) <= ROUTE_ID_DIGITS_MAX else None
    async with visit.database.transaction() as transaction:
        row = None if route_id is None else await transaction.row("route_lock", route_id)
    if row is None:
        raise NotFoundHere
    return row


# --- what would become of a number --------------------------------------------------------------------------------


async def show_explained(visit: Visit) -> Response:
    """Everything is in the address, so that it can be sent to a colleague."""
    found, trouble = None, None
    if visit.asked("number"):
        try:
            found = await _explained(visit)
        except errors.OperatorError as error:
            trouble = visit.word(error)
    names = {row["carrier_id"]: row["name"] for row in await _carriers(visit)}
    return visit.page("route_explained.html", found=found, wrong=trouble, names=names, sources=SOURCES, **WORDS)


async def _explained(visit: Visit) -> Explanation:
    number = normalise(visit.asked("number"))
    if number is None:
        raise errors.OperatorError(visit.say("A number is written in international form, such as +8613800138000."))
    account_id = await entered.account_id(visit, visit.asked("account"))
    traffic = Traffic.PROMOTIONAL if visit.asked("traffic") == "1" else Traffic.TRANSACTIONAL
    return await explain(
        visit.database,
        visit.shared.numbering,
        number,
        account_id,
        visit.asked("app"),
        visit.asked("sender"),
        int(traffic),
    )


# --- what is believed ---------------------------------------------------------------------------------------------


async def show_learnt(visit: Visit) -> Response:
    app = visit.asked("app")
    rows = await visit.database.fetch("learn_shares_page", app or None, visit.asked_id("before"), LEARNT_ROWS + 1)
    shown = page_of(rows, "version", LEARNT_ROWS)
    terms = [{**row, "terms": terms_of(row)} for row in await visit.database.fetch("learn_terms_named", ROWS_MAX)]
    return visit.page(
        "routes_learnt.html",
        cells=[(row, list(candidates(row))) for row in shown.rows],
        older_key=shown.older,
        app=app,
        terms=terms,
        fakes=await visit.database.fetch("learn_fakes"),
        names={row["carrier_id"]: row["name"] for row in await _carriers(visit)},
        sources=SOURCES,
    )


async def _carriers(visit: Visit) -> Sequence[Record]:
    return await visit.database.fetch("carrier_list")


SECTION = Section(
    (
        Page("/routes", show),
        Page("/routes/new", show_new, add),
        Page("/routes/explain", show_explained),
        Page("/routes/learnt", show_learnt),
        Page("/routes/{route_id}", show_one, change),
    ),
    (Entry("/routes", N_("Routes"), Group.SETUP, "route", STAFF),),
)
