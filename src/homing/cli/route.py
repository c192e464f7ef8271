"""`homing route`."""

import click

from homing import errors
from homing.accounts import catalogue
from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.parameters import PREFIX, account_option
from homing.cli.show import COUNT, SCOPE, YES, Column, Reply, Said, Table
from homing.cli.show import PREFIX as PREFIX_KIND
from homing.model import GENERAL

ROUTES = (
    Column("route_id", "Id", COUNT),
    Column("account", "For", SCOPE),
    Column("prefix", "Prefix", PREFIX_KIND),
    Column("carrier", "Carrier"),
    Column("priority", "Priority", COUNT),
    Column("weight", "Weight", COUNT),
    Column("enabled", "Carrier enabled", YES),
)


@click.group(cls=Noun)
def route() -> None:
    """Which numbers go by which carrier.

    Of the routes to a number those of the longest prefix count, an account's own before the general ones. The lowest
    priority is tried first; equal priorities share the traffic by weight.

    \b
    Example:  homing route set fast --prefix 86 --priority 1
              homing route set cheap --prefix 86 --priority 2
    """


@route.command("set")
@click.argument("carrier")
@click.option("--prefix", type=PREFIX, default="", help="The first digits of the numbers.  [default: every number]")
@account_option
@click.option("--priority", type=click.IntRange(0, 1_000_000), default=10, show_default=True, help="Lowest first.")
@click.option("--weight", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="Share among equals.")
@at_desk
async def change(desk: Desk, carrier: str, prefix: str, account: str | None, priority: int, weight: int) -> Reply:
    """Send numbers by a carrier (name or id).

    Another route for the same account, prefix and carrier changes the first.

    \b
    Example:  homing route set fast --prefix 86 --account acme
    """
    row = await catalogue.find_carrier(desk.database, carrier)
    route_id = await catalogue.set_route(
        desk.database, await desk.scope(account), prefix, row["carrier_id"], priority, weight
    )
    shown = PREFIX_KIND.text(prefix)
    return Said(
        f"Route {route_id}: {shown} of {account or 'everyone'} by {row['name']}, priority {priority}, weight {weight}.",
        {
            "route_id": route_id,
            "account": account,
            "prefix": shown,
            "carrier": row["name"],
            "priority": priority,
            "weight": weight,
        },
    )


@route.command("list")
@account_option
@at_desk
async def list_routes(desk: Desk, account: str | None) -> Reply:
    """All routes, or with --account those that hold for one account.

    \b
    Example:  homing route list
    """
    scope = None if account is None else [GENERAL, await desk.scope(account)]
    return Table(
        ROUTES, await desk.database.fetch("route_list", scope), "No routes yet: every message would be refused."
    )


@route.command("remove")
@click.argument("route_id", type=click.IntRange(0, 2**31 - 1))
@at_desk
async def remove(desk: Desk, route_id: int) -> Reply:
    """Remove a route, named by its id. Messages that were accepted with it still go.

    \b
    Example:  homing route remove 3
    """
    if await desk.database.row("route_remove", route_id) is None:
        raise errors.OperatorError(f"there is no route {route_id}; `homing route list` shows them")
    return Said(f"Route {route_id} is removed.", {"route_id": route_id})
