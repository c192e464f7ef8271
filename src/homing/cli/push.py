"""`homing push`."""

import click
import msgspec

from homing.cli import dialects
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import ROW_ID, limit_option
from homing.cli.show import COUNT, PROSE, TIME, URL, Column, Confirmation, Reply, Table, enum_kind
from homing.common.urls import without_password
from homing.delivery.pushes import PushSelection, read_pushes, replay_push
from homing.model import PushKind, PushOutcome
from homing.store.statements.pushes import PushRow

PUSHES = (
    Column("push_id", "Push", COUNT),
    Column("account", "Account"),
    Column("message_id", "Message", COUNT),
    Column("dialect", programs_only=True, kind=dialects.NUMBER),
    Column("kind", programs_only=True, kind=enum_kind(PushKind)),
    Column("url", kind=URL, programs_only=True),
    Column("outcome", "Outcome", enum_kind(PushOutcome)),
    Column("attempts", "Attempts", COUNT),
    Column("created_at", programs_only=True),
    Column("due_at", "Next attempt (UTC)", TIME),
    Column("told", "Address and last response", PROSE),
    Column("answered_at", programs_only=True),
    Column("status", programs_only=True),
    Column("answer", programs_only=True),
)


@click.group(cls=CommandGroup)
def push() -> None:
    """Pushes to customers, their responses, and sending them again.

    \b
    Example:  homing push list --failed
              homing push replay 17
    """


@push.command("list")
@click.argument("account", required=False)
@click.option("--failed", is_flag=True, help="Failed pushes, and those that will be retried.")
@limit_option
@in_context
async def list_pushes(context: CommandContext, account: str | None, failed: bool, limit: int) -> Reply:
    """List the latest pushes, of all accounts or of one.

    \b
    Example:  homing push list acme --failed
    """
    account_id = None if account is None else (await context.account(account)).account_id
    lists = (PushSelection.GIVEN_UP, PushSelection.FAILING) if failed else (PushSelection.RECENT,)
    pushes = [
        row for selection in lists for row in await read_pushes(context.database, selection, account_id, None, limit)
    ]
    rows = sorted(pushes, key=lambda row: -int(row.push_id))[:limit]
    return Table(PUSHES, [{**msgspec.structs.asdict(row), "told": _response_text(row)} for row in rows], "No pushes.")


def _response_text(push: PushRow) -> str:
    status = None if push.status is None or not push.url else f"HTTP {push.status}"
    to = without_password(push.url) if push.url else "SMPP session"
    return ": ".join(text for text in (to, status, push.answer) if text)


@push.command("replay")
@click.argument("push_id", metavar="ID", type=ROW_ID)
@in_context
async def replay(context: CommandContext, push_id: int) -> Reply:
    """Send a finished push again.

    Works for acknowledged and failed pushes; the push gets its full number of attempts again.

    \b
    Example:  homing push replay 17
    """
    async with context.database.transaction() as transaction:
        row = await replay_push(transaction, push_id)
    return Confirmation(f"Push {push_id} will be sent again.", {"push_id": push_id, "account_id": row.account_id})
