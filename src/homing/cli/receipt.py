"""`homing receipt`."""

from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from homing import errors
from homing.admin.carriers import find_carrier
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MOMENT, ROW_ID, limit_option
from homing.cli.show import COUNT, PROSE, TIME, Column, ColumnKind, Confirmation, Detail, Reply, Table, enum_kind
from homing.receipts.learnt_formats import learnt_id_format
from homing.receipts.unmatched_receipts import (
    delete_unmatched,
    find_unmatched,
    possible_messages,
    read_unmatched,
    replay_unmatched,
)
from homing.states import MessageState
from homing.store import statements

UNMATCHED = (
    Column("parked_id", "ID", COUNT),
    Column("received_at", "Received (UTC)", TIME),
    Column("carrier", "Carrier"),
    Column("carrier_ref", "Carrier message ID", PROSE),
    Column("number", "Number"),
    Column("state", "Status", enum_kind(MessageState)),
    Column("error_code", "Error"),
    Column("replays", "Replays", COUNT),
    Column("raw", "Raw", PROSE),
    Column("given_up_at", programs_only=True),
)
RECEIPT = (
    *UNMATCHED[:-2],
    Column("waiting_since", "Waiting since (UTC)", TIME),
    Column("given_up_at", "Unmatched since (UTC)", TIME),
    Column("learnt_format", "Message ID format", ColumnKind(absent="not detected yet")),
    Column("raw", "Raw", PROSE),
)
POSSIBLE = (
    Column("message_id", "Message", COUNT),
    Column("part", "Part", ColumnKind(text=lambda part: str(part or "-"), right=True)),
    Column("carrier_ref", "Carrier message ID", PROSE),
    Column("format", "Interpreted as"),
    Column("number", "Number"),
    Column("check", "Check", PROSE),
)
COUNTS = (
    Column("carrier", "Carrier"),
    Column("unmatched", "Receipts", COUNT),
    Column("oldest_at", "Oldest (UTC)", TIME),
    Column("newest_at", "Newest (UTC)", TIME),
)
NONE_LEFT: Final = "No unmatched receipts."
carrier_option: Final = click.option("--carrier", help="Only of this carrier (name or ID).")
since_option: Final = click.option("--since", type=MOMENT, help="Received since: a time in UTC, or a span such as 2h.")
ids_argument: Final = click.argument("parked_ids", metavar="[ID]...", nargs=-1, type=ROW_ID)


@click.group(cls=CommandGroup)
def receipt() -> None:
    """Receipts (DLRs) that match no message.

    A receipt can arrive before the response to its submit, so it is only listed after some minutes. Many unmatched
    receipts mean that a carrier reports messages of others, or that its message ID format is unknown.

    \b
    Example:  homing receipt count
              homing receipt list --carrier acme --since 2h
              homing receipt replay --all
    """


@receipt.command("list")
@carrier_option
@since_option
@limit_option
@in_context
async def list_unmatched(context: CommandContext, carrier: str | None, since: datetime | None, limit: int) -> Reply:
    """List unmatched receipts.

    \b
    Example:  homing receipt list --carrier acme --since 2h
    """
    rows = await read_unmatched(context.database, await _carrier_id(context, carrier), since, limit)
    return Table(UNMATCHED, rows, NONE_LEFT)


@receipt.command("count")
@carrier_option
@since_option
@in_context
async def count(context: CommandContext, carrier: str | None, since: datetime | None) -> Reply:
    """Count unmatched receipts by carrier.

    \b
    Example:  homing receipt count --since 1d
    """
    rows = await statements.receipts.unmatched_count(
        context.database, carrier_id=await _carrier_id(context, carrier), since=since
    )
    return Table(COUNTS, rows, NONE_LEFT)


@receipt.command("show")
@click.argument("parked_id", metavar="ID", type=ROW_ID)
@in_context
async def show(context: CommandContext, parked_id: int) -> Reply:
    """Show a receipt, and the messages its ID could refer to.

    \b
    Example:  homing receipt show 17
    """
    row = await find_unmatched(context.database, parked_id)
    async with context.database.connection() as connection:
        possible = await possible_messages(connection, row, datetime.now(UTC))
    learnt = await learnt_id_format(context.database, row.carrier_id)
    receipt_row = {
        **msgspec.structs.asdict(row),
        "learnt_format": None if learnt is None else f"{learnt.format}, confirmed {learnt.confirmed} times",
    }
    rows = [msgspec.structs.asdict(message) for message in possible]
    return Detail(RECEIPT, receipt_row, {"possible_messages": Table(POSSIBLE, rows, "No message has a matching ID.")})


@receipt.command("replay")
@ids_argument
@click.option("--all", "everything", is_flag=True, help="All, or all that match the other options.")
@carrier_option
@since_option
@in_context
async def replay(
    context: CommandContext, parked_ids: tuple[int, ...], everything: bool, carrier: str | None, since: datetime | None
) -> Reply:
    """Retry matching receipts.

    Homing tries for five minutes, as with new receipts.

    \b
    Example:  homing receipt replay 17 18
              homing receipt replay --all --carrier acme
    """
    chosen = _chosen(parked_ids, everything)
    carrier_id = await _carrier_id(context, carrier)
    async with context.database.transaction() as transaction:
        moved = await replay_unmatched(transaction, chosen, carrier_id, since)
    return Confirmation(f"{_reports(len(moved))} matched again as soon as Homing runs.", {"replayed": len(moved)})


@receipt.command("drop")
@ids_argument
@click.option("--all", "everything", is_flag=True, help="All, or all that match the other options.")
@carrier_option
@click.option("--before", type=MOMENT, help="Received before: a time in UTC, or a span such as 7d.")
@in_context
async def drop(
    context: CommandContext, parked_ids: tuple[int, ...], everything: bool, carrier: str | None, before: datetime | None
) -> Reply:
    """Delete unmatched receipts. They are deleted automatically after 30 days.

    \b
    Example:  homing receipt drop 17
              homing receipt drop --all --before 7d
    """
    chosen = _chosen(parked_ids, everything)
    carrier_id = await _carrier_id(context, carrier)
    async with context.database.transaction() as transaction:
        moved = await delete_unmatched(transaction, chosen, carrier_id, before)
    return Confirmation(f"{_reports(len(moved))} deleted.", {"dropped": len(moved)})


async def _carrier_id(context: CommandContext, carrier: str | None) -> int | None:
    return None if carrier is None else int((await find_carrier(context.database, carrier)).carrier_id)


def _chosen(parked_ids: tuple[int, ...], everything: bool) -> list[int] | None:
    if bool(parked_ids) == everything:
        raise errors.InvalidInput("give the IDs of the receipts, or --all")
    return list(parked_ids) or None


def _reports(number: int) -> str:
    return f"{number} receipt{'' if number == 1 else 's'}"
