"""Whatever comes to Homing's own API has one of its answers: nothing is a 500, and nothing is half done."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from homing.dialects.v1.operations import OPERATIONS, Operation
from homing.dialects.v1.problems import PROBLEMS
from tests.support.server import Server, database_url
from tests.support.v1 import V1Client, problem, v1_client
from tests.support.waiting import until

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    2**63,
    10**30,
    "",
    " ",
    "\0",
    "x" * 5_000,
    "\N{FULLWIDTH DIGIT ONE}23",
    "'; DROP TABLE message; --",
    "../../etc/passwd",
    "8613800130001",
    "2026-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    [],
    {},
    [[]],
    [{"to": "8613800130001", "text": "x"}],
]
NAMES = (
    "to",
    "text",
    "from",
    "reference",
    "app",
    "send_at",
    "dry_run",
    "messages",
    "template",
    "locale",
    "code",
    "number",
)


def bodies(seed: int) -> list[bytes]:
    """Bodies of members that there are, with values that they have not, and a few that are no JSON."""
    drawn = random.Random(seed)
    made = [
        json.dumps({name: drawn.choice(ODD) for name in drawn.sample(NAMES, drawn.randint(0, 4))}).encode()
        for _ in range(25)
    ]
    right: dict[str, Any] = {"to": "8613800130001", "text": "x", "dry_run": True}
    made += [json.dumps({**right, drawn.choice(NAMES): drawn.choice(ODD)}).encode() for _ in range(15)]
    return [
        *made,
        b"",
        b"null",
        b"\xff\xfe",
        b"{" * 2_000,
        b'{"to":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"[" * 50_000 + b"]",
    ]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_odd_bodies_and_targets_are_answered_in_this_apis_words(server: Server, operation: Operation) -> None:
    client = await v1_client(server)
    for n, body in enumerate(bodies(len(operation.name))):
        target = ("1", "0", "x", "%F0%9F%98%80", "%00", "1" * 400, "-", "a%2Fb", "..", "%")[n % 10]
        path = operation.path.replace("{id}", target).replace("{app}", target).replace("{number}", target)
        reply = await client.call(operation.method, path, body if operation.method == "POST" else None)
        assert reply.status < 500, (operation.name, body, reply.text)
        if reply.status >= 400:
            assert reply.headers["Content-Type"] == "application/problem+json", (reply, path)
            assert reply.json["code"] in PROBLEMS
            assert PROBLEMS[reply.json["code"]].status == reply.status
        else:
            assert reply.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    "query", ["%", "%00=1", "limit=%00", "=&&&", "limit=" + "9" * 5_000, "cursor=-0", "to=%F0%9F%98%80"]
)
@pytest.mark.parametrize("path", ["messages", "statement", "inbound", "balance", "messages/1", "lookups/1"])
async def test_odd_queries_are_refused_or_answered(server: Server, path: str, query: str) -> None:
    client = await v1_client(server)
    reply = await client.get(f"/v1/{path}?{query}")
    assert reply.status in (200, 404, 422), reply.text


async def test_a_chunked_body_is_read_and_one_that_is_none_is_refused(server: Server) -> None:
    client = await v1_client(server)
    body = b'{"to":"8613800130001","text":"x","dry_run":true}'
    for data, status in ((body, b"200"), (b"to=1", b"400"), (b"", b"400")):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        pieces = b"".join(
            b"%x\r\n%s\r\n" % (len(data[at : at + 7]), data[at : at + 7]) for at in range(0, len(data), 7)
        )
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
            b"Authorization: Bearer " + client.token.encode() + b"\r\n\r\n" + pieces + b"0\r\n\r\n"
        )
        answer = await reader.read()
        assert answer.split()[1] == status, answer
        writer.close()


async def test_a_post_without_a_body_cancels(server: Server) -> None:
    """As `curl -X POST` sends it: neither a length nor chunks."""
    client = await v1_client(server)
    sent = await client.post("/v1/messages", {"to": "9620000007", "text": "x"})
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        f"POST /v1/messages/{sent.json['id']}/cancel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {client.token}\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    assert answer.split()[1] == b"200", answer
    assert b'"cancelled"' in answer


async def test_a_stranger_is_refused_before_the_body_is_read(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nAuthorization: Bearer hm_x_y\r\n\r\n"
    )
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n")
    writer.close()
    assert b"401" in answer


async def test_who_guesses_secrets_is_locked_out_and_hears_the_same(server: Server) -> None:
    client = await v1_client(server)
    key = client.token.split("_")[1]
    elsewhere = {"X-Forwarded-For": "198.51.100.77"}
    for n in range(12):
        guess = V1Client(server, client.account, f"hm_{key}_{n:032d}")
        problem(await guess.call("GET", "/v1/balance", headers=elsewhere), 401, "key_invalid")
    problem(await client.call("GET", "/v1/balance", headers=elsewhere), 401, "key_invalid")
    assert (await client.get("/v1/balance")).status == 200


@asynccontextmanager
async def away(server: Server) -> AsyncIterator[None]:
    """The database takes no connections and has dropped those it had."""
    name = server.dsn.partition("?")[0].rpartition("/")[2]
    connection = await asyncpg.connect(database_url(server.dsn, "postgres"))
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await connection.close()


async def test_while_the_database_is_away_callers_are_told_when_to_come_back(server: Server) -> None:
    client = await v1_client(server)
    sent = {"to": "8613800130001", "text": "x"}
    assert (await client.get("/v1/balance")).status == 200
    async with away(server):
        await until(lambda: server.client.call("GET", "/healthz"), lambda reply: reply.status == 503)
        for method, path, body in (
            ("GET", "/v1/balance", None),
            ("GET", "/v1/messages", None),
            ("POST", "/v1/messages", sent),
            ("POST", "/v1/verifications", {"to": "8613800130001"}),
            ("POST", "/v1/verifications/1/check", {"code": "1"}),
        ):
            reply = await client.call(method, path, body, key="k" if method == "POST" else None)
            problem(reply, 503, "unavailable")
            assert reply.headers["Retry-After"] == "1"

    async def is_back() -> bool:
        return (await client.post("/v1/messages", sent, key="k")).status == 201

    await until(is_back)
    assert (await server.holdings(client.account))[0] == 1
