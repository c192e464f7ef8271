"""`homing guard strictness` and `suggest`: how strict the guard is, and what each strictness would have done."""

from datetime import UTC, datetime

import click

from homing import errors
from homing.admin import guard_settings, guard_strictness
from homing.cli import guard_tables as tables
from homing.cli.context import CommandContext, in_context
from homing.cli.parameters import WholeNumberType, account_option
from homing.cli.show import Confirmation, Detail, Reply, Table
from homing.guard.strictness import Strictness
from homing.store import statements

STRICTNESS = {strictness.name.lower(): strictness for strictness in Strictness}
MESSAGES_MAX = 10**7


@click.command("strictness")
@click.argument("strictness", required=False, type=click.Choice(list(STRICTNESS)))
@account_option
@click.option("--remove", is_flag=True, help="Go back to the general strictness.")
@in_context
async def strictness(context: CommandContext, strictness: str | None, account: str | None, remove: bool) -> Reply:
    """Set the strictness: lenient, standard or strict.

    How much evidence a verdict needs: odds of 150, 20 or 3 to 1 that a range is pumped. Without a level, lists the
    settings. `homing guard suggest` says what each would have done.

    \b
    Example:  homing guard strictness strict --account acme
    """
    scope = await context.scope(account)
    owner = account or "every account"
    if remove:
        await guard_strictness.remove_strictness(context.database, scope)
        return Confirmation(f"Strictness removed for {owner}: the general one applies.", {"account": account})
    if strictness is None:
        rows = await statements.guard.guard_strictness_of(
            context.database, account_id=None if account is None else scope
        )
        return Table(tables.STRICTNESS, rows, "No strictness set: standard applies to every account.")
    await guard_strictness.set_strictness(context.database, scope, STRICTNESS[strictness])
    return Confirmation(
        f"Strictness set to {strictness} for {owner}; it applies within 30 seconds.",
        {"account": account, "strictness": strictness},
    )


@click.command("suggest")
@account_option
@click.option(
    "--messages",
    "messages_max",
    type=WholeNumberType(1, MESSAGES_MAX),
    default=guard_strictness.BACKTEST_MESSAGES_MAX,
    show_default=True,
    help="At most so many, the latest.",
)
@in_context
async def suggest(context: CommandContext, account: str | None, messages_max: int) -> Reply:
    """Show what each strictness would do; suggest budgets.

    With --account its messages of the last 14 days are run through the guard at each strictness, which takes a minute
    or two for 100,000. Without, the latest such results are shown. Who of the refused were people is estimated from
    those that converted, or whose number had messages on several days.

    \b
    Example:  homing guard suggest --account acme
    """
    now = datetime.now(UTC)
    scope = None
    if account is not None:
        scope = await context.scope(account)
        if not await guard_strictness.backtest(context.database, scope, now, messages_max):
            raise errors.InvalidInput("{account} had no messages in 14 days", account=account)
    reports = await guard_strictness.read_reports(context.database, scope)
    budgets = await guard_settings.suggestions(context.database, now, scope)
    parts = {
        "strictness": Table(tables.STRICTNESS_REPORT, reports, "Give --account for what each strictness would do."),
        "budgets": Table(tables.SUGGESTIONS, budgets, "Not enough conversions in 14 days to suggest budgets."),
    }
    return Detail((), {}, parts)


STRICTNESS_COMMANDS = (strictness, suggest)
