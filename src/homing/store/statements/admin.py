"""Statements of sql/admin.sql.

Made by tools/sql_bindings.py from sql/admin.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final

import msgspec

from homing import limits
from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("admin")


class AccountRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `account_find`."""

    account_id: int
    name: str
    email: str | None
    created_at: datetime
    locked_at: datetime | None
    lock_reason: str | None
    allowed_networks: list[IPv4Network | IPv6Network]
    queries_per_s: int
    templates_required: bool
    refund_undeliverable: bool
    default_sender: str | None
    retention_days: int | None
    binds_max: int
    bind_window: int
    submits_per_s: int | None
    bound_at: datetime | None
    unicode_fallback: bool
    unique_references: bool
    smpp_charset: str


class AccountListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `account_list`."""

    account_id: int
    name: str
    email: str | None
    created_at: datetime
    locked_at: datetime | None
    lock_reason: str | None
    allowed_networks: list[IPv4Network | IPv6Network]
    queries_per_s: int
    templates_required: bool
    refund_undeliverable: bool
    default_sender: str | None
    retention_days: int | None
    binds_max: int
    bind_window: int
    submits_per_s: int | None
    bound_at: datetime | None
    unicode_fallback: bool
    unique_references: bool
    smpp_charset: str
    gift_micro: int
    balance_micro: int
    credit_micro: int


class AccountSettingsRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `account_settings`."""

    email: str | None
    allowed_networks: list[IPv4Network | IPv6Network]
    queries_per_s: int
    templates_required: bool
    refund_undeliverable: bool
    default_sender: str | None
    retention_days: int | None
    binds_max: int
    bind_window: int
    submits_per_s: int | None
    smpp_charset: str
    unicode_fallback: bool
    unique_references: bool


class CredentialRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `credential_list`."""

    credential_id: int
    account_id: int
    dialect: int
    key: str
    label: str
    created_at: datetime
    revoked_at: datetime | None
    scopes: list[str] | None
    last_used_at: datetime | None


class MatchingCredential(msgspec.Struct, frozen=True, gc=False):
    """A row of `credential_matching`."""

    credential_id: int
    account_id: int
    dialect: int
    key: str


class AppListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `app_list`."""

    app_id: str
    account_id: int
    name: str
    report_url: str | None
    inbound_url: str | None
    created_at: datetime
    expects_conversions: bool | None
    code_expiry_s: int
    total_limit: str | None
    number_limit: str | None
    resend_messages: int
    resend_worth_micro: int
    sent: int
    converted: int


class AppRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `app_find`, `app_lock`."""

    app_id: str
    account_id: int
    name: str
    report_url: str | None
    inbound_url: str | None
    created_at: datetime
    expects_conversions: bool | None


class SenderRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `sender_list`."""

    sender: str
    created_at: datetime
    is_default: bool


class TemplateRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `template_list`."""

    template_id: int
    name: str
    body: str
    created_at: datetime


class SensitiveWordRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `word_list`."""

    account_id: int
    account: str | None
    word: str
    created_at: datetime


class PrefixAmount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `prices_set`, `costs_set` is given."""

    prefix: str
    micro: int


class PriceRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `price_list`."""

    account_id: int
    account: str | None
    prefix: str
    price_micro: int
    changed_at: datetime


class CarrierRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carrier_list`, `carrier_find`, `carrier_lock`."""

    carrier_id: int
    name: str
    kind: str
    enabled: bool
    is_draining: bool
    settings: str
    created_at: datetime
    carries_flash: bool


class CarrierSessionRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carrier_sessions`."""

    carrier_id: int
    owner: str | None
    leased_until: datetime | None
    is_lapsed: bool | None
    is_up: bool | None
    detail: str | None
    changed_at: datetime | None


class CarrierQueueRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carrier_queues`."""

    carrier_id: int
    waiting: int
    under_way: int


class CarrierErrorRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `carrier_errors`."""

    carrier_id: int
    outcome: int
    error_code: str | None
    error_text: str | None
    reason: str | None
    answers: int
    last_at: datetime
    message_id: int


class CostRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `cost_list`."""

    carrier_id: int
    carrier: str
    prefix: str
    cost_micro: int
    changed_at: datetime


class RouteSet(msgspec.Struct, frozen=True, gc=False):
    """A row of `route_set`."""

    route_id: int
    priority: int
    weight: int


class RouteListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `route_list`."""

    route_id: int
    account_id: int
    prefix: str
    carrier_id: int
    priority: int
    weight: int
    app_id: str
    sender: str
    country: str
    network: str
    traffic: int
    strategy: int
    ceiling_micro: int | None
    account: str | None
    carrier: str
    enabled: bool


class LockedRoute(msgspec.Struct, frozen=True, gc=False):
    """A row of `route_lock`."""

    route_id: int
    account_id: int
    prefix: str
    carrier_id: int
    priority: int
    weight: int
    app_id: str
    sender: str
    country: str
    network: str
    traffic: int
    strategy: int
    ceiling_micro: int | None
    carrier: str
    account: str | None


class QuotaUseRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `quota_list`."""

    account_id: int
    account: str
    app_id: str
    messages_per_s: int | None
    messages_per_day: int | None
    money_per_day_micro: int | None
    message_windows: str | None
    money_windows: str | None


async def account_find(db: Executor, *, account_id: int | None, name: str) -> AccountRow | None:
    return await fetch_row_or_none(db, _SQL["account_find"], AccountRow, account_id, name)


async def account_list(db: Executor) -> list[AccountListRow]:
    return await fetch_rows(db, _SQL["account_list"], AccountListRow)


async def account_create(
    db: Executor, *, name: str, email: str | None, queries_per_s: int | None, submits_per_s: int | None
) -> int | None:
    return await fetch_row_or_none(db, _SQL["account_create"], single(int), name, email, queries_per_s, submits_per_s)


async def account_lock(db: Executor, *, lock_reason: str | None, account_id: int) -> None:
    await execute(db, _SQL["account_lock"], lock_reason, account_id)


async def account_settings(db: Executor, *, account_id: int) -> AccountSettingsRow | None:
    return await fetch_row_or_none(db, _SQL["account_settings"], AccountSettingsRow, account_id)


async def account_change(
    db: Executor,
    *,
    email: str | None,
    allowed_networks: Sequence[IPv4Network | IPv6Network],
    queries_per_s: int | None,
    templates_required: bool,
    refund_undeliverable: bool,
    default_sender: str | None,
    retention_days: int | None,
    binds_max: int,
    bind_window: int,
    submits_per_s: int | None,
    smpp_charset: str,
    unicode_fallback: bool,
    unique_references: bool,
    account_id: int,
) -> None:
    await execute(
        db,
        _SQL["account_change"],
        email,
        allowed_networks,
        queries_per_s,
        templates_required,
        refund_undeliverable,
        default_sender,
        retention_days,
        binds_max,
        bind_window,
        submits_per_s,
        smpp_charset,
        unicode_fallback,
        unique_references,
        account_id,
    )


async def credential_create(
    db: Executor, *, account_id: int, dialect: int, key: str, secret: bytes, label: str, scopes: Sequence[str] | None
) -> int | None:
    return await fetch_row_or_none(
        db, _SQL["credential_create"], single(int), account_id, dialect, key, secret, label, scopes
    )


async def credential_list(db: Executor, *, account_id: int) -> list[CredentialRow]:
    return await fetch_rows(db, _SQL["credential_list"], CredentialRow, account_id)


async def credential_matching(
    db: Executor, *, key: str, dialect: int | None, credential_id: int | None, account_id: int | None
) -> list[MatchingCredential]:
    return await fetch_rows(
        db, _SQL["credential_matching"], MatchingCredential, key, dialect, credential_id, account_id
    )


async def credential_revoke(db: Executor, *, credential_id: int) -> None:
    await execute(db, _SQL["credential_revoke"], credential_id)


async def app_create(
    db: Executor, *, app_id: str, account_id: int, name: str, report_url: str | None, inbound_url: str | None
) -> str | None:
    return await fetch_row_or_none(
        db, _SQL["app_create"], single(str), app_id, account_id, name, report_url, inbound_url
    )


async def app_list(db: Executor, *, account_id: int) -> list[AppListRow]:
    """With `sent` and `converted` of today and the day before."""
    return await fetch_rows(db, _SQL["app_list"], AppListRow, account_id)


async def app_find(db: Executor, *, app_id: str) -> AppRow | None:
    return await fetch_row_or_none(db, _SQL["app_find"], AppRow, app_id)


async def app_lock(db: Executor, *, app_id: str, account_id: int) -> AppRow | None:
    return await fetch_row_or_none(db, _SQL["app_lock"], AppRow, app_id, account_id)


async def app_change(
    db: Executor, *, report_url: str | None, inbound_url: str | None, expects_conversions: bool | None, app_id: str
) -> None:
    await execute(db, _SQL["app_change"], report_url, inbound_url, expects_conversions, app_id)


async def sender_add(db: Executor, *, account_id: int, sender: str) -> None:
    await execute(db, _SQL["sender_add"], account_id, sender)


async def sender_default(db: Executor, *, sender: str | None, account_id: int) -> None:
    await execute(db, _SQL["sender_default"], sender, account_id)


async def sender_default_forget(db: Executor, *, account_id: int, sender: str) -> None:
    await execute(db, _SQL["sender_default_forget"], account_id, sender)


async def sender_exists(db: Executor, *, account_id: int, sender: str) -> bool:
    return await fetch_row(db, _SQL["sender_exists"], single(bool), account_id, sender)


async def sender_list(db: Executor, *, account_id: int) -> list[SenderRow]:
    """The first is the default if none is set."""
    return await fetch_rows(db, _SQL["sender_list"], SenderRow, account_id)


async def sender_remove(db: Executor, *, account_id: int, sender: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["sender_remove"], single(str), account_id, sender)


async def template_add(db: Executor, *, account_id: int, name: str, body: str) -> int | None:
    return await fetch_row_or_none(db, _SQL["template_add"], single(int), account_id, name, body)


async def template_list(db: Executor, *, account_id: int) -> list[TemplateRow]:
    return await fetch_rows(db, _SQL["template_list"], TemplateRow, account_id)


async def template_remove(db: Executor, *, account_id: int, name: str, template_id: int | None) -> int | None:
    return await fetch_row_or_none(db, _SQL["template_remove"], single(int), account_id, name, template_id)


async def word_add(db: Executor, *, account_id: int, word: str) -> None:
    await execute(db, _SQL["word_add"], account_id, word)


async def word_list(db: Executor, *, account_ids: Sequence[int] | None) -> list[SensitiveWordRow]:
    return await fetch_rows(db, _SQL["word_list"], SensitiveWordRow, account_ids)


async def word_remove(db: Executor, *, account_id: int, word: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["word_remove"], single(str), account_id, word)


async def prices_set(db: Executor, *, account_id: int, prices: Sequence[PrefixAmount]) -> None:
    await execute(db, _SQL["prices_set"], account_id, *columns(prices, 2), timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def price_list(db: Executor, *, account_ids: Sequence[int] | None) -> list[PriceRow]:
    return await fetch_rows(db, _SQL["price_list"], PriceRow, account_ids)


async def prices_clear(db: Executor, *, account_id: int, kept_prefixes: Sequence[str]) -> None:
    await execute(db, _SQL["prices_clear"], account_id, kept_prefixes, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def price_remove(db: Executor, *, account_id: int, prefix: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["price_remove"], single(str), account_id, prefix)


async def carrier_add(db: Executor, *, name: str, kind: str, settings: str, carries_flash: bool) -> int | None:
    return await fetch_row_or_none(db, _SQL["carrier_add"], single(int), name, kind, settings, carries_flash)


async def carrier_list(db: Executor) -> list[CarrierRow]:
    return await fetch_rows(db, _SQL["carrier_list"], CarrierRow)


async def carrier_find(db: Executor, *, name: str, carrier_id: int | None) -> CarrierRow | None:
    return await fetch_row_or_none(db, _SQL["carrier_find"], CarrierRow, name, carrier_id)


async def carrier_lock(db: Executor, *, carrier_id: int) -> CarrierRow | None:
    return await fetch_row_or_none(db, _SQL["carrier_lock"], CarrierRow, carrier_id)


async def carrier_seal(db: Executor, *, settings: str, carrier_id: int) -> None:
    await execute(db, _SQL["carrier_seal"], settings, carrier_id)


async def carrier_switch(db: Executor, *, enabled: bool, is_draining: bool, carrier_id: int) -> None:
    await execute(db, _SQL["carrier_switch"], enabled, is_draining, carrier_id)


async def carrier_change(db: Executor, *, settings: str, carries_flash: bool, carrier_id: int) -> None:
    await execute(db, _SQL["carrier_change"], settings, carries_flash, carrier_id)


async def carrier_sessions(db: Executor) -> list[CarrierSessionRow]:
    return await fetch_rows(db, _SQL["carrier_sessions"], CarrierSessionRow)


async def carrier_queues(db: Executor) -> list[CarrierQueueRow]:
    """Queued and in flight, by carrier."""
    return await fetch_rows(db, _SQL["carrier_queues"], CarrierQueueRow)


async def carrier_errors(
    db: Executor, *, since: datetime, answers_max: int, carrier_id: int | None
) -> list[CarrierErrorRow]:
    """Answers other than "accepted" since `since` by code, of a carrier (`carrier_id`) or (null) all; of the latest
    `answers_max` answers.
    """
    return await fetch_rows(db, _SQL["carrier_errors"], CarrierErrorRow, since, answers_max, carrier_id)


async def costs_set(db: Executor, *, carrier_id: int, costs: Sequence[PrefixAmount]) -> None:
    await execute(db, _SQL["costs_set"], carrier_id, *columns(costs, 2), timeout_s=limits.DATABASE_SLOW_TIMEOUT_S)


async def cost_remove(db: Executor, *, carrier_id: int, prefix: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["cost_remove"], single(str), carrier_id, prefix)


async def cost_list(db: Executor, *, carrier_id: int | None) -> list[CostRow]:
    return await fetch_rows(db, _SQL["cost_list"], CostRow, carrier_id)


async def route_set(
    db: Executor,
    *,
    strategy: int | None,
    ceiling_micro: int | None,
    account_id: int,
    app_id: str,
    sender: str,
    traffic: int,
    country: str,
    network: str,
    prefix: str,
    carrier_id: int,
    priority: int | None,
    weight: int | None,
) -> RouteSet:
    """The routes of a scope share strategy and ceiling: both are written to all of them."""
    return await fetch_row(
        db,
        _SQL["route_set"],
        RouteSet,
        strategy,
        ceiling_micro,
        account_id,
        app_id,
        sender,
        traffic,
        country,
        network,
        prefix,
        carrier_id,
        priority,
        weight,
    )


async def route_list(db: Executor, *, account_ids: Sequence[int] | None) -> list[RouteListRow]:
    return await fetch_rows(db, _SQL["route_list"], RouteListRow, account_ids)


async def route_ceiling_forget(
    db: Executor, *, account_id: int, app_id: str, sender: str, traffic: int, country: str, network: str, prefix: str
) -> None:
    await execute(db, _SQL["route_ceiling_forget"], account_id, app_id, sender, traffic, country, network, prefix)


async def route_lock(db: Executor, *, route_id: int) -> LockedRoute | None:
    return await fetch_row_or_none(db, _SQL["route_lock"], LockedRoute, route_id)


async def route_remove(db: Executor, *, route_id: int) -> int | None:
    return await fetch_row_or_none(db, _SQL["route_remove"], single(int), route_id)


async def is_sealed(db: Executor) -> bool:
    """Whether any secret is encrypted with the vault's key."""
    return await fetch_row(db, _SQL["is_sealed"], single(bool))


async def is_empty(db: Executor) -> bool:
    return await fetch_row(db, _SQL["is_empty"], single(bool))


async def quota_set(
    db: Executor,
    *,
    account_id: int,
    app_id: str,
    messages_per_s: int | None,
    messages_per_day: int | None,
    money_per_day_micro: int | None,
) -> None:
    await execute(db, _SQL["quota_set"], account_id, app_id, messages_per_s, messages_per_day, money_per_day_micro)


async def quota_remove(db: Executor, *, account_id: int, app_id: str) -> str | None:
    return await fetch_row_or_none(db, _SQL["quota_remove"], single(str), account_id, app_id)


async def quota_list(db: Executor, *, account_id: int | None) -> list[QuotaUseRow]:
    """Quotas with what is used up of them, of an account (`account_id`) or all; `windows`: as in limit_use."""
    return await fetch_rows(db, _SQL["quota_list"], QuotaUseRow, account_id)
