"""`homing route`."""

import re
from collections.abc import Mapping
from typing import Any

import click
import msgspec

from homing.admin import carriers, routes
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.learn import CANDIDATES as CANDIDATES_LEARNT
from homing.cli.learn import carrier_names, with_name
from homing.cli.parameters import AMOUNT, NUMBER, PREFIX, WholeNumberType, account_option
from homing.cli.show import (
    COUNT,
    MONEY,
    PROSE,
    REASON,
    SCOPE,
    YES,
    Column,
    ColumnKind,
    Confirmation,
    Detail,
    Reply,
    Table,
)
from homing.cli.show import PREFIX as PREFIX_KIND
from homing.common import money
from homing.i18n.reasons import reason_text
from homing.model import GENERAL, Strategy, Traffic
from homing.reasons import Reason, ReasonCode, encode_reason
from homing.routing.explain import CandidateStatus
from homing.routing.explain import explain as explain_route
from homing.routing.rules import ANY_TRAFFIC, RouteRule, RouteScope
from homing.store import statements
from homing.text.numbers import UNKNOWN, Numbering, dashed

TRAFFIC = ColumnKind(
    text=lambda value: "both" if value == ANY_TRAFFIC else Traffic(value).name.lower(),
    json=lambda value: None if value == ANY_TRAFFIC else Traffic(value).name.lower(),
)
STRATEGY = ColumnKind(
    text=lambda value: Strategy(value).name.lower().replace("_", " "), json=lambda value: Strategy(value).name.lower()
)
CEILING = ColumnKind(MONEY.text, MONEY.json, absent="the customer price", right=True)
STRATEGIES = {strategy.name.lower().replace("_", "-"): strategy for strategy in Strategy}
TRAFFICS = {traffic.name.lower(): int(traffic) for traffic in Traffic}

ROUTES = (
    Column("route_id", "ID", COUNT),
    Column("whose", "For", PROSE),
    Column("place", "To"),
    Column("account", "Account", SCOPE, programs_only=True),
    Column("app_id", "App", programs_only=True),
    Column("sender", "Sender ID", programs_only=True),
    Column("traffic", "Traffic", TRAFFIC, programs_only=True),
    Column("prefix", "Prefix", PREFIX_KIND, programs_only=True),
    Column("country", "Country", programs_only=True),
    Column("network", "Network", programs_only=True),
    Column("carrier", "Carrier"),
    Column("priority", "Priority", COUNT),
    Column("weight", "Weight", COUNT),
    Column("strategy", "Strategy", STRATEGY),
    Column("ceiling_micro", "Cost limit", CEILING),
    Column("enabled", "Enabled", YES),
)
CANDIDATES = (
    Column("order", "Order", COUNT),
    Column("carrier", "Carrier"),
    Column("route_id", "Route", COUNT),
    Column("priority", "Priority", COUNT),
    Column("weight", "Weight", COUNT),
    Column("cost_micro", "Cost per segment", MONEY),
    Column("verdict", "Reason", PROSE),
    Column("reason", kind=REASON, programs_only=True),
)
EXPLAINED = (
    Column("number", "Number"),
    Column("country", "Country", ColumnKind(absent="unknown")),
    Column("network", "Network", ColumnKind(absent="unknown")),
    Column("price_micro", "Price per segment", ColumnKind(MONEY.text, MONEY.json, absent="none: rejected")),
    Column("rule", "Rule", ColumnKind(absent="none: rejected")),
    Column("reason", "Shares", REASON),
    Column("is_refused", programs_only=True),
)


@click.group(cls=CommandGroup)
def route() -> None:
    """Routes: which carrier is used for which messages.

    The most specific matching rule applies: app before account, account before sender ID, sender ID before traffic
    class; and network before prefix (the longest), prefix before country. Within the rule, the strategy ranks the
    carriers: by priority (equal priorities share by weight), weighted, least cost, or adaptive (shares learned from
    conversions, see `homing learn`). A carrier that is down comes last. One that costs more than the cost limit (by
    default the customer price) is not used.

    \b
    Example:  homing route set fast --prefix 86 --priority 1
              homing route set cheap --prefix 86 --priority 2
              homing route explain 8613800138000
    """


def _network(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"[0-9]{3}-?[0-9]{2,3}", value, re.ASCII):
        raise click.BadParameter("MCC and MNC, for example 460-01")
    return value.replace("-", "")


def _country(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z]{2}", value, re.ASCII):
        raise click.BadParameter("two letters, for example CN")
    return value.upper()


@route.command("set")
@click.argument("carrier")
@click.option("--prefix", type=PREFIX, default="", help="Leading digits of the numbers.  [default: all numbers]")
@click.option("--country", default="", callback=_country, help="Instead of a prefix: ISO 3166 code, two letters.")
@click.option("--network", default="", callback=_network, help="Instead of a prefix: MCC-MNC, such as 460-01.")
@account_option
@click.option("--app", "app_id", default="", help="Only for messages of this app (ID).")
@click.option("--sender", default="", help="Only for messages from this sender ID.")
@click.option("--traffic", type=click.Choice(list(TRAFFICS)), help="Only for this traffic class.")
@click.option("--priority", type=WholeNumberType(0, 1_000_000), help="Lowest first.  [default: 10]")
@click.option("--weight", type=WholeNumberType(1, 1_000_000), help="Share within the same priority.  [default: 1]")
@click.option("--strategy", type=click.Choice(list(STRATEGIES)), help="How the rule's carriers are ranked.")
@click.option("--ceiling", type=AMOUNT, help="Maximum cost per segment.  [default: the customer price]")
@click.option("--no-ceiling", is_flag=True, help="Reset the cost limit to the customer price.")
@in_context
async def change(
    context: CommandContext,
    carrier: str,
    prefix: str,
    country: str,
    network: str,
    account: str | None,
    app_id: str,
    sender: str,
    traffic: str | None,
    priority: int | None,
    weight: int | None,
    strategy: str | None,
    ceiling: int | None,
    no_ceiling: bool,
) -> Reply:
    """Add or change a route to a carrier (name or ID).

    An existing route with the same match and carrier is changed. The strategy and the cost limit apply to all routes
    with the same match.

    \b
    Example:  homing route set fast --prefix 86 --account acme
              homing route set cheap --country CN --traffic promotional --strategy least-cost
    """
    row = await carriers.find_carrier(context.database, carrier)
    account_id = await context.scope(account)
    match = RouteScope(
        account_id, app_id, sender, TRAFFICS[traffic] if traffic else ANY_TRAFFIC, country, network, prefix
    )
    route = await routes.set_route(
        context.database,
        match,
        carrier_id=row.carrier_id,
        priority=priority,
        weight=weight,
        strategy=STRATEGIES[strategy] if strategy else None,
        ceiling_micro=ceiling,
    )
    if no_ceiling:
        await routes.forget_ceiling(context.database, match)
    owner = _owner_text(account, app_id, sender, match.traffic)
    return Confirmation(
        f"Route {route.route_id}: {_destination_text(country, network, prefix)} of {owner} through {row.name},"
        f" priority {route.priority}, weight {route.weight}.",
        {
            "route_id": route.route_id,
            "account": account,
            "app_id": app_id or None,
            "sender": sender or None,
            "traffic": traffic,
            "prefix": PREFIX_KIND.text(prefix),
            "country": country or None,
            "network": network or None,
            "carrier": row.name,
            "priority": route.priority,
            "weight": route.weight,
        },
    )


def _owner_text(account: str | None, app_id: str, sender: str, traffic: int) -> str:
    parts = [
        account or "everyone",
        *(f"{name} {value}" for name, value in (("app", app_id), ("sender", sender)) if value),
        *([TRAFFIC.text(traffic)] if traffic != ANY_TRAFFIC else []),
    ]
    return ", ".join(parts)


def _destination_text(country: str, network: str, prefix: str) -> str:
    if network:
        return f"network {dashed(network)}"
    return f"country {country}" if country else PREFIX_KIND.text(prefix)


@route.command("list")
@account_option
@in_context
async def list_routes(context: CommandContext, account: str | None) -> Reply:
    """List all routes, or those that apply to --account.

    \b
    Example:  homing route list
    """
    scope = None if account is None else [GENERAL, await context.scope(account)]
    rows = [
        {
            **msgspec.structs.asdict(row),
            "whose": _owner_text(row.account, row.app_id, row.sender, row.traffic),
            "place": _destination_text(row.country, row.network, row.prefix),
        }
        for row in await statements.admin.route_list(context.database, account_ids=scope)
    ]
    return Table(ROUTES, rows, "No routes yet: all messages are rejected.")


@route.command("remove")
@click.argument("route_id", type=WholeNumberType(0, 2**31 - 1))
@in_context
async def remove(context: CommandContext, route_id: int) -> Reply:
    """Remove a route by its ID. Messages already accepted on it are still sent.

    \b
    Example:  homing route remove 3
    """
    await routes.remove_route(context.database, route_id)
    return Confirmation(f"Route {route_id} removed.", {"route_id": route_id})


@route.command("explain")
@click.argument("number", type=NUMBER)
@account_option
@click.option("--app", "app_id", default="", help="Explain for a message of this app.")
@click.option("--sender", default="", help="Explain for a message from this sender ID.")
@click.option("--traffic", type=click.Choice(list(TRAFFICS)), default="transactional", show_default=True)
@in_context
async def explain(
    context: CommandContext, number: str, account: str | None, app_id: str, sender: str, traffic: str
) -> Reply:
    """Show which carriers would be used for a number, and why.

    In the order in which they would be tried. No message is sent.

    \b
    Example:  homing route explain 8613800138000 --account acme
    """
    account_id = await context.scope(account)
    explanation = await explain_route(
        context.database,
        Numbering.load(),
        number,
        account_id=account_id,
        app_id=app_id,
        sender=sender,
        traffic=TRAFFICS[traffic],
    )
    names = await carrier_names(context)
    parts: dict[str, Table] = {}
    if explanation.evidence is not None:
        evidence = [with_name(row, names) for row in explanation.evidence]
        parts["learnt"] = Table(CANDIDATES_LEARNT, evidence, "The data behind the shares is no longer stored.")
    destination = explanation.destination
    values = {
        "number": number,
        "country": destination.country or None,
        "network": None if UNKNOWN in (destination.mcc, destination.mnc) else f"{destination.mcc}-{destination.mnc}",
        "price_micro": explanation.price_micro,
        "rule": None if explanation.rule is None else _rule_text(explanation.rule),
        "reason": None if explanation.reason is None else encode_reason(explanation.reason),
        "is_refused": explanation.is_refused,
    }
    rows = [_status_row(status, names) for status in explanation.statuses]
    has_no_app = account_id == GENERAL or not app_id
    is_unnamed = has_no_app and explanation.reason == Reason.of(ReasonCode.ROUTE_NO_RECENT_TRAFFIC)
    note = "Shares are learnt for an account's app: name --account and --app." if is_unnamed else ""
    candidates = Table(CANDIDATES, rows, "No route for this number.")
    return Detail(EXPLAINED, values, {"candidates": candidates, **parts}, note)


def _rule_text(rule: RouteRule) -> str:
    match = rule.scope
    owner = [
        text
        for text, is_named in (
            (f"app {match.app_id}", match.app_id),
            (f"account {match.account_id}", match.account_id != GENERAL),
            (f"sender {match.sender}", match.sender),
            (TRAFFIC.text(match.traffic), match.traffic != ANY_TRAFFIC),
        )
        if is_named
    ]
    destination = _destination_text(match.country, match.network, match.prefix)
    ceiling = "the customer price" if rule.ceiling_micro is None else money.trimmed(rule.ceiling_micro)
    return ", ".join([*owner, f"to {destination}", STRATEGY.text(rule.strategy), f"cost limit {ceiling}"])


def _status_row(status: CandidateStatus, names: Mapping[int, str]) -> dict[str, Any]:
    if status.excluded is not None:
        state = f"not used: {reason_text(status.excluded)}"
    elif status.is_down:
        state = "down: used only if all carriers are down"
    elif status.share is not None:
        state = f"gets {status.share * 100:.0f} % of its priority level"
    elif status.above_cheapest_micro is None:
        state = "only carrier at its priority level"
    else:
        above = money.trimmed(status.above_cheapest_micro)
        state = f"{above} more than the cheapest" if status.above_cheapest_micro else "cheapest"
    row = status.candidate
    return {
        "order": status.position,
        "carrier": names[row.carrier_id],
        "route_id": row.route_id,
        "priority": row.priority,
        "weight": row.weight,
        "cost_micro": status.cost_micro,
        "verdict": state,
        "reason": None if status.excluded is None else encode_reason(status.excluded),
    }
