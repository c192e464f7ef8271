"""Users of the console (users/).

Made by tools/sql_bindings.py from sql/users.sql.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, execute, fetch_row, fetch_row_or_none, fetch_rows, nullable, single

_SQL: Final = queries.load("users")


class UserRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `user_find`, `user_get`."""

    user_id: int
    name: str
    role: int
    account_id: int | None
    password: str | None
    totp_secret: bytes | None
    totp_step: int
    disabled_at: datetime | None
    created_at: datetime
    account: str | None


class UserListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `user_list`, `user_page`."""

    user_id: int
    name: str
    role: int
    account_id: int | None
    account: str | None
    has_password: bool
    has_second_factor: bool
    disabled_at: datetime | None
    created_at: datetime
    seen_at: datetime | None


class UserSessions(msgspec.Struct, frozen=True, gc=False):
    """A row of `user_sessions`."""

    sessions: int
    seen_at: datetime | None


class LockedUser(msgspec.Struct, frozen=True, gc=False):
    """A row of `user_lock`."""

    user_id: int
    name: str
    role: int
    account_id: int | None
    disabled_at: datetime | None


class SessionRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `session_find`."""

    is_complete: bool
    signed_in_at: datetime
    seen_at: datetime
    user_id: int
    name: str
    role: int
    account_id: int | None
    password: str | None
    totp_secret: bytes | None
    totp_step: int
    disabled_at: datetime | None
    created_at: datetime
    account: str | None


class SessionListRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `session_list`."""

    token: bytes
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


class LinkRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `link_find`."""

    user_id: int | None
    name: str | None
    disabled_at: datetime | None


async def user_find(db: Executor, *, name: str) -> UserRow | None:
    return await fetch_row_or_none(db, _SQL["user_find"], UserRow, name)


async def user_get(db: Executor, *, user_id: int) -> UserRow | None:
    return await fetch_row_or_none(db, _SQL["user_get"], UserRow, user_id)


async def user_list(db: Executor) -> list[UserListRow]:
    return await fetch_rows(db, _SQL["user_list"], UserListRow)


async def user_page(db: Executor, *, beginning: str, before_id: int | None, rows_max: int) -> list[UserListRow]:
    """Users whose names begin with `beginning`, the latest first, with IDs below `before_id`."""
    return await fetch_rows(db, _SQL["user_page"], UserListRow, beginning, before_id, rows_max)


async def user_sessions(db: Executor, *, user_id: int) -> UserSessions:
    return await fetch_row(db, _SQL["user_sessions"], UserSessions, user_id)


async def user_lock(db: Executor, *, user_id: int) -> LockedUser | None:
    return await fetch_row_or_none(db, _SQL["user_lock"], LockedUser, user_id)


async def user_role(db: Executor, *, role: int, account_id: int | None, user_id: int) -> None:
    await execute(db, _SQL["user_role"], role, account_id, user_id)


async def user_operators(db: Executor) -> int:
    return await fetch_row(db, _SQL["user_operators"], single(int))


async def user_create(db: Executor, *, name: str, role: int, account_id: int | None) -> int | None:
    return await fetch_row_or_none(db, _SQL["user_create"], single(int), name, role, account_id)


async def user_password(db: Executor, *, password: str | None, user_id: int) -> None:
    await execute(db, _SQL["user_password"], password, user_id)


async def user_disable(db: Executor, *, is_disabled: bool, user_id: int) -> None:
    await execute(db, _SQL["user_disable"], is_disabled, user_id)


async def user_totp(db: Executor, *, secret: bytes | None, user_id: int) -> None:
    await execute(db, _SQL["user_totp"], secret, user_id)


async def user_totp_step(db: Executor, *, step: int, user_id: int) -> int | None:
    """A code is valid once: only a later step than the last one counts."""
    return await fetch_row_or_none(db, _SQL["user_totp_step"], single(int), step, user_id)


async def session_code_try(db: Executor, *, token: bytes, codes_max: int) -> int | None:
    """An attempt of an incomplete session, counted as wrong before the code is checked, so that concurrent attempts
    cannot all be checked; no row when the session has had `codes_max` of them.
    """
    return await fetch_row_or_none(db, _SQL["session_code_try"], single(int), token, codes_max)


async def user_code_try(db: Executor, *, user_id: int, codes_max: int) -> int | None:
    """The same for the user; no row when there were `codes_max` within the hour."""
    return await fetch_row_or_none(db, _SQL["user_code_try"], single(int), user_id, codes_max)


async def user_codes_told(db: Executor, *, user_id: int) -> int | None:
    """Records a right code; gives the number of wrong ones since the last right one."""
    return await fetch_row_or_none(db, _SQL["user_codes_told"], single(int), user_id)


async def recovery_codes_forget(db: Executor, *, user_id: int) -> None:
    await execute(db, _SQL["recovery_codes_forget"], user_id)


async def recovery_codes_add(db: Executor, *, user_id: int, codes: Sequence[bytes]) -> None:
    await execute(db, _SQL["recovery_codes_add"], user_id, codes)


async def recovery_code_use(db: Executor, *, user_id: int, code: bytes) -> int | None:
    return await fetch_row_or_none(db, _SQL["recovery_code_use"], single(int), user_id, code)


async def recovery_codes_left(db: Executor, *, user_id: int) -> int:
    return await fetch_row(db, _SQL["recovery_codes_left"], single(int), user_id)


async def session_open(
    db: Executor, *, token: bytes, user_id: int, is_complete: bool, lifetime: timedelta, address: str, agent: str
) -> None:
    await execute(db, _SQL["session_open"], token, user_id, is_complete, lifetime, address, agent)


async def session_find(db: Executor, *, token: bytes, idle: timedelta) -> SessionRow | None:
    """An active session with its user."""
    return await fetch_row_or_none(db, _SQL["session_find"], SessionRow, token, idle)


async def session_seen(db: Executor, *, token: bytes) -> None:
    await execute(db, _SQL["session_seen"], token)


async def session_list(db: Executor, *, user_id: int, idle: timedelta) -> list[SessionListRow]:
    return await fetch_rows(db, _SQL["session_list"], SessionListRow, user_id, idle)


async def session_end(db: Executor, *, token: bytes) -> None:
    await execute(db, _SQL["session_end"], token)


async def sessions_end(db: Executor, *, user_id: int, kept_session: bytes | None) -> None:
    """All of a user's but one (`kept_session`; null: all)."""
    await execute(db, _SQL["sessions_end"], user_id, kept_session)


async def sessions_forget(db: Executor, *, idle: timedelta) -> None:
    await execute(db, _SQL["sessions_forget"], idle)


async def links_forget(db: Executor, *, user_id: int | None) -> None:
    await execute(db, _SQL["links_forget"], user_id)


async def link_add(db: Executor, *, token: bytes, user_id: int | None, lifetime: timedelta) -> None:
    await execute(db, _SQL["link_add"], token, user_id, lifetime)


async def link_find(db: Executor, *, token: bytes) -> LinkRow | None:
    return await fetch_row_or_none(db, _SQL["link_find"], LinkRow, token)


async def link_use(db: Executor, *, token: bytes) -> int | None:
    return await fetch_row_or_none(db, _SQL["link_use"], nullable(int), token)
