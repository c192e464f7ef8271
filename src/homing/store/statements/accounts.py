"""Statements of sql/accounts.sql.

Made by tools/sql_bindings.py from sql/accounts.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_rows

_SQL: Final = queries.load("accounts")


class CredentialKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `credentials_find` is given."""

    dialect: int
    key: str


class CredentialMatch(msgspec.Struct, frozen=True, gc=False):
    """A row of `credentials_find`."""

    dialect: int
    wanted_key: str
    secret: bytes
    account_id: int
    credential_id: int
    scopes: list[str] | None


class AccountProfileRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `profiles_accounts`."""

    account_id: int
    name: str
    locked_at: datetime | None
    allowed_networks: list[IPv4Network | IPv6Network]
    queries_per_s: int
    templates_required: bool
    default_sender: str | None
    binds_max: int
    bind_window: int
    submits_per_s: int | None
    smpp_charset: str
    unicode_fallback: bool
    unique_references: bool


class AppProfileRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `profiles_apps`."""

    account_id: int
    app_id: str
    name: str
    report_url: str | None
    inbound_url: str | None
    code_expiry_s: int
    total_limit: str | None
    number_limit: str | None
    resend_messages: int
    resend_worth_micro: int


class SenderProfileRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `profiles_senders`."""

    account_id: int
    sender: str


class TemplateProfileRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `profiles_templates`."""

    account_id: int
    template_id: int
    name: str
    body: str


class SendQuotaRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `profiles_quotas`."""

    account_id: int
    app_id: str
    messages_per_s: int | None
    messages_per_day: int | None
    money_per_day_micro: int | None


async def credentials_find(
    db: Executor, *, keys: Sequence[CredentialKey], email_keyed: Sequence[int]
) -> list[CredentialMatch]:
    return await fetch_rows(db, _SQL["credentials_find"], CredentialMatch, *columns(keys, 2), email_keyed)


async def credentials_used(db: Executor, *, now: datetime, credential_ids: Sequence[int]) -> None:
    """Notes when credentials were last used; a later time stays."""
    await execute(db, _SQL["credentials_used"], now, credential_ids)


async def profiles_accounts(db: Executor, *, account_ids: Sequence[int]) -> list[AccountProfileRow]:
    return await fetch_rows(db, _SQL["profiles_accounts"], AccountProfileRow, account_ids)


async def profiles_apps(db: Executor, *, account_ids: Sequence[int]) -> list[AppProfileRow]:
    return await fetch_rows(db, _SQL["profiles_apps"], AppProfileRow, account_ids)


async def profiles_senders(db: Executor, *, account_ids: Sequence[int]) -> list[SenderProfileRow]:
    return await fetch_rows(db, _SQL["profiles_senders"], SenderProfileRow, account_ids)


async def profiles_templates(db: Executor, *, account_ids: Sequence[int]) -> list[TemplateProfileRow]:
    return await fetch_rows(db, _SQL["profiles_templates"], TemplateProfileRow, account_ids)


async def profiles_quotas(db: Executor, *, account_ids: Sequence[int]) -> list[SendQuotaRow]:
    return await fetch_rows(db, _SQL["profiles_quotas"], SendQuotaRow, account_ids)
