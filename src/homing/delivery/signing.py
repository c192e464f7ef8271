"""Signatures of pushes (Standard Webhooks): the headers of a push, and accounts' keys in memory."""

import base64
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.admin.signing_secrets import SigningSecret, read_signing_secrets, signing_key
from homing.common.batching import Batcher
from homing.common.crypto import Vault
from homing.store.database import Database

VERSION: Final = "v1"
UNREADABLE: Final = "not sent: the account's signing secret was sealed with another key; rotate it"


class SigningKey(msgspec.Struct, frozen=True):
    """`key` signs until `expires_at`; None: it is the current one."""

    key: bytes
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"SigningKey(expires_at={self.expires_at!r})"


class UnreadableSecret(Exception):
    """None of an account's signing secrets can be opened."""


def signed_headers(keys: Sequence[SigningKey], webhook_id: str, at: datetime, body: str) -> dict[str, str]:
    """The three headers of Standard Webhooks for a push that is posted at `at`, with a signature for each key that is
    valid then. Raises `UnreadableSecret` without a key.
    """
    timestamp = str(int(at.timestamp()))
    content = f"{webhook_id}.{timestamp}.{body}".encode()
    signatures = [
        f"{VERSION},{base64.b64encode(hmac.digest(each.key, content, 'sha256')).decode()}"
        for each in keys
        if each.expires_at is None or each.expires_at > at
    ]
    if not signatures:
        raise UnreadableSecret(UNREADABLE)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def signing_keys(secrets: Sequence[SigningSecret]) -> tuple[SigningKey, ...]:
    """The keys of those secrets that can be opened."""
    return tuple(SigningKey(signing_key(each.secret), each.expires_at) for each in secrets if each.secret is not None)


class PushSigner:
    """Signs pushes with their accounts' keys, which are cached until they change (a notice from the database), for
    30 s at most.
    """

    def __init__(self, database: Database, vault: Vault, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._vault = vault
        self._clock_s = clock_s
        self._keys: dict[int, tuple[float, Sequence[SigningKey]]] = {}
        self._changes = 0
        self._loads: Batcher[int, Sequence[SigningKey]] = Batcher(
            self._load, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def headers(self, account_id: int, webhook_id: str, at: datetime, body: str) -> dict[str, str]:
        """See `signed_headers`. Raises a `PlatformFailure` when the keys are not cached and cannot be read."""
        entry = self._keys.get(account_id)
        if entry is None or entry[0] <= self._clock_s():
            keys = await self._loads.put(account_id)
        else:
            keys = entry[1]
        return signed_headers(keys, webhook_id, at, body)

    def settings_changed(self, account: str) -> None:
        """Drops the account's keys; "0": the operator's, and no others, since no setting for all accounts is a key."""
        self._changes += 1
        if account.isdigit():
            self._keys.pop(int(account), None)

    def settings_missed(self) -> None:
        """Drops all keys."""
        self._changes += 1
        self._keys.clear()

    async def _load(self, account_ids: Sequence[int]) -> list[Sequence[SigningKey]]:
        changes = self._changes
        secrets = await read_signing_secrets(self._database, self._vault, list(dict.fromkeys(account_ids)))
        keys = {account_id: signing_keys(each) for account_id, each in secrets.items()}
        if changes == self._changes:  # else they may be stale already: used once, but not cached
            if len(self._keys) + len(keys) > limits.PROFILES_MAX:
                self._keys.clear()
            fresh_until_s = self._clock_s() + limits.PROFILE_AGE_S_MAX
            self._keys.update((account_id, (fresh_until_s, each)) for account_id, each in keys.items())
        return [keys[account_id] for account_id in account_ids]
