"""Test pushes: a sample in the dialect's form, posted to an address as every push is."""

from datetime import datetime

import msgspec

from homing.delivery.safe_http import PostResult, SafeHttpClient
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
    account_id: int,
    kind: PushKind,
    url: str,
    app_id: str,
    now: datetime,
) -> PushTrial:
    """Posts a sample push of `kind` to an app's address.

    Failures of the address are part of the result; an address that pushes may not go to is refused as always. Raises
    ValueError if no dialect pushes this kind to apps.
    """
    dialect, body = _sample(dialects, kind, app_id, now)
    result = await http_client.post(url, body, {"webhook-id": f"push_test_{int(now.timestamp() * 1000)}"}, account_id)
    return PushTrial(url, body, result, result.status is not None and dialect.is_acknowledged(result.status))


def _sample(dialects: Dialects, kind: PushKind, app_id: str, now: datetime) -> tuple[Dialect, str]:
    for dialect in dialects:
        body = dialect.sample(kind, app_id, now)
        if body is not None:
            return dialect, body
    raise ValueError(f"no dialect pushes {kind.name} to apps")
