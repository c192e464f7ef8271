"""Settings of the guard for the command line and the console: rule modes, allow and deny lists, budgets of countries,
alerts. Running processes notice each change at once, by triggers.

`account_id`: whose setting it is; GENERAL: every account's.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from homing import errors
from homing.admin.account_settings import check_url
from homing.guard.budgets import TrafficHour, suggest_budget
from homing.guard.rules import DEFAULT_MODES, RULES, RuleMode
from homing.guard.snapshot import WHOLE_NETWORK
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.text.numbers import first_digits

SUGGEST_DAYS: Final = 14


class GuardModeSetting(msgspec.Struct, frozen=True):
    """A rule's mode: for everyone (`account` is None), or an account's own."""

    rule: str
    mode: RuleMode
    account: str | None
    meaning: str


async def read_modes(
    connection: DatabaseConnection | Database, account_id: int | None = None
) -> Sequence[GuardModeSetting]:
    """The general modes, with defaults where none is set; then those of accounts, or of one account."""
    rows = await statements.guard.guard_rules_of(connection, account_id=account_id)
    general = {row.rule: RuleMode(row.mode) for row in rows if row.account is None}
    everyone = [
        GuardModeSetting(rule, general.get(rule, DEFAULT_MODES[rule]), None, meaning) for rule, meaning in RULES.items()
    ]
    meanings = {str(rule): meaning for rule, meaning in RULES.items()}
    own = [
        GuardModeSetting(row.rule, RuleMode(row.mode), row.account, meanings[row.rule])
        for row in rows
        if row.account is not None
    ]
    return [*everyone, *own]


async def hold_modes(transaction: DatabaseConnection) -> None:
    """Locks the modes until the transaction ends, so that they can be read and then changed."""
    await statements.guard.guard_modes_hold(transaction)


async def set_modes(
    connection: DatabaseConnection | Database, account_id: int, rules: Sequence[str], mode: RuleMode
) -> None:
    await statements.guard.guard_mode_set(connection, account_id=account_id, rules=list(rules), mode=int(mode))


def read_destination(destination: str) -> tuple[str, str]:
    """(kind, value) of a destination as operators write it: a country's two letters, MCC-MNC, or a number's first
    digits. Raises `InvalidInput`.
    """
    network = _network(destination)
    if network is not None:
        return "network", network
    digits = first_digits(destination)
    if digits.startswith("0"):
        raise errors.InvalidInput(
            "no country code starts with 0, so {destination} matches no number", destination=repr(destination)
        )
    if digits.isascii() and digits.isdigit() and len(digits) <= 15:
        return "prefix", digits
    return "country", read_country(destination)


def _network(destination: str) -> str | None:
    """The digits of an MCC-MNC, None for other text."""
    mcc, dash, mnc = destination.partition("-")
    is_network = dash and len(mcc) == 3 and 2 <= len(mnc) <= 3 and (mcc + mnc).isascii() and (mcc + mnc).isdigit()
    return mcc + mnc if is_network else None


def read_country(country: str) -> str:
    """Raises `InvalidInput`."""
    code = country.upper()
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        raise errors.InvalidInput("{country} is not a two-letter country code, such as CN", country=repr(country))
    return code


async def set_listed(
    connection: DatabaseConnection | Database,
    account_id: int,
    destination: tuple[str, str],
    is_allowed: bool,
    note: str,
) -> None:
    """Puts a (kind, value) on the allow or the deny list."""
    kind, value = destination
    await statements.guard.guard_list_set(
        connection, account_id=account_id, kind=kind, value=value, is_allowed=is_allowed, note=note
    )


async def remove_listed(
    connection: DatabaseConnection | Database, account_id: int, destination: tuple[str, str], is_allowed: bool
) -> None:
    """Raises `InvalidInput` when it is not on the list."""
    kind, value = destination
    removed = await statements.guard.guard_list_remove(
        connection, account_id=account_id, kind=kind, value=value, is_allowed=is_allowed
    )
    if removed is None:
        raise errors.InvalidInput("{value} is not on the list", value=value)


async def set_budget(
    connection: DatabaseConnection | Database,
    account_id: int,
    *,
    country: str,
    hour_messages: int | None,
    day_messages: int | None,
    hour_micro: int | None,
    day_micro: int | None,
) -> None:
    """Raises `InvalidInput` when no limit is given."""
    values = (hour_messages, day_messages, hour_micro, day_micro)
    if all(value is None for value in values):
        raise errors.InvalidInput("a budget needs a limit: messages or an amount, per hour or per day")
    if any(value is not None and value < 0 for value in values):
        raise errors.InvalidInput("a budget must be 0 or more")
    await statements.guard.guard_budget_set(
        connection,
        account_id=account_id,
        country=country,
        hour_messages=hour_messages,
        day_messages=day_messages,
        hour_micro=hour_micro,
        day_micro=day_micro,
    )


async def remove_budget(connection: DatabaseConnection | Database, account_id: int, country: str) -> None:
    """Raises `InvalidInput` when there is none."""
    if await statements.guard.guard_budget_remove(connection, account_id=account_id, country=country) is None:
        raise errors.InvalidInput("{country} has no budget", country=country)


async def lift(connection: DatabaseConnection | Database, destination: str, account_id: int | None) -> int:
    """Lifts the verdicts on a range, or on a network as a whole (MCC-MNC). Gives how many those were.
    Raises `InvalidInput` when there is none.
    """
    network = _network(destination)
    digits = destination if network is None else WHOLE_NETWORK
    rows = (
        await statements.guard.guard_verdict_lift(connection, digits=digits, account_id=account_id, network=network)
        if destination
        else ()
    )
    if not rows:
        raise errors.InvalidInput("{range} is not currently suspected", range=destination)
    return len(rows)


async def set_alert(connection: DatabaseConnection | Database, account_id: int, url: str) -> None:
    """Sets the URL that verdicts are pushed to. Raises `InvalidInput` when it is invalid."""
    check_url(url)
    await statements.guard.guard_alert_set(connection, account_id=account_id, url=url)


async def remove_alert(connection: DatabaseConnection | Database, account_id: int) -> None:
    """Raises `InvalidInput` when there is none."""
    if await statements.guard.guard_alert_remove(connection, account_id=account_id) is None:
        raise errors.InvalidInput("there is no alert webhook for these accounts")


async def suggestions(database: Database, now: datetime, account_id: int | None = None) -> Sequence[dict[str, Any]]:
    """By account and country, a budget that the traffic of the last 14 days would not have exceeded."""
    end_hour = int(now.timestamp()) // 3600 + 1
    traffic_rows = await statements.guard.guard_hours(
        database, first_hour=end_hour - 1 - SUGGEST_DAYS * 24, beyond_hour=end_hour, account_id=account_id
    )
    hours: dict[tuple[int, str], list[TrafficHour]] = defaultdict(list)
    for row in traffic_rows:
        hours[row.account_id, row.country].append(TrafficHour(row.submitted, row.converted, row.revenue_micro))
    names = {row.account_id: row.name for row in await statements.admin.account_list(database)}
    rows = []
    for (owner_id, country), traffic in sorted(hours.items()):
        suggestion = suggest_budget(traffic)
        if suggestion is not None:
            rows.append({"account": names[owner_id], "country": country, **msgspec.structs.asdict(suggestion)})
    return rows
