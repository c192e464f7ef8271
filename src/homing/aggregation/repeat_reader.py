"""Reads which messages were followed by another request of the same number, for the learner of routes.

It is read from messages, a quarter of a minute at once, of those apps alone whose repeats are evidence.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from homing import errors, limits
from homing.common import ids
from homing.learning.repeats import LOST_SOON_S, REPEAT_READ_S, REPEAT_WINDOW_S
from homing.statistics.delta import Delta
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.learning import RepeatingApp, RepeatSums

REPEAT_LAG_S: Final = 3.0
"""An id is given at accept, some time before its message is committed."""
REPEAT_WINDOW_IDS: Final = int(REPEAT_WINDOW_S * 1000) << ids.SHIFT
REPEAT_PARTITION_IDS: Final = limits.PARTITION_DAYS * 86_400_000 << ids.SHIFT
REPEAT_CANDIDATE_MESSAGES_MAX: Final = 100
REPEAT_ROWS_MAX: Final = 20_000
REPEAT_SPAN_S: Final = 120.0
"""Of messages in one read: the past of a busy app is read in parts, at one part an update."""
log = structlog.get_logger()


class RepeatReader:
    """Remembers until when each app has been read, so that one that is wanted again is not read twice."""

    def __init__(self) -> None:
        self._until_s: dict[tuple[int, str], float] = {}
        self._read_s = 0.0

    async def read(self, database: Database, wanted: Mapping[tuple[int, str], float], now_s: float) -> Sequence[Delta]:
        """The repeats since the last read, as deltas of the messages that were repeated. `wanted`: by (account_id,
        app_id) since when (unix seconds) an app is read at all. What cannot be read is left out: shares must not
        wait for it.
        """
        latest_s = now_s - REPEAT_LAG_S
        if not wanted or latest_s - self._read_s < REPEAT_READ_S:
            return ()
        since = {app_key: max(wanted_s, self._until_s.get(app_key, 0.0)) for app_key, wanted_s in wanted.items()}
        until_s = min(latest_s, min(since.values()) + REPEAT_SPAN_S)
        since = {app_key: since_s for app_key, since_s in since.items() if since_s < until_s}
        self._read_s = until_s
        self._until_s.update(dict.fromkeys(since, until_s))
        try:
            rows = await self._read(database, since, until_s)
        except errors.PlatformFailure as error:
            log.warning("repeats_unread", apps=len(since), failure=str(error))
            return ()
        return [_delta(row) for row in rows]

    async def _read(
        self, database: Database, since: Mapping[tuple[int, str], float], until_s: float
    ) -> Sequence[RepeatSums]:
        return await statements.learning.learn_repeats(
            database,
            apps=[
                RepeatingApp(account_id=account_id, app_id=app_id, since=datetime.fromtimestamp(since_s, UTC))
                for (account_id, app_id), since_s in since.items()
            ],
            until=datetime.fromtimestamp(until_s, UTC),
            window_ids=REPEAT_WINDOW_IDS,
            lost_soon=timedelta(seconds=LOST_SOON_S),
            partition_ids=REPEAT_PARTITION_IDS,
            candidates_max=REPEAT_CANDIDATE_MESSAGES_MAX,
            rows_max=REPEAT_ROWS_MAX,
        )


def _delta(row: RepeatSums) -> Delta:
    return Delta(
        minute=row.minute,
        account_id=row.account_id,
        app_id=row.app_id,
        country=row.country,
        network=row.network,
        block=row.block,
        carrier_id=row.carrier_id,
        sender="",
        repeated=row.repeated,
        repeated_lost=row.repeated if row.is_lost else 0,
        repeat_bucket=row.bucket,
    )
