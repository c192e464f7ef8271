"""`homing carrier`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from homing import errors
from homing.admin import carriers
from homing.admin.carrier_status import CarrierStatus, carriers_now
from homing.admin.carriers import CarrierMode
from homing.admin.setting_warnings import carrier_warnings
from homing.carriers.kinds import KINDS
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.cost import COSTS
from homing.cli.show import COUNT, TIME, YES, Column, ColumnKind, Confirmation, Detail, Reply, Table
from homing.store import statements

SETTINGS = ColumnKind(text=lambda value: msgspec.json.encode(value).decode(), wraps=True)
STATES = ColumnKind(absent="not running in any process")


def _carrier_row(carrier: CarrierStatus) -> Mapping[str, Any]:
    """With its state for people: up, or down and what its sessions last met."""
    detail = carrier.detail or {}
    sessions = detail.get("binds") or [detail]
    errors = [session["last_error"] for session in sessions if session.get("last_error")]
    state_and_why = f"down: {errors[0]}" if carrier.state == "down" and errors else carrier.state
    return {**msgspec.structs.asdict(carrier), "state_and_why": state_and_why}


CARRIERS = (
    Column("carrier_id", "ID", COUNT),
    Column("name", "Name"),
    Column("kind", "Kind"),
    Column("enabled", "Enabled", YES),
    Column("is_draining", "Draining", YES),
    Column("state", "State", STATES, programs_only=True),
    Column("state_and_why", "State", STATES, people_only=True),
    Column("waiting", "Waiting", COUNT),
    Column("settings", "Settings", SETTINGS),
)
SHOWN = (
    *CARRIERS[:-1],
    Column("under_way", "In progress", COUNT),
    Column("owner", "Running in", STATES),
    Column("changed_at", "State since (UTC)", TIME),
    Column("created_at", "Added (UTC)", TIME),
    Column("carries_flash", "Flash messages", YES),
    Column("detail", "Sessions", SETTINGS),
    Column("settings", "Settings", SETTINGS),
)
ID_FORMATS = (
    Column("format", "Message ID format"),
    Column("confirmed", "Confirmed", COUNT),
    Column("first_at", "Since (UTC)", TIME),
    Column("last_at", "Last (UTC)", TIME),
)


class JsonTextType(click.ParamType[str]):
    """JSON, or with @ the name of a file of it. What it says is checked by whoever reads it."""

    name = "json|@file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).startswith("@"):
            return str(value)
        try:
            return Path(value[1:]).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self.fail(str(error), param, ctx)


@click.group(cls=CommandGroup)
def carrier() -> None:
    """Carriers that messages are sent through.

    \b
    Example:  homing carrier add test --kind simulator --settings '{"seed": 7, "undeliverable": 0.1}'
              homing route set test --prefix 86
    """


@carrier.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="Carrier type.")
@click.option("--settings", type=JsonTextType(), default="{}", help="Settings of this carrier type, as a JSON object.")
@in_context
async def add(context: CommandContext, name: str, kind: str, settings: str) -> Reply:
    """Add a carrier, enabled. Messages use it once a route names it.

    \b
    Example:  homing carrier add test --kind simulator --settings @test.json
    """
    carrier_id = await carriers.add_carrier(context.database, name, kind, settings, await context.vault())
    return Confirmation(
        f"Carrier {name} added with ID {carrier_id}. Next, add a route: homing route set {name}",
        {"carrier_id": carrier_id, "name": name, "kind": kind, "enabled": True},
        [*map(str, carrier_warnings(msgspec.json.decode(settings)))],
    )


@carrier.command("list")
@in_context
async def list_carriers(context: CommandContext) -> Reply:
    """List all carriers.

    \b
    Example:  homing carrier list
    """
    return Table(CARRIERS, [_carrier_row(row) for row in await carriers_now(context.database)], "No carriers yet.")


@carrier.command("show")
@click.argument("carrier")
@in_context
async def show(context: CommandContext, carrier: str) -> Reply:
    """Show a carrier's current state.

    Its process, sessions, queue and costs, and the message ID format in its receipts. Secrets are hidden.

    \b
    Example:  homing carrier show test
    """
    carrier_id = (await carriers.find_carrier(context.database, carrier)).carrier_id
    (status,) = [carrier for carrier in await carriers_now(context.database) if carrier.carrier_id == carrier_id]
    id_formats = await statements.receipts.id_formats_of_carrier(context.database, carrier_id=carrier_id)
    costs = await statements.admin.cost_list(context.database, carrier_id=carrier_id)
    return Detail(
        SHOWN,
        _carrier_row(status),
        {
            "costs": Table(COSTS, costs, "No costs set."),
            "id_formats": Table(ID_FORMATS, id_formats, "Not detected yet: no receipt contained a number."),
        },
    )


@carrier.command("set")
@click.argument("carrier")
@click.option("--settings", type=JsonTextType(), required=True, help="Settings to change, as a JSON object.")
@in_context
async def change(context: CommandContext, carrier: str, settings: str) -> Reply:
    """Change settings of a carrier.

    Other settings stay unchanged; null resets a setting to its default. The carrier's sessions are reopened.

    \b
    Example:  homing carrier set test --settings '{"seed": 8}'
    """
    try:
        changes = msgspec.json.decode(settings, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise errors.InvalidInput(f"settings: {error}") from None
    vault = await context.vault()
    async with context.database.transaction() as transaction:
        row = await carriers.find_carrier(transaction, carrier)
        await carriers.change_carrier(transaction, row, changes, vault)
    return Confirmation(
        f"Carrier {row.name} changed: {', '.join(sorted(changes))}.",
        {"carrier_id": row.carrier_id},
        [*map(str, carrier_warnings(changes))],
    )


@carrier.command("enable")
@click.argument("carrier")
@in_context
async def enable(context: CommandContext, carrier: str) -> Reply:
    """Enable a carrier (name or ID).

    \b
    Example:  homing carrier enable test
    """
    return await _switch(context, carrier, CarrierMode.OPEN)


@carrier.command("disable")
@click.argument("carrier")
@in_context
async def disable(context: CommandContext, carrier: str) -> Reply:
    """Disable a carrier (name or ID). Its queued messages wait until it is enabled or they expire.

    \b
    Example:  homing carrier disable test
    """
    return await _switch(context, carrier, CarrierMode.CLOSED)


@carrier.command("drain")
@click.argument("carrier")
@in_context
async def drain(context: CommandContext, carrier: str) -> Reply:
    """Drain a carrier (name or ID): no new messages. Queued messages are still sent and receipts are accepted.

    \b
    Example:  homing carrier drain test
    """
    return await _switch(context, carrier, CarrierMode.DRAINING)


async def _switch(context: CommandContext, name_or_id: str, course: CarrierMode) -> Reply:
    row = await carriers.find_carrier(context.database, name_or_id)
    await carriers.switch_carrier(context.database, row.carrier_id, course)
    return Confirmation(
        f"Carrier {row.name} is {course.value}.",
        {
            "carrier_id": row.carrier_id,
            "name": row.name,
            "enabled": course is not CarrierMode.CLOSED,
            "is_draining": course is CarrierMode.DRAINING,
        },
    )
