"""A webhook endpoint that does not answer takes no other endpoint's place, of its own account either."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from homing import limits
from homing.admin.webhooks import create_webhook
from homing.common.crypto import Vault
from homing.delivery.endpoint_health import EndpointHealth
from homing.delivery.pusher import Pusher
from homing.delivery.safe_http import PostResult
from homing.delivery.signing import PushSigner
from homing.dialects.registry import DIALECTS
from homing.messages.events import add_events
from homing.model import EventType
from homing.observe.work import WorkMetrics
from homing.store.due_poller import DuePoller
from homing.store.statements.events import NewEvent
from tests.support.bank import Bank
from tests.support.server import new_database
from tests.support.waiting import in_time

VAULT = Vault(bytes(32))
SLOW, QUICK = "http://slow.example/", "http://quick.example/"


class Addresses:
    """In place of the HTTP client: one address never answers."""

    def __init__(self) -> None:
        self.posted: asyncio.Queue[str] = asyncio.Queue()

    async def post(self, url: str, body: str, headers: dict[str, str], account_id: int = 0) -> PostResult:
        if url == SLOW:
            await asyncio.Event().wait()
        self.posted.put_nowait(url)
        return PostResult(200, "", 1)


async def test_one_that_does_not_answer_leaves_room_to_its_accounts_others(
    postgres: str, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PUSH_IN_FLIGHT_PER_ENDPOINT_MAX", 2)
    monkeypatch.setattr(limits, "PUSH_IN_FLIGHT_PER_ACCOUNT_MAX", 6)
    monkeypatch.setattr(limits, "PUSH_BATCH_MAX", 2)
    bank = await Bank.open(await new_database(postgres, f"fair_{worker}"), 1)
    account = await bank.account()
    database, addresses = bank.databases[0], Addresses()
    client: Any = addresses

    def now() -> datetime:
        return datetime.now(UTC)

    async with bank.plain.transaction() as transaction:
        for url in (SLOW, QUICK):
            await create_webhook(transaction, VAULT, account.account_id, url=url)
        event = NewEvent(
            account_id=account.account_id,
            type=EventType.MESSAGE_INBOUND,
            message_id=None,
            verification_id=None,
            data="{}",
        )
        await add_events(transaction, DIALECTS, [event] * 20)
    await bank.query("UPDATE push SET due_at = due_at - interval '1 s' WHERE url = $1", SLOW)  # they come first
    poller = DuePoller(database, now)
    pusher = Pusher(
        database=database,
        http_client=client,
        signer=PushSigner(database, VAULT),
        due_poller=poller,
        clock=now,
        work_metrics=WorkMetrics(CollectorRegistry()),
        rng=random.Random(1),
        dialects=DIALECTS,
        endpoint_health=EndpointHealth(database=database, dialects=DIALECTS, clock=now),
    )
    running = [asyncio.create_task(poller.run()), asyncio.create_task(pusher.run())]
    try:
        async with in_time():
            posted = [await addresses.posted.get() for _ in range(20)]
        assert posted == [QUICK] * 20
    finally:
        posting: set[asyncio.Task[None]] = pusher._tasks
        for task in (*running, *posting):
            task.cancel()
        await asyncio.gather(*running, *posting, return_exceptions=True)
        await bank.close()
