"""Random tokens: the holder has the text, the database its digest."""

import hashlib
import hmac
import secrets

TOKEN_BYTES = 32


def make_token() -> str:
    """256 random bits as text that fits a URL and a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> bytes:
    """SHA-256: a token is random, so it needs nothing slower."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def bound(token: str, purpose: str) -> str:
    """A value that only the holder of `token` and we can make, for one purpose."""
    return hmac.new(token.encode("utf-8", "surrogatepass"), purpose.encode(), hashlib.sha256).hexdigest()
