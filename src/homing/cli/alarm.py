"""`homing alarm`."""

from collections.abc import Mapping
from typing import Any

import click
import msgspec

from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.show import COUNT, TIME, Column, ColumnKind, Reply, Table
from homing.store.alarms import ACCOUNT_SKIPPED, Alarm, read_alarms

ALARMS = (
    Column("component", "Component"),
    Column("code", "Alarm"),
    Column("subject", "Subject"),
    Column("times", "Count", COUNT),
    Column("raised_at", "Since (UTC)", TIME),
    Column("last_at", "Last (UTC)", TIME),
    Column("detail", "Detail", ColumnKind(text=lambda value: msgspec.json.encode(value).decode(), wraps=True)),
)


@click.group(cls=CommandGroup)
def alarm() -> None:
    """Active alarms of the platform itself.

    \b
    Example:  homing alarm list
    """


@alarm.command("list")
@in_context
async def list_alarms(context: CommandContext) -> Reply:
    """List active alarms, oldest first. An alarm clears itself once its cause is gone.

    \b
    Example:  homing alarm list
    """
    return Table(ALARMS, [await _row(context, alarm) for alarm in await read_alarms(context.database)], "No alarms.")


async def _row(context: CommandContext, alarm: Alarm) -> Mapping[str, Any]:
    row = msgspec.structs.asdict(alarm)
    if alarm.code == ACCOUNT_SKIPPED:
        row["subject"] = (await context.account(alarm.subject)).name
    return row


async def component_note(context: CommandContext, component: str) -> str:
    """A line for whoever looks at a component's conclusions while it has alarms; empty when it has none."""
    codes = sorted({alarm.code for alarm in await read_alarms(context.database) if alarm.component == component})
    return f"Some data may be outdated ({', '.join(codes)}): see `homing alarm list`." if codes else ""
