"""`homing push`."""

from datetime import UTC, datetime

import click
import msgspec

from homing.cli import dialects
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MOMENT, ROW_ID, limit_option
from homing.cli.show import COUNT, PROSE, TIME, URL, Column, Confirmation, Reply, Table, enum_kind
from homing.common.urls import without_password
from homing.delivery.pushes import PushSelection, read_pushes, replay_push, replay_span
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
@click.argument("push_id", metavar="[ID]", type=ROW_ID, required=False)
@click.option("--account", help="In place of ID: all pushes of this account (name or ID) ...")
@click.option("--from", "since", type=MOMENT, help="... from this time on: 24h, or a date and time in UTC ...")
@click.option("--to", "until", type=MOMENT, help="... until then.  [default: now]")
@click.option("--failed", is_flag=True, help="Of these only the failed ones.")
@in_context
async def replay(
    context: CommandContext,
    push_id: int | None,
    account: str | None,
    since: datetime | None,
    until: datetime | None,
    failed: bool,
) -> Reply:
    """Send a finished push, or an account's pushes of a time span, again.

    Works for acknowledged and failed pushes; they get their full number of attempts again. Of a span the earliest
    1,000 are sent at a time. Pushes to webhook endpoints: homing webhook replay.

    \b
    Example:  homing push replay 17
              homing push replay --account acme --from 2026-11-26T10:00 --to 2026-11-26T11:30
    """
    if push_id is None:
        if account is None or since is None:
            raise click.UsageError("give an ID, or --account and --from")
        account_id = (await context.account(account)).account_id
        until = until or datetime.now(UTC)
        async with context.database.transaction() as transaction:
            count = await replay_span(transaction, account_id, since=since, until=until, only_failed=failed)
        return Confirmation(f"Pushes that will be sent again: {count}.", {"account_id": account_id, "replayed": count})
    if account is not None or since is not None or until is not None or failed:
        raise click.UsageError("give either an ID or a time span")
    async with context.database.transaction() as transaction:
        row = await replay_push(transaction, push_id)
    return Confirmation(f"Push {push_id} will be sent again.", {"push_id": push_id, "account_id": row.account_id})
