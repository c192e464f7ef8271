"""One-time links by which a user sets a password; the first operator's is created at start."""

from datetime import timedelta

import msgspec

from homing import limits
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.users.tokens import digest, make_token


class PasswordLink(msgspec.Struct, frozen=True):
    """The user whose password a link sets; None: it creates the first operator."""

    user_id: int | None
    name: str | None


async def make_link(connection: DatabaseConnection, user_id: int | None) -> str:
    """The token of a new link. Earlier links of the user become invalid."""
    await statements.users.links_forget(connection, user_id=user_id)
    token = make_token()
    await statements.users.link_add(
        connection, token=digest(token), user_id=user_id, lifetime=timedelta(seconds=limits.CONSOLE_LINK_S)
    )
    return token


async def find_link(connection: DatabaseConnection, token: str) -> PasswordLink | None:
    """None when it is unknown, used or expired, or its user is disabled."""
    row = await statements.users.link_find(connection, token=digest(token))
    if row is None or row.disabled_at is not None:
        return None
    return PasswordLink(row.user_id, row.name)


async def use_link(connection: DatabaseConnection, token: str) -> bool:
    """Marks a link as used; False when it was no longer valid."""
    return await statements.users.link_use(connection, token=digest(token)) is not None
