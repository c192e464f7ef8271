"""Test pushes: a sample in the dialect's form, posted to an address as every push is."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from homing.delivery.safe_http import PostResult, SafeHttpClient
from homing.delivery.signing import SigningKey, UnreadableSecret, signed_headers
from homing.dialects.base import Dialect, Dialects
from homing.model import PushKind


class PushTrial(msgspec.Struct, frozen=True):
    """A test push, its result, and whether a push with this answer is acknowledged."""

    url: str
    body: str
    result: PostResult
    is_acknowledged: bool


async def send_test_push(
    http_client: SafeHttpClient,
    dialects: Dialects,
    *,
    signing_keys: Sequence[SigningKey],
    account_id: int,
    kind: PushKind,
    url: str,
    app_id: str,
    now: datetime,
) -> PushTrial:
    """Posts a sample push of `kind` to an app's address, signed with the account's keys.

    Failures of the address are part of the result; an address that pushes may not go to is refused as always. Raises
    ValueError if no dialect pushes this kind to apps.
    """
    dialect, body = _sample(dialects, kind, app_id, now)
    try:
        headers = signed_headers(signing_keys, f"push_test_{int(now.timestamp() * 1000)}", now, body)
    except UnreadableSecret as error:
        return PushTrial(url, body, PostResult(None, str(error), 0), False)
    result = await http_client.post(url, body, headers, account_id)
    return PushTrial(url, body, result, result.status is not None and dialect.is_acknowledged(result.status))


def _sample(dialects: Dialects, kind: PushKind, app_id: str, now: datetime) -> tuple[Dialect, str]:
    for dialect in dialects:
        body = dialect.sample(kind, app_id, now)
        if body is not None:
            return dialect, body
    raise ValueError(f"no dialect pushes {kind.name} to apps")
