"""Signatures of pushes (Standard Webhooks): the headers of a push, and accounts' keys in memory."""

import base64
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from homing import limits
from homing.admin.signing_secrets import SigningSecret, read_owned_secrets, signing_key
from homing.common.batching import Batcher
from homing.common.crypto import Vault
from homing.store.database import Database
from homing.store.statements.signing import SigningOwner

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
    """Signs pushes with the keys of their accounts, or of their endpoints, which are cached until they change (a notice
    from the database), for 30 s at most.
    """

    def __init__(self, database: Database, vault: Vault, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._vault = vault
        self._clock_s = clock_s
        self._keys: dict[int, dict[int, tuple[float, Sequence[SigningKey]]]] = {}  # by account, by webhook
        self._changes = 0
        self._loads: Batcher[SigningOwner, Sequence[SigningKey]] = Batcher(
            self._load, weight_max=limits.BATCH_ITEMS_MAX, pending_max=limits.BATCH_PENDING_MAX
        )

    async def headers(
        self, account_id: int, webhook_id: int, message_id: str, at: datetime, body: str
    ) -> dict[str, str]:
        """See `signed_headers`. `webhook_id`: 0 of a push to no endpoint of the account's own. Raises a
        `PlatformFailure` when the keys are not cached and cannot be read.
        """
        entry = self._keys.get(account_id, {}).get(webhook_id)
        if entry is None or entry[0] <= self._clock_s():
            keys = await self._loads.put(SigningOwner(account_id=account_id, webhook_id=webhook_id))
        else:
            keys = entry[1]
        return signed_headers(keys, message_id, at, body)

    def settings_changed(self, account: str) -> None:
        """Drops the account's keys; "0": the operator's, and no others, since no setting for all accounts is a key."""
        self._changes += 1
        if account.isdigit():
            self._keys.pop(int(account), None)

    def settings_missed(self) -> None:
        """Drops all keys."""
        self._changes += 1
        self._keys.clear()

    async def _load(self, owners: Sequence[SigningOwner]) -> list[Sequence[SigningKey]]:
        changes = self._changes
        pairs = [(owner.account_id, owner.webhook_id) for owner in owners]
        distinct = list(dict(zip(pairs, owners, strict=True)).values())
        secrets = await read_owned_secrets(self._database, self._vault, distinct)
        keys = {owner: signing_keys(each) for owner, each in secrets.items()}
        if changes == self._changes:  # else they may be stale already: used once, but not cached
            if len(self._keys) + len(keys) > limits.PROFILES_MAX:
                self._keys.clear()
            fresh_until_s = self._clock_s() + limits.PROFILE_AGE_S_MAX
            for (account_id, webhook_id), each in keys.items():
                self._keys.setdefault(account_id, {})[webhook_id] = (fresh_until_s, each)
        return [keys[pair] for pair in pairs]
