"""The database dies under load and comes back: callers are told at once, and everything resumes by itself."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from homing.ledger.postings import post, top_up
from homing.smpp import pdus
from homing.smpp.statuses import CommandStatus
from homing.states import TABLE, MessageState
from homing.store.embedded.server import EmbeddedPostgres
from tests.support.client import Reply
from tests.support.esme import bound, refused
from tests.support.installation import Traffic
from tests.support.proofs import all_adds_up
from tests.support.server import Server, running
from tests.support.sink import Box, Sink
from tests.support.waiting import until

AT_ONCE_S = 4.0
AWAY_S = 2.5
BACK_S = 15.0
DRAIN_S = 25.0


def throw_away(data: Path) -> EmbeddedPostgres:
    """Nothing waits for the disk, but what was committed outlives the server: we kill it, not the machine."""
    return EmbeddedPostgres(data, durable=False, settings={"synchronous_commit": "on"})


@dataclass
class Outage:
    """A throw-away PostgreSQL that can be killed and started again."""

    data: Path
    used: EmbeddedPostgres

    async def begin(self) -> None:
        pid = self.used.pid
        assert pid
        backends = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, backends, 10)  # each commits what it has begun, and notices then

    async def end(self) -> None:
        again = throw_away(self.data)
        assert await asyncio.to_thread(again.open)
        await asyncio.to_thread(self.used.close)
        self.used = again


@pytest.fixture(scope="module")
async def outage(room: Path, worker: str) -> AsyncIterator[Outage]:
    data = room / f"away-{worker}"
    used = throw_away(data)
    await asyncio.to_thread(used.open)
    made = Outage(data, used)
    yield made
    await asyncio.to_thread(made.used.close)


@pytest.fixture(scope="module")
async def server(outage: Outage, room: Path, worker: str) -> AsyncIterator[Server]:
    """A server over it whose carriers report a second after the submit, so that receipts fall into the outage."""
    data = room / f"away-server-{worker}"
    data.mkdir()
    async with running(outage.used.open(), data) as made:
        settings = json.dumps({"receipt_ms_mean": 1_000, "undeliverable": 0.2, "expired": 0})
        await made.query("UPDATE carrier SET settings = $1 WHERE name LIKE 'simulator-%'", settings)
        async with made.database.transaction() as transaction:
            await post(transaction, made.demo.account_id, top_up(10**11), "test", "to send many")
        yield made


@asynccontextmanager
async def away(outage: Outage) -> AsyncIterator[None]:
    await outage.begin()
    try:
        yield
    finally:
        await outage.end()


def calls(server: Server) -> list[tuple[Callable[[], Awaitable[Reply]], dict[str, str]]]:
    """One call of each kind, and what it must say while the database is away."""
    client, account = server.client, server.demo
    ours, theirs = {"status": "-18"}, {"status": "F"}
    number = {"appId": account.app, "numbers": "8613800130001", "content": "x"}
    text = {"sms_type": "T", "encoding": "T", "sender_id": "HOMING", "textmessage": "x", "phonenumber": "8613800130001"}
    used = {"appId": account.app, "number": "8613800130001", "time": "1772366400"}
    return [
        (lambda: client.laaffic(account, "GET", "/v3/getBalance"), ours),
        (lambda: client.laaffic(account, "POST", "/v3/sendSms", body=number), ours),
        (lambda: client.laaffic(account, "GET", "/v3/getReport", {"appId": account.app, "msgids": "1"}), ours),
        (lambda: client.laaffic(account, "POST", "/v3/postback/backfill", body=used), ours),
        (lambda: client.lia(account, "SendSMS", **text), theirs),
        (lambda: client.lia(account, "CheckBalance"), theirs),
        (lambda: client.lia(account, "CTrack", message_id=1, status=True), theirs),
        (lambda: client.lia(account, "GetDeliveryStatus", message_id=1), theirs),
    ]


def by_chance(order: str) -> str:
    """Digits that force nothing: the carriers' odds and times decide."""
    return f"{2_000 + int(order.rpartition('-')[2]) % 5_000:04d}"


async def until_healthy(server: Server) -> float:
    """How long it took."""
    started_s = time.monotonic()
    await until(lambda: server.client.call("GET", "/healthz"), lambda reply: reply.status == 200, within_s=BACK_S)
    return time.monotonic() - started_s


async def test_while_it_is_away_every_call_is_answered_at_once_and_health_is_red(
    server: Server, outage: Outage
) -> None:
    await until_healthy(server)
    async with away(outage):
        for _ in range(3):
            for call, failure in calls(server):
                started_s = time.monotonic()
                reply = await call()
                assert time.monotonic() - started_s < AT_ONCE_S
                assert (reply.status, reply.json["status"]) == (200, failure["status"])
            health = await server.client.call("GET", "/healthz")
            assert (health.status, health.json["database"]) == (503, "away")
            metrics = await server.client.call("GET", "/metrics")
            assert metrics.status == 200, "what watches us must see us while we are in need"
    await until_healthy(server)
    for call, failure in calls(server)[:2]:
        assert (await call()).json["status"] not in failure.values()


async def test_a_crowd_is_answered_at_once_too(server: Server, outage: Outage) -> None:
    await until_healthy(server)
    async with away(outage):
        call, _failure = calls(server)[1]
        started_s = time.monotonic()
        replies = await asyncio.gather(*(call() for _ in range(200)))
        assert time.monotonic() - started_s < 2 * AT_ONCE_S
        assert {reply.json["status"] for reply in replies} == {"-18"}
    await until_healthy(server)


async def test_traffic_receipts_and_pushes_survive_an_outage(server: Server, outage: Outage, sink: Sink) -> None:
    await until_healthy(server)
    box: Box = sink.box()
    await server.query("UPDATE app SET report_url = $1", box.url)
    await server.settled()
    async with Traffic(server.url, "outage", pause_s=0.005, tail=by_chance) as traffic:
        await traffic.until(200)
        async with away(outage):
            await asyncio.sleep(AWAY_S)
        assert await until_healthy(server) < BACK_S
        await traffic.until(100, timeout_s=BACK_S)
    await all_end(server, traffic, box)


async def test_a_bind_outlives_an_outage_and_is_told_meanwhile(server: Server, outage: Outage) -> None:
    await until_healthy(server)
    async with bound(server.environment["HOMING_SMPP_ADDRESS"], server.demo.key, server.demo.secret) as esme:
        sent = [await esme.sent(f"86138001{n}") for n in range(32_000, 32_040)]
        async with away(outage):
            for _ in range(5):
                started_s = time.monotonic()
                answers = await asyncio.gather(*(esme.submit("8613800132000") for _ in range(20)))
                assert time.monotonic() - started_s < AT_ONCE_S
                assert {answer.status for answer in answers} == {CommandStatus.RSYSERR}
            query = await esme.ask(pdus.QuerySm(sent[0]))
            assert isinstance(query, pdus.QuerySmResp)
            assert query.status == CommandStatus.RSYSERR
            assert await refused(server.environment["HOMING_SMPP_ADDRESS"], "nobody", "x") == CommandStatus.RSYSERR
        await until_healthy(server)
        await until(lambda: esme.submit("8613800132000"), lambda answer: answer.status == 0, within_s=BACK_S)
        # What was under way, to a carrier or to us, when the database went is due again when its lease ends.
        await asyncio.sleep(2)
        await server.query("UPDATE queue SET due_at = now() WHERE claimed_by IS NOT NULL")
        hastened = "UPDATE push SET due_at = now() WHERE lane = -1 AND due_at > now() + interval '5 s'"
        await until(
            lambda: server.query(hastened),
            lambda _rows: {receipt.id for receipt in esme.receipts} >= set(sent),
            within_s=DRAIN_S,
        )
    await all_adds_up(server.database)


async def all_end(server: Server, traffic: Traffic, box: Box) -> None:
    rows = await server.query("SELECT message_id, reference FROM message WHERE reference LIKE $1", f"{traffic.name}-%")
    stored = {row["reference"]: row["message_id"] for row in rows}
    assert len(stored) == len(rows)
    assert all(stored.get(order) == message_id for order, message_id in traffic.accepted.items())
    assert set(stored) - set(traffic.accepted) <= traffic.unknown

    # A claim whose answer was lost with the connection waits for its lease; a push for its next try.
    await asyncio.sleep(2)
    await server.query("UPDATE queue SET due_at = now() WHERE claimed_by IS NOT NULL")

    async def is_over() -> bool:
        await server.query("UPDATE push SET due_at = now() WHERE due_at > now() + interval '10 s'")
        states = await server.query(
            "SELECT state, count(*) FROM message WHERE reference LIKE $1 GROUP BY state", f"{traffic.name}-%"
        )
        pushed = {int(push.json["msgid"]) for push in box.pushes}
        return all(TABLE[MessageState(row["state"])].final for row in states) and pushed >= set(stored.values())

    await until(is_over, within_s=DRAIN_S)
    submits = await server.query(
        "SELECT count(*) AS times FROM attempt WHERE message_id = ANY($1) GROUP BY message_id HAVING count(*) > 1",
        list(stored.values()),
    )
    assert not submits, f"{len(submits)} of {len(stored)} messages were given to the carrier twice"
    unmatched = await server.query("SELECT count(*) FROM parked_receipt")
    assert unmatched[0][0] == 0, "receipts that belong to no submit which we remember"
    await all_adds_up(server.database)
