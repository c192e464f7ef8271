"""Alarms: what is wrong now in the platform itself, seen without reading logs. Kept as rows, since whoever notices runs
in one process and those who show it (health, metrics, command line, console) in others.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from homing import errors
from homing.common.storable_text import storable_json
from homing.store import statements
from homing.store.database import Database
from homing.store.rows import Executor

ALARMS_MAX: Final = 1_000  # shown at once
LEARNER: Final = "learner"
GUARD: Final = "guard"
DATABASE: Final = "database"
PROCESS: Final = "process"
CLOCK: Final = "clock"
CARRIER: Final = "carrier"
FAILED: Final = "failed"  # the component stands still, and is tried again
ACCOUNT_SKIPPED: Final = "account_skipped"  # it goes on without what this account's messages tell
STEPPED_BACK: Final = "stepped_back"  # the machine's clock is behind the time that the platform has got to
UNUSABLE: Final = "unusable"  # a carrier's settings cannot be used
RESTARTED: Final = "restarted"  # it had ended, and was started again: an event of the last hour


class Alarm(msgspec.Struct, frozen=True):
    """`times`: how often it was raised since `raised_at`."""

    component: str
    code: str
    subject: str
    detail: Mapping[str, Any]
    raised_at: datetime
    last_at: datetime
    times: int


async def raise_alarm(
    db: Executor,
    component: str,
    code: str,
    subject: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Says that something is wrong, or is so still. Raises a `PlatformFailure`."""
    await statements.alarms.alarm_raise(
        db, component=component, code=code, subject=subject, detail=storable_json(detail or {})
    )


async def clear_alarms(db: Executor, component: str, code: str | None = None, subject: str | None = None) -> None:
    """It is over: all of a component's alarms, or those of a code and a subject. Raises a `PlatformFailure`."""
    await statements.alarms.alarm_clear(db, component=component, code=code, subject=subject)


async def read_alarms(db: Executor) -> Sequence[Alarm]:
    """Those that stand, the oldest first. Raises a `PlatformFailure`."""
    return [
        Alarm(
            component=row.component,
            code=row.code,
            subject=row.subject,
            detail=msgspec.json.decode(row.detail),
            raised_at=row.raised_at,
            last_at=row.last_at,
            times=row.times,
        )
        for row in await statements.alarms.alarms(db, alarms_max=ALARMS_MAX)
    ]


async def alarm_metric(database: Database) -> Sequence[Metric]:
    """`homing_alarms` by component and code, read when somebody asks; nothing while the database is away."""
    try:
        alarms = await read_alarms(database)
    except errors.PlatformFailure:
        return []
    found = GaugeMetricFamily("homing_alarms", "What is wrong now", labels=("component", "code"))
    counts: dict[tuple[str, str], int] = {}
    for alarm in alarms:
        counts[alarm.component, alarm.code] = counts.get((alarm.component, alarm.code), 0) + 1
    for labels, count in counts.items():
        found.add_metric(labels, count)
    return [found]
