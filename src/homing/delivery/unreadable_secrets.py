"""Signing secrets that cannot be opened: a fault of this installation, not of those whom its pushes are for."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors
from homing.admin.signing_secrets import read_owned_secrets
from homing.common.crypto import Vault
from homing.delivery.push_places import Recipient
from homing.store.alarms import PROCESS, UNREADABLE_SECRETS, clear_alarms, raise_alarm
from homing.store.database import Database
from homing.store.statements.signing import SigningOwner

WATCH_S: Final = 15.0
UNSIGNED_WAIT_S: Final = 15.0  # of a push that cannot be signed, growing with the time since the first of its recipient
UNSIGNED_WAIT_S_MAX: Final = 300.0
CAUSE: Final = "sealed with another key than this process has: start it with that key, or rotate these secrets"
log = structlog.get_logger()


class _Wait(msgspec.Struct):
    """`due_at`: when all pushes of a recipient are tried again, so that they stay in their order."""

    since: datetime
    due_at: datetime


class UnreadableSecrets:
    """Whose secrets could not be opened: their pushes wait, and operators have an alarm until all can be opened."""

    def __init__(self, database: Database, vault: Vault, process: str, clock: Callable[[], datetime]) -> None:
        """`process`: the machine and the process, for people; it may have another key than others."""
        self._database = database
        self._vault = vault
        self._process = process
        self._clock = clock
        self._waits: dict[Recipient, _Wait] = {}
        self._has_waits = asyncio.Event()
        self._is_alarmed = False

    def note(self, recipient: Recipient, now: datetime) -> datetime:
        """Gives when a push that cannot be signed now is due again."""
        wait = self._waits.get(recipient)
        if wait is None:
            wait = self._waits[recipient] = _Wait(now, now + timedelta(seconds=UNSIGNED_WAIT_S))
            self._has_waits.set()
        elif wait.due_at <= now:
            waited_s = (now - wait.since).total_seconds()
            wait.due_at = now + timedelta(seconds=min(max(waited_s, UNSIGNED_WAIT_S), UNSIGNED_WAIT_S_MAX))
        return wait.due_at

    async def run(self) -> None:
        """Never returns; cancel it to stop."""
        while True:
            await self._has_waits.wait()
            try:
                await self.check()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="signing_secrets", failure=str(failure))
            await asyncio.sleep(WATCH_S)

    async def check(self) -> None:
        """Raises the alarm, or clears it once every secret that is there can be opened. Raises a `PlatformFailure`."""
        recipients = sorted(self._waits)
        owners = [SigningOwner(account_id=account_id, webhook_id=webhook_id) for account_id, webhook_id in recipients]
        secrets = await read_owned_secrets(self._database, self._vault, owners)
        unreadable = []
        for recipient in recipients:
            if secrets[recipient] and all(each.secret is None for each in secrets[recipient]):
                unreadable.append(recipient)
            else:  # opened, or gone with its endpoint
                del self._waits[recipient]
        if unreadable:
            account_id, webhook_id = unreadable[0]
            detail = {"secrets": len(unreadable), "account_id": account_id, "webhook_id": webhook_id, "text": CAUSE}
            if not self._is_alarmed:
                log.error("signing_secrets_unreadable", secrets=len(unreadable), account_id=account_id)
            await raise_alarm(self._database, PROCESS, UNREADABLE_SECRETS, self._process, detail)
        elif self._is_alarmed:
            await clear_alarms(self._database, PROCESS, UNREADABLE_SECRETS, self._process)
        self._is_alarmed = bool(unreadable)
        if not self._waits:
            self._has_waits.clear()
