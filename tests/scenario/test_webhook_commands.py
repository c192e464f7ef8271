"""`homing webhook` for endpoints, and pushes of a time span that are sent again."""

import json
from datetime import UTC, datetime

import pytest

from tests.support.command import homing, homing_json
from tests.support.server import Server
from tests.support.sink import Sink
from tests.support.v1 import v1_client
from tests.support.waiting import until


async def test_an_endpoint_is_made_listed_changed_tried_replayed_and_removed(
    server: Server, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, client = sink.box(), await v1_client(server)
    name = client.account.name
    data = ("--data", str(server.data))
    made = await homing_json(server.dsn, "webhook", "add", name, box.url, "--type", "message.delivered", *data)
    endpoint = str(made["webhook_id"])
    (view,) = (await client.get("/v1/webhooks")).json["webhooks"]
    assert (view["id"], view["types"]) == (endpoint, ["message.delivered"])
    assert made["secret"].startswith("whsec_")
    since = datetime.now(UTC).isoformat()
    assert (await client.post("/v1/messages", {"to": "8613800130001", "text": "x"})).status == 201
    event = (await box.first())[0].json

    async def delivered() -> list[dict[str, object]]:
        return list(await homing_json(server.dsn, "webhook", "deliveries", endpoint))

    (row,) = await until(delivered, lambda rows: rows[0]["outcome"] == "acknowledged")
    assert (row["event"], row["type"], row["status"]) == (event["id"], "message.delivered", 200)
    assert "pushed again: 1" in await homing(server.dsn, "webhook", "replay", endpoint, "--from", since)
    assert (await box.first(2))[1].json == event
    command = ("webhook", "test", endpoint, *data, "--json")
    refused = json.loads(await homing(server.dsn, *command, status=3))
    assert (refused["is_acknowledged"], refused["status"]) == (False, None)
    assert refused["answer"] == "address refused: 127.0.0.1 is not a public address"
    monkeypatch.setenv("HOMING_PUSH_ALLOWED_NETWORKS", "127.0.0.0/8")
    tried = json.loads(await homing(server.dsn, *command))
    assert (tried["is_acknowledged"], tried["status"]) == (True, 200)
    assert (await box.first(3))[2].json["type"] == "webhook.test"
    await homing(server.dsn, "webhook", "set", endpoint, "--disable", "--type", "message.sent")
    (shown,) = await homing_json(server.dsn, "webhook", "list", name)
    assert (shown["is_enabled"], shown["types"], shown["account"]) == (False, ["message.sent"], name)
    rotated = await homing_json(server.dsn, "webhook", "rotate", endpoint, "--keep-hours", "0", *data)
    assert rotated["secret"] != made["secret"]
    await homing(server.dsn, "webhook", "remove", endpoint)
    assert await homing_json(server.dsn, "webhook", "list", name) == []


async def test_an_accounts_pushes_of_a_time_span_are_sent_again(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)

    async def send(number: str) -> None:
        reply = await server.client.laaffic(
            account,
            "POST",
            "/v3/sendSms",
            body={"appId": account.app, "numbers": number, "content": "x", "senderId": account.sender},
        )
        assert reply.json["status"] == "0", reply

    async def ended(count: int) -> None:
        query = "SELECT FROM push WHERE account_id = $1 AND outcome = 1 AND due_at IS NULL"
        await until(lambda: server.query(query, account.account_id), lambda rows: len(rows) == count)

    await send("8613800000001")
    await ended(1)
    between = datetime.now(UTC).isoformat()
    await send("8613800000002")
    await ended(2)
    first, second = (push.body for push in box.pushes)
    span = ("push", "replay", "--account", account.name, "--from", between)
    assert "again: 1" in await homing(server.dsn, *span)
    assert (await box.first(3))[2].body == second
    await ended(2)
    assert "again: 1" in await homing(server.dsn, *span[:-1], "1h", "--to", between)
    assert (await box.first(4))[3].body == first
    await ended(2)
    assert "again: 0" in await homing(server.dsn, *span, "--failed")
