"""Answers of Homing's own API that are lost on their way: the call is made again, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from homing_clients import AsyncHomingClient, CallTerms, HomingClient, errors
from tests.support.server import QUEUED, Account, Server
from tests.support.v1 import new_token

WAITS = f"{QUEUED}20000009"
CHUNK_BYTES = 65_536


class LossyProxy:
    """Passes requests on to the server, and closes instead of passing the first answers back."""

    def __init__(self, server: Server, losses: int) -> None:
        self._upstream_port = server.port
        self._losses = losses
        self.lost = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        passing = asyncio.create_task(self._pass_on(reader, upstream))
        try:
            while answer := await upstream_reader.read(CHUNK_BYTES):
                if self.lost < self._losses:
                    self.lost += 1
                    break
                writer.write(answer)
        finally:
            passing.cancel()
            upstream.close()
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                upstream.write(data)


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


@pytest.fixture(params=["sync", "async"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[LossyProxy]:
    proxy = LossyProxy(server, losses=2)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    yield proxy
    listening.close()


async def called(way: str, key: str, proxy: LossyProxy, name: str, *given: Any, attempts: int = 3, **more: Any) -> Any:
    base_url, terms = f"http://127.0.0.1:{proxy.port}/v1", CallTerms(attempts=attempts)
    if way == "async":
        async with AsyncHomingClient(key, base_url=base_url, terms=terms) as client:
            return await getattr(client, name)(*given, **more)
    with HomingClient(key, base_url=base_url, terms=terms) as blocking:
        return await asyncio.to_thread(getattr(blocking, name), *given, **more)


async def messages_of(server: Server, account: Account) -> list[int]:
    rows = await server.query("SELECT message_id FROM message WHERE account_id = $1", account.account_id)
    return [row["message_id"] for row in rows]


async def test_a_send_whose_answer_is_lost_twice_is_done_once(
    server: Server, account: Account, proxy: LossyProxy, way: str
) -> None:
    key = await new_token(server, account)
    sent = await called(way, key, proxy, "send", WAITS, "hi")
    assert proxy.lost == 2
    assert await messages_of(server, account) == [int(sent.id)]


async def test_a_send_that_is_given_up_is_made_later_with_the_key_of_its_error(
    server: Server, account: Account, proxy: LossyProxy, way: str
) -> None:
    key = await new_token(server, account)
    with pytest.raises(errors.Unanswered) as raised:
        await called(way, key, proxy, "send", WAITS, "hi", attempts=2)
    assert len(await messages_of(server, account)) == 1
    later = await called(way, key, proxy, "send", WAITS, "hi", idempotency_key=raised.value.idempotency_key)
    assert await messages_of(server, account) == [int(later.id)]


async def test_a_right_code_is_verified_though_its_first_answers_are_lost(
    server: Server, account: Account, proxy: LossyProxy, way: str
) -> None:
    key = await new_token(server, account)
    async with AsyncHomingClient(key, base_url=f"{server.url}/v1") as direct:
        made = await direct.start_verification(WAITS, code="aB9x")
    checked = await called(way, key, proxy, "check_verification", made.id, "ab9X")
    assert proxy.lost == 2
    assert checked.is_verified
