"""`homing reply`."""

from datetime import datetime
from typing import Final

import click

from homing import errors
from homing.admin.carriers import find_carrier
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MOMENT, ROW_ID, limit_option
from homing.cli.show import COUNT, PROSE, TIME, Column, Confirmation, Reply, Table
from homing.receipts.unmatched_inbound import (
    count_unmatched_inbound,
    delete_unmatched_inbound,
    read_unmatched_inbound,
    replay_unmatched_inbound,
)

UNMATCHED = (
    Column("unmatched_id", "ID", COUNT),
    Column("received_at", "Received (UTC)", TIME),
    Column("carrier", "Carrier"),
    Column("number", "From"),
    Column("recipient", "To"),
    Column("content", "Text", PROSE),
    Column("replays", "Replays", COUNT),
    Column("carrier_ref", programs_only=True),
)
COUNTS = (Column("carrier", "Carrier"), Column("messages", "Inbound messages", COUNT))
NONE_LEFT: Final = "No unmatched inbound messages."
carrier_option: Final = click.option("--carrier", help="Only of this carrier (name or ID).")
ids_argument: Final = click.argument("unmatched_ids", metavar="[ID]...", nargs=-1, type=ROW_ID)
all_option: Final = click.option("--all", "everything", is_flag=True, help="All, or all of --carrier.")


@click.group(cls=CommandGroup)
def reply() -> None:
    """Inbound messages (MO) that match no account.

    A reply belongs to the account with that sender ID that last sent to the number. Without such an account it is kept
    for 30 days. Register the sender ID, then retry matching.

    \b
    Example:  homing reply list --carrier acme --since 2h
              homing sender add demo 447700900777
              homing reply replay --all
    """


@reply.command("list")
@carrier_option
@click.option("--since", type=MOMENT, help="Received since: a time in UTC, or a span such as 2h.")
@limit_option
@in_context
async def list_unmatched(context: CommandContext, carrier: str | None, since: datetime | None, limit: int) -> Reply:
    """List unmatched inbound messages.

    \b
    Example:  homing reply list --carrier acme --since 2h
    """
    carrier_id = await _carrier_id(context, carrier)
    rows = await read_unmatched_inbound(context.database, carrier_id=carrier_id, since=since, rows_max=limit)
    return Table(UNMATCHED, rows, NONE_LEFT)


@reply.command("count")
@in_context
async def count(context: CommandContext) -> Reply:
    """Count unmatched inbound messages by carrier.

    \b
    Example:  homing reply count
    """
    rows = [row for row in await count_unmatched_inbound(context.database) if row.messages]
    return Table(COUNTS, rows, NONE_LEFT)


@reply.command("replay")
@ids_argument
@all_option
@carrier_option
@in_context
async def replay(
    context: CommandContext, unmatched_ids: tuple[int, ...], everything: bool, carrier: str | None
) -> Reply:
    """Retry matching inbound messages.

    \b
    Example:  homing reply replay 17 18
              homing reply replay --all --carrier acme
    """
    chosen, carrier_id = _chosen(unmatched_ids, everything), await _carrier_id(context, carrier)
    async with context.database.transaction() as transaction:
        number = await replay_unmatched_inbound(transaction, chosen, carrier_id)
    return Confirmation(f"{_replies(number)} matched again as soon as Homing runs.", {"replayed": number})


@reply.command("drop")
@ids_argument
@all_option
@carrier_option
@in_context
async def drop(context: CommandContext, unmatched_ids: tuple[int, ...], everything: bool, carrier: str | None) -> Reply:
    """Delete unmatched inbound messages. They are deleted automatically after 30 days.

    \b
    Example:  homing reply drop 17
              homing reply drop --all --carrier acme
    """
    chosen, carrier_id = _chosen(unmatched_ids, everything), await _carrier_id(context, carrier)
    async with context.database.transaction() as transaction:
        number = await delete_unmatched_inbound(transaction, chosen, carrier_id)
    return Confirmation(f"{_replies(number)} deleted.", {"dropped": number})


async def _carrier_id(context: CommandContext, carrier: str | None) -> int | None:
    return None if carrier is None else int((await find_carrier(context.database, carrier)).carrier_id)


def _chosen(unmatched_ids: tuple[int, ...], everything: bool) -> list[int] | None:
    if bool(unmatched_ids) == everything:
        raise errors.InvalidInput("give the IDs of the inbound messages, or --all")
    return list(unmatched_ids) or None


def _replies(number: int) -> str:
    return f"{number} inbound message{'' if number == 1 else 's'}"
