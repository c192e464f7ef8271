"""Secrets that sign the pushes to customers (Standard Webhooks), for the pusher, the command line and the console.

An account has one current secret, and so has each of its webhook endpoints; during a rotation an older one signs beside
it until its end. Account 0 is the operator, to whom alerts of all accounts are pushed.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from homing import errors
from homing.audit import record
from homing.common.crypto import Vault
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.statements.signing import NewSigningSecret, SigningOwner, SigningSecretRow

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
SECRET_BYTES_MIN: Final = 24  # of Standard Webhooks, as is the maximum
SECRET_BYTES_MAX: Final = 64
OVERLAP_DEFAULT: Final = timedelta(hours=24)
OVERLAP_MAX: Final = timedelta(days=30)


class SigningSecret(msgspec.Struct, frozen=True):
    """A secret that signs now. `secret`: `whsec_` and base64; None: it was sealed with another key. `expires_at`: None
    of the current one.
    """

    secret_id: int
    secret: str | None
    created_at: datetime
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"SigningSecret(secret_id={self.secret_id!r})"


async def read_signing_secrets(
    database: Database, vault: Vault, account_ids: Sequence[int]
) -> Mapping[int, Sequence[SigningSecret]]:
    """The valid secrets of each account, the current one first; those of its endpoints are others. An account without a
    current secret gets one. Raises a `PlatformFailure`.
    """
    owners = [SigningOwner(account_id=account_id, webhook_id=0) for account_id in account_ids]
    secrets = await read_owned_secrets(database, vault, owners)
    return {owner.account_id: secrets[owner.account_id, 0] for owner in owners}


async def read_owned_secrets(
    database: Database, vault: Vault, owners: Sequence[SigningOwner]
) -> Mapping[tuple[int, int], Sequence[SigningSecret]]:
    """As `read_signing_secrets`, of accounts and of endpoints, by both ids. An endpoint got its secret when it was
    made.
    """
    rows = await statements.signing.signing_secrets_valid(database, owners=owners)
    current = {(row.account_id, row.webhook_id) for row in rows if row.expires_at is None}
    missing = {owner.account_id for owner in owners if not owner.webhook_id} - {
        account_id for account_id, webhook_id in current if not webhook_id
    }
    if missing:
        made = [_sealed(vault, account_id, 0, make_signing_secret()) for account_id in sorted(missing)]
        await statements.signing.signing_secrets_create(database, secrets=made)
        rows = await statements.signing.signing_secrets_valid(database, owners=owners)
    by_owner: dict[tuple[int, int], list[SigningSecret]] = {
        (owner.account_id, owner.webhook_id): [] for owner in owners
    }
    for row in rows:
        by_owner[row.account_id, row.webhook_id].append(_opened(vault, row))
    return by_owner


async def create_webhook_secret(transaction: DatabaseConnection, vault: Vault, account_id: int, webhook_id: int) -> str:
    """The first secret of an endpoint."""
    secret = make_signing_secret()
    await statements.signing.signing_secrets_create(
        transaction, secrets=[_sealed(vault, account_id, webhook_id, secret)]
    )
    return secret


async def rotate_signing_secret(
    transaction: DatabaseConnection,
    vault: Vault,
    account_id: int,
    *,
    now: datetime,
    webhook_id: int = 0,
    overlap: timedelta = OVERLAP_DEFAULT,
    secret: str | None = None,
) -> str:
    """Replaces the current secret and gives the new one: `secret`, or one that is made. The replaced one signs beside
    it for `overlap`; an older one ends at once, since two are valid at most. Raises `InvalidInput`.
    """
    if secret is not None:
        signing_key(secret)
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise errors.InvalidInput("the previous secret can stay valid for at most {n} days", n=OVERLAP_MAX.days)
    secret = secret or make_signing_secret()
    await statements.signing.signing_secrets_lock(transaction, account_id=account_id, webhook_id=webhook_id)
    await statements.signing.signing_secrets_revoke_older(transaction, account_id=account_id, webhook_id=webhook_id)
    await statements.signing.signing_secret_expire(
        transaction, account_id=account_id, webhook_id=webhook_id, expires_at=now + overlap
    )
    sealed = _sealed(vault, account_id, webhook_id, secret)
    if not await statements.signing.signing_secrets_create(transaction, secrets=[sealed]):
        raise errors.InvalidInput("the signing secret was replaced by somebody else at the same time; show it first")
    return secret


async def revoke_older_secret(transaction: DatabaseConnection, account_id: int, now: datetime) -> None:
    """Ends the secret that the last rotation replaced. Raises `InvalidInput` when there is none."""
    ends = await statements.signing.signing_secrets_revoke_older(transaction, account_id=account_id, webhook_id=0)
    if not any(end > now for end in ends):
        raise errors.InvalidInput("no previous signing secret is valid")


async def record_shown(transaction: DatabaseConnection, account_id: int) -> None:
    """Records that somebody has seen an account's secrets."""
    await record(transaction, "signing_secret", "show_secret", "*", account_id=account_id or None)


def make_signing_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signing_key(secret: str) -> bytes:
    """The key that a secret spells. Raises `InvalidInput` when it is not one of Standard Webhooks."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(PREFIX) or not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise errors.InvalidInput(
            "a signing secret is {prefix} and {min} to {max} bytes as base64",
            prefix=PREFIX,
            min=SECRET_BYTES_MIN,
            max=SECRET_BYTES_MAX,
        )
    return key


def _opened(vault: Vault, row: SigningSecretRow) -> SigningSecret:
    try:
        secret = vault.open(row.secret, _owner(row.account_id, row.webhook_id))
    except ValueError:
        secret = None
    return SigningSecret(row.secret_id, secret, row.created_at, row.expires_at)


def _sealed(vault: Vault, account_id: int, webhook_id: int, secret: str) -> NewSigningSecret:
    sealed = vault.seal(secret, _owner(account_id, webhook_id))
    return NewSigningSecret(account_id=account_id, webhook_id=webhook_id, secret=sealed)


def _owner(account_id: int, webhook_id: int) -> str:
    owner = f"signing secret of account {account_id}"
    return f"{owner}, webhook {webhook_id}" if webhook_id else owner
