"""Changes of settings, told to the parts of a process that keep settings in memory."""

from collections.abc import Sequence
from typing import Protocol

from homing.store.database import Database
from homing.store.notices import SETTINGS_CHANNEL


class SettingsSubscriber(Protocol):
    """A part that keeps settings in memory. Both are called in the event loop and must not block: they mark as stale,
    and the part reads again when it next needs to.
    """

    def settings_changed(self, account: str) -> None:
        """`account`: the id, as text, of the account whose settings have changed; "0": settings of all accounts."""

    def settings_missed(self) -> None:
        """Notices may have been missed (a lost connection): everything that is kept may be stale."""


async def follow_settings(database: Database, subscribers: Sequence[SettingsSubscriber]) -> None:
    """For ever: passes each notice to the subscribers, in their order."""

    def changed(account: str) -> None:
        for subscriber in subscribers:
            subscriber.settings_changed(account)

    def missed() -> None:
        for subscriber in subscribers:
            subscriber.settings_missed()

    await database.listen(SETTINGS_CHANNEL, changed, missed)
