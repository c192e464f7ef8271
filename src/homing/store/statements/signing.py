"""Secrets that sign pushes (admin/signing_secrets.py). Account 0 is the operator; webhook 0 is what an account signs
with that is not pushed to an endpoint of its own.

Made by tools/sql_bindings.py from sql/signing.sql.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing.store import queries
from homing.store.rows import Executor, columns, execute, fetch_row_or_none, fetch_rows, single

_SQL: Final = queries.load("signing")


class SigningOwner(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `signing_secrets_valid` is given."""

    account_id: int
    webhook_id: int


class SigningSecretRow(msgspec.Struct, frozen=True, gc=False):
    """A row of `signing_secrets_valid`."""

    account_id: int
    webhook_id: int
    secret_id: int
    secret: bytes
    created_at: datetime
    expires_at: datetime | None


class NewSigningSecret(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `signing_secrets_create` is given."""

    account_id: int
    webhook_id: int
    secret: bytes


async def signing_secrets_valid(db: Executor, *, owners: Sequence[SigningOwner]) -> list[SigningSecretRow]:
    """Those that are valid now, the current one of each owner before its older one."""
    return await fetch_rows(db, _SQL["signing_secrets_valid"], SigningSecretRow, *columns(owners, 2))


async def signing_secrets_create(db: Executor, *, secrets: Sequence[NewSigningSecret]) -> list[int]:
    """Only where an owner has no current one; gives the accounts."""
    return await fetch_rows(db, _SQL["signing_secrets_create"], single(int), *columns(secrets, 3))


async def signing_secrets_lock(db: Executor, *, webhook_id: int, account_id: int) -> None:
    """Rotations of an owner's secret take place one after the other."""
    await execute(db, _SQL["signing_secrets_lock"], webhook_id, account_id)


async def signing_secret_expire(db: Executor, *, expires_at: datetime, account_id: int, webhook_id: int) -> int | None:
    """The first step of a rotation."""
    return await fetch_row_or_none(db, _SQL["signing_secret_expire"], single(int), expires_at, account_id, webhook_id)


async def signing_secrets_revoke_older(db: Executor, *, account_id: int, webhook_id: int) -> list[datetime]:
    """Those that are not current, whether valid or over. Gives the ends of those that were valid."""
    return await fetch_rows(db, _SQL["signing_secrets_revoke_older"], single(datetime), account_id, webhook_id)


async def signing_secrets_remove(db: Executor, *, account_id: int, webhook_id: int) -> None:
    """All of an endpoint that is removed."""
    await execute(db, _SQL["signing_secrets_remove"], account_id, webhook_id)
