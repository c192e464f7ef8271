"""`homing stats`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.exit_status import status_of
from homing.cli.parameters import MOMENT, account_option
from homing.cli.sheets import as_sheet, sheet_options
from homing.cli.show import COUNT, MONEY, TIME, YES, Column, ColumnKind, Detail, Reply, Table, clock, interval
from homing.model import PeriodGrain
from homing.statistics.proof import prove as prove_statistics
from homing.statistics.report import GRAINS, RateWithInterval, ReportGrouping, ReportLine, report
from homing.statistics.verified import GROUPINGS, read_verified


def _percent(rate: RateWithInterval) -> str:
    return interval(rate.mean, rate.low, rate.high)


def _rounded(rate: RateWithInterval) -> dict[str, float]:
    return {name: round(value, 6) for name, value in msgspec.structs.asdict(rate).items()}


def _seconds(seconds: float) -> str:
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s"


RATE: Final = ColumnKind(text=_percent, json=_rounded, members=RateWithInterval.__struct_fields__, right=True)
SECONDS: Final = ColumnKind(text=_seconds, json=lambda seconds: round(seconds, 3), right=True)
FIGURES: Final = (
    Column("submitted", "Submitted", COUNT),
    Column("sent", "Sent", COUNT),
    Column("delivered", "Delivered", COUNT),
    Column("undelivered", "Undelivered", COUNT),
    Column("converted", "Converted", COUNT),
    Column("refused", "Blocked", COUNT),
    Column("delivered_rate", "Delivered of sent", RATE),
    Column("converted_rate", "Converted of sent", RATE),
    Column("receipt_s", "Receipt", SECONDS),
    Column("conversion_s", "Conversion time", SECONDS),
    Column("cost_micro", "Cost", MONEY),
    Column("cost_per_conversion_micro", "Cost per conversion", MONEY),
    Column("revenue_micro", "Revenue", MONEY),
    Column("margin_micro", "Margin", MONEY),
)
VERIFIED: Final = (
    Column("messages", "Messages", COUNT),
    Column("verified", "Verified", COUNT),
    Column("charge_micro", "Charged", MONEY),
    Column("charge_per_verified_micro", "Cost per verified", MONEY),
    Column("carrier_cost_micro", "Carrier cost", MONEY),
    Column("margin_micro", "Margin", MONEY),
)
PROOF: Final = (Column("holds", "Adds up", YES),)
DIFFERENCES: Final = (
    Column("begins_at", "Period (UTC)", TIME),
    Column("grain", "Minutes", COUNT),
    Column("account_id", "Account", COUNT),
    Column("app_id", "App"),
    Column("country", "Country"),
    Column("network", "Network"),
    Column("prefix", "Prefix"),
    Column("carrier_id", "Carrier", COUNT),
    Column("sender", "Sender ID"),
    Column("figure", "Counter"),
    Column("recorded", "Recorded", COUNT),
    Column("counted", "Counted", COUNT),
)


class StatsGroup(CommandGroup):
    """`homing stats` with options alone is `homing stats show`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=StatsGroup)
def stats() -> None:
    """Message statistics.

    A message counts at the time it was submitted, no matter when its receipt or conversion arrived. Options without a
    verb are those of `show`.

    \b
    Example:  homing stats show --by carrier --since 24h
              homing stats show --by hour --account acme
              homing stats prove
    """


@stats.command("show")
@click.option(
    "--by",
    type=click.Choice([each.value for each in ReportGrouping]),
    default="carrier",
    show_default=True,
    help="What to group by.",
)
@click.option("--since", type=MOMENT, default="24h", show_default=True, help="24h, 7d, or a date and time in UTC.")
@click.option("--until", type=MOMENT, help="End of the time range, in the same form.  [default: now]")
@account_option
@sheet_options
@in_context
async def show(
    context: CommandContext,
    by: str,
    since: datetime,
    until: datetime | None,
    account: str | None,
    as_csv: bool,
    xlsx: Path | None,
) -> Reply:
    """Show counts, rates, times and amounts for a time range.

    Rates refer to messages accepted by a carrier and come with their 95% confidence interval. Receipt and conversion
    times are medians: from sent to the final receipt, from submit to the conversion. Cost is the carrier cost, where
    set; revenue is charges less refunds. Blocked counts attempts.

    The last 3 hours are kept by minute, up to 100 days by hour, older data by day; a time range starts at the beginning
    of such a period.

    \b
    Example:  homing stats show --by country --since 7d
              homing stats show --by hour --since 2026-11-26 --json
    """
    account_id = None if account is None else (await context.account(account)).account_id
    now = datetime.now(UTC)
    until = until or now
    if until <= since:
        raise click.UsageError("the time range ends before it begins")
    rate = await report(context.database, ReportGrouping(by), since=since, until=until, now=now, account_id=account_id)
    columns = (Column("key", by.capitalize() + (" (UTC)" if ReportGrouping(by) in GRAINS else "")), *FIGURES)
    table = Table(columns, [_line_row(line, ReportGrouping(by)) for line in rate.lines], "No messages.")
    return as_sheet(table, by, as_csv=as_csv, xlsx=xlsx)


def _line_row(line: ReportLine, by: ReportGrouping) -> dict[str, object]:
    key = clock(_at(int(line.key))) if by in GRAINS else line.key or "-"
    return {**msgspec.structs.asdict(line), "cost_per_conversion_micro": line.cost_per_conversion_micro, "key": key}


def _at(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


@stats.command("verified")
@click.option("--by", type=click.Choice(GROUPINGS), default="country", show_default=True, help="What to group by.")
@click.option("--since", type=MOMENT, default="24h", show_default=True, help="24h, 7d, or a date and time in UTC.")
@account_option
@sheet_options
@in_context
async def verified(
    context: CommandContext, by: str, since: datetime, account: str | None, as_csv: bool, xlsx: Path | None
) -> Reply:
    """Show what codes cost for each person whom they verified.

    The charges less refunds of all messages with codes, divided by the verifications that succeeded, from the beginning
    of an hour on; beside them what the carriers cost, where that is set. Counted anew every minute; kept for 100 days.

    \b
    Example:  homing stats verified --by carrier --since 7d
              homing stats verified --by network --since 30d --xlsx verified.xlsx
    """
    account_id = None if account is None else (await context.account(account)).account_id
    lines = await read_verified(context.database, by, since, account_id)
    rows = [
        {
            **msgspec.structs.asdict(line),
            "charge_per_verified_micro": line.charge_per_verified_micro,
            "margin_micro": line.margin_micro,
        }
        for line in lines
    ]
    table = Table((Column("key", by.capitalize()), *VERIFIED), rows, "No verifications.")
    return as_sheet(table, by, as_csv=as_csv, xlsx=xlsx)


@stats.command("prove")
@click.argument("account", required=False)
@in_context
async def prove(context: CommandContext, account: str | None) -> Reply:
    """Recount from messages, attempts and conversions.

    Every stored minute, hour and day is compared with the result, counter by counter. Differences are listed, and the
    exit status is then 3.

    \b
    Example:  homing stats prove
    """
    account_id = None if account is None else (await context.account(account)).account_id
    differences = await prove_statistics(context.database, datetime.now(UTC), account_id)
    rows: list[Mapping[str, Any]] = [
        {
            **msgspec.structs.asdict(difference),
            "begins_at": _at(difference.minute),
            "grain": PeriodGrain(difference.grain),
        }
        for difference in differences
    ]
    parts = {"differences": Table(DIFFERENCES, rows)}
    return Detail(PROOF, {"holds": not differences}, parts, status=status_of(not differences))
