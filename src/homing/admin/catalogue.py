"""Changing what is sold and how it travels: prices, carriers and routes, and the words that are not carried. Called by
the command line and the console; running processes notice every change at once (triggers tell them).
"""

import enum
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from homing import errors, limits
from homing.carriers.http import HttpCarrierSettings, open_secret
from homing.carriers.kinds import read_settings
from homing.carriers.sealing import has_plain, open_settings, seal_settings
from homing.common.crypto import Vault
from homing.common.money import AMOUNT_MICRO_MAX
from homing.model import GENERAL, Strategy
from homing.routing.catalogue import fold
from homing.routing.rules import RouteScope
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.admin import CarrierRow, PrefixAmount, RouteSet

PRIORITY_MAX: Final = 1_000_000
WEIGHT_MAX: Final = 1_000_000
CARRIER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)


def check_prefix(prefix: str) -> None:
    """Raises `InvalidInput` unless it is digits, or '' for every number."""
    is_beginning = prefix.isascii() and prefix.isdigit() and len(prefix) <= limits.PREFIX_DIGITS_MAX
    if prefix and (not is_beginning or prefix.startswith("0")):
        raise errors.InvalidInput(
            "{prefix} is not a valid prefix: use digits without + or 00, or * for all numbers", prefix=repr(prefix)
        )


def check_price(micro: int) -> None:
    """Raises `InvalidInput` for what cannot be asked for a segment."""
    if not 0 <= micro <= AMOUNT_MICRO_MAX:
        raise errors.InvalidInput("the price must be 0 or more")


async def set_prices(connection: DatabaseConnection, account_id: int, prices: Sequence[tuple[str, int]]) -> None:
    """Sets (prefix, micro-units a segment) rows; account_id 0 is the general list. '' stands for every number."""
    for prefix, micro in prices:
        check_prefix(prefix)
        check_price(micro)
    await statements.admin.prices_set(
        connection,
        account_id=account_id,
        prices=[PrefixAmount(prefix=prefix, micro=micro) for prefix, micro in prices],
    )


async def replace_prices(connection: DatabaseConnection, account_id: int, prices: Sequence[tuple[str, int]]) -> None:
    """As `set_prices`, and what the list holds beside them goes."""
    await set_prices(connection, account_id, prices)
    await statements.admin.prices_clear(
        connection, account_id=account_id, kept_prefixes=[prefix for prefix, _micro in prices]
    )


async def remove_price(connection: DatabaseConnection | Database, account_id: int, prefix: str) -> None:
    """Raises `InvalidInput` when the list has no such price."""
    if await statements.admin.price_remove(connection, account_id=account_id, prefix=prefix) is None:
        raise errors.InvalidInput("the price list has no price for prefix {prefix}", prefix=prefix or "*")


async def find_carrier(connection: DatabaseConnection | Database, name_or_id: str) -> CarrierRow:
    """A carrier by its name or its id. Raises `InvalidInput` when there is none."""
    carrier_id = int(name_or_id) if re.fullmatch(r"[0-9]{1,9}", name_or_id) else None
    row = await statements.admin.carrier_find(connection, name=name_or_id, carrier_id=carrier_id)
    if row is None:
        raise errors.InvalidInput(
            "carrier {name} does not exist; `homing carrier list` lists the carriers", name=repr(name_or_id)
        )
    return row


async def add_carrier(
    connection: DatabaseConnection | Database, name: str, kind: str, settings: str = "{}", vault: Vault | None = None
) -> int:
    """A carrier, enabled; gives its id. `settings` is the JSON object that its kind reads. The vault seals its secrets;
    without it there may be none. Raises `InvalidInput` when the name is taken, or the kind or a setting is unknown.
    """
    if not CARRIER_NAME.fullmatch(name) or name.isdigit():
        raise errors.InvalidInput(
            f"{name!r} cannot be a carrier's name: letters, digits and _ . - (and not digits alone)"
        )
    carries_flash = _checked(kind, settings)
    carrier_id = await statements.admin.carrier_add(
        connection, name=name, kind=kind, settings=_sealed(vault, name, kind, settings), carries_flash=carries_flash
    )
    if carrier_id is None:
        raise errors.InvalidInput(f"there is a carrier {name!r} already")
    return carrier_id


def _checked(kind: str, settings: str) -> bool:
    """Whether such a carrier does flash. Raises `InvalidInput` for settings that cannot be, or that hold a secret in a
    place which everybody is shown.
    """
    read = read_settings(kind, settings)
    if isinstance(read, HttpCarrierSettings) and (place := open_secret(read)):
        raise errors.InvalidInput(
            "{place} contains the secret in plain text, visible to everyone: move it to `secrets` and"
            " write {hole} in its place",
            place=place,
            hole="{secret.NAME}",
        )
    return bool(read.carries_flash)


def _sealed(vault: Vault | None, name: str, kind: str, settings: str) -> str:
    plain = msgspec.json.decode(settings)
    if not has_plain(kind, plain):
        return settings
    assert vault is not None, "a carrier's secrets are stored sealed"
    return msgspec.json.encode(seal_settings(vault, name, kind, plain)).decode()


async def change_carrier(
    connection: DatabaseConnection, row: CarrierRow, changes: Mapping[str, Any], vault: Vault
) -> None:
    """Lays `changes` over a carrier's settings; None takes a setting back to its kind's default. `row` is of
    `find_carrier`. Raises `InvalidInput` for settings that its kind cannot use.
    """
    name, kind = row.name, row.kind
    settings = open_settings(vault, name, kind, msgspec.json.decode(row.settings))
    settings.update(changes)
    settings = {member: value for member, value in settings.items() if value is not None}
    text = msgspec.json.encode(settings).decode()
    carries_flash = _checked(kind, text)
    await statements.admin.carrier_change(
        connection, carrier_id=row.carrier_id, settings=_sealed(vault, name, kind, text), carries_flash=carries_flash
    )


class CarrierMode(enum.Enum):
    """Whether messages go by a carrier."""

    OPEN = "enabled"
    DRAINING = "draining"  # no new ones; what waits goes, and receipts are taken
    CLOSED = "disabled"  # none at all, and its sessions are closed


def carrier_mode_of(*, enabled: bool, is_draining: bool) -> CarrierMode:
    """Of the columns of `carrier`."""
    if not enabled:
        return CarrierMode.CLOSED
    return CarrierMode.DRAINING if is_draining else CarrierMode.OPEN


async def switch_carrier(connection: DatabaseConnection | Database, carrier_id: int, course: CarrierMode) -> None:
    await statements.admin.carrier_switch(
        connection,
        carrier_id=carrier_id,
        enabled=course is not CarrierMode.CLOSED,
        is_draining=course is CarrierMode.DRAINING,
    )


async def set_costs(connection: DatabaseConnection, carrier_id: int, costs: Sequence[tuple[str, int]]) -> None:
    """Sets what a carrier asks: (prefix, micro-units a segment) rows. '' stands for every number."""
    for prefix, micro in costs:
        check_prefix(prefix)
        check_price(micro)
    await statements.admin.costs_set(
        connection,
        carrier_id=carrier_id,
        costs=[PrefixAmount(prefix=prefix, micro=micro) for prefix, micro in costs],
    )


async def remove_cost(connection: DatabaseConnection | Database, carrier_id: int, prefix: str) -> None:
    """Raises `InvalidInput` when the carrier has no such cost."""
    if await statements.admin.cost_remove(connection, carrier_id=carrier_id, prefix=prefix) is None:
        raise errors.InvalidInput(f"the carrier has no cost for the prefix {prefix or '*'}")


async def set_route(
    connection: DatabaseConnection | Database,
    match: RouteScope,
    carrier_id: int,
    priority: int | None = None,
    weight: int | None = None,
    strategy: Strategy | None = None,
    ceiling_micro: int | None = None,
) -> RouteSet:
    """Sends what a match names by a carrier; gives route_id, priority and weight. A route of the same match and carrier
    is changed.

    The strategy and the ceiling are the match's, whatever row they were given with. None leaves what there is; a first
    row has priority 10, weight 1, the order of priorities, and the customer's price as its ceiling.
    """
    check_prefix(match.prefix)
    _check_place(match)
    if priority is not None and not 0 <= priority <= PRIORITY_MAX:
        raise errors.InvalidInput("the priority must be between 0 and {most}", most=PRIORITY_MAX)
    if weight is not None and not 1 <= weight <= WEIGHT_MAX:
        raise errors.InvalidInput("the weight must be between 1 and {most}", most=WEIGHT_MAX)
    if ceiling_micro is not None:
        check_price(ceiling_micro)
    if match.app_id:
        await _check_app(connection, match)
    if sum(map(bool, (match.prefix, match.country, match.network))) > 1:
        raise errors.InvalidInput("a route can match a prefix, a country or a network, but only one of them")
    row = await statements.admin.route_set(
        connection,
        account_id=match.account_id,
        app_id=match.app_id,
        sender=match.sender,
        traffic=match.traffic,
        country=match.country,
        network=match.network,
        prefix=match.prefix,
        carrier_id=carrier_id,
        priority=priority,
        weight=weight,
        strategy=strategy,
        ceiling_micro=ceiling_micro,
    )
    assert row is not None
    return row


async def forget_ceiling(connection: DatabaseConnection | Database, match: RouteScope) -> None:
    """The most that a segment may cost is what the customer pays for it, again."""
    await statements.admin.route_ceiling_forget(connection, **msgspec.structs.asdict(match))


async def _check_app(connection: DatabaseConnection | Database, match: RouteScope) -> None:
    app = await statements.admin.app_find(connection, app_id=match.app_id)
    if app is None:
        raise errors.InvalidInput(
            "app {app} does not exist; `homing app list ACCOUNT` lists the account's apps", app=repr(match.app_id)
        )
    if match.account_id not in (GENERAL, app.account_id):
        raise errors.InvalidInput("app {app} belongs to another account", app=match.app_id)


async def remove_route(connection: DatabaseConnection | Database, route_id: int) -> None:
    """Messages that were accepted with it still go. Raises `InvalidInput` when there is none."""
    if await statements.admin.route_remove(connection, route_id=route_id) is None:
        raise errors.InvalidInput("route {route} does not exist; `homing route list` lists the routes", route=route_id)


def _check_place(match: RouteScope) -> None:
    if match.country and not re.fullmatch(r"[A-Z]{2}", match.country):
        raise errors.InvalidInput("{country} is not a two-letter country code, such as CN", country=repr(match.country))
    if match.network and not re.fullmatch(r"[0-9]{5,6}", match.network):
        raise errors.InvalidInput(
            "{network} is not a network code (MCC-MNC), such as 460-01", network=repr(match.network)
        )


async def add_word(connection: DatabaseConnection | Database, account_id: int, word: str) -> None:
    """Refuses texts that hold a word, for an account or (0) for all."""
    if not fold(word).strip() or "\0" in word:
        raise errors.InvalidInput(
            "a sensitive word needs at least one visible character; an empty one would match every message"
        )
    await statements.admin.word_add(connection, account_id=account_id, word=word)


async def remove_word(connection: DatabaseConnection | Database, account_id: int, word: str) -> None:
    """Lets a word pass again. Raises `InvalidInput` when it is not refused for this account, or (0) for all."""
    if await statements.admin.word_remove(connection, account_id=account_id, word=word) is None:
        raise errors.InvalidInput("{word} is not on this list of sensitive words", word=repr(word))
