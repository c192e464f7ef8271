"""Verification of signed pushes: the headers of Standard Webhooks (docs/integrate/webhooks.md)."""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from homing_clients.errors import BadPush, BadSignature
from homing_clients.v1_events import Event, event_of

TOLERANCE_S: Final = 300
PREFIX: Final = "whsec_"
VERSION: Final = "v1,"
TIMESTAMP_DIGITS_MAX: Final = 11


class SignedWebhook(msgspec.Struct, frozen=True):
    """`webhook_id`: the same at each attempt of one push. `signed_at`: of this attempt."""

    webhook_id: str
    signed_at: datetime


class WebhookVerifier:
    """Verifies pushes with the secrets that are valid now: one, or during a rotation several.

    Example: `WebhookVerifier("whsec_...").verify(body, request.headers)`
    """

    def __init__(self, *secrets: str, tolerance_s: float = TOLERANCE_S) -> None:
        """Raises ValueError for no secret, or one that is not `whsec_` and base64."""
        if not secrets:
            raise ValueError("a secret is needed")
        self._keys = tuple(map(_key_of, secrets))
        self._tolerance_s = tolerance_s

    def verify(self, body: bytes, headers: Mapping[str, str], *, now_s: float | None = None) -> SignedWebhook:
        """`body`: the bytes as they arrived, before anything parses them. `headers`: in any letter case. `now_s`: Unix
        time, None for the clock's. Raises `BadSignature`.
        """
        given = {name.lower(): value for name, value in headers.items()}
        webhook_id, timestamp = _header(given, "webhook-id"), _header(given, "webhook-timestamp")
        signatures = _header(given, "webhook-signature").split(" ")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= TIMESTAMP_DIGITS_MAX):
            raise BadSignature("webhook-timestamp is no Unix time")
        signed_s = int(timestamp)
        # the signature goes first: what is said of the time is then said of a real push
        if not self._is_signed(_octets(f"{webhook_id}.{timestamp}.") + body, signatures):
            raise BadSignature("no signature is of a known secret")
        if abs((time.time() if now_s is None else now_s) - signed_s) > self._tolerance_s:
            raise BadSignature("signed too long ago, or by a clock that is ahead")
        return SignedWebhook(webhook_id, datetime.fromtimestamp(signed_s, UTC))

    def event(self, body: bytes, headers: Mapping[str, str], *, now_s: float | None = None) -> Event:
        """The event that was pushed to an endpoint of the account, verified. Raises `BadSignature`, or `BadPush` for a
        body that is no event.
        """
        self.verify(body, headers, now_s=now_s)
        try:
            return event_of(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadPush(str(error)) from None

    def _is_signed(self, content: bytes, signatures: Sequence[str]) -> bool:
        """Each key is compared with each signature in constant time."""
        expected = [VERSION.encode() + base64.b64encode(hmac.digest(key, content, "sha256")) for key in self._keys]
        matches = [hmac.compare_digest(own, _octets(each)) for own in expected for each in signatures]
        return any(matches)


def _octets(text: str) -> bytes:
    """Of a header: some servers keep octets that are no UTF-8 as surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value:
        raise BadSignature(f"no {name}")
    return value


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a signing secret is {PREFIX} and base64")
    return key
