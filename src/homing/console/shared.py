"""What all visits share: the database, languages, templates, and what is counted of wrong passwords."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from homing.console.live import Live
from homing.console.templating import Templates
from homing.console.words import Languages
from homing.kit.crypto import Vault
from homing.kit.password_guard import PasswordGuard
from homing.store.database import Database
from homing.users.passwords import Passwords


class Shared:
    """Made once for the process. `is_secure`: the console is reached over TLS. `url`: where people reach it; `settings`
    by heading and name, for people to see.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Callable[[], datetime],
        is_secure: bool,
        url: str = "",
        settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self.database = database
        self.vault = vault
        self.clock = clock
        self.is_secure = is_secure
        self.url = url
        self.settings = settings
        self.live = Live(database, clock)
        self.languages = Languages()
        self.passwords = Passwords()
        self.guard = PasswordGuard()
        self.templates = Templates()
