"""A message's pushes go one after the other, whoever has them; and to the address as it was written."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from homing import limits
from homing.common.networks import Network
from homing.delivery.safe_http import SafeHttpClient
from homing.messages.outbox import LEASE
from homing.model import PushKind, PushOutcome
from homing.store import statements
from homing.store.statements.pushes import PushResult
from tests.support.bank import Bank
from tests.support.server import migrated_database

LOOPBACK: list[Network] = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"turns_{worker}"), 2)
    yield opened
    await opened.close()


@pytest.fixture
async def account_id(bank: Bank) -> int:
    await bank.query("TRUNCATE push")
    return (await bank.account()).account_id


async def owed(
    bank: Bank, account_id: int, message_id: int, *, ago_s: float = 1.0, kind: PushKind = PushKind.REPORT
) -> int:
    (row,) = await bank.query(
        "INSERT INTO push (account_id, lane, message_id, kind, url, body, created_at, due_at)"
        " VALUES ($1, 0, $2, $3, 'http://127.0.0.1/', '', now(), now() - interval '1 s') RETURNING push_id",
        account_id,
        message_id,
        int(kind),
    )
    return int(row["push_id"])


async def claim(
    bank: Bank, process: int = 0, full: list[int] | None = None, in_flight: list[int] | None = None
) -> list[int]:
    now = datetime.now(UTC)
    rows = await statements.pushes.pushes_claim(
        bank.databases[process],
        lane=0,
        now=now,
        rows_max=100,
        lease=LEASE,
        full_account_ids=full or [],
        full_webhook_ids=[],
        busy=[],
        recipient_max=100,
        held_push_ids=in_flight or [],
    )
    return sorted(row.push_id for row in rows)


async def record(
    bank: Bank, account_id: int, push_id: int, message_id: int, outcome: PushOutcome, wait_s: float | None
) -> None:
    now = datetime.now(UTC)
    due_at = None if wait_s is None else now + timedelta(seconds=wait_s)
    result = PushResult(
        account_id=account_id,
        push_id=push_id,
        attempt=1,
        at=now,
        took_ms=3,
        status=200,
        answer="",
        outcome=outcome,
        due_at=due_at,
        message_id=message_id,
        webhook_id=0,
        event_id=None,
    )
    await statements.pushes.pushes_record(bank.databases[0], results=[result])


async def outcome_of(bank: Bank, push_id: int) -> int:
    (row,) = await bank.query("SELECT outcome FROM push WHERE push_id = $1", push_id)
    return int(row["outcome"])


async def test_a_later_push_waits_until_the_earlier_one_is_done_in_whatever_process(
    bank: Bank, account_id: int
) -> None:
    accepted, delivered = await owed(bank, account_id, 1), await owed(bank, account_id, 1)
    other = await owed(bank, account_id, 2)
    assert await claim(bank) == [accepted, other]
    assert await claim(bank, 1) == [], "though it is due"
    await record(bank, account_id, accepted, 1, PushOutcome.ACKNOWLEDGED, None)
    assert await claim(bank, 1) == [delivered]


async def test_an_earlier_push_that_failed_does_not_follow_a_later_one(bank: Bank, account_id: int) -> None:
    accepted = await owed(bank, account_id, 1)
    assert await claim(bank) == [accepted]
    await record(bank, account_id, accepted, 1, PushOutcome.PENDING, 0.0)
    delivered = await owed(bank, account_id, 1)
    assert await claim(bank) == [], "the failed one is due, and stale: it is let go"
    assert await outcome_of(bank, accepted) == PushOutcome.SUPERSEDED
    assert await claim(bank) == [delivered]


async def test_a_push_whose_recording_was_lost_is_not_repeated_after_a_later_one(bank: Bank, account_id: int) -> None:
    """The process posted it and could not write that down: its lease ends."""
    accepted, delivered = await owed(bank, account_id, 1), await owed(bank, account_id, 1)
    assert await claim(bank) == [accepted]
    await bank.query("UPDATE push SET due_at = now() - interval '1 s' WHERE push_id = $1", accepted)
    assert await claim(bank, 1) == []
    assert await outcome_of(bank, accepted) == PushOutcome.SUPERSEDED
    assert await claim(bank, 1) == [delivered]


async def test_what_somebody_sends_again_goes_though_there_is_a_later_one(bank: Bank, account_id: int) -> None:
    accepted = await owed(bank, account_id, 1)
    await claim(bank)
    await record(bank, account_id, accepted, 1, PushOutcome.GIVEN_UP, None)
    delivered = await owed(bank, account_id, 1)
    assert await claim(bank) == [delivered]
    await record(bank, account_id, delivered, 1, PushOutcome.ACKNOWLEDGED, None)
    await bank.query(
        "UPDATE push SET outcome = 0, due_at = now(), attempts_replayed = attempts WHERE push_id = $1", accepted
    )
    assert await claim(bank) == [accepted]


async def test_alerts_and_bind_receipts_wait_for_nobody(bank: Bank, account_id: int) -> None:
    first = await owed(bank, account_id, 5, kind=PushKind.ALERT)
    second = await owed(bank, account_id, 5, kind=PushKind.ALERT)
    assert await claim(bank) == [first, second]


async def test_an_account_that_has_its_share_leaves_the_rest_to_others(bank: Bank, account_id: int) -> None:
    mine = await owed(bank, account_id, 1)
    theirs = await owed(bank, (await bank.account()).account_id, 2)
    assert await claim(bank, full=[account_id]) == [theirs]
    assert await claim(bank) == [mine]


async def test_what_a_process_has_in_its_hands_does_not_lapse_when_the_clock_is_stepped_forwards(
    bank: Bank, account_id: int
) -> None:
    accepted, delivered = await owed(bank, account_id, 1), await owed(bank, account_id, 1)
    other = await owed(bank, account_id, 2)
    assert await claim(bank) == [accepted, other]
    await bank.query("UPDATE push SET due_at = now() - interval '1 hour' WHERE is_claimed")
    assert await claim(bank, in_flight=[accepted, other]) == []
    assert await outcome_of(bank, accepted) == PushOutcome.PENDING, "and is not taken for stale"
    await record(bank, account_id, accepted, 1, PushOutcome.ACKNOWLEDGED, None)
    assert await claim(bank, in_flight=[other]) == [delivered]


PATHS = [
    "/cb?sig=rX7%2FXCC2w%3D&u=http%3A%2F%2Fx",
    "/a//b/../c?x=%7E%64%e4+%20",
    "/./%2e%2e/;p=1?q=a:b@c/d?e",
]


RESPELT = [
    ("/a b/%2F?name=A B", "/a%20b/%2F?name=A%20B"),
    ("/José?sig=rX7%2FXCC2w%3D&x=%7E", "/Jos%C3%A9?sig=rX7%2FXCC2w%3D&x=%7E"),
]
"""No request line holds white space, nor what is no ASCII: these alone are percent-encoded."""


@pytest.mark.parametrize(("path", "asked"), [*((path, path) for path in PATHS), *RESPELT])
async def test_an_address_is_asked_for_byte_for_byte(path: str, asked: str) -> None:
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    poster = SafeHttpClient(LOOPBACK)
    await poster.open()
    try:
        posted = await poster.post(f"http://127.0.0.1:{port}{path}", "{}", {})
    finally:
        await poster.close()
        server.close()
    assert posted.status == 200
    assert lines == [f"POST {asked} HTTP/1.1\r\n".encode()]
    assert limits.PUSH_IN_FLIGHT_PER_ACCOUNT_MAX < limits.PUSH_IN_FLIGHT_MAX
