"""Codes: made from the system's randomness, compared by a keyed hash, and kept sealed while they may be sent again."""

import hashlib
import secrets
import string
from collections.abc import Mapping
from typing import Final

from homing.common.crypto import Vault
from homing.model import CodeAlphabet

CODE_CHARS_MAX: Final = 10
INNER_PAD: Final = 0x36  # RFC 2104
OUTER_PAD: Final = 0x5C
ALPHABETS: Final[Mapping[CodeAlphabet, str]] = {
    CodeAlphabet.NUMERIC: string.digits,
    CodeAlphabet.ALPHA: string.ascii_uppercase,
    CodeAlphabet.ALPHANUMERIC: string.ascii_uppercase + string.digits,
    CodeAlphabet.HEX: string.digits + "ABCDEF",
}


def make_code(alphabet: CodeAlphabet, length: int) -> str:
    """Drawn from the system's randomness, each code as likely as any other."""
    characters = ALPHABETS[alphabet]
    base = len(characters)
    drawn = secrets.randbelow(base**length)  # a draw for each character takes four times as long
    code = ""
    for _ in range(length):
        drawn, digit = divmod(drawn, base)
        code += characters[digit]
    return code


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
        key = vault.derive("hashes of verification codes").ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ INNER_PAD for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ OUTER_PAD for byte in key))

    def hash(self, message_id: int, code: str) -> bytes:
        """32 bytes: HMAC-SHA-256 of a code under the message that carries it. Equal codes of two messages differ."""
        # RFC 2104, its key prepared once: the library's own takes three times as long for what is hashed for each code
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"%d:%s" % (message_id, plain_code(code).encode("utf-8", "replace")))
        outer.update(inner.digest())
        return outer.digest()

    def seal(self, verification_id: int, code: str) -> bytes:
        return self._vault.seal(code, _about(verification_id))

    def open(self, verification_id: int, sealed: bytes) -> str:
        """Raises ValueError when it was sealed with another key or of another verification."""
        return self._vault.open(sealed, _about(verification_id))


def _about(verification_id: int) -> str:
    return f"verification {verification_id}"
