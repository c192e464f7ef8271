"""The second factor: time-based codes (RFC 6238: SHA-1, six digits, 30 s, as every authenticator app has them), and
recovery codes for a lost app.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from homing.common.crypto import Vault, same
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.users.tokens import digest

CONSOLE_RECOVERY_CODES: Final = 10
DIGITS: Final = 6
STEP_S: Final = 30
SECRET_BYTES: Final = 20
DRIFT_STEPS: Final = (0, -1, 1)
"""A phone's clock may be half a minute off (RFC 6238, section 5.2)."""
RECOVERY_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
ISSUER: Final = "Homing"


def make_secret() -> str:
    """In base32, as apps expect it."""
    return base64.b32encode(os.urandom(SECRET_BYTES)).decode()


def uri(secret: str, name: str) -> str:
    """The content of the QR code."""
    return _totp(secret).get_provisioning_uri(name, ISSUER)


def step_of(secret: str, code: str, *now: datetime) -> int | None:
    """A code's time step, None when it is wrong. `now`: the time by each clock that may be right."""
    totp, digits = _totp(secret), "".join(code.split())
    matching_step = None
    for step in {int(at.timestamp()) // STEP_S + drift for at in now for drift in DRIFT_STEPS}:
        if same(totp.generate(step * STEP_S).decode(), digits):
            matching_step = step
    return matching_step


def make_recovery_codes() -> Sequence[str]:
    """Such as `k7dm3-q2xw9`: 49 bits each."""
    return [
        "-".join("".join(secrets.choice(RECOVERY_LETTERS) for _ in range(5)) for _ in range(2))
        for _ in range(CONSOLE_RECOVERY_CODES)
    ]


async def enrol(connection: DatabaseConnection, vault: Vault, user_id: int, secret: str, step: int) -> Sequence[str]:
    """Enables the second factor with this secret; codes up to `step` are used. Gives recovery codes, which cannot be
    read again.
    """
    await statements.users.user_totp(connection, user_id=user_id, secret=vault.seal(secret))
    await statements.users.user_totp_step(connection, user_id=user_id, step=step)
    codes = make_recovery_codes()
    await statements.users.recovery_codes_forget(connection, user_id=user_id)
    await statements.users.recovery_codes_add(connection, user_id=user_id, codes=[digest(code) for code in codes])
    return codes


async def forget(connection: DatabaseConnection, user_id: int) -> None:
    """Disables the second factor."""
    await statements.users.user_totp(connection, user_id=user_id, secret=None)
    await statements.users.recovery_codes_forget(connection, user_id=user_id)


async def is_right(
    connection: DatabaseConnection, vault: Vault, user_id: int, sealed: bytes, code: str, *now: datetime
) -> bool:
    """Whether a code of the app, or a recovery code, is right and unused; it is marked as used. `now`: as for
    `step_of`.
    """
    step = step_of(vault.open(sealed), code, *now)
    if step is not None:
        return await statements.users.user_totp_step(connection, user_id=user_id, step=step) is not None
    recovery_code = "".join(code.split()).lower()
    return await statements.users.recovery_code_use(connection, user_id=user_id, code=digest(recovery_code)) is not None


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_S)  # noqa: S303 - the RFC's, and what apps support
