"""`homing guard`: what the guard has concluded of messages, ranges and addresses, and the release of the latter."""

from datetime import UTC, datetime, timedelta
from typing import Final

import click
import msgspec

from homing import limits
from homing.admin import guard_settings
from homing.admin.guard_addresses import is_address_name, lift_address, read_flagged_addresses
from homing.cli import guard_tables as tables
from homing.cli.context import CommandContext, in_context
from homing.cli.parameters import WholeNumberType, account_option, limit_option
from homing.cli.show import Confirmation, Reply, Table
from homing.guard.rules import RULES
from homing.i18n.reasons import TITLES, reason_title
from homing.reasons import encode_reason
from homing.store import statements
from homing.text.numbers import dashed


@click.command("decisions")
@account_option
@click.option("--rule", type=click.Choice(list(RULES)), help="Only this rule.")
@click.option("--reason", type=click.Choice([code.value for code in TITLES]), help="Only this reason.")
@limit_option
@in_context
async def decisions(
    context: CommandContext, account: str | None, rule: str | None, reason: str | None, limit: int
) -> Reply:
    """List messages blocked, or that would have been, and why.

    \b
    Example:  homing guard decisions --limit 20
              homing guard decisions --reason guard.range_unconverted
    """
    scope = None if account is None else await context.scope(account)
    if reason is None:
        rows = await statements.guard.guard_decisions_of(context.database, account_id=scope, rule=rule, rows_max=limit)
    else:
        looked_at = max(limit, limits.GUARD_DECISIONS_LOOKED_AT)
        rows = await statements.guard.guard_decisions_page_for(
            context.database,
            before_at=None,
            before_id=None,
            code=reason,
            account_id=scope,
            rule=rule,
            looked_max=looked_at,
            rows_max=limit,
        )
    return Table(tables.DECISIONS, rows, "No message was blocked or would have been blocked.")


@click.command("reasons")
@account_option
@click.option("--days", type=WholeNumberType(1, 90), default=7, show_default=True, help="Number of days to look back.")
@in_context
async def reasons(context: CommandContext, account: str | None, days: int) -> Reply:
    """Count messages by reason for blocking.

    Messages that were blocked or would have been blocked, with their charges.

    \b
    Example:  homing guard reasons --days 1
    """
    scope = None if account is None else await context.scope(account)
    now = datetime.now(UTC)
    rows = await statements.guard.guard_reason_counts(
        context.database, since=now - timedelta(days=days), before=now, account_id=scope
    )
    rows_with_titles = [{**msgspec.structs.asdict(row), "title": reason_title(row.reason_code).text} for row in rows]
    return Table(tables.REASONS, rows_with_titles, "No message was blocked or would have been blocked.")


@click.command("saved")
@account_option
@click.option("--days", type=WholeNumberType(1, 90), default=30, show_default=True, help="Number of days to look back.")
@in_context
async def saved(context: CommandContext, account: str | None, days: int) -> Reply:
    """Show what the guard saved or would have saved.

    The charges of blocked messages (action block), and those that blocking would have avoided (action monitor).

    \b
    Example:  homing guard saved --days 7
    """
    scope = None if account is None else await context.scope(account)
    rows = await statements.guard.guard_saved(
        context.database, account_id=scope, since=datetime.now(UTC) - timedelta(days=days)
    )
    return Table(tables.SAVED, rows, "Nothing was blocked or would have been blocked.")


@click.command("verdicts")
@account_option
@click.option("--all", "with_past", is_flag=True, help="Include those that have ended.")
@limit_option
@in_context
async def verdicts(context: CommandContext, account: str | None, with_past: bool, limit: int) -> Reply:
    """List number ranges suspected of SMS pumping now, and why.

    Also whole networks that never had a conversion.

    \b
    Example:  homing guard verdicts
    """
    scope = None if account is None else await context.scope(account)
    rows = await statements.guard.guard_verdicts_of(
        context.database, account_id=scope, with_past=with_past, rows_max=limit
    )
    rows_with_titles = [
        {**msgspec.structs.asdict(row), "range": row.digits or f"whole network {dashed(row.network)}"} for row in rows
    ]
    return Table(tables.VERDICTS, rows_with_titles, "No suspected number ranges.")


@click.command("addresses")
@account_option
@in_context
async def addresses(context: CommandContext, account: str | None) -> Reply:
    """List end users' addresses suspected of SMS pumping.

    Also network prefixes. Each has a name made of its hash: addresses are not stored.

    \b
    Example:  homing guard addresses
    """
    scope = None if account is None else await context.scope(account)
    rows = [
        {**msgspec.structs.asdict(each), "reason": encode_reason(each.reason)}
        for each in await read_flagged_addresses(context.database, datetime.now(UTC), scope)
    ]
    return Table(tables.ADDRESSES, rows, "No suspected addresses.")


@click.command("lift")
@click.argument("range", metavar="RANGE")
@account_option
@in_context
async def lift(context: CommandContext, range: str, account: str | None) -> Reply:
    """Release a range, network or address that is not SMS pumping.

    Clears the recorded evidence; `homing guard allow` prevents further detections of a range or network. An address
    is named as in `homing guard addresses`.

    \b
    Example:  homing guard lift 62812345
              homing guard lift 247-01
              homing guard lift ip-05ab2c31d4
    """
    scope = None if account is None else await context.scope(account)
    if is_address_name(range):
        async with context.database.transaction() as transaction:
            verdicts = await lift_address(transaction, range, scope, datetime.now(UTC))
    else:
        verdicts = await guard_settings.lift(context.database, range, scope)
    return Confirmation(f"{range} will be released within seconds.", {"range": range, "verdicts": verdicts})


CONCLUSION_COMMANDS: Final = (decisions, reasons, saved, verdicts, addresses, lift)
