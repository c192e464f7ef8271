"""A push to try an address with: made up, in its dialect's form, and posted the way that every push is."""

from datetime import datetime

import msgspec

from homing.delivery.safe_http import PostResult, SafeHttpClient
from homing.dialects.base import Dialect, Dialects
from homing.model import PushKind


class PushTrial(msgspec.Struct, frozen=True):
    """What was posted, what came back, and whether a push would count as acknowledged."""

    url: str
    body: str
    posted: PostResult
    is_acknowledged: bool


async def try_address(
    http_client: SafeHttpClient,
    dialects: Dialects,
    *,
    account_id: int,
    kind: PushKind,
    url: str,
    app_id: str,
    now: datetime,
) -> PushTrial:
    """`kind`: what apps have an address for. Never raises for what the address does; one that pushes may not go to is
    refused as always. Raises ValueError where no dialect pushes such to apps.
    """
    dialect, body = _sample(dialects, kind, app_id, now)
    posted = await http_client.post(url, body, {"webhook-id": f"push_test_{int(now.timestamp() * 1000)}"}, account_id)
    return PushTrial(url, body, posted, posted.status is not None and dialect.is_acknowledged(posted.status))


def _sample(dialects: Dialects, kind: PushKind, app_id: str, now: datetime) -> tuple[Dialect, str]:
    for dialect in dialects:
        body = dialect.sample(kind, app_id, now)
        if body is not None:
            return dialect, body
    raise ValueError(f"no dialect pushes {kind.name} to apps")
