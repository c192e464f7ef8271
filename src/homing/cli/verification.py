"""`homing verification`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec

from homing import errors, limits
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import NUMBER, MessageIdType, account_option, limit_option
from homing.cli.show import COUNT, MONEY, PROSE, REASON, TIME, YES, Column, ColumnKind, Detail, Reply, Table, enum_kind
from homing.dialects.registry import DIALECTS
from homing.states import MessageState
from homing.store.statements.verifications import ShownVerification
from homing.verification.search import (
    STATUSES,
    VerificationFilter,
    read_shown_story,
    search_verifications,
    status_name,
)


class VerificationIdType(MessageIdType):
    """The ID of a verification or of any of its messages, also as a dialect's answers have it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        message_id = DIALECTS.message_id_of(str(value))
        return super().convert(value, param, ctx) if message_id is None else message_id


LISTED: Final = (
    Column("verification_id", "Verification", COUNT),
    Column("created_at", "Created (UTC)", TIME),
    Column("account", "Account"),
    Column("app", "App"),
    Column("number", "Number"),
    Column("status", "Status"),
    Column("attempts", "Wrong", COUNT),
    Column("messages", "Messages", COUNT),
    Column("cost_micro", "Cost", MONEY),
    Column("is_test", "Test", YES, programs_only=True),
    Column("expires_at", kind=TIME, programs_only=True),
    Column("ended_at", kind=TIME, programs_only=True),
    Column("reference", programs_only=True),
)
VERIFICATION: Final = (
    Column("verification_id", "Verification", COUNT),
    Column("account_id", programs_only=True),
    Column("account", "Account"),
    Column("app_id", programs_only=True),
    Column("app", "App"),
    Column("number", "Number"),
    Column("reference", "Reference"),
    Column("template", "Template"),
    Column("locale", "Language"),
    Column("flow", "Flow"),
    Column("sender", "Sender ID", ColumnKind(absent="")),
    Column("text", "Text", ColumnKind(absent="", wraps=True)),
    Column("status", "Status"),
    Column("attempts", "Wrong codes", COUNT),
    Column("attempts_max", "Allowed", COUNT),
    Column("is_test", "Test number", YES),
    Column("created_at", "Created (UTC)", TIME),
    Column("expires_at", "Expires (UTC)", TIME),
    Column("ended_at", "Ended (UTC)", TIME),
    Column("cost_micro", "Cost", MONEY),
)
MESSAGES: Final = (
    Column("message_id", "Message", COUNT),
    Column("submitted_at", "Submitted (UTC)", TIME),
    Column("carrier", "Carrier"),
    Column("state", "State", enum_kind(MessageState)),
    Column("segments", "Seg", COUNT),
    Column("cost_micro", "Cost", MONEY),
    Column("is_converted", "Converted", YES),
    Column("sent_at", kind=TIME, programs_only=True),
    Column("final_at", kind=TIME, programs_only=True),
    Column("country", programs_only=True),
    Column("error_code", programs_only=True),
    Column("error_text", kind=PROSE, programs_only=True),
    Column("reason", kind=REASON, programs_only=True),
)


@click.group(cls=CommandGroup)
def verification() -> None:
    """Verifications: codes that were sent, and whether they were entered.

    Codes are sent and checked through the APIs; no command shows one.

    \b
    Example:  homing verification list --number 8613800130001
              homing verification show 231541870592001
    """


@verification.command("list")
@account_option
@click.option("--number", type=NUMBER, help="Only to this number.")
@click.option("--reference", help="Only with this reference of the customer's.")
@click.option("--status", type=click.Choice(list(STATUSES)), help="Only with this status.")
@limit_option
@in_context
async def list_verifications(
    context: CommandContext,
    account: str | None,
    number: str | None,
    reference: str | None,
    status: str | None,
    limit: int,
) -> Reply:
    """List the latest verifications.

    Wrong: wrong codes that were entered. Cost: charges less refunds of all its messages.

    \b
    Example:  homing verification list --account acme --status expired
    """
    wanted = VerificationFilter(
        account_id=None if account is None else (await context.account(account)).account_id,
        number=number,
        reference=reference,
        status=status,
    )
    looked_max = max(limit, limits.SEARCH_LOOKED_MAX)
    result = await search_verifications(context.database, wanted, limit, datetime.now(UTC), looked_max)
    stopped = f" among the latest {looked_max}" if result.stopped_id else ""
    return Table(LISTED, [_row(row) for row in result.rows], f"No verifications{stopped}.")


@verification.command("show")
@click.argument("message_id", metavar="ID", type=VerificationIdType())
@in_context
async def show(context: CommandContext, message_id: int) -> Reply:
    """Show a verification with all messages that carried its code.

    ID is the verification's as an API answered it, or that of any of its messages. Of the messages, Converted is the
    one to which the correct check was credited.

    \b
    Example:  homing verification show 231541870592001
    """
    story = await read_shown_story(context.database, message_id, now=datetime.now(UTC))
    if story is None:
        raise errors.InvalidInput(
            f"message {message_id} belongs to no verification; `homing verification list` lists the latest"
        )
    messages = [
        {
            **msgspec.structs.asdict(message),
            "cost_micro": message.charge_micro - message.refund_micro,
            "is_converted": message.credited_at is not None,
        }
        for message in story.messages
    ]
    return Detail(
        VERIFICATION, _row(story.verification), {"messages": Table(MESSAGES, messages, "No message was sent.")}
    )


def _row(row: ShownVerification) -> Mapping[str, Any]:
    return {**msgspec.structs.asdict(row), "status": status_name(row)}
