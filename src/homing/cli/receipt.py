"""`homing receipt`."""

from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from homing import errors, limits
from homing.admin.catalogue import find_carrier
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MOMENT, ROW_ID, limit_option
from homing.cli.show import COUNT, PROSE, TIME, Column, ColumnKind, Confirmation, Detail, Reply, Table, named
from homing.receipts.learnt_formats import learnt_id_format
from homing.receipts.unmatched import consider, drop_unmatched, find_unmatched, read_unmatched, replay_unmatched
from homing.states import MessageState

UNMATCHED = (
    Column("parked_id", "Id", COUNT),
    Column("received_at", "Received (UTC)", TIME),
    Column("carrier", "Carrier"),
    Column("carrier_ref", "Carrier's id", PROSE),
    Column("number", "Number"),
    Column("state", "Says", named(MessageState)),
    Column("error_code", "Error"),
    Column("replays", "Replays", COUNT),
    Column("raw", "Raw", PROSE),
    Column("given_up_at", programs_only=True),
)
RECEIPT = (
    *UNMATCHED[:-2],
    Column("waiting_since", "Waiting since (UTC)", TIME),
    Column("given_up_at", "Given up (UTC)", TIME),
    Column("learnt_form", "Carrier's form", ColumnKind(absent="not learnt yet")),
    Column("raw", "Raw", PROSE),
)
CONSIDERED = (
    Column("message_id", "Message", COUNT),
    Column("part", "Part", ColumnKind(text=lambda part: str(part or "-"), right=True)),
    Column("carrier_ref", "Its id", PROSE),
    Column("form", "As"),
    Column("number", "Number"),
    Column("says", "But", PROSE),
)
COUNTS = (
    Column("carrier", "Carrier"),
    Column("unmatched", "Receipts", COUNT),
    Column("oldest_at", "Oldest (UTC)", TIME),
    Column("newest_at", "Newest (UTC)", TIME),
)
NONE_LEFT: Final = "Every report has found its message."
carrier_option: Final = click.option("--carrier", help="Of this carrier (name or id) alone.")
since_option: Final = click.option("--since", type=MOMENT, help="Received since: a time in UTC, or a span such as 2h.")
ids_argument: Final = click.argument("parked_ids", metavar="[ID]...", nargs=-1, type=ROW_ID)


@click.group(cls=CommandGroup)
def receipt() -> None:
    """Carriers' delivery reports that belong to no message.

    They have waited some minutes for one, as a report can be quicker than the answer to its submit. Many of them mean
    that a carrier reports what others have sent, or writes its ids in a way of its own.

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
    """Reports whose message was not found.

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
    """How many there are, by carrier.

    \b
    Example:  homing receipt count --since 1d
    """
    rows = await context.database.fetch(
        "unmatched_count", await _carrier_id(context, carrier), since, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )
    return Table(COUNTS, rows, NONE_LEFT)


@receipt.command("show")
@click.argument("parked_id", metavar="ID", type=ROW_ID)
@in_context
async def show(context: CommandContext, parked_id: int) -> Reply:
    """One report: what it says, and which messages its id could mean.

    \b
    Example:  homing receipt show 17
    """
    row = await find_unmatched(context.database, parked_id)
    async with context.database.connection() as connection:
        considered = await consider(connection, row, datetime.now(UTC))
    learnt = await learnt_id_format(context.database, row["carrier_id"])
    told = {**row, "learnt_form": None if learnt is None else f"{learnt.form}, confirmed {learnt.confirmed} times"}
    rows = [msgspec.structs.asdict(one) for one in considered]
    return Detail(RECEIPT, told, {"considered": Table(CONSIDERED, rows, "No message has an id that this could be.")})


@receipt.command("replay")
@ids_argument
@click.option("--all", "everything", is_flag=True, help="All of them, or all that the options choose.")
@carrier_option
@since_option
@in_context
async def replay(
    context: CommandContext, parked_ids: tuple[int, ...], everything: bool, carrier: str | None, since: datetime | None
) -> Reply:
    """Look for these reports' messages again.

    For five minutes, as if they had just come.

    \b
    Example:  homing receipt replay 17 18
              homing receipt replay --all --carrier acme
    """
    chosen = _chosen(parked_ids, everything)
    carrier_id = await _carrier_id(context, carrier)
    async with context.database.transaction() as transaction:
        moved = await replay_unmatched(transaction, chosen, carrier_id, since)
    return Confirmation(f"{_reports(len(moved))} tried again as soon as Homing runs.", {"replayed": len(moved)})


@receipt.command("drop")
@ids_argument
@click.option("--all", "everything", is_flag=True, help="All of them, or all that the options choose.")
@carrier_option
@click.option("--before", type=MOMENT, help="Received before: a time in UTC, or a span such as 7d.")
@in_context
async def drop(
    context: CommandContext, parked_ids: tuple[int, ...], everything: bool, carrier: str | None, before: datetime | None
) -> Reply:
    """Forget reports whose message was not found. After 30 days they are forgotten by themselves.

    \b
    Example:  homing receipt drop 17
              homing receipt drop --all --before 7d
    """
    chosen = _chosen(parked_ids, everything)
    carrier_id = await _carrier_id(context, carrier)
    async with context.database.transaction() as transaction:
        moved = await drop_unmatched(transaction, chosen, carrier_id, before)
    return Confirmation(f"{_reports(len(moved))} forgotten.", {"dropped": len(moved)})


async def _carrier_id(context: CommandContext, carrier: str | None) -> int | None:
    return None if carrier is None else int((await find_carrier(context.database, carrier))["carrier_id"])


def _chosen(parked_ids: tuple[int, ...], everything: bool) -> list[int] | None:
    if bool(parked_ids) == everything:
        raise errors.InvalidInput("name the receipts by their ids, or say --all")
    return list(parked_ids) or None


def _reports(number: int) -> str:
    return f"{number} report{' is' if number == 1 else 's are'}"
