"""Codes: made from the system's randomness, compared by a keyed hash, and kept sealed while they may be sent again."""

import hashlib
import hmac
import secrets
import string
from collections.abc import Mapping
from typing import Final

from homing.common.crypto import Vault
from homing.model import CodeAlphabet

CODE_CHARS_MAX: Final = 10
ALPHABETS: Final[Mapping[CodeAlphabet, str]] = {
    CodeAlphabet.NUMERIC: string.digits,
    CodeAlphabet.ALPHA: string.ascii_uppercase,
    CodeAlphabet.ALPHANUMERIC: string.ascii_uppercase + string.digits,
    CodeAlphabet.HEX: string.digits + "ABCDEF",
}


def make_code(alphabet: CodeAlphabet, length: int) -> str:
    """Each character is drawn from the system's randomness."""
    characters = ALPHABETS[alphabet]
    return "".join(secrets.choice(characters) for _ in range(length))


def plain_code(entered: str) -> str:
    """A code as it is compared: without surrounding blanks and letter case."""
    return entered.strip().casefold()


def masked(code: str) -> str:
    """What stands in a text in place of a code that was sent."""
    return "*" * len(code)


class CodeKeeper:
    """Hashes and seals codes with keys that are derived from the installation's secret."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = vault.derive("hashes of verification codes")

    def hash(self, message_id: int, code: str) -> bytes:
        """32 bytes: HMAC-SHA-256 of a code under the message that carries it. Equal codes of two messages differ."""
        plain = plain_code(code).encode("utf-8", "replace")
        return hmac.digest(self._key, b"%d:%s" % (message_id, plain), hashlib.sha256)

    def seal(self, verification_id: int, code: str) -> bytes:
        return self._vault.seal(code, _about(verification_id))

    def open(self, verification_id: int, sealed: bytes) -> str:
        """Raises ValueError when it was sealed with another key or of another verification."""
        return self._vault.open(sealed, _about(verification_id))


def _about(verification_id: int) -> str:
    return f"verification {verification_id}"
