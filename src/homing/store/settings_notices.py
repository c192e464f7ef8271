"""Passes changes of settings to the parts of a process that cache settings."""

from collections.abc import Sequence
from typing import Protocol

from homing.store.database import Database
from homing.store.notices import SETTINGS_CHANNEL


class SettingsSubscriber(Protocol):
    """A part that caches settings. Both methods are called in the event loop and must not block: they mark the cache as
    stale, and the part reads it again when it next needs to.
    """

    def settings_changed(self, account: str) -> None:
        """`account`: the id, as text, of the account whose settings have changed; "0": settings of all accounts."""

    def settings_missed(self) -> None:
        """Notices may have been missed (a lost connection): everything that is cached may be stale."""


async def follow_settings(database: Database, subscribers: Sequence[SettingsSubscriber]) -> None:
    """Passes each notice to the subscribers, in their order, until it is cancelled."""

    def changed(account: str) -> None:
        for subscriber in subscribers:
            subscriber.settings_changed(account)

    def missed() -> None:
        for subscriber in subscribers:
            subscriber.settings_missed()

    await database.listen(SETTINGS_CHANNEL, changed, missed)
