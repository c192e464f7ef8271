"""`homing refusal`."""

from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from homing import limits
from homing.accounts.refusal_search import RefusalFilter, count_refusals, find_refusals
from homing.cli import dialects
from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MOMENT, account_option, limit_option
from homing.cli.show import COUNT, REASON, TIME, YES, Column, ColumnKind, Reply, Table
from homing.i18n.phrases import english
from homing.i18n.reasons import CALL_TITLES, reason_title

COUNTED: Final = (
    Column("reason_code", "Reason", ColumnKind(text=lambda code: english([reason_title(code)]))),
    Column("calls", "Calls", COUNT),
    Column("messages", "Messages", COUNT),
)
LISTED: Final = (
    Column("at", "Time (UTC)", TIME),
    Column("account", "Account", ColumnKind(absent="unknown key")),
    Column("dialect", programs_only=True),
    Column("call", "Call", ColumnKind(absent="(several)")),
    Column("code", "Code"),
    Column("reason", "Reason", REASON),
    Column("key", "Key"),
    Column("app_id", programs_only=True),
    Column("address", "Address"),
    Column("calls", "Calls", COUNT),
    Column("messages", "Messages", COUNT),
    Column("request_id", programs_only=True),
    Column("is_rest", kind=YES, programs_only=True),
)
CODES: Final = [code.value for code in CALL_TITLES]
unknown_option = click.option("--unknown", is_flag=True, help="Only calls with unknown keys, or none.")
dialect_option = click.option("--dialect", type=dialects.CHOICE, help="Only of this API dialect.")


@click.group(cls=CommandGroup)
def refusal() -> None:
    """Calls to the APIs that were refused, with the code that the customer got, and why.

    Message texts, numbers and secrets are not kept. Calls that are alike share a row; of a flood of refused calls the
    rest is only counted.

    \b
    Example:  homing refusal list --account acme --since 1h
              homing refusal count --account acme --since 7d
    """


@refusal.command("list")
@account_option
@unknown_option
@dialect_option
@click.option(
    "--reason", type=click.Choice(CODES), metavar="CODE", help="Only with this reason, as `count` lists them."
)
@click.option("--since", type=MOMENT, default="24h", show_default=True, help="24h, 7d, or a date and time in UTC.")
@limit_option
@in_context
async def list_refusals(
    context: CommandContext,
    account: str | None,
    unknown: bool,
    dialect: str | None,
    reason: str | None,
    since: datetime,
    limit: int,
) -> Reply:
    """List the latest refused calls.

    \b
    Example:  homing refusal list --account acme --reason call.no_route
    """
    wanted = RefusalFilter(
        account_id=None if account is None else (await context.account(account)).account_id,
        is_unknown=unknown,
        dialect=dialect,
        reason_code=reason,
        since=since,
    )
    looked_max = max(limit, limits.SEARCH_LOOKED_MAX)
    result = await find_refusals(context.database, wanted, limit, looked_max)
    stopped = f" among the latest {looked_max}" if result.stopped_id else ""
    return Table(LISTED, result.rows, f"No refused calls{stopped}.")


@refusal.command("count")
@account_option
@unknown_option
@dialect_option
@click.option("--since", type=MOMENT, default="24h", show_default=True, help="24h, 7d, or a date and time in UTC.")
@in_context
async def count(
    context: CommandContext, account: str | None, unknown: bool, dialect: str | None, since: datetime
) -> Reply:
    """Count refused calls by reason, from the beginning of an hour on.

    Messages: how many were refused with the calls, as far as it is known.

    \b
    Example:  homing refusal count --account acme --since 7d --json
    """
    wanted = RefusalFilter(
        account_id=None if account is None else (await context.account(account)).account_id,
        is_unknown=unknown,
        dialect=dialect,
    )
    rows = await count_refusals(context.database, wanted, min(since, datetime.now(UTC)))
    return Table(COUNTED, [msgspec.structs.asdict(row) for row in rows], "No refused calls.")
