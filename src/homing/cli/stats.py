"""`homing stats`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec

from homing.cli.context import CommandContext, CommandGroup, in_context
from homing.cli.parameters import MOMENT, account_option
from homing.cli.show import COUNT, MONEY, TIME, YES, Column, ColumnKind, Detail, Reply, Table, clock, interval
from homing.model import PeriodGrain
from homing.statistics.proof import prove as prove_statistics
from homing.statistics.report import GRAINS, RateWithInterval, ReportGrouping, ReportLine, report


def _percent(found: RateWithInterval) -> str:
    return interval(found.mean, found.low, found.high)


def _rounded(found: RateWithInterval) -> dict[str, float]:
    return {name: round(value, 6) for name, value in msgspec.structs.asdict(found).items()}


def _seconds(seconds: float) -> str:
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s"


RATE: Final = ColumnKind(text=_percent, json=_rounded, right=True)
SECONDS: Final = ColumnKind(text=_seconds, json=lambda seconds: round(seconds, 3), right=True)
FIGURES: Final = (
    Column("submitted", "Submitted", COUNT),
    Column("sent", "Sent", COUNT),
    Column("delivered", "Delivered", COUNT),
    Column("undelivered", "Undelivered", COUNT),
    Column("converted", "Converted", COUNT),
    Column("refused", "Refused", COUNT),
    Column("delivered_rate", "Delivered of sent", RATE),
    Column("converted_rate", "Converted of sent", RATE),
    Column("receipt_s", "Receipt", SECONDS),
    Column("conversion_s", "Return", SECONDS),
    Column("cost_micro", "Cost", MONEY),
    Column("revenue_micro", "Revenue", MONEY),
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
    Column("sender", "Sender"),
    Column("figure", "Figure"),
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
    """What became of messages, in figures.

    A message counts for the time at which it was submitted, whenever its receipt or its conversion came. Options
    without a verb are those of `show`.

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
    help="One line each.",
)
@click.option("--since", type=MOMENT, default="24h", show_default=True, help="24h, 7d, or a date and time in UTC.")
@click.option("--until", type=MOMENT, help="Likewise.  [default: now]")
@account_option
@in_context
async def show(context: CommandContext, by: str, since: datetime, until: datetime | None, account: str | None) -> Reply:
    """Counts, rates, times and money of the messages of a span.

    Rates are of the messages that a carrier took, with the interval in which the true rate lies in 95 of 100 cases.
    Receipt and return are medians: from sent to the final receipt, from submit to the conversion. Cost is what carriers
    ask, where their costs are known; revenue is what customers paid and did not get back. Refused are attempts.

    The last 3 hours are counted by minute, up to 100 days by hour, what is older by day: a span begins with its period.

    \b
    Example:  homing stats show --by country --since 7d
              homing stats show --by hour --since 2026-11-26 --json
    """
    account_id = None if account is None else (await context.account(account))["account_id"]
    now = datetime.now(UTC)
    until = until or now
    if until <= since:
        raise click.UsageError("the span ends before it begins")
    found = await report(context.database, ReportGrouping(by), since, until, now, account_id)
    columns = (Column("key", by.capitalize() + (" (UTC)" if ReportGrouping(by) in GRAINS else "")), *FIGURES)
    return Table(columns, [_shown(line, ReportGrouping(by)) for line in found.lines], "No messages.")


def _shown(line: ReportLine, by: ReportGrouping) -> dict[str, object]:
    key = clock(_at(int(line.key))) if by in GRAINS else line.key or "-"
    return {**{name: getattr(line, name) for name in line.__struct_fields__}, "key": key}


def _at(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


@stats.command("prove")
@click.argument("account", required=False)
@in_context
async def prove(context: CommandContext, account: str | None) -> Reply:
    """Recount everything from the messages, their attempts and conversions.

    Each minute, hour and day that is kept is held against them, cell by cell. Ends with status 1 when anything differs,
    and lists what does.

    \b
    Example:  homing stats prove
    """
    account_id = None if account is None else (await context.account(account))["account_id"]
    differences = await prove_statistics(context.database, datetime.now(UTC), account_id)
    rows: list[Mapping[str, Any]] = [
        {**msgspec.structs.asdict(one), "begins_at": _at(one.minute), "grain": PeriodGrain(one.grain)}
        for one in differences
    ]
    parts = {"differences": Table(DIFFERENCES, rows)}
    return Detail(PROOF, {"holds": not differences}, parts, failed=bool(differences))
