"""Random tokens, of which the database stores the digest."""

import hashlib
import hmac
import secrets

TOKEN_BYTES = 32


def make_token() -> str:
    """256 random bits as text that fits a URL and a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> bytes:
    """SHA-256: random tokens need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def bound(token: str, purpose: str) -> str:
    """A value for one purpose that only we and the holder of `token` can compute."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), purpose.encode(), hashlib.sha256).hexdigest()
