"""Alarms: present faults of the platform itself. They are rows, since a fault is detected in one process and shown
(health, metrics, command line, console) by others.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
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
FAILED: Final = "failed"  # the component has stopped, and is restarted
ACCOUNT_SKIPPED: Final = "account_skipped"  # the component goes on without this account's messages
STEPPED_BACK: Final = "stepped_back"  # the machine's clock is behind the platform's latest time
WEBHOOK: Final = "webhook"
DISABLED: Final = "disabled"  # an endpoint has only failed for days, and nothing is pushed to it any more
UNREADABLE_SECRETS: Final = "unreadable_secrets"  # the process has another key than signing secrets were sealed with
UNUSABLE: Final = "unusable"  # a carrier's settings are invalid
RESTARTED: Final = "restarted"  # the process ended and was restarted within the last hour
REPEATED_CODES: Final = (STEPPED_BACK, UNREADABLE_SECRETS)
"""Of faults of one process, which raises them again while they last: it may end, and never return to clear them."""
REPEATED_WITHIN: Final = timedelta(minutes=2)


class Alarm(msgspec.Struct, frozen=True):
    """A fault. `times`: how often it was raised since `raised_at`."""

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
    """Raises an alarm, or counts it once more where it stands. Raises a `PlatformFailure`."""
    await statements.alarms.alarm_raise(
        db, component=component, code=code, subject=subject, detail=storable_json(detail or {})
    )


async def clear_alarms(db: Executor, component: str, code: str | None = None, subject: str | None = None) -> None:
    """Clears a component's alarms, or those of a code and a subject. Raises a `PlatformFailure`."""
    await statements.alarms.alarm_clear(db, component=component, code=code, subject=subject)


async def read_alarms(db: Executor) -> Sequence[Alarm]:
    """Active alarms, the oldest first. Raises a `PlatformFailure`."""
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
        for row in await statements.alarms.alarms(
            db, repeated_codes=REPEATED_CODES, repeated_within=REPEATED_WITHIN, alarms_max=ALARMS_MAX
        )
    ]


async def alarm_metric(database: Database) -> Sequence[Metric]:
    """`homing_alarms` by component and code, read at each scrape; nothing while the database is unavailable."""
    try:
        alarms = await read_alarms(database)
    except errors.PlatformFailure:
        return []
    metric = GaugeMetricFamily("homing_alarms", "Active alarms", labels=("component", "code"))
    counts: dict[tuple[str, str], int] = {}
    for alarm in alarms:
        counts[alarm.component, alarm.code] = counts.get((alarm.component, alarm.code), 0) + 1
    for labels, count in counts.items():
        metric.add_metric(labels, count)
    return [metric]
