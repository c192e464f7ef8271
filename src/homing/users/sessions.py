"""Sessions of the console, in the database: they end with sign-out, with time, and when the user's password changes."""

from datetime import datetime, timedelta

import msgspec

from homing import limits
from homing.common.storable_text import storable_text
from homing.store.database import DatabaseConnection
from homing.users.admin import ConsoleUser
from homing.users.tokens import digest, make_token

IDLE = timedelta(seconds=limits.CONSOLE_IDLE_S)


class UserSession(msgspec.Struct, frozen=True):
    """Who is signed in. Until it `is_complete` the password was right and the second factor is awaited."""

    user: ConsoleUser
    is_complete: bool
    signed_in_at: datetime
    seen_at: datetime


async def open_session(
    connection: DatabaseConnection, user: ConsoleUser, is_complete: bool, address: str, agent: str
) -> str:
    """The token of a new session. What has ended is forgotten on the way."""
    await connection.execute("sessions_forget", IDLE)
    token = make_token()
    lasts_s = limits.CONSOLE_SESSION_S if is_complete else limits.CONSOLE_SECOND_FACTOR_S
    await connection.execute(
        "session_open",
        digest(token),
        user.user_id,
        is_complete,
        timedelta(seconds=lasts_s),
        address,
        storable_text(agent, limits.CONSOLE_TEXT_CHARS_MAX),
    )
    return token


async def find_session(connection: DatabaseConnection, token: str, now: datetime) -> UserSession | None:
    """None when it has ended or its user is disabled. It counts as used now."""
    row = await connection.row("session_find", digest(token), IDLE)
    if row is None:
        return None
    if (now - row["seen_at"]).total_seconds() > limits.CONSOLE_SEEN_S:
        await connection.execute("session_seen", digest(token))
    return UserSession(ConsoleUser.of(row), row["is_complete"], row["signed_in_at"], row["seen_at"])


async def end_session(connection: DatabaseConnection, token: str) -> None:
    await connection.execute("session_end", digest(token))
