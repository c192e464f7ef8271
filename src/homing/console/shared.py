"""What all visits share: the database, languages, templates, and what is counted of wrong passwords."""

from collections.abc import Callable
from datetime import datetime

from homing.console.live import Live
from homing.console.templating import Templates
from homing.console.words import Languages
from homing.kit.crypto import Vault
from homing.kit.password_guard import PasswordGuard
from homing.store.database import Database
from homing.users.passwords import Passwords


class Shared:
    """Made once for the process. `is_secure`: the console is reached over TLS."""

    def __init__(self, database: Database, vault: Vault, clock: Callable[[], datetime], is_secure: bool) -> None:
        self.database = database
        self.vault = vault
        self.clock = clock
        self.is_secure = is_secure
        self.live = Live(database, clock)
        self.languages = Languages()
        self.passwords = Passwords()
        self.guard = PasswordGuard()
        self.templates = Templates()
