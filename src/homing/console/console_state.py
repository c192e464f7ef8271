"""What all requests of a process share: database, languages, templates, caches and the password guard."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from homing import config, limits
from homing.common.crypto import Vault
from homing.common.networks import Network
from homing.common.password_guard import PasswordGuard
from homing.common.slots import Slots
from homing.common.token_bucket import TokenBuckets
from homing.console.backtests import GuardBacktests
from homing.console.languages import Languages
from homing.console.live import LiveUpdates
from homing.console.sending import ConsoleSending
from homing.console.snippets import Snippets
from homing.console.templating import Templates
from homing.delivery.safe_http import SafeHttpClient
from homing.dialects.base import Dialects
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.admin import CarrierRow
from homing.text.numbers import Numbering
from homing.users.passwords import Passwords

STATEMENT_DOWNLOADS_MAX: Final = 2  # at once in a process, one of a user
STATEMENT_WAIT_S: Final = 3.0  # for a place among them
CONSOLE_PUSH_TRIALS_PER_S: Final = 0.1  # test pushes of an account, after the first few
CONSOLE_PUSH_TRIALS_BURST: Final = 5


class ConsoleState:
    """Made once for the process. `is_secure`: the console is reached over TLS. `api_url`: where the customers' APIs
    are; `http_client`: for requests to customers' addresses; `url`: where people reach the console; `settings` by
    heading and name, for people to see.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        clock: Callable[[], datetime],
        is_secure: bool,
        api_url: str,
        http_client: SafeHttpClient,
        url: str = "",
        settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        dialects: Dialects,
        sending: ConsoleSending,
    ) -> None:
        self.dialects = dialects
        self.sending = sending
        self.database = database
        self.vault = vault
        self.clock = clock
        self.is_secure = is_secure
        self.url = url
        self.settings = settings
        self.live = LiveUpdates(database, clock)
        self.backtests = GuardBacktests(database, clock)
        self.languages = Languages()
        self.passwords = Passwords()
        self.guard = PasswordGuard()
        self.downloads = Slots(STATEMENT_DOWNLOADS_MAX, STATEMENT_WAIT_S)
        self.templates = Templates(self.languages)
        self.snippets = Snippets(dialects)
        self.api_url = api_url
        self.http_client = http_client
        self._trials: TokenBuckets[int] = TokenBuckets(limits.PROFILES_MAX)

    @cached_property
    def push_networks(self) -> Sequence[Network]:
        """The private networks that pushes may go to."""
        return config.networks(self.settings.get("push", {}).get("allowed_networks", []))

    @cached_property
    def numbering(self) -> Numbering:
        return Numbering.load()

    async def carriers(self) -> Sequence[CarrierRow]:
        """All carriers, cached for half a minute."""
        return await self.live.slow_cache.get("carriers", lambda: statements.admin.carrier_list(self.database))

    def may_try_push(self, account_id: int, now_s: float) -> bool:
        """Whether an account may have another test push now."""
        rate_per_s, burst = CONSOLE_PUSH_TRIALS_PER_S, float(CONSOLE_PUSH_TRIALS_BURST)
        return self._trials.bucket(account_id, rate_per_s, burst, now_s).take(now_s)
