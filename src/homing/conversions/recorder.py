"""Conversions: the customer reports that the recipient has used the message. One record per message, for
all dialects.

A person who got several messages converted once: the last delivered message is credited, and the reported one refers to
it (`conversions_record`; docs/internals/statistics.md). The dialects' responses do not depend on that.
"""

import enum
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog

from homing import limits
from homing.common import ids
from homing.common.batching import Batcher
from homing.observe.logs import is_debug
from homing.store import statements
from homing.store.database import Database
from homing.store.rows import Executor
from homing.store.statements.conversions import ConversionRow, ReportedConversion

CREDIT_S: Final = 3_600  # messages to a person within it share one conversion
CREDIT_CANDIDATE_MESSAGES_MAX: Final = 1_000  # messages to a number that are looked at for one
CREDIT_IDS: Final = CREDIT_S * 1000 << ids.SHIFT
"""How far apart messages to one number may be to be candidates for the credit, in message IDs (which are times)."""
PARTITION_IDS: Final = limits.PARTITION_DAYS * 86_400_000 << ids.SHIFT


log = structlog.get_logger()


class ConversionOutcome(enum.Enum):
    """The result of a report."""

    RECORDED = 1
    REPEATED = 2
    UNKNOWN_MESSAGE = 3


class ConversionReport(msgspec.Struct, frozen=True):
    """A conversion as a customer reports it. `reported_at`: when it happened; None: now."""

    account_id: int
    message_id: int
    dialect: int
    reported_at: datetime | None


class ConversionRecorder:
    """Records conversions, many in one transaction. Of simultaneous reports of a message exactly one is recorded."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._records: Batcher[ConversionReport, ConversionOutcome] = Batcher(
            self._record,
            weight_max=limits.BATCH_ITEMS_MAX,
            pending_max=limits.BATCH_PENDING_MAX,
            lanes=2,
        )

    async def report(
        self, account_id: int, message_id: int, dialect: int, reported_at: datetime | None
    ) -> ConversionOutcome:
        """The conversion is durable when this returns. `reported_at`: when it happened, as the customer reports it;
        None: now. Raises a `PlatformFailure` when it may not be recorded.
        """
        if message_id > ids.ID_MAX:
            return ConversionOutcome.UNKNOWN_MESSAGE
        return await self._records.put(ConversionReport(account_id, message_id, dialect, reported_at))

    async def latest_to(self, account_id: int, number: str, app_id: str) -> int | None:
        """The ID of the latest message to a number in an app, for reports without a message ID; None: there is none."""
        return await statements.messages.message_latest_to_number(
            self._database, account_id=account_id, number=number, app_id=app_id
        )

    async def drained(self) -> None:
        await self._records.drained()

    async def _record(self, reports: Sequence[ConversionReport]) -> list[ConversionOutcome]:
        first = {(report.account_id, report.message_id): report for report in reversed(reports)}
        rows = await record_conversions(self._database, list(first.values()), now=self._clock())
        recorded = {(row.account_id, row.message_id): row.recorded for row in rows}
        outcomes = []
        for report in reports:
            key = (report.account_id, report.message_id)
            if key not in recorded:
                outcomes.append(ConversionOutcome.UNKNOWN_MESSAGE)
            elif recorded[key] and first[key] is report:
                outcomes.append(ConversionOutcome.RECORDED)
            else:
                outcomes.append(ConversionOutcome.REPEATED)
        if is_debug():
            log.debug("conversions_recorded", message_ids=[row.message_id for row in rows if row.recorded])
        return outcomes


async def record_conversions(
    db: Executor, reports: Sequence[ConversionReport], *, now: datetime
) -> Sequence[ConversionRow]:
    """Records reports, at most one of a message, in a transaction of their own or as part of one."""
    ordered = sorted(reports, key=lambda report: (report.account_id, report.message_id))
    # All batches lock rows in one order, so that they cannot deadlock.
    return await statements.conversions.conversions_record(
        db,
        now=now,
        credit_ids=CREDIT_IDS,
        candidates_max=CREDIT_CANDIDATE_MESSAGES_MAX,
        partition_ids=PARTITION_IDS,
        reports=[
            ReportedConversion(
                account_id=report.account_id,
                message_id=report.message_id,
                dialect=report.dialect,
                reported_at=report.reported_at,
            )
            for report in ordered
        ],
    )
