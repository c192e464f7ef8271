"""Passwords of people: argon2id, off the event loop and a few at a time."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from homing import errors
from homing.users.tokens import make_token

CONSOLE_HASHES_MAX: Final = 2  # passwords that are hashed at once: each takes 64 MiB and a core
CONSOLE_PASSWORD_CHARS_MIN: Final = 12
CONSOLE_PASSWORD_CHARS_MAX: Final = 256


def check_password(password: str, name: str) -> None:
    """Raises `InvalidInput` for one that is too short, too long or the name itself (NIST SP 800-63B, section 5.1.1:
    length, not kinds of characters).
    """
    if not CONSOLE_PASSWORD_CHARS_MIN <= len(password) <= CONSOLE_PASSWORD_CHARS_MAX:
        raise errors.InvalidInput(
            "a password must have {minimum} to {maximum} characters",
            minimum=CONSOLE_PASSWORD_CHARS_MIN,
            maximum=CONSOLE_PASSWORD_CHARS_MAX,
        )
    if (name and password.lower().startswith(name.lower())) or len(set(password)) < 5:
        raise errors.InvalidInput("this password is too easy to guess")


class Passwords:
    """Hashes and checks. Checking takes as long for a user that does not exist as for one that does."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turn = asyncio.Semaphore(CONSOLE_HASHES_MAX)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password: str, known: str | None) -> bool:
        """`known`: the stored hash, None where there is nobody or no password."""
        if len(password) > CONSOLE_PASSWORD_CHARS_MAX:
            password, known = "", None
        if self._nobodys is None:
            self._nobodys = await self.hash(make_token())
        async with self._turn:
            fits = await asyncio.to_thread(self._fits, password, known or self._nobodys)
        return fits and known is not None

    def is_dated(self, known: str) -> bool:
        """Whether a hash was made with weaker parameters than are used today."""
        return self._hasher.check_needs_rehash(known)

    def _fits(self, password: str, known: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False
