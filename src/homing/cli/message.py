"""`homing message`."""

from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from homing import errors, limits
from homing.admin.carriers import find_carrier
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MESSAGE_ID, NUMBER, account_option, limit_option
from homing.cli.show import COUNT, MONEY, PROSE, REASON, TIME, Column, ColumnKind, Detail, Reply, Table, enum_kind, span
from homing.dialects.registry import DIALECTS
from homing.i18n.reasons import reason_document
from homing.messages import timeline
from homing.messages.search import MessageFilter, MessageKey, search
from homing.states import MessageState
from homing.store import statements

MESSAGES = (
    Column("message_id", "Message", COUNT),
    Column("submitted_at", "Submitted (UTC)", TIME),
    Column("account", "Account"),
    Column("number", "Number"),
    Column("sender", "Sender ID"),
    Column("text", programs_only=True),
    Column("segments", "Seg", COUNT),
    Column("cost_micro", "Cost", MONEY),
    Column("charge_micro", kind=MONEY, programs_only=True),
    Column("refund_micro", kind=MONEY, programs_only=True),
    Column("state", "State", enum_kind(MessageState)),
    Column("reference", programs_only=True),
    Column("error_code", programs_only=True),
    Column("error_text", programs_only=True),
    Column("reason", kind=REASON, programs_only=True),
)
MESSAGE = (
    Column("message_id", "Message", COUNT),
    Column("account_id", programs_only=True),
    Column("account", "Account"),
    Column("number", "Number"),
    Column("sender", "Sender ID"),
    Column("text", "Text", ColumnKind(absent="", wraps=True)),
    Column("segments", programs_only=True),
    Column("state", "State", enum_kind(MessageState)),
    Column("reference", "Reference"),
    Column("carrier", "Carrier"),
    Column("carrier_ref", "Carrier message ID"),
    Column("charge_micro", "Charged", MONEY),
    Column("refund_micro", "Refunded", MONEY),
    Column("submitted_at", programs_only=True),
    Column("sent_at", programs_only=True),
    Column("final_at", programs_only=True),
    Column("error_code", programs_only=True),
    Column("error_text", programs_only=True),
    Column("reason", kind=REASON, programs_only=True),
)
TIMELINE = (
    Column("at", "Time (UTC)", TIME),
    Column("after_s", "After", ColumnKind(text=span, right=True)),
    Column("what", "What"),
    Column("detail", "Detail", PROSE),
    Column("reasons", kind=ColumnKind(json=lambda reasons: list(map(reason_document, reasons))), programs_only=True),
)
REFUSED = (
    Column("message_id", "Message", COUNT),
    Column("account", "Account"),
    Column("number", "Number"),
    Column("state", "State"),
    Column("at", "At (UTC)", TIME),
    Column("rule", "Rule"),
    Column("scope", "Scope"),
    Column("reason", "Reason", REASON),
    Column("charge_micro", "Not charged", MONEY),
)
STATE_NAMES: Final = [state.name.lower() for state in MessageState if state is not MessageState.SENDING]
"""Sending is a queued message that a process has in hand; it is found as queued."""


@click.group(cls=CommandGroup)
def message() -> None:
    """Messages and their timelines.

    \b
    Example:  homing message list --number 8613800130001
              homing message show 231541870592001
    """


@message.command("show")
@click.argument("message_id", metavar="ID", type=MESSAGE_ID)
@in_context
async def show(context: CommandContext, message_id: int) -> Reply:
    """Show a message's timeline.

    How it was submitted, its price and route, ledger entries, attempts, receipts, pushes and the conversion, then what
    is due next. Of a message that the guard blocked, only the reason is known; its ID is that of the guard's decision.

    \b
    Example:  homing message show 231541870592001
    """
    async with context.database.transaction() as transaction:
        row = await timeline.find_message(transaction, message_id)
        if row is None:
            refused = await statements.guard.guard_refusal(transaction, message_id=message_id)
            if refused is not None:
                return Detail(REFUSED, {**msgspec.structs.asdict(refused), "state": "blocked by the guard"})
            raise errors.InvalidInput(f"message {message_id} does not exist; `homing message list` lists the latest")
        entries = await timeline.read_timeline(transaction, row, DIALECTS)
    return Detail(
        MESSAGE, row, {"timeline": Table(TIMELINE, [_timeline_row(entry, row.submitted_at) for entry in entries])}
    )


def _timeline_row(entry: timeline.TimelineEntry, submitted_at: datetime) -> dict[str, object]:
    after_s = round((entry.at - submitted_at).total_seconds(), 3)
    enum_kind = {"at": entry.at, "what": entry.what, "detail": entry.detail, "after_s": after_s}
    return {**enum_kind, "reasons": entry.reasons}


@message.command("list")
@account_option
@click.option("--number", type=NUMBER, help="Only to this number.")
@click.option("--carrier", help="Only through this carrier (name or ID).")
@click.option(
    "--state", "states", type=click.Choice(STATE_NAMES), multiple=True, help="Only in this state; can be repeated."
)
@limit_option
@in_context
async def list_messages(
    context: CommandContext,
    account: str | None,
    number: str | None,
    carrier: str | None,
    states: tuple[str, ...],
    limit: int,
) -> Reply:
    """List the latest messages.

    \b
    Example:  homing message list --account acme --limit 10
              homing message list --carrier globe --state undeliverable
    """
    message_filter = MessageFilter(
        account_id=None if account is None else (await context.account(account)).account_id,
        carrier_id=None if carrier is None else (await find_carrier(context.database, carrier)).carrier_id,
        states=tuple(MessageState[name.upper()] for name in states),
        key=None if number is None else MessageKey.NUMBER,
        value=number or "",
    )
    looked_max = max(limit, limits.SEARCH_LOOKED_MAX)
    result = await search(context.database, message_filter, limit, datetime.now(UTC), looked_max)
    stopped = f" among the latest {result.looked}" if result.stopped_id else ""
    return Table(MESSAGES, result.rows, f"No messages{stopped}.")
