"""Webhook endpoints that do not answer take no other endpoint's place, of their own account either; and pushes that
cannot be signed wait, without harm to their endpoint.
"""

import asyncio
import contextlib
import ipaddress
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from homing import limits
from homing.accounts.profile import Profile
from homing.admin.webhooks import create_webhook, rotate_webhook_secret
from homing.common.crypto import Vault
from homing.delivery.endpoint_health import DISABLE_AFTER, EndpointHealth
from homing.delivery.pusher import Pusher
from homing.delivery.safe_http import SafeHttpClient
from homing.delivery.signing import PushSigner
from homing.delivery.unreadable_secrets import UNSIGNED_WAIT_S_MAX, UnreadableSecrets
from homing.dialects.registry import DIALECTS
from homing.messages.events import add_events
from homing.model import EventType
from homing.observe.work import WorkMetrics
from homing.store.due_poller import DuePoller
from homing.store.statements.events import NewEvent
from tests.support.bank import Bank
from tests.support.server import migrated_database
from tests.support.sink import Sink
from tests.support.waiting import until

VAULT, OTHER_VAULT = Vault(bytes(32)), Vault(bytes([1]) * 32)
EVENTS = 60


class Clock:
    """The present, and what it is ahead."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
async def bank(postgres: str, worker: str, request: pytest.FixtureRequest) -> AsyncIterator[Bank]:
    name = "fair" if "place" in request.node.name else "unsigned"
    opened = await Bank.open(await migrated_database(postgres, f"{name}_{worker}"), 1)
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def pushing(bank: Bank, vault: Vault, clock: Clock) -> AsyncIterator[UnreadableSecrets]:
    """A link process's pusher, with a key of its own."""
    database = bank.databases[0]
    unreadable_secrets = UnreadableSecrets(database, vault, "machine link-1", clock)
    poller = DuePoller(database, clock)
    client = SafeHttpClient([ipaddress.ip_network("127.0.0.0/8")])
    await client.open()
    pusher = Pusher(
        database=database,
        http_client=client,
        signer=PushSigner(database, vault),
        due_poller=poller,
        clock=clock,
        work_metrics=WorkMetrics(CollectorRegistry()),
        rng=random.Random(1),
        dialects=DIALECTS,
        endpoint_health=EndpointHealth(database=database, dialects=DIALECTS, clock=clock),
        unreadable_secrets=unreadable_secrets,
    )
    running = [asyncio.create_task(poller.run()), asyncio.create_task(pusher.run())]
    try:
        yield unreadable_secrets
    finally:
        posting: set[asyncio.Task[None]] = pusher._tasks
        for task in (*running, *posting):
            task.cancel()
        await asyncio.gather(*running, *posting, return_exceptions=True)
        await client.close()


async def add(bank: Bank, account: Profile, events: int) -> None:
    event = NewEvent(
        account_id=account.account_id,
        type=EventType.MESSAGE_INBOUND,
        message_id=None,
        verification_id=None,
        data="{}",
    )
    async with bank.plain.transaction() as transaction:
        await add_events(transaction, DIALECTS, [event] * events)


async def test_three_endpoints_that_do_not_answer_leave_places_to_the_others_of_their_account(
    bank: Bank, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PUSH_IN_FLIGHT_PER_RECIPIENT_MAX", 20)
    monkeypatch.setattr(limits, "PUSH_IN_FLIGHT_PER_ACCOUNT_MAX", 46)
    monkeypatch.setattr(limits, "PUSH_BATCH_MAX", 40)
    account, box = await bank.account(), sink.box()
    held: set[asyncio.StreamWriter] = set()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        await reader.read()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as tarpit:
        port = tarpit.sockets[0].getsockname()[1]
        async with bank.plain.transaction() as transaction:
            for path in range(3):
                await create_webhook(transaction, VAULT, account.account_id, url=f"http://127.0.0.1:{port}/{path}")
            await create_webhook(transaction, VAULT, account.account_id, url=box.url)
        await add(bank, account, EVENTS)
        await bank.query("UPDATE push SET due_at = due_at - interval '1 s' WHERE url <> $1", box.url)  # they come first
        async with pushing(bank, VAULT, Clock()):
            await box.first(EVENTS)
            waiting = await bank.query("SELECT FROM push WHERE url <> $1 AND due_at IS NOT NULL", box.url)
            assert len(waiting) == 3 * EVENTS, "of the others none has come to its end"
            assert len(held) > 0
        for writer in held:
            writer.close()


async def test_a_push_that_cannot_be_signed_waits_with_an_alarm_and_its_endpoint_is_not_to_blame(
    bank: Bank, sink: Sink
) -> None:
    account, box, clock = await bank.account(), sink.box(), Clock()
    async with bank.plain.transaction() as transaction:
        webhook, _secret = await create_webhook(transaction, OTHER_VAULT, account.account_id, url=box.url)
    await add(bank, account, 3)

    async def pushes() -> list[tuple[int, int]]:
        rows = await bank.query("SELECT outcome, attempts FROM push WHERE due_at IS NOT NULL AND NOT is_claimed")
        return [(row["outcome"], row["attempts"]) for row in rows]

    async def alarms() -> list[str]:
        rows = await bank.query("SELECT code, subject, detail ->> 'text' AS text FROM alarm")
        return [f"{row['code']} {row['subject']}: {row['text']}" for row in rows]

    async with pushing(bank, VAULT, clock) as unreadable_secrets:
        for ahead in (timedelta(0), DISABLE_AFTER, 2 * DISABLE_AFTER):
            clock.ahead = ahead
            await until(lambda: bank.query("SELECT FROM push WHERE due_at > $1", clock()), lambda rows: len(rows) == 3)
            assert await until(pushes, lambda rows: len(rows) == 3) == [(0, 0)] * 3, "no attempt, none given up"
        await unreadable_secrets.check()
        (alarm,) = await alarms()
        assert alarm.startswith("unreadable_secrets machine link-1: sealed with another key")
        (row,) = await bank.query(
            "SELECT is_enabled, failing_since FROM webhook WHERE webhook_id = $1", webhook.webhook_id
        )
        assert (row["is_enabled"], row["failing_since"]) == (True, None)
        assert box.pushes == []
        async with bank.plain.transaction() as transaction:
            await rotate_webhook_secret(transaction, VAULT, webhook, now=clock())
        await unreadable_secrets.check()
        assert await alarms() == []
        clock.ahead += timedelta(seconds=UNSIGNED_WAIT_S_MAX)
    async with pushing(bank, VAULT, clock):
        await box.first(3)
