"""Users' passwords: argon2id, in threads and a few at a time."""

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
    """Hashes and checks passwords. A check takes as long for an unknown user as for a known one."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(CONSOLE_HASHES_MAX)
        self._dummy_hash: str | None = None

    async def hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password: str, stored_hash: str | None) -> bool:
        """`stored_hash`: None for an unknown user or one without a password."""
        if len(password) > CONSOLE_PASSWORD_CHARS_MAX:
            password, stored_hash = "", None
        if self._dummy_hash is None:
            self._dummy_hash = await self.hash(make_token())
        async with self._hashing:
            is_match = await asyncio.to_thread(self._matches, password, stored_hash or self._dummy_hash)
        return is_match and stored_hash is not None

    def is_dated(self, stored_hash: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored_hash)

    def _matches(self, password: str, stored_hash: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False
