"""Encryption of secrets at rest (AES-256-GCM), random secrets, and comparison in constant time."""

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import string
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
ALPHABET: Final = string.ascii_letters + string.digits


class Vault:
    """Encrypts secrets of customers and carriers. A hash would not do: some dialects, and our calls to carriers, sign
    with the plain secret.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._key = key

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, from the vault's key (HKDF-SHA-256, RFC 5869, without a salt)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose.encode()).derive(self._key)

    def seal(self, secret: str, about: str = "") -> bytes:
        """nonce + ciphertext + tag. `about`: its owner; `open` needs the same."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret.encode(), about.encode() or None)

    def open(self, sealed: bytes, about: str = "") -> str:
        """Raises ValueError when it was sealed with another key or for another owner."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode() or None).decode()
        except InvalidTag:
            raise ValueError("the secrets in this database were sealed with another key") from None


def load_key(from_environment: str, file: Path) -> bytes:
    """The vault's key: 32 bytes as base64 from the environment, else from a 0600 file, which is created if missing."""
    if from_environment:
        return _key(from_environment.encode(), "HOMING_SECRET_KEY")
    if not file.exists():
        _make_key(file)
    return _key(file.read_bytes(), str(file))


def _make_key(file: Path) -> None:
    """Written and synced before it is renamed, so that secrets sealed with it survive a power cut. When two processes
    create one at once, the first is kept.
    """
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(base64.b64encode(os.urandom(KEY_BYTES)))
        out.flush()
        os.fsync(out.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(temporary, file)
    temporary.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _key(text: bytes, source: str) -> bytes:
    """Raises ValueError for an invalid key: a new one in its place could not open any stored secret."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{source} does not hold {KEY_BYTES} bytes as base64")
    return key


def make_secret(length: int = 16) -> str:
    """A random secret of letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def md5_hex(text: str) -> str:
    """32 lower-case hex digits, for signatures that a protocol defines with MD5."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def same(left: str, right: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(left.encode("utf-8", "surrogatepass"), right.encode("utf-8", "surrogatepass"))
