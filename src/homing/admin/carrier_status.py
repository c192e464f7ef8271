"""The present status of carriers: settings, owning process, queue and recent errors."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from homing.carriers.kinds import visible_settings
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.admin import CarrierErrorRow, CarrierQueueRow, CarrierRow, CarrierSessionRow

CARRIER_ERRORS_MAX: Final = 2_000  # latest failed answers of a carrier that are looked at
ERRORS_SPAN: Final = timedelta(hours=1)


class CarrierStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier with what it does now. `settings`: secrets hidden. `state`: `up` or `down`; it, `owner` and `detail`
    (what its kind reports of its sessions) are None while no process runs it. `waiting`, `under_way`: messages.
    """

    carrier_id: int
    name: str
    kind: str
    enabled: bool
    is_draining: bool
    created_at: datetime
    carries_flash: bool
    settings: Mapping[str, Any]
    state: Literal["up", "down"] | None
    owner: str | None
    changed_at: datetime | None
    detail: Mapping[str, Any] | None
    waiting: int
    under_way: int


async def carriers_now(database: Database) -> Sequence[CarrierStatus]:
    """Every carrier."""
    sessions = {row.carrier_id: row for row in await statements.admin.carrier_sessions(database)}
    queues = {row.carrier_id: row for row in await statements.admin.carrier_queues(database)}
    return [
        _status(row, sessions.get(row.carrier_id), queues.get(row.carrier_id))  # None: added since they were read
        for row in await statements.admin.carrier_list(database)
    ]


def _status(row: CarrierRow, session: CarrierSessionRow | None, queue: CarrierQueueRow | None) -> CarrierStatus:
    owned = None if session is None or session.owner is None or session.is_lapsed else session
    return CarrierStatus(
        carrier_id=row.carrier_id,
        name=row.name,
        kind=row.kind,
        enabled=row.enabled,
        is_draining=row.is_draining,
        created_at=row.created_at,
        carries_flash=row.carries_flash,
        settings=visible_settings(row.kind, row.settings),
        state=None if owned is None else "up" if owned.is_up else "down",
        owner=None if owned is None else owned.owner,
        changed_at=None if session is None else session.changed_at,
        detail=None if owned is None else msgspec.json.decode(owned.detail or "{}"),
        waiting=0 if queue is None else queue.waiting,
        under_way=0 if queue is None else queue.under_way,
    )


async def carrier_errors(database: Database, now: datetime, carrier_id: int | None = None) -> Sequence[CarrierErrorRow]:
    """Answers of the last hour other than "accepted", by outcome, code and text, each with an example message. Only
    each carrier's latest answers are counted.
    """
    return await statements.admin.carrier_errors(
        database, carrier_id=carrier_id, since=now - ERRORS_SPAN, answers_max=CARRIER_ERRORS_MAX
    )
