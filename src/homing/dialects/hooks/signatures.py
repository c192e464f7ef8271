"""How a call of each product shows that it knows the hook's secret. Pure: comparisons in constant time."""

import base64
import hmac
import itertools
import re
from collections.abc import Sequence
from typing import Final

from homing.api.http.wire import Headers
from homing.common.crypto import same
from homing.dialects.hooks import bounds

PREFIXES: Final = ("v1,", "whsec_")
SEPARATORS: Final = re.compile(r"[ ,]+")


def is_signed_by_standard(secret: str, headers: Headers, body: bytes, now_s: Sequence[float]) -> bool:
    """Standard Webhooks: three headers. Several signatures are separated by blanks; Supabase writes commas too."""
    webhook_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    signatures, key = headers.get("webhook-signature"), standard_key(secret)
    if not webhook_id or not timestamp or not signatures or key is None or not _is_recent(timestamp, now_s):
        return False
    content = f"{webhook_id}.{timestamp}.".encode("utf-8", "replace") + body
    expected = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    parts = SEPARATORS.split(signatures)
    return any(version == "v1" and same(expected, signature) for version, signature in itertools.pairwise(parts))


def standard_key(secret: str) -> bytes | None:
    """The key that a secret spells, with or without `v1,` and `whsec_`; None if it is no base64."""
    for prefix in PREFIXES:
        secret = secret.removeprefix(prefix)
    try:
        return base64.b64decode(secret + "=" * (-len(secret) % 4), validate=True) or None
    except ValueError:
        return None


def is_signed_by_zitadel(secret: str, headers: Headers, body: bytes, now_s: Sequence[float]) -> bool:
    """`ZITADEL-Signature: t=SECONDS,v1=HEX[,v1=HEX]`: HMAC-SHA256 of `t.body` by the provider's signing key."""
    pairs = [part.strip().partition("=") for part in (headers.get("zitadel-signature") or "").split(",")]
    timestamp = next((value for name, _equals, value in pairs if name == "t"), "")
    if not _is_recent(timestamp, now_s):
        return False
    expected = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()
    return any(same(expected, value.lower()) for name, _equals, value in pairs if name == "v1")


def has_token(secret: str, headers: Headers, _body: bytes, _now_s: Sequence[float]) -> bool:
    """The secret itself in the Authorization header, as a bearer token or alone."""
    header = (headers.get("authorization") or "").strip()
    scheme, _blank, token = header.partition(" ")
    return same(secret, token.strip() if scheme.lower() == "bearer" else header)


def is_signed_or_has_token(secret: str, headers: Headers, body: bytes, now_s: Sequence[float]) -> bool:
    if headers.get("webhook-signature"):
        return is_signed_by_standard(secret, headers, body, now_s)
    return has_token(secret, headers, body, now_s)


def _is_recent(timestamp: str, now_s: Sequence[float]) -> bool:
    """Near any of the clocks: which of them is right after a step, nobody here knows."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return any(abs(int(timestamp) - each) <= bounds.WINDOW_S for each in now_s)
