"""Events that tell an account in time that its money or a quota comes to its end."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from homing import errors
from homing.admin.send_quotas import QUOTA_WARNING_SHARE, QuotaUse, list_quotas
from homing.dialects.base import Dialects, LowBalance, UsedQuota
from homing.messages.events import add_events, event_of
from homing.model import EventType
from homing.store import statements
from homing.store.database import Database, DatabaseConnection

LOOK_S: Final = 60.0
HOUR_S: Final = 3_600
DAY_HOURS: Final = 24
log = structlog.get_logger()


class AccountWarnings:
    """Looks every minute at the accounts whose feeds have such events. Each warning is one event, over all processes:
    of a balance until it is enough again, of a quota until its next day.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], dialects: Dialects) -> None:
        self._database = database
        self._clock = clock
        self._dialects = dialects

    async def run(self) -> None:
        """Never returns; cancel it to stop."""
        while True:
            try:
                await self.look()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="account_warnings", failure=str(failure))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        now = self._clock()
        hour = int(now.timestamp()) // HOUR_S
        for row in await statements.events.feeds_balances(
            self._database, type=EventType.BALANCE_LOW, after_hour=hour - DAY_HOURS
        ):
            subject = LowBalance(available_micro=row.available_micro, day_micro=row.day_micro)
            async with self._database.transaction() as transaction:
                marked = await statements.events.feed_note_balance(
                    transaction, account_id=row.account_id, is_low=row.is_low
                )
                if marked is not None and row.is_low:
                    await self._add(transaction, row.account_id, EventType.BALANCE_LOW, subject)
        account_ids = set(await statements.events.feeds_of_type(self._database, type=EventType.QUOTA_WARNING))
        if account_ids:
            for quota in await list_quotas(self._database, now):
                if quota.account_id in account_ids and quota.used_share >= QUOTA_WARNING_SHARE:
                    await self._warn_of_quota(quota)

    async def _warn_of_quota(self, quota: QuotaUse) -> None:
        async with self._database.transaction() as transaction:
            marked = await statements.events.feed_note_quota(
                transaction, account_id=quota.account_id, app_id=quota.app_id, began=str(quota.day_began_ms)
            )
            if marked is not None:
                subject = UsedQuota(
                    app_id=quota.app_id,
                    used_share=quota.used_share,
                    messages_per_day=quota.messages_per_day,
                    messages_used=quota.messages_used,
                    money_per_day_micro=quota.money_per_day_micro,
                    money_used_micro=quota.money_used_micro,
                )
                await self._add(transaction, quota.account_id, EventType.QUOTA_WARNING, subject)

    async def _add(
        self, transaction: DatabaseConnection, account_id: int, type: EventType, subject: LowBalance | UsedQuota
    ) -> None:
        await add_events(transaction, self._dialects, event_of(self._dialects, type, subject, account_id=account_id))
