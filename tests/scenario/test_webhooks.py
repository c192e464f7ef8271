"""Webhook endpoints of a running Homing: events are pushed to those that chose them, signed by the endpoint's secret,
in order, and can be read, and replayed with the ids of before.
"""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from homing.admin.code_settings import set_test_number
from homing.delivery.pushes import replay_push
from tests.support.client import Reply
from tests.support.server import QUEUED, REPLYING, Server
from tests.support.sink import Box, Push, Sink
from tests.support.v1 import V1Client, problem, v1_client
from tests.support.waiting import in_time, until

NUMBER = "8613800130001"
TESTER = "8613800138887"


async def endpoint(client: V1Client, box: Box, *types: str, **more: Any) -> dict[str, Any]:
    """A new endpoint, with its secret."""
    body = {"url": box.url, **({"types": types} if types else {}), **more}
    reply = await client.post("/v1/webhooks", body)
    assert reply.status == 201, reply.text
    made: dict[str, Any] = reply.json
    return made


async def sent(client: V1Client, to: str = NUMBER, **more: Any) -> str:
    reply = await client.post("/v1/messages", {"to": to, "text": "hello", **more})
    assert reply.status == 201, reply.text
    return str(reply.json["id"])


def opened(push: Push, secret: str) -> dict[str, Any]:
    """The event of a push, by the published library. Raises WebhookVerificationError."""
    event: dict[str, Any] = Webhook(secret).verify(push.body, push.headers)
    assert push.headers["webhook-id"] == event["id"]
    return event


def types_of(pushes: list[Push]) -> list[str]:
    return [push.json["type"] for push in pushes]


async def changed(client: V1Client, webhook: dict[str, Any], **changes: Any) -> Reply:
    return await client.call("PATCH", f"/v1/webhooks/{webhook['id']}", changes)


async def test_a_messages_events_are_pushed_signed_and_in_order_to_those_endpoints_that_chose_them(
    server: Server, sink: Sink
) -> None:
    every, final, elsewhere = sink.box(), sink.box(), sink.box()
    client, other = await v1_client(server), await v1_client(server)
    all_types = await endpoint(client, every, description="all of them")
    finals = await endpoint(client, final, "message.delivered", "message.failed")
    await endpoint(other, elsewhere)
    message_id = await sent(client, reference="order 7")
    events = [opened(push, all_types["secret"]) for push in await every.first(2)]
    assert [event["type"] for event in events] == ["message.sent", "message.delivered"]
    assert [event["data"]["status"] for event in events] == ["sent", "delivered"]
    (delivered,) = [opened(push, finals["secret"]) for push in await final.first()]
    assert delivered == events[1]
    message = (await client.get(f"/v1/messages/{message_id}")).json
    assert delivered["data"] == {name: value for name, value in message.items() if name != "text"}
    with pytest.raises(WebhookVerificationError):
        opened(final.pushes[0], all_types["secret"])
    assert not elsewhere.pushes
    assert "secret" not in (await client.get("/v1/webhooks")).text


async def test_messages_of_both_vendors_dialects_give_events_of_the_same_form(server: Server, sink: Sink) -> None:
    box = sink.box()
    client = await v1_client(server)
    await endpoint(client, box, "message.delivered")
    account = client.account
    reply = await server.client.laaffic(
        account,
        "POST",
        "/v3/sendSms",
        body={"appId": account.app, "numbers": NUMBER, "content": "x", "senderId": account.sender, "orderId": "a"},
    )
    assert reply.json["status"] == "0", reply
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber=NUMBER,
        textmessage="x",
    )
    assert reply.json["status"] == "S", reply
    by_laaffic, by_lia = [push.json for push in await box.first(2)]
    assert by_laaffic["data"].keys() >= {"id", "status", "to", "from", "segments", "price", "created_at"}
    assert by_lia["data"].keys() >= {"id", "status", "to", "from", "segments", "price", "created_at"}
    assert {by_laaffic["data"]["to"], by_lia["data"]["to"]} == {NUMBER}


async def test_an_endpoint_that_fails_gets_the_same_event_again_and_the_other_one_does_not_wait(
    server: Server, sink: Sink
) -> None:
    failing, working = sink.box(500, 200), sink.box()
    client = await v1_client(server)
    await endpoint(client, failing, "message.delivered")
    await endpoint(client, working, "message.delivered")
    await sent(client)
    first = (await failing.first())[0]
    assert (await working.first())[0].body == first.body
    _first, again = await failing.first(2)
    assert (again.body, again.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])


async def test_events_are_read_by_pages_in_both_orders_and_by_what_they_are_about(server: Server, sink: Sink) -> None:
    client, other = await v1_client(server), await v1_client(server)
    assert (await client.get("/v1/events")).json == {"events": []}
    ids = [await sent(client) for _ in range(3)]

    async def every() -> list[dict[str, Any]]:
        return list((await client.get("/v1/events")).json["events"])

    newest = await until(every, lambda events: len(events) == 6)
    numbers = [int(event["id"].removeprefix("evt_")) for event in newest]
    assert numbers == sorted(numbers, reverse=True)
    pages, cursor = [], ""
    while True:
        page = (await client.get(f"/v1/events?order=asc&limit=4{cursor}")).json
        pages.append(page["events"])
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [event for page in pages for event in page] == newest[::-1]
    assert [len(page) for page in pages] == [4, 2, 0]
    of_first = (await client.get(f"/v1/events?message_id={ids[0]}")).json["events"]
    assert [event["type"] for event in of_first] == ["message.delivered", "message.sent"]
    assert {event["data"]["id"] for event in of_first} == {ids[0]}
    delivered = (await client.get("/v1/events?type=message.delivered&limit=2")).json
    assert [event["type"] for event in delivered["events"]] == ["message.delivered"] * 2
    rest = (await client.get(f"/v1/events?type=message.delivered&limit=2&cursor={delivered['next_cursor']}")).json
    assert len(rest["events"]) == 1
    since = newest[2]["time"]
    recent = (await client.get(f"/v1/events?since={since}")).json["events"]
    assert recent == [event for event in newest if event["time"] >= since]
    earlier = (await client.get(f"/v1/events?until={since}")).json["events"]
    assert recent + earlier == newest
    event = (await client.get(f"/v1/events/{newest[0]['id']}")).json
    assert event == newest[0]
    problem(await other.get(f"/v1/events/{newest[0]['id']}"), 404, "event_not_found")
    problem(await client.get("/v1/events?type=message.read"), 422, "invalid_request")
    assert (await other.get("/v1/events")).json == {"events": []}


async def test_a_span_is_replayed_with_the_ids_of_before_to_an_endpoint_that_was_made_later(
    server: Server, sink: Sink
) -> None:
    box, late = sink.box(), sink.box()
    client = await v1_client(server)
    first = await endpoint(client, box)
    await sent(client)
    events = [push.json for push in await box.first(2)]
    webhook = await endpoint(client, late, "message.delivered")
    path = f"/v1/webhooks/{webhook['id']}/replay"
    span = {"from": events[0]["time"]}
    assert (await client.post(path, span, key="one")).json == {"queued": 1}
    assert (await client.post(path, span, key="one")).json == {"queued": 1}  # the same answer
    assert [push.json for push in await late.first()] == [events[1]]
    assert (await client.post(path, {**span, "types": ["message.sent"]})).json == {"queued": 1}
    assert [push.json for push in await late.first(2)] == [events[1], events[0]]
    assert (await client.post(path, {**span, "to": events[0]["time"]})).status == 422
    again = f"/v1/webhooks/{first['id']}/replay"
    await until(  # once its attempt is recorded
        lambda: client.post(again, {"event_id": events[0]["id"]}), lambda reply: reply.json == {"queued": 1}
    )
    assert (await box.first(3))[2].json == events[0]
    problem(await client.post(again, {"event_id": "evt_999999999999"}), 404, "event_not_found")
    problem(await client.post(again, {}), 422, "invalid_request")
    await changed(client, first, enabled=False)
    problem(await client.post(again, span), 409, "webhook_off")


async def test_a_disabled_endpoint_gets_nothing_and_what_it_missed_is_replayed(server: Server, sink: Sink) -> None:
    box, other = sink.box(), sink.box()
    client = await v1_client(server)
    webhook = await endpoint(client, box)
    await endpoint(client, other)
    view = (await changed(client, webhook, enabled=False)).json
    assert (view["enabled"], view["disabled_reason"]) == (False, "customer")
    await sent(client)
    events = [push.json for push in await other.first(2)]
    assert not box.pushes
    view = (await changed(client, webhook, enabled=True)).json
    assert view["enabled"]
    assert "disabled_at" not in view
    reply = await client.post(f"/v1/webhooks/{webhook['id']}/replay", {"from": events[0]["time"]})
    assert reply.json == {"queued": 2}
    assert [push.json for push in await box.first(2)] == events


async def test_deliveries_show_what_the_endpoint_answered(server: Server, sink: Sink) -> None:
    box = sink.box(503)
    client = await v1_client(server)
    webhook = await endpoint(client, box, "message.delivered")
    await sent(client)
    path = f"/v1/webhooks/{webhook['id']}/deliveries"

    async def attempted() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await client.get(path)).json["deliveries"]
        return [row for row in rows if "last_attempt" in row]

    (delivery,) = await until(attempted)
    assert (delivery["status"], delivery["type"]) == ("pending", "message.delivered")
    assert delivery["event_id"] == box.pushes[0].json["id"]
    assert delivery["last_attempt"]["http_status"] == 503
    assert delivery["last_attempt"]["answer"] == "the sink has it"
    assert "next_attempt_at" in delivery
    assert (await client.get(f"{path}?status=delivered")).json == {"deliveries": []}
    assert len((await client.get(f"{path}?status=pending")).json["deliveries"]) == 1
    assert (await client.get(f"/v1/webhooks/{webhook['id']}")).json["failing_since"]
    problem(await client.get(f"{path}?status=lost"), 422, "invalid_request")


async def test_a_push_whose_event_is_no_longer_kept_is_not_posted_again(server: Server, sink: Sink) -> None:
    box = sink.box()
    client = await v1_client(server)
    webhook = await endpoint(client, box, "message.delivered")
    await sent(client)
    await box.first()
    path = f"/v1/webhooks/{webhook['id']}"

    async def deliveries() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await client.get(f"{path}/deliveries")).json["deliveries"]
        return rows

    (delivery,) = await until(deliveries, lambda rows: rows[0]["status"] == "delivered")
    await server.query("DELETE FROM event WHERE account_id = $1", client.account.account_id)
    async with server.database.transaction() as transaction:
        await replay_push(transaction, int(delivery["id"]))
    (delivery,) = await until(deliveries, lambda rows: rows[0]["attempts"] == 2 and rows[0]["status"] != "pending")
    assert (delivery["status"], delivery["last_attempt"]["error"]) == (
        "failed",
        "not sent: its content is no longer kept",
    )
    assert len(box.pushes) == 1
    assert "failing_since" not in (await client.get(path)).json, "that is not the endpoint's failure"


async def test_a_test_event_says_what_the_endpoint_said(server: Server, sink: Sink) -> None:
    box = sink.box(200, 418)
    client = await v1_client(server)
    webhook = await endpoint(client, box)
    path = f"/v1/webhooks/{webhook['id']}/test"
    reply = (await client.post(path)).json
    assert (reply["delivered"], reply["http_status"], reply["answer"]) == (True, 200, "the sink has it")
    event = opened(box.pushes[0], webhook["secret"])
    assert (event["type"], event["id"], event["data"]) == ("webhook.test", reply["event_id"], {"id": webhook["id"]})
    reply = (await client.post(path, {"type": "message.delivered"})).json
    assert (reply["delivered"], reply["http_status"]) == (False, 418)
    assert opened(box.pushes[1], webhook["secret"])["data"]["status"] == "delivered"
    await changed(client, webhook, url="http://127.0.0.1:9/")
    reply = (await client.post(path)).json
    assert reply["delivered"] is False
    assert "Connect" in reply["error"]
    assert "http_status" not in reply


async def test_during_a_rotation_both_secrets_sign(server: Server, sink: Sink) -> None:
    box = sink.box()
    client = await v1_client(server)
    webhook = await endpoint(client, box)
    path = f"/v1/webhooks/{webhook['id']}"
    rotated = (await client.post(f"{path}/rotate", {"keep_hours": 1}, key="r")).json
    assert rotated["secret"] != webhook["secret"]
    assert "previous_until" in rotated
    assert (await client.post(f"{path}/rotate", {"keep_hours": 1}, key="r")).json == rotated
    stored = await server.query("SELECT answer FROM answered_call WHERE account_id = $1", client.account.account_id)
    assert not any(rotated["secret"].encode() in row["answer"] for row in stored)
    await client.post(f"{path}/test")
    assert opened(box.pushes[0], webhook["secret"]) == opened(box.pushes[0], rotated["secret"])
    last = (await client.post(f"{path}/rotate", {"keep_hours": 0})).json
    assert "previous_until" not in last
    await client.post(f"{path}/test")
    opened(box.pushes[1], last["secret"])
    for old in (webhook, rotated):
        with pytest.raises(WebhookVerificationError):
            opened(box.pushes[1], old["secret"])


async def test_what_people_send_is_an_event(server: Server, sink: Sink) -> None:
    box = sink.box()
    client = await v1_client(server)
    webhook = await endpoint(client, box, "message.inbound")
    await sent(client, f"{REPLYING}20000017")
    event = opened((await box.first())[0], webhook["secret"])
    assert event["data"] == (await client.get("/v1/inbound")).json["messages"][0]


async def test_the_ends_of_a_verification_are_events(server: Server, sink: Sink) -> None:
    box = sink.box()
    client = await v1_client(server)
    webhook = await endpoint(client, box, "verification.verified", "verification.failed", "verification.expired")
    ids = []
    for n in range(3):
        reply = await client.post(
            "/v1/verifications", {"to": f"861380013000{n}", "code": "123456", "reference": f"r{n}"}
        )
        assert reply.status == 201, reply.text
        ids.append(reply.json["id"])
    assert (await client.post(f"/v1/verifications/{ids[0]}/check", {"code": "123456"})).json["status"] == "verified"
    for _ in range(5):
        await client.post(f"/v1/verifications/{ids[1]}/check", {"code": "654321"})
    async with server.database.transaction() as transaction:
        await set_test_number(transaction, client.account.account_id, TESTER, "424242")
    await server.settled()
    ids.append((await client.post("/v1/verifications", {"to": TESTER})).json["id"])
    await server.query(
        "UPDATE verification SET expires_at = now() - interval '1 s' WHERE verification_id = ANY ($1)",
        [int(each) for each in ids[2:]],
    )
    events = {event["data"]["id"]: event for event in [opened(push, webhook["secret"]) for push in await box.first(4)]}
    assert [events[each]["type"].partition(".")[2] for each in ids] == ["verified", "failed", "expired", "expired"]
    for each in ids:
        story = (await client.get(f"/v1/verifications/{each}")).json
        assert events[each]["data"] == {name: value for name, value in story.items() if name != "messages"}
    assert "123456" not in "".join(push.body.decode() for push in box.pushes)
    of_second = (await client.get(f"/v1/events?verification_id={ids[1]}")).json["events"]
    assert of_second == [events[ids[1]]]


async def test_an_account_without_endpoints_has_no_events_and_one_that_reads_them_has_all(server: Server) -> None:
    client = await v1_client(server)
    message_id = await sent(client)

    async def status() -> str:
        return str((await client.get(f"/v1/messages/{message_id}")).json["status"])

    await until(status, lambda word: word == "delivered")
    account_id = client.account.account_id
    assert not await server.query("SELECT FROM event WHERE account_id = $1", account_id)
    assert (await client.get("/v1/events")).json == {"events": []}
    cancelled = await sent(client, f"{QUEUED}20000009")
    assert (await client.post(f"/v1/messages/{cancelled}/cancel")).status == 200
    (event,) = (await client.get("/v1/events")).json["events"]
    assert (event["type"], event["data"]["status"]) == ("message.failed", "cancelled")
    assert event["data"]["price"]["amount"] == "0"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "example.com",
        "http://10.0.0.1/",
        "http://[::1]:25/",
        "http://169.254.169.254/",
        "http:// /",
    ],
)
async def test_an_address_that_nothing_may_be_pushed_to_is_refused(server: Server, url: str) -> None:
    client = await v1_client(server)
    document = problem(await client.post("/v1/webhooks", {"url": url}), 422, "webhook_url_refused")
    assert document["errors"][0]["pointer"] == "#/url"


async def test_endpoints_are_their_accounts_and_scopes_hold(server: Server, sink: Sink) -> None:
    client, other = await v1_client(server), await v1_client(server)
    webhook = await endpoint(client, sink.box(), "message.sent")
    path = f"/v1/webhooks/{webhook['id']}"
    problem(await other.get(path), 404, "webhook_not_found")
    problem(await other.call("PATCH", path, {"enabled": False}), 404, "webhook_not_found")
    problem(await other.call("DELETE", path), 404, "webhook_not_found")
    for action in ("test", "rotate"):
        problem(await other.post(f"{path}/{action}"), 404, "webhook_not_found")
    problem(await other.post(f"{path}/replay", {"from": "2026-01-01T00:00:00Z"}), 404, "webhook_not_found")
    reader = await v1_client(server, client.account, "webhooks:read")
    assert (await reader.get(path)).json == {name: value for name, value in webhook.items() if name != "secret"}
    problem(await reader.call("DELETE", path), 403, "scope_missing")
    problem(await reader.get("/v1/events"), 403, "scope_missing")
    problem(await client.post("/v1/webhooks", {"url": "https://example.com/", "types": []}), 422, "invalid_request")
    problem(await changed(client, webhook, types=["message.read"]), 422, "invalid_request")
    changed_view = (await changed(client, webhook, types=["message.failed"], description="d")).json
    assert (changed_view["types"], changed_view["description"]) == (["message.failed"], "d")
    reply = await client.call("DELETE", path)
    assert (reply.status, reply.text) == (204, "")
    problem(await client.get(path), 404, "webhook_not_found")
    assert not await server.query("SELECT FROM signing_secret WHERE webhook_id = $1", int(webhook["id"]))


async def test_a_repeated_creation_makes_one_endpoint_and_an_account_has_a_bounded_number(server: Server) -> None:
    client = await v1_client(server)
    body = {"url": "https://example.com/hook"}
    first = await client.post("/v1/webhooks", body, key="k")
    assert (await client.post("/v1/webhooks", body, key="k")).json == first.json
    problem(await client.post("/v1/webhooks", {**body, "description": "x"}, key="k"), 409, "idempotency_key_reused")
    replies = await asyncio.gather(*(client.post("/v1/webhooks", body) for _ in range(22)))
    assert sorted(reply.status for reply in replies) == [201] * 19 + [409] * 3
    problem(next(reply for reply in replies if reply.status == 409), 409, "webhook_limit_reached")
    assert json.loads((await client.get("/v1/webhooks")).text)["webhooks"][0]["id"] == first.json["id"]


async def test_an_endpoint_cannot_lead_anywhere_else_or_feed_us_a_long_answer(server: Server, sink: Sink) -> None:
    target = sink.box()
    client = await v1_client(server)
    moved = await endpoint(client, sink.box((302, {"Location": target.url})), "message.sent")
    reply = (await client.post(f"/v1/webhooks/{moved['id']}/test")).json
    assert (reply["delivered"], reply["http_status"]) == (False, 302)
    assert not target.pushes
    inside = await endpoint(client, sink.box(), "message.sent")
    for url in ("http://shop.example:5432/", "http://192.168.0.1/"):
        problem(await changed(client, inside, url=url), 422, "webhook_url_refused")
    # whatever stands in the row, an address is looked at when it is connected to
    await server.query("UPDATE webhook SET url = 'http://192.168.0.1/' WHERE webhook_id = $1", int(inside["id"]))
    reply = (await client.post(f"/v1/webhooks/{inside['id']}/test")).json
    assert reply["error"] == "address refused: 192.168.0.1 is not a public address"

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"\0\xffx" * 20_000)
                await writer.drain()

    async with await asyncio.start_server(endless, "127.0.0.1", 0) as hostile:
        port = hostile.sockets[0].getsockname()[1]
        await changed(client, inside, url=f"http://127.0.0.1:{port}/")
        reply = (await client.post(f"/v1/webhooks/{inside['id']}/test")).json
    assert (reply["delivered"], reply["http_status"]) == (True, 200)
    assert 0 < len(reply["answer"]) <= 200


async def test_an_endpoint_that_does_not_answer_keeps_few_calls_waiting(server: Server, sink: Sink) -> None:
    client = await v1_client(server)
    asked, answered = asyncio.Semaphore(0), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.release()
        await answered.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as slow:
        webhook = await endpoint(client, sink.box(), "message.sent")
        await changed(client, webhook, url=f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}/")
        path = f"/v1/webhooks/{webhook['id']}/test"
        waiting = [asyncio.create_task(client.post(path)) for _ in range(2)]
        async with in_time():
            for _each in waiting:
                await asked.acquire()
        refused = await client.post(path)
        problem(refused, 429, "too_many_requests")
        answered.set()
        assert [(await each).json["http_status"] for each in waiting] == [204, 204]
