"""Changes of users, for the command line and the console. Users set their password and second factor themselves, by a
one-time link (users/links.py).
"""

import re
from datetime import datetime
from typing import Final

import msgspec

from homing import errors, limits
from homing.model import UserRole
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.users import SessionRow, UserRow

NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.@+-]{{0,{limits.CONSOLE_USER_CHARS_MAX - 1}}}", re.ASCII)


class ConsoleUser(msgspec.Struct, frozen=True):
    """Somebody who may sign in. `account_id` is set for a customer, who sees that account alone."""

    user_id: int
    name: str
    role: UserRole
    account_id: int | None
    account: str | None
    has_password: bool
    has_second_factor: bool
    disabled_at: datetime | None

    @classmethod
    def of(cls, row: UserRow | SessionRow) -> "ConsoleUser":
        """A row of `console_user` with its account's name."""
        return cls(
            row.user_id,
            row.name,
            UserRole(row.role),
            row.account_id,
            row.account,
            row.password is not None,
            row.totp_secret is not None,
            row.disabled_at,
        )


def as_name(text: str) -> str:
    """Upper and lower case are the same in names."""
    return text.strip().lower()


async def find_user(connection: DatabaseConnection | Database, name: str) -> ConsoleUser:
    """Raises `InvalidInput` when there is none."""
    row = await statements.users.user_find(connection, name=as_name(name))
    if row is None:
        raise errors.InvalidInput("user {name} does not exist; `homing user list` lists the users", name=repr(name))
    return ConsoleUser.of(row)


async def create_user(connection: DatabaseConnection, name: str, role: UserRole, account_id: int | None = None) -> int:
    """Creates a user without a password; gives the ID. A customer needs an account, the others have none.

    Raises `InvalidInput` when the name is taken or invalid.
    """
    if not NAME.fullmatch(name.strip()):
        raise errors.InvalidInput(
            "{name} is not a valid user name: use letters, digits and _ . @ + -", name=repr(name[:80])
        )
    _check_role(role, account_id)
    user_id = await statements.users.user_create(connection, name=as_name(name), role=role, account_id=account_id)
    if user_id is None:
        raise errors.InvalidInput("user {name} already exists", name=repr(as_name(name)))
    return user_id


async def set_role(connection: DatabaseConnection, user_id: int, role: UserRole, account_id: int | None = None) -> None:
    """Takes effect at the next request; a customer needs an account, the others have none. Raises `InvalidInput`."""
    _check_role(role, account_id)
    await statements.users.user_role(connection, user_id=user_id, role=role, account_id=account_id)


def _check_role(role: UserRole, account_id: int | None) -> None:
    if (role is UserRole.CUSTOMER) != (account_id is not None):
        raise errors.InvalidInput("a customer user needs an account; operator and support users have none")


async def set_disabled(connection: DatabaseConnection, user_id: int, is_disabled: bool) -> None:
    """A disabled user's sessions and links end at once."""
    await statements.users.user_disable(connection, user_id=user_id, is_disabled=is_disabled)
    if is_disabled:
        await statements.users.sessions_end(connection, user_id=user_id, kept_session=None)
        await statements.users.links_forget(connection, user_id=user_id)


async def set_password(
    connection: DatabaseConnection, user_id: int, password_hash: str, kept_session: bytes | None
) -> None:
    """Ends the user's sessions but `kept_session` (a token's digest)."""
    await statements.users.user_password(connection, user_id=user_id, password=password_hash)
    await statements.users.sessions_end(connection, user_id=user_id, kept_session=kept_session)


async def has_operator(connection: DatabaseConnection | Database) -> bool:
    """Whether there is an operator who can sign in."""
    return await statements.users.user_operators(connection) > 0
