"""What is added up, read back: cells of a span, for whoever starts and has to know what went before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.model import PeriodGrain
from homing.statistics.delta import Delta
from homing.store import statements
from homing.store.database import Database

PAST_ITEMS_MAX: Final = 100_000


class StatisticsCell(msgspec.Struct, frozen=True, gc=False):
    """A period of one cell: of the messages that were submitted in it, what became of them so far.

    `minute` is the unix minute in which the period begins, `grain` its length in minutes. Times are counts by bucket
    (common/histogram.py), () where there are none.
    """

    minute: int
    grain: int
    account_id: int
    app_id: str
    country: str
    network: str
    prefix: str
    carrier_id: int
    sender: str
    submitted: int
    sent: int
    delivered: int
    undelivered: int
    converted: int
    refused: int
    cost_micro: int
    revenue_micro: int
    receipt_times: tuple[int, ...]
    conversion_times: tuple[int, ...]

    def as_delta(self) -> Delta:
        """The same figures as one change of the minute in which the period begins; times are left out."""
        return Delta(
            self.minute,
            self.account_id,
            self.app_id,
            self.country,
            self.network,
            self.prefix,
            self.carrier_id,
            self.sender,
            submitted=self.submitted,
            sent=self.sent,
            delivered=self.delivered,
            undelivered=self.undelivered,
            converted=self.converted,
            refused=self.refused,
            cost_micro=self.cost_micro,
            revenue_micro=self.revenue_micro,
        )


async def read_cells(
    database: Database,
    grain: PeriodGrain,
    *,
    since_minute: int,
    until_minute: int,
    account_id: int | None = None,
    items_max: int = PAST_ITEMS_MAX,
) -> list[StatisticsCell]:
    """The cells of the periods that begin in [since, until), rounded down to whole periods, the latest first; of one
    account or of all. The oldest are left out beyond `items_max`.
    """
    rows = await statements.statistics.stat_cells(
        database,
        grain=int(grain),
        first_period=since_minute // grain,
        beyond_period=until_minute // grain,
        account_id=account_id,
        rows_max=items_max,
    )
    return [
        StatisticsCell(
            minute=row.minute,
            grain=row.grain,
            account_id=row.account_id,
            app_id=row.app_id,
            country=row.country,
            network=row.network,
            prefix=row.prefix,
            carrier_id=row.carrier_id,
            sender=row.sender,
            submitted=row.submitted,
            sent=row.sent,
            delivered=row.delivered,
            undelivered=row.undelivered,
            converted=row.converted,
            refused=row.refused,
            cost_micro=row.cost_micro,
            revenue_micro=row.revenue_micro,
            receipt_times=tuple(row.receipt_times or ()),
            conversion_times=tuple(row.conversion_times or ()),
        )
        for row in rows
    ]


async def read_past(database: Database, now: datetime) -> Sequence[StatisticsCell]:
    """What a listener is told when it starts: the last two hours or so by minute, and the days before them by hour.
    No message is in it twice. Oldest first.
    """
    now_minute = int(now.timestamp()) // 60
    turn = (now_minute - limits.PAST_MINUTES_S // 60) // PeriodGrain.HOUR * PeriodGrain.HOUR
    first = now_minute - limits.PAST_HOURS_DAYS * PeriodGrain.DAY
    minutes = await read_cells(
        database, PeriodGrain.MINUTE, since_minute=turn, until_minute=now_minute + PeriodGrain.HOUR
    )
    hours = await read_cells(
        database, PeriodGrain.HOUR, since_minute=first, until_minute=turn, items_max=PAST_ITEMS_MAX
    )
    return [*reversed(hours), *reversed(minutes)]


def shows_conversions(sent: int, converted: int) -> bool | None:
    """Whether messages of some days show that their app reports conversions; None: they are too few to tell."""
    if converted >= max(limits.REPORTING_MESSAGES_MIN, sent / limits.REPORTING_MESSAGES_PER_CONVERSION_MAX):
        return True
    return False if sent >= limits.REPORTING_MESSAGES_PER_CONVERSION_MAX else None
