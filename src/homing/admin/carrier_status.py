"""Carriers as they are at this moment: settings, who runs them, what waits for them, what they refused lately."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from homing import limits
from homing.carriers.kinds import shown
from homing.store.database import Database, Record

ERRORS_OF: Final = timedelta(hours=1)


async def carriers_now(database: Database) -> Sequence[dict[str, Any]]:
    """Every carrier's row with its settings as people may see them; `state` (up, down), `owner` and `detail` are None
    when no process has it.
    """
    sessions = {row["carrier_id"]: row for row in await database.fetch("carrier_sessions")}
    queues = {row["carrier_id"]: row for row in await database.fetch("carrier_queues", limits.LANES_PER_CARRIER)}
    found = []
    for row in await database.fetch("carrier_list"):
        session, queue = sessions[row["carrier_id"]], queues.get(row["carrier_id"], {})
        is_owned = session["owner"] is not None and not session["is_lapsed"]
        found.append(
            {
                **row,
                "settings": shown(row["kind"], row["settings"]),
                "state": ("up" if session["is_up"] else "down") if is_owned else None,
                "owner": session["owner"] if is_owned else None,
                "changed_at": session["changed_at"],
                "detail": msgspec.json.decode(session["detail"]) if is_owned else None,
                "waiting": queue.get("waiting", 0),
                "under_way": queue.get("under_way", 0),
            }
        )
    return found


async def carrier_errors(database: Database, now: datetime, carrier_id: int | None = None) -> Sequence[Record]:
    """What carriers answered within the last hour but "accepted", by outcome, code and text, with one message;
    of each carrier's latest answers, of which there may be more.
    """
    return await database.fetch("carrier_errors", carrier_id, now - ERRORS_OF, limits.CARRIER_ERRORS_MAX)
