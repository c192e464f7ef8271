"""When credentials were last used."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from homing import errors, limits
from homing.common.batching import Batcher
from homing.store import statements
from homing.store.database import Database

USE_WRITTEN_S: Final = 60.0  # a credential's use is written at most once in it, by each process
USE_LINGER_S: Final = 1.0  # uses within it share a statement


class CredentialUse:
    """Writes the time of each credential's last use, behind the calls and to the minute. A time that cannot be written
    is lost: the next minute's takes its place.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._written_s: dict[int, float] = {}
        self._writes: Batcher[int, None] = Batcher(
            self._write,
            weight_max=limits.BATCH_ITEMS_MAX,
            pending_max=limits.BATCH_PENDING_MAX,
            linger_s=USE_LINGER_S,
        )

    def note(self, credential_id: int, now_s: float) -> None:
        """`now_s`: any steady clock's."""
        written_s = self._written_s.get(credential_id)
        if written_s is not None and now_s - written_s < USE_WRITTEN_S:
            return
        if len(self._written_s) >= limits.PROFILES_MAX:
            self._written_s.clear()
        self._written_s[credential_id] = now_s
        with contextlib.suppress(errors.Overloaded):
            self._writes.put(credential_id).add_done_callback(_retrieve)

    async def _write(self, credential_ids: Sequence[int]) -> list[None]:
        await statements.accounts.credentials_used(
            self._database, now=self._clock(), credential_ids=sorted(set(credential_ids))
        )
        return [None] * len(credential_ids)


def _retrieve(future: asyncio.Future[None]) -> None:
    """Nobody waits for it: an exception that is never read would be logged as forgotten."""
    if not future.cancelled():
        future.exception()
