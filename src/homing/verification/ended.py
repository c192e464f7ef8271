"""Events of verifications that end: verified, failed, or expired unanswered, which nothing but time does."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from homing import errors
from homing.common import ids
from homing.dialects.base import Dialects, EndedVerification
from homing.messages.events import add_events, verification_events
from homing.model import EventType
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.verifications import ExpiredVerification, VerificationRef, VerificationRow

EXPIRED_SWEEP_S: Final = 5.0
EXPIRED_BATCH_MAX: Final = 500
FORGET_S: Final = 20.0  # between two rounds in which the codes of expired verifications are forgotten
FORGET_LOOKBACK: Final = timedelta(minutes=3)  # of a round; what is older is forgotten by the hour
STORED_WITHIN: Final = timedelta(minutes=1)
"""After its id was given out a verification is stored, or never will be."""
FEED_STEP_MS: Final = 60_000  # by which a feed is moved on at least: what is written for it, against what a look reads
log = structlog.get_logger()


async def add_ended(
    transaction: DatabaseConnection, dialects: Dialects, ended: Mapping[tuple[int, int], EventType], now: datetime
) -> None:
    """Adds the events of verifications, by account and verification, that this transaction has ended."""
    rows = await statements.verifications.verifications_by_id(
        transaction,
        refs=[
            VerificationRef(account_id=account_id, verification_id=verification_id)
            for account_id, verification_id in ended
        ],
        now=now,
    )
    verifications = [_ended(row, ended[row.account_id, row.verification_id], row.ended_at) for row in rows]
    await add_events(transaction, dialects, verification_events(dialects, verifications))


def _ended(row: VerificationRow | ExpiredVerification, type: EventType, ended_at: datetime | None) -> EndedVerification:
    return EndedVerification(
        account_id=row.account_id,
        verification_id=row.verification_id,
        type=type,
        number=row.number,
        reference=row.reference,
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=ended_at,
    )


class ExpiredVerifications:
    """Looks every few seconds for verifications that have expired: for the events of accounts that have chosen to be
    told, and for the codes of all others, which are forgotten.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], dialects: Dialects) -> None:
        self._database = database
        self._clock = clock
        self._dialects = dialects

    async def run(self) -> None:
        """Never returns; cancel it to stop."""
        rounds = 0
        while True:
            try:
                while await self.sweep():
                    pass
                if rounds % round(FORGET_S / EXPIRED_SWEEP_S) == 0:
                    await self.forget_codes()
                rounds += 1
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="expired_verifications", failure=str(failure))
            await asyncio.sleep(EXPIRED_SWEEP_S)

    async def forget_codes(self) -> int:
        """Forgets the codes that expired lately. Returns how many."""
        forgotten = await statements.verifications.verifications_forget_expired(
            self._database,
            now=self._clock(),
            lookback=FORGET_LOOKBACK,
            expired_type=EventType.VERIFICATION_EXPIRED,
        )
        return len(forgotten)

    async def sweep(self) -> bool:
        """Adds the events of one batch. Returns whether there may be more."""
        now = self._clock()
        async with self._database.transaction() as transaction:
            rows = await statements.verifications.verifications_expire(
                transaction, expired_type=EventType.VERIFICATION_EXPIRED, now=now, rows_max=EXPIRED_BATCH_MAX
            )
            expired = [_ended(row, EventType.VERIFICATION_EXPIRED, None) for row in rows]
            await add_events(transaction, self._dialects, verification_events(self._dialects, expired))
        if len(rows) == EXPIRED_BATCH_MAX:
            return True
        beyond_id = ids.first_id_at(int((now - STORED_WITHIN).timestamp() * 1000))
        await statements.verifications.event_feeds_expired(
            self._database,
            expired_type=EventType.VERIFICATION_EXPIRED,
            beyond_id=beyond_id,
            ids_min=FEED_STEP_MS << ids.SHIFT,
        )
        return False
