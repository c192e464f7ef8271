"""Changing routes: which numbers go by which carrier. Running processes notice every change at once (triggers tell
them).
"""

import re
from typing import Final

import msgspec

from homing import errors
from homing.admin.prices import check_prefix, check_price
from homing.model import GENERAL, Strategy
from homing.routing.rules import RouteScope
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.admin import RouteSet

PRIORITY_MAX: Final = 1_000_000
WEIGHT_MAX: Final = 1_000_000


async def set_route(
    connection: DatabaseConnection | Database,
    scope: RouteScope,
    *,
    carrier_id: int,
    priority: int | None = None,
    weight: int | None = None,
    strategy: Strategy | None = None,
    ceiling_micro: int | None = None,
) -> RouteSet:
    """Adds a carrier to the rule of a scope; gives route_id, priority and weight. An existing route of that scope and
    carrier is changed.

    Strategy and ceiling belong to the scope. None leaves the present value; a new route has priority 10 and weight 1, a
    new scope the strategy PRIORITY and the customer's price as its ceiling.
    """
    check_prefix(scope.prefix)
    _check_destination(scope)
    if priority is not None and not 0 <= priority <= PRIORITY_MAX:
        raise errors.InvalidInput("the priority must be between 0 and {maximum}", maximum=PRIORITY_MAX)
    if weight is not None and not 1 <= weight <= WEIGHT_MAX:
        raise errors.InvalidInput("the weight must be between 1 and {maximum}", maximum=WEIGHT_MAX)
    if ceiling_micro is not None:
        check_price(ceiling_micro)
    if scope.app_id:
        await _check_app(connection, scope)
    if sum(map(bool, (scope.prefix, scope.country, scope.network))) > 1:
        raise errors.InvalidInput("a route can match a prefix, a country or a network, but only one of them")
    row = await statements.admin.route_set(
        connection,
        account_id=scope.account_id,
        app_id=scope.app_id,
        sender=scope.sender,
        traffic=scope.traffic,
        country=scope.country,
        network=scope.network,
        prefix=scope.prefix,
        carrier_id=carrier_id,
        priority=priority,
        weight=weight,
        strategy=strategy,
        ceiling_micro=ceiling_micro,
    )
    assert row is not None
    return row


async def forget_ceiling(connection: DatabaseConnection | Database, scope: RouteScope) -> None:
    """Resets a scope's price ceiling to the customer's price."""
    await statements.admin.route_ceiling_forget(connection, **msgspec.structs.asdict(scope))


async def _check_app(connection: DatabaseConnection | Database, scope: RouteScope) -> None:
    app = await statements.admin.app_find(connection, app_id=scope.app_id)
    if app is None:
        raise errors.InvalidInput(
            "app {app} does not exist; `homing app list ACCOUNT` lists the account's apps", app=repr(scope.app_id)
        )
    if scope.account_id not in (GENERAL, app.account_id):
        raise errors.InvalidInput("app {app} belongs to another account", app=scope.app_id)


async def remove_route(connection: DatabaseConnection | Database, route_id: int) -> None:
    """Messages that were accepted with it are still sent. Raises `InvalidInput` when there is none."""
    if await statements.admin.route_remove(connection, route_id=route_id) is None:
        raise errors.InvalidInput("route {route} does not exist; `homing route list` lists the routes", route=route_id)


def _check_destination(scope: RouteScope) -> None:
    if scope.country and not re.fullmatch(r"[A-Z]{2}", scope.country):
        raise errors.InvalidInput("{country} is not a two-letter country code, such as CN", country=repr(scope.country))
    if scope.network and not re.fullmatch(r"[0-9]{5,6}", scope.network):
        raise errors.InvalidInput(
            "{network} is not a network code (MCC-MNC), such as 460-01", network=repr(scope.network)
        )
