"""The contract's second half: a dialect that is served over HTTP, and the parts of an api process that it may use."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import msgspec

from homing.dialects.base import Dialect, Dialects

if TYPE_CHECKING:  # every command and process knows the dialects; an api process alone has these parts
    from collections.abc import Callable, Mapping

    from homing.accounts.credential_use import CredentialUse
    from homing.accounts.directory import Directory
    from homing.accounts.query_budget import QueryBudget
    from homing.api.http.auth_guard import AuthGuard
    from homing.api.http.stray_calls import NamedKey
    from homing.api.http.wire import HttpEndpoint, HttpRequest
    from homing.common.crypto import Vault
    from homing.conversions.recorder import ConversionRecorder
    from homing.delivery.safe_http import SafeHttpClient
    from homing.guard.end_users import AddressHasher
    from homing.intake.intake import Intake
    from homing.ledger.balances import BalanceReader
    from homing.messages.lookup import MessageLookup
    from homing.store.database import Database
    from homing.verification.service import Verifications


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What a process shares among its dialects. All are open while calls are served, and drained afterwards.

    `directory`: accounts by credential. `auth_guard`: slows down and locks out those who guess secrets.
    `credential_use`: notes when a credential was used. `intake`: takes submissions. `balances`, `lookup`: an
    account's money and messages. `query_budget`: an account's rate of queries. `conversions`: records conversions.
    `verifications`: sends and checks codes. `database`: for queries that are this dialect's alone. `dialects`: all
    that there are, for what changes another dialect's message. `steady_s`: Unix time by the process's clock, which
    does not step back. `vault`: opens and seals secrets. `http_client`: posts to customers' addresses. `addresses`:
    hashes those of end users, who request what is sent. `settings`: the dialect's section, of its own `settings` type;
    None without one.
    """

    directory: Directory
    auth_guard: AuthGuard
    credential_use: CredentialUse
    intake: Intake
    balances: BalanceReader
    lookup: MessageLookup
    query_budget: QueryBudget
    conversions: ConversionRecorder
    verifications: Verifications
    database: Database
    dialects: Dialects
    steady_s: Callable[[], float]
    vault: Vault
    http_client: SafeHttpClient
    addresses: AddressHasher
    settings: Any = None


class HttpDialect(Dialect):
    """A dialect whose calls come over HTTP."""

    @abstractmethod
    def endpoints(self, services: Services) -> Mapping[str, HttpEndpoint]:
        """Its endpoints by path; called once a process, before the server opens.

        Paths below `/api/` are written in lower case and match in any; one that ends with a slash serves all that
        begins with it. Each endpoint's name begins with the dialect's, and labels its metrics. A handler words every
        refusal and failure itself, by `error_codes`; of what it raises the caller hears a bare 500.
        """

    def named_key(self, request: HttpRequest) -> NamedKey | None:
        """The key that a call names whose path nobody serves, for the log of refused calls; None where a call of this
        dialect names it in its path or its body.
        """
        return None
