"""The present status of carriers: settings, owning process, queue and recent errors."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from homing.carriers.kinds import visible_settings
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.admin import CarrierErrorRow

CARRIER_ERRORS_MAX: Final = 2_000  # latest failed answers of a carrier that are looked at
ERRORS_SPAN: Final = timedelta(hours=1)


async def carriers_now(database: Database) -> Sequence[dict[str, Any]]:
    """Every carrier's row with its settings, secrets hidden; `state` (up, down), `owner` and `detail` are None when no
    process runs it.
    """
    sessions = {row.carrier_id: row for row in await statements.admin.carrier_sessions(database)}
    queues = {row.carrier_id: row for row in await statements.admin.carrier_queues(database)}
    carriers = []
    for row in await statements.admin.carrier_list(database):
        session, queue = sessions.get(row.carrier_id), queues.get(row.carrier_id)  # None: added since they were read
        changed_at = session.changed_at if session else None
        if session is not None and (session.owner is None or session.is_lapsed):
            session = None
        carriers.append(
            {
                **msgspec.structs.asdict(row),
                "settings": visible_settings(row.kind, row.settings),
                "state": ("up" if session.is_up else "down") if session else None,
                "owner": session.owner if session else None,
                "changed_at": changed_at,
                "detail": msgspec.json.decode(session.detail or "{}") if session else None,
                "waiting": queue.waiting if queue else 0,
                "under_way": queue.under_way if queue else 0,
            }
        )
    return carriers


async def carrier_errors(database: Database, now: datetime, carrier_id: int | None = None) -> Sequence[CarrierErrorRow]:
    """Answers of the last hour other than "accepted", by outcome, code and text, each with an example message. Only
    each carrier's latest answers are counted.
    """
    return await statements.admin.carrier_errors(
        database, carrier_id=carrier_id, since=now - ERRORS_SPAN, answers_max=CARRIER_ERRORS_MAX
    )
