"""Console sessions, stored in the database. They end by sign-out, by time, and when the user's password changes."""

from datetime import datetime, timedelta

import msgspec

from homing import limits
from homing.common.storable_text import storable_text
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.users.admin import ConsoleUser
from homing.users.tokens import digest, make_token

IDLE = timedelta(seconds=limits.CONSOLE_IDLE_S)


class UserSession(msgspec.Struct, frozen=True):
    """A signed-in user. Until it `is_complete` the password was right and the second factor is pending."""

    user: ConsoleUser
    is_complete: bool
    signed_in_at: datetime
    seen_at: datetime


async def open_session(
    connection: DatabaseConnection, user: ConsoleUser, is_complete: bool, address: str, agent: str
) -> str:
    """The token of a new session. Ended sessions are deleted."""
    await statements.users.sessions_forget(connection, idle=IDLE)
    token = make_token()
    lifetime_s = limits.CONSOLE_SESSION_S if is_complete else limits.CONSOLE_SECOND_FACTOR_S
    await statements.users.session_open(
        connection,
        token=digest(token),
        user_id=user.user_id,
        is_complete=is_complete,
        lifetime=timedelta(seconds=lifetime_s),
        address=address,
        agent=storable_text(agent, limits.CONSOLE_TEXT_CHARS_MAX),
    )
    return token


async def find_session(connection: DatabaseConnection, token: str, now: datetime) -> UserSession | None:
    """None when it has ended or its user is disabled; else it is marked as used now."""
    row = await statements.users.session_find(connection, token=digest(token), idle=IDLE)
    if row is None:
        return None
    if (now - row.seen_at).total_seconds() > limits.CONSOLE_SEEN_S:
        await statements.users.session_seen(connection, token=digest(token))
    return UserSession(ConsoleUser.of(row), row.is_complete, row.signed_in_at, row.seen_at)


async def end_session(connection: DatabaseConnection, token: str) -> None:
    await statements.users.session_end(connection, token=digest(token))
