"""`homing alarm`."""

from collections.abc import Mapping
from typing import Any

import click
import msgspec

from homing.cli.desk import Desk, Noun, at_desk
from homing.cli.show import COUNT, TIME, Column, Kind, Reply, Table
from homing.store.alarms import ACCOUNT_SKIPPED, Alarm, read_alarms

ALARMS = (
    Column("component", "Component"),
    Column("code", "Alarm"),
    Column("subject", "Of"),
    Column("times", "Times", COUNT),
    Column("raised_at", "Since (UTC)", TIME),
    Column("last_at", "Last (UTC)", TIME),
    Column("detail", "Detail", Kind(text=lambda value: msgspec.json.encode(value).decode(), wraps=True)),
)


@click.group(cls=Noun)
def alarm() -> None:
    """What is wrong now in the platform itself.

    \b
    Example:  homing alarm list
    """


@alarm.command("list")
@at_desk
async def list_alarms(desk: Desk) -> Reply:
    """Alarms that stand, the oldest first. One goes by itself when what it tells of is over.

    \b
    Example:  homing alarm list
    """
    return Table(ALARMS, [await _shown(desk, found) for found in await read_alarms(desk.database)], "No alarms.")


async def _shown(desk: Desk, found: Alarm) -> Mapping[str, Any]:
    row = msgspec.structs.asdict(found)
    if found.code == ACCOUNT_SKIPPED:
        row["subject"] = (await desk.account(found.subject))["name"]
    return row


async def component_note(desk: Desk, component: str) -> str:
    """A line for whoever looks at a component's conclusions while it has alarms; empty when it has none."""
    codes = sorted({found.code for found in await read_alarms(desk.database) if found.component == component})
    return f"Not all of it is up to date ({', '.join(codes)}): `homing alarm list` tells more." if codes else ""
