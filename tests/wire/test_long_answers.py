"""Answers of many rows: they hold no connection, few are made at once, and who does not read is cut off."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from homing.serving import HttpServer
from tests.support.client import signed
from tests.support.server import QUEUED, Account, Server, free_port
from tests.support.waiting import until

MANY = 50_001


async def finished(server: Server, messages: int, delivered: int) -> tuple[Account, int]:
    """An account with so many messages that failed, the last ones of them delivered; and the last one's id."""
    account = await server.account()
    numbers = {"appId": account.app, "numbers": f"{QUEUED}123456789", "content": "hi"}
    reply = await server.client.laaffic(account, "GET", "/v3/sendSms", numbers)
    first_id = int(reply.json["array"][0]["msgId"])
    async with server.database.connection() as connection:
        columns = ", ".join(
            row["column_name"]
            for row in await connection.raw.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'message'"
                " AND table_schema = 'public' AND column_name NOT IN ('message_id', 'state', 'final_at')"
            )
        )
        await connection.raw.execute(
            f"INSERT INTO message (message_id, state, final_at, {columns})"
            f" SELECT message_id - n, CASE WHEN n > {delivered} THEN 4 ELSE 3 END, now(), {columns}"
            f" FROM message, generate_series(1, {messages}) AS n"
            f" WHERE account_id = {account.account_id} AND message_id = {first_id}",
            timeout=60,
        )
    return account, first_id - 1


@pytest.fixture(scope="module")
async def customer(server: Server) -> AsyncIterator[tuple[Account, int]]:
    account, last_id = await finished(server, MANY, 7)
    yield account, last_id
    async with server.database.connection() as connection:
        await connection.raw.execute(
            f"DELETE FROM message WHERE account_id = {account.account_id} AND message_id <= {last_id}", timeout=60
        )


async def span_of(server: Server, account: Account) -> dict[str, str]:
    times = await server.query_row(
        "SELECT to_char(now() - interval '2 h', 'YYYY-MM-DD\"T\"HH24:MI:SS') || '+00:00' AS first,"
        " to_char(now() + interval '1 h', 'YYYY-MM-DD\"T\"HH24:MI:SS') || '+00:00' AS last"
    )
    return {"appId": account.app, "startTime": times["first"], "endTime": times["last"]}


async def test_getsentrcd_gives_at_most_50000_rows_and_the_rest_by_index(
    server: Server, customer: tuple[Account, int]
) -> None:
    account, last_id = customer
    span = await span_of(server, account)
    reply = await server.client.laaffic(account, "GET", "/v3/getSentRcd", span)
    assert [int(row["msgId"]) for row in reply.json["array"]] == list(range(last_id - 50_000, last_id))
    rest = await server.client.laaffic(account, "GET", "/v3/getSentRcd", {**span, "startIndex": "50000"})
    assert [int(row["msgId"]) for row in rest.json["array"]] == [last_id]
    for one in (reply, rest):
        assert (one.json["success"], one.json["fail"]) == ("7", str(MANY - 7)), "of the whole span"


async def ask(server: Server, account: Account, span: Mapping[str, str]) -> socket.socket:
    """A client that asks for the messages and reads nothing of the answer."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.setblocking(False)
    head = [f"GET /v3/getSentRcd?{urlencode(span)} HTTP/1.1", "Host: x"]
    head += [f"{name}: {value}" for name, value in signed(account).items()]
    await asyncio.get_running_loop().sock_sendall(client, "\r\n".join(head).encode() + b"\r\n\r\n")
    return client


async def test_clients_that_do_not_read_leave_the_other_customers_their_connections(server: Server) -> None:
    account, last_id = await finished(server, 20_000, 0)
    other = await server.account()
    span = await span_of(server, account)
    clients = [await ask(server, account, span) for _ in range(16)]
    try:
        for _ in range(20):
            started_s = time.monotonic()
            reply = await server.client.laaffic(other, "GET", "/v3/getBalance")
            assert reply.json["status"] == "0"
            assert time.monotonic() - started_s < 3.0
            sessions = await server.query_row(
                "SELECT count(*) AS held FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name LIKE 'homing api%' AND state = 'idle in transaction'"
                " AND query LIKE '%coalesce(raw_number, number)%'"
            )
            assert sessions["held"] == 0
    finally:
        for client in clients:
            client.close()
    await server.query(f"DELETE FROM message WHERE account_id = {account.account_id} AND message_id <= {last_id}")


async def test_an_account_reads_so_many_rows_and_then_has_to_wait(server: Server) -> None:
    account, last_id = await finished(server, 50_000, 0)
    span = await span_of(server, account)

    async def asked() -> Any:
        return (await server.client.laaffic(account, "GET", "/v3/getSentRcd", span)).json

    for _ in range(10):
        reply = await asked()
        if reply["status"] != "0":
            break
        assert len(reply["array"]) == 50_000
    assert reply["status"] == "-15"
    assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
    await server.query(f"DELETE FROM message WHERE account_id = {account.account_id} AND message_id <= {last_id}")


@pytest.mark.skipif(sys.platform != "linux", reason="the option that cuts such clients off is Linux's")
async def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homing.serving.HTTP_UNREAD_TIMEOUT_MS", 1_000)

    async def endless(_scope: Any, protocol: Any) -> None:
        transport = protocol.response_stream(200, [("content-type", "text/plain")])
        for _ in range(500):
            await transport.send_bytes(b"x" * 65_536)

    port = free_port()
    server = HttpServer(application=endless, host="127.0.0.1", port=port)
    await server.open()
    client = socket.create_connection(("127.0.0.1", port))
    try:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        ends = f":{port:04X} 0100007F:{client.getsockname()[1]:04X} "  # the server's end and the client's
        assert ends in Path("/proc/self/net/tcp").read_text(encoding="ascii")
        await until(lambda: ends not in Path("/proc/self/net/tcp").read_text(encoding="ascii"))
    finally:
        client.close()
        await server.close()
