"""Credentials and profiles by key, cached until they change."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from homing import limits
from homing.accounts.code_settings import CodeSettings, read_code_settings, send_limit_of
from homing.accounts.profile import Credential, Profile
from homing.common.batching import Batcher
from homing.common.crypto import Vault
from homing.model import GENERAL, App, SendQuota, Template
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.accounts import (
    AccountProfileRow,
    AppProfileRow,
    CredentialKey,
    SenderProfileRow,
    SendQuotaRow,
    TemplateProfileRow,
)

UNKNOWN_KEYS_MAX: Final = 10_000
log = structlog.get_logger()
Key = tuple[int, str]


class Directory:
    """Looks up credentials. An entry is cached until its account changes (a notice from the database), for 30 s at
    most.

    Unknown keys are cached too, in a bounded table of their own, so that a flood of wrong keys neither reaches the
    database nor displaces customers.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        email_keyed: Sequence[int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`email_keyed`: the dialects in which an account's e-mail serves as its key."""
        self._email_keyed = email_keyed
        self._database = database
        self._vault = vault
        self._clock_s = clock_s
        self._credentials: dict[Key, tuple[float, Credential]] = {}
        self._unknown_keys: dict[Key, float] = {}
        self._changes = 0
        self._loads: Batcher[Key, Credential | None] = Batcher(
            self._load, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    def peek(self, dialect: int, key: str) -> Credential | None:
        """The credential if it is cached."""
        entry = self._credentials.get((dialect, key))
        if entry is not None and entry[0] > self._clock_s():
            return entry[1]
        return None

    async def find(self, dialect: int, key: str) -> Credential | None:
        """The credential of a key (or of an account's e-mail, where a dialect accepts it as a key), None for an unknown
        key.

        Raises `DatabaseUnavailable` or `DatabaseFailed` when it is not cached and cannot be read.
        """
        if len(key) > limits.KEY_CHARS_MAX or "\0" in key or not key.isprintable():
            return None
        credential = self.peek(dialect, key)
        if credential is None and self._unknown_keys.get((dialect, key), 0.0) <= self._clock_s():
            credential = await self._loads.put((dialect, key))
        return credential

    async def profile_of(self, account_id: int) -> Profile | None:
        """An account's settings as they are now, not cached; None: there is no such account."""
        return (await self._profiles({account_id})).get(account_id)

    def settings_changed(self, account: str) -> None:
        """Drops the account's entries; "0" concerns no profile."""
        self._changes += 1
        self._unknown_keys.clear()
        if account.isdigit() and int(account) != GENERAL:
            account_id = int(account)
            self._credentials = {
                key: entry for key, entry in self._credentials.items() if entry[1].profile.account_id != account_id
            }

    def settings_missed(self) -> None:
        """Drops every entry."""
        self._changes += 1
        self._unknown_keys.clear()
        self._credentials.clear()

    async def _load(self, keys: Sequence[Key]) -> list[Credential | None]:
        changes = self._changes
        unique = list(dict.fromkeys(keys))
        rows = await statements.accounts.credentials_find(
            self._database, email_keyed=self._email_keyed, keys=[CredentialKey(dialect=k[0], key=k[1]) for k in unique]
        )
        profiles = await self._profiles({row.account_id for row in rows})
        credentials = {
            (row.dialect, row.wanted_key): Credential(
                row.dialect,
                row.wanted_key,
                self._vault.open(row.secret),
                profiles[row.account_id],
                row.credential_id,
                None if row.scopes is None else frozenset(row.scopes),
            )
            for row in rows
        }
        if changes == self._changes:  # else it may be stale already: it is returned but not cached
            self._cache(unique, credentials)
        return [credentials.get(key) for key in keys]

    def _cache(self, keys: Sequence[Key], credentials: dict[Key, Credential]) -> None:
        fresh_until = self._clock_s() + limits.PROFILE_AGE_S_MAX
        if len(self._credentials) + len(credentials) > limits.PROFILES_MAX:
            self._credentials.clear()
        if len(self._unknown_keys) + len(keys) > UNKNOWN_KEYS_MAX:
            self._unknown_keys.clear()
        for key in keys:
            if key in credentials:
                self._credentials[key] = (fresh_until, credentials[key])
            else:
                self._unknown_keys[key] = fresh_until

    async def _profiles(self, account_ids: set[int]) -> dict[int, Profile]:
        if not account_ids:
            return {}
        ids = list(account_ids)
        accounts, apps, senders, templates, quotas, codes = await asyncio.gather(
            statements.accounts.profiles_accounts(self._database, account_ids=ids),
            statements.accounts.profiles_apps(self._database, account_ids=ids),
            statements.accounts.profiles_senders(self._database, account_ids=ids),
            statements.accounts.profiles_templates(self._database, account_ids=ids),
            statements.accounts.profiles_quotas(self._database, account_ids=ids),
            read_code_settings(self._database, ids),
        )
        return {row.account_id: _profile(row, apps, senders, templates, quotas, codes) for row in accounts}


def _profile(
    account: AccountProfileRow,
    apps: Sequence[AppProfileRow],
    senders: Sequence[SenderProfileRow],
    templates: Sequence[TemplateProfileRow],
    quotas: Sequence[SendQuotaRow],
    codes: CodeSettings,
) -> Profile:
    account_id = account.account_id
    own_senders = [row.sender for row in senders if row.account_id == account_id]
    return Profile(
        account_id=account_id,
        name=account.name,
        locked=account.locked_at is not None,
        allowed_networks=tuple(account.allowed_networks),
        queries_per_s=account.queries_per_s,
        templates_required=account.templates_required,
        default_sender=account.default_sender or (own_senders[0] if own_senders else None),
        senders=frozenset(own_senders),
        apps={
            row.app_id: App(
                row.app_id,
                row.name,
                row.report_url,
                row.inbound_url,
                row.code_expiry_s,
                send_limit_of(row.total_limit),
                send_limit_of(row.number_limit),
                row.resend_messages,
                row.resend_worth_micro,
            )
            for row in apps
            if row.account_id == account_id
        },
        templates=tuple(
            Template(row.template_id, row.name, row.body) for row in templates if row.account_id == account_id
        ),
        binds_max=account.binds_max,
        bind_window=account.bind_window,
        submits_per_s=account.submits_per_s,
        smpp_charset=account.smpp_charset,
        unicode_fallback=account.unicode_fallback,
        unique_references=account.unique_references,
        quotas={row.app_id: quota_of(row) for row in quotas if row.account_id == account_id},
        code_templates={each.template_id: each for each in codes.templates.get(account_id, ())},
        code_flows={each.flow_id: each for each in codes.flows.get(account_id, ())},
        test_numbers=codes.test_numbers.get(account_id, {}),
    )


def quota_of(row: SendQuotaRow) -> SendQuota:
    return SendQuota(
        messages_per_s=row.messages_per_s,
        messages_per_day=row.messages_per_day,
        money_per_day_micro=row.money_per_day_micro,
    )
