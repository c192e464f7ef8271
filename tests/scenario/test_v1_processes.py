"""Homing's own API over two processes: what a key has been answered with at one, it is at the other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.client import Client
from tests.support.server import QUEUED, Server, free_port, migrated_database, running
from tests.support.v1 import V1Client, v1_client

WAITS = f"{QUEUED}20000007"


@pytest.fixture(scope="module")
async def pair(
    postgres: str, worker: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Server, Server]]:
    """One installation as two of its api processes show it."""
    dsn = await migrated_database(postgres, f"v1_processes_{worker}")
    async with running(dsn, tmp_path_factory.mktemp("v1-processes")) as server:
        address = f"127.0.0.1:{free_port()}"
        await server.start("api", "api-2", HOMING_HTTP_ADDRESS=address)
        other = replace(server, address=address, client=Client(f"http://{address}"))
        yield server, other
        await other.client.close()


async def clients(pair: tuple[Server, Server]) -> list[V1Client]:
    client = await v1_client(pair[0])
    return [client, V1Client(pair[1], client.account, client.token)]


@pytest.mark.parametrize("path", ["messages", "verifications"])
async def test_of_a_hundred_calls_with_one_key_one_sends(pair: tuple[Server, Server], path: str) -> None:
    each = await clients(pair)
    body = {"to": WAITS, **({"text": "x"} if path == "messages" else {})}
    replies = await asyncio.gather(*(each[n % 2].post(f"/v1/{path}", body, key="k") for n in range(100)))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}, Counter(
        reply.text for reply in replies
    )
    assert sum("Idempotency-Replayed" not in reply.headers for reply in replies) == 1
    assert (await pair[0].holdings(each[0].account))[0] == 1


@pytest.mark.parametrize("key", [None, "k"])
async def test_of_a_hundred_right_checks_one_is_verified(pair: tuple[Server, Server], key: str | None) -> None:
    each = await clients(pair)
    made = (await each[0].post("/v1/verifications", {"to": WAITS, "code": "AB12cd"})).json
    path = f"/v1/verifications/{made['id']}/check"
    replies = await asyncio.gather(*(each[n % 2].post(path, {"code": "AB12cd"}, key=key) for n in range(100)))
    first = [reply for reply in replies if reply.status == 200 and "Idempotency-Replayed" not in reply.headers]
    assert len(first) == 1
    if key is None:
        assert Counter(reply.status for reply in replies) == {200: 1, 409: 99}
    else:
        assert {(reply.status, reply.body) for reply in replies} == {(200, first[0].body)}


async def test_a_conversion_is_answered_alike(pair: tuple[Server, Server]) -> None:
    each = await clients(pair)
    message_id = (await each[0].post("/v1/messages", {"to": WAITS, "text": "x"})).json["id"]
    body = {"message_id": message_id}
    replies = await asyncio.gather(*(each[n % 2].post("/v1/conversions", body, key="k") for n in range(40)))
    assert len({(reply.status, reply.body) for reply in replies}) == 1


async def test_a_number_gets_one_code_over_both(pair: tuple[Server, Server]) -> None:
    each = await clients(pair)
    replies = await asyncio.gather(*(each[n % 2].post("/v1/verifications", {"to": WAITS}) for n in range(40)))
    assert Counter(reply.status for reply in replies) == {201: 1, 429: 39}
