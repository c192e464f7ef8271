"""Messages by Homing's own API: sent, scheduled, cancelled, listed, and never twice for one Idempotency-Key."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.dialects.v1 import bounds
from homing.dialects.v1.problems import PROBLEMS
from tests.support.server import NO_PRICE, NO_ROUTE, QUEUED, Server
from tests.support.v1 import V1Client, problem, v1_client
from tests.support.waiting import until

NUMBER = "8613800130001"
WAITS = f"{QUEUED}20000007"
"""Nobody serves its carrier: the message stays queued."""


def message(**more: Any) -> dict[str, Any]:
    return {"to": f"+{NUMBER}", "text": "Your table is ready", **more}


async def delivered(client: V1Client, message_id: str) -> dict[str, Any]:
    async def is_delivered() -> bool:
        return bool((await client.get(f"/v1/messages/{message_id}")).json["status"] == "delivered")

    await until(is_delivered)
    document: dict[str, Any] = (await client.get(f"/v1/messages/{message_id}")).json
    return document


async def test_a_message_is_sent_and_read(server: Server) -> None:
    client = await v1_client(server)
    reply = await client.post("/v1/messages", message(reference="order 7"))
    assert reply.status == 201
    assert reply.headers["Content-Type"].startswith("application/json")
    sent = dict(reply.json)
    created_at = datetime.fromisoformat(sent.pop("created_at"))
    assert datetime.now(UTC) - created_at < timedelta(seconds=20)
    assert sent.pop("id").isdigit()
    assert sent == {
        "status": "queued",
        "to": NUMBER,
        "from": "HOMING",
        "reference": "order 7",
        "segments": 1,
        "price": {"amount": "0.031", "currency": "USD"},
        "country": "CN",
    }
    shown = await delivered(client, reply.json["id"])
    assert shown["text"] == "Your table is ready"
    assert shown["created_at"] == reply.json["created_at"]
    assert {"sent_at", "finished_at"} <= set(shown)
    assert "error" not in shown


@pytest.mark.parametrize(
    "to", ["8613800130001", "+86 138 0013 0001", "+86-138-0013-0001", "(+86) 138.0013.0001", "0086 13800130001"]
)
async def test_a_number_is_taken_in_any_usual_form(server: Server, to: str) -> None:
    client = await v1_client(server)
    reply = await client.post("/v1/messages", message(to=to, dry_run=True))
    assert reply.status == 200, reply.text
    assert reply.json["to"] == NUMBER


async def test_a_dry_run_says_the_price_and_does_nothing(server: Server) -> None:
    client = await v1_client(server, balance="0")
    before = await server.holdings(client.account)
    reply = await client.post("/v1/messages", message(text="x" * 161, dry_run=True), key="k")
    assert reply.status == 200
    assert reply.json == {
        "dry_run": True,
        "to": NUMBER,
        "from": "HOMING",
        "segments": 2,
        "encoding": "gsm7",
        "price": {"amount": "0.062", "currency": "USD"},
        "country": "CN",
    }
    assert await server.holdings(client.account) == before


REFUSED: list[tuple[Any, int, str, str | None]] = [
    (b"", 400, "malformed_json", None),
    (b"{", 400, "malformed_json", None),
    (b"[" * 100_000, 422, "invalid_request", "#"),
    (b'{"text":' * 100_000, 422, "invalid_request", "#/text"),
    (b'{"to":"\xff"}', 400, "malformed_json", None),
    ([], 422, "invalid_request", "#"),
    ("x", 422, "invalid_request", "#"),
    ({}, 422, "invalid_request", "#/to"),
    ({"to": NUMBER}, 422, "invalid_request", "#/text"),
    ({"to": 8613800130001, "text": "x"}, 422, "invalid_request", "#/to"),
    (message(text=None), 422, "invalid_request", "#/text"),
    (message(sender="HOMING"), 422, "unknown_member", "#/sender"),
    (message(**{"a/b~c": 1}), 422, "unknown_member", "#/a~1b~0c"),
    (message(text=""), 422, "text_empty", "#/text"),
    (message(text=" \n"), 422, "text_empty", "#/text"),
    (message(text="x\0y"), 422, "invalid_request", "#/text"),
    (b'{"to":"%s","text":"\\ud83d"}' % NUMBER.encode(), 400, "malformed_json", None),
    (message(text="x" * (bounds.TEXT_CHARS_MAX + 1)), 422, "text_too_long", "#/text"),
    (message(text="\N{GRINNING FACE}" * bounds.TEXT_CHARS_MAX), 422, "text_too_long", None),
    (message(to="07700 900000"), 422, "number_national", "#/to"),
    (message(to="+86"), 422, "number_invalid", "#/to"),
    (message(to="\N{ARABIC-INDIC DIGIT ONE}" * 11), 422, "number_invalid", "#/to"),
    (message(to="1" * 65), 422, "invalid_request", "#/to"),
    (message(**{"from": "NOBODY"}), 422, "sender_not_registered", "#/from"),
    (message(app="nobodys"), 422, "app_unknown", "#/app"),
    (message(reference="x" * (bounds.REFERENCE_CHARS_MAX + 1)), 422, "invalid_request", "#/reference"),
    (message(send_at="tomorrow"), 422, "invalid_request", "#/send_at"),
    (message(send_at="2026-01-01T00:00:00"), 422, "invalid_request", "#/send_at"),
    (message(send_at="2020-01-01T00:00:00Z"), 422, "invalid_request", "#/send_at"),
    (message(send_at="9999-12-31T23:59:59-12:00"), 422, "invalid_request", "#/send_at"),
    (message(dry_run="yes"), 422, "invalid_request", "#/dry_run"),
    (message(to=f"{NO_PRICE}0000001"), 422, "no_route", None),
    (message(to=f"{NO_ROUTE}0000001"), 422, "no_route", None),
    ({"messages": []}, 422, "invalid_request", "#/messages"),
    ({"messages": [{"to": NUMBER}]}, 422, "invalid_request", "#/messages/0/text"),
    ({"messages": [message(), message(send_at=1)]}, 422, "unknown_member", "#/messages/1/send_at"),
    ({"messages": [message()] * (bounds.MESSAGES_MAX + 1)}, 422, "invalid_request", "#/messages"),
    ({"messages": [message()], "to": NUMBER}, 422, "unknown_member", "#/to"),
    ({"messages": [message(text=" ")]}, 422, "no_message_accepted", "#/messages/0/text"),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), REFUSED)
async def test_a_wrong_request_is_refused_by_name_and_costs_nothing(
    server: Server, body: Any, status: int, code: str, pointer: str | None
) -> None:
    client = await v1_client(server)
    before = await server.holdings(client.account)
    document = problem(await client.post("/v1/messages", body), status, code)
    if pointer is not None:
        assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert await server.holdings(client.account) == before


async def test_other_refusals_have_their_status(server: Server) -> None:
    poor = await v1_client(server, balance="0.03")
    problem(await poor.post("/v1/messages", message()), 402, "insufficient_balance")
    worded = await v1_client(server, words=["casino"])
    problem(await worded.post("/v1/messages", message(text="a casino")), 422, "sensitive_words")
    client = await v1_client(server)
    body = json.dumps(message()).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    problem(await client.call("POST", "/v1/messages", body, headers=form), 415, "unsupported_media_type")
    problem(await client.post("/v1/messages", b'{"text":"' + b"x" * (3 << 20)), 413, "body_too_large")
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        reply = await client.call(method, "/v1/messages")
        problem(reply, 405, "method_not_allowed")
        assert reply.headers["Allow"] == "GET, POST"
    for path in ("/v1", "/v1/", "/v1/nothing", "/v1/messages/1/nothing", "/v1/messages/1/cancel/2"):
        reply = await client.get(path)
        if path != "/v1":
            problem(reply, 404, "not_found")
    for path in ("1", "0", "x", "9" * 40, "-1", "%00", "1%2531"):
        problem(await client.get(f"/v1/messages/{path}"), 404, "message_not_found")
    for key in ("", "x" * 256, "\N{LATIN SMALL LETTER E WITH ACUTE}"):
        headers = {"Idempotency-Key": key}
        problem(await client.call("POST", "/v1/messages", message(), headers=headers), 422, "invalid_request")


async def test_every_problem_has_its_page(server: Server) -> None:
    for code, told in PROBLEMS.items():
        reply = await server.client.call("GET", f"/v1/errors/{code}")
        assert reply.status == 200
        assert told.cure in reply.text
    problem(await server.client.call("GET", "/v1/errors/nothing"), 404, "not_found")


async def test_many_messages_have_a_result_each(server: Server) -> None:
    client = await v1_client(server, words=["casino"])
    items = [
        message(reference="a"),
        message(to="0123456789"),
        message(text="casino"),
        message(to=f"{NO_ROUTE}0000001"),
        message(to="+1 202 555 0101", **{"from": "HOMING"}),
        message(**{"from": "NOBODY"}),
    ]
    reply = await client.post("/v1/messages", {"messages": items}, key="many")
    assert reply.status == 201, reply.text
    assert (reply.json["accepted"], reply.json["refused"]) == (2, 4)
    results = reply.json["messages"]
    assert [result["to"] for result in results] == [item["to"] for item in items]
    assert [result.get("error", {}).get("code") for result in results] == [
        None,
        "number_national",
        "sensitive_words",
        "no_route",
        None,
        "sender_not_registered",
    ]
    assert [result["message"]["to"] for result in results if "message" in result] == [NUMBER, "12025550101"]
    assert (await server.holdings(client.account))[0] == 2
    again = await client.post("/v1/messages", {"messages": items}, key="many")
    assert (again.status, again.body) == (201, reply.body)
    assert (await server.holdings(client.account))[0] == 2
    dry = await client.post("/v1/messages", {"messages": items, "dry_run": True})
    assert dry.status == 200
    assert [result["quote"]["price"]["amount"] for result in dry.json["messages"] if "quote" in result] == [
        "0.031",
        "0.008",
    ]


async def test_a_thousand_messages_go_in_one_call(server: Server) -> None:
    client = await v1_client(server, balance="100")
    items = [message(to=f"12025{n:06d}", text=f"n {n}") for n in range(bounds.MESSAGES_MAX)]
    reply = await client.post("/v1/messages", {"messages": items})
    assert (reply.status, reply.json["accepted"]) == (201, bounds.MESSAGES_MAX)
    assert len({result["message"]["id"] for result in reply.json["messages"]}) == bounds.MESSAGES_MAX


@pytest.mark.parametrize("many", [False, True])
async def test_of_a_hundred_calls_with_one_key_at_once_one_sends(server: Server, many: bool) -> None:
    client = await v1_client(server)
    body = {"messages": [message(), message()]} if many else message()
    replies = await asyncio.gather(*(client.post("/v1/messages", body, key="once") for _ in range(100)))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    replays = Counter(reply.headers.get("Idempotency-Replayed") for reply in replies)
    assert replays == {None: 1, "true": 99}
    assert (await server.holdings(client.account))[0] == (2 if many else 1)


async def test_a_key_belongs_to_its_body_and_its_account(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    first = await client.post("/v1/messages", message(), key="k")
    problem(await client.post("/v1/messages", message(text="other"), key="k"), 409, "idempotency_key_reused")
    problem(await client.post("/v1/verifications", message(), key="k"), 409, "idempotency_key_reused")
    theirs = await other.post("/v1/messages", message(), key="k")
    assert theirs.json["id"] != first.json["id"]
    assert (await client.post("/v1/messages", message())).json["id"] != first.json["id"]


async def test_a_repeated_call_gets_its_answer_even_if_it_would_be_refused_by_now(server: Server) -> None:
    client = await v1_client(server, balance="0.031")
    first = await client.post("/v1/messages", message(), key="k")
    assert first.status == 201
    problem(await client.post("/v1/messages", message()), 402, "insufficient_balance")
    again = await client.post("/v1/messages", message(), key="k")
    assert (again.status, again.body, again.headers["Idempotency-Replayed"]) == (201, first.body, "true")


async def test_a_refused_call_leaves_its_key_free(server: Server) -> None:
    client = await v1_client(server, balance="0")
    problem(await client.post("/v1/messages", message(), key="k"), 402, "insufficient_balance")
    rich = await v1_client(server, balance="1")
    problem(await rich.post("/v1/messages", message(to="x"), key="k"), 422, "number_invalid")
    assert (await rich.post("/v1/messages", message(), key="k")).status == 201


async def test_a_scheduled_message_waits_and_can_be_cancelled_once(server: Server) -> None:
    client = await v1_client(server)
    send_at = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    reply = await client.post("/v1/messages", message(send_at=send_at.isoformat()))
    assert reply.status == 201
    assert datetime.fromisoformat(reply.json["send_at"]) == send_at
    row = await server.query_row("SELECT due_at FROM queue WHERE message_id = $1", int(reply.json["id"]))
    assert abs(row["due_at"] - send_at) < timedelta(seconds=5)
    path = f"/v1/messages/{reply.json['id']}"
    shown = (await client.get(path)).json
    assert (shown["status"], shown["send_at"]) == ("queued", reply.json["send_at"])
    cancelled = await client.post(f"{path}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["price"]["amount"] == "0"
    assert (await client.post(f"{path}/cancel", {})).json == cancelled.json
    problem(await client.post(f"{path}/cancel", {"x": 1}), 422, "unknown_member")
    assert (await server.holdings(client.account))[2] == 10_000_000
    listed = await client.get("/v1/messages?status=cancelled")
    assert [each["id"] for each in listed.json["messages"]] == [reply.json["id"]]
    assert (await client.get("/v1/messages?status=failed")).json["messages"] == []
    far = (datetime.now(UTC) + timedelta(days=6)).isoformat()
    problem(await client.post("/v1/messages", message(send_at=far)), 422, "invalid_request")


async def test_what_has_left_cannot_be_cancelled_and_nobody_elses_can(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    sent = await client.post("/v1/messages", message())
    await delivered(client, sent.json["id"])
    problem(await client.post(f"/v1/messages/{sent.json['id']}/cancel"), 409, "too_late_to_cancel")
    waiting = await client.post("/v1/messages", message(to=WAITS))
    problem(await other.post(f"/v1/messages/{waiting.json['id']}/cancel"), 404, "message_not_found")
    problem(await other.get(f"/v1/messages/{waiting.json['id']}"), 404, "message_not_found")
    assert (await client.post(f"/v1/messages/{waiting.json['id']}/cancel")).json["status"] == "cancelled"


async def test_messages_are_listed_page_by_page_and_by_what_they_have(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    await other.post("/v1/messages", message(reference="r1"))
    sent = []
    for n in range(7):
        to = NUMBER if n % 2 else "12025550101"
        sent.append((await client.post("/v1/messages", message(to=to, reference=f"r{n % 3}"))).json["id"])
    listed: list[str] = []
    query = "limit=3"
    for _page in range(5):
        page = (await client.get(f"/v1/messages?{query}")).json
        listed += [each["id"] for each in page["messages"]]
        if "next_cursor" not in page:
            break
        query = f"limit=3&cursor={page['next_cursor']}"
    assert listed == sent[::-1]

    async def those(query: str) -> list[str]:
        reply = await client.get(f"/v1/messages?{query}")
        assert reply.status == 200, reply.text
        return [each["id"] for each in reply.json["messages"]]

    assert await those("to=%2B12025550101") == sent[::2][::-1]
    assert await those("reference=r1") == [sent[4], sent[1]]
    assert await those(f"reference=r1&to={NUMBER}") == [sent[1]]
    assert await those("since=2020-01-01T00:00:00Z&until=2020-02-01T00:00:00Z") == []
    assert len(await those("since=2020-01-01T00:00:00%2B08:00")) == 7
    for query, code in (
        ("limit=0", "invalid_request"),
        ("limit=101", "invalid_request"),
        ("cursor=x", "invalid_request"),
        ("status=gone", "invalid_request"),
        ("since=yesterday", "invalid_request"),
        ("limit=1&limit=2", "invalid_request"),
        ("page=2", "unknown_member"),
        ("to=x", "number_invalid"),
        ("reference=%FF", "invalid_request"),
        ("&".join(f"x{n}=1" for n in range(40)), "invalid_request"),
    ):
        problem(await client.get(f"/v1/messages?{query}"), 422, code)


async def test_a_message_that_is_being_submitted_is_listed_as_sending(server: Server) -> None:
    client = await v1_client(server)
    ids = [(await client.post("/v1/messages", message(to=WAITS))).json["id"] for _ in range(2)]
    claim = "UPDATE queue SET claimed_by = 'a test', claimed_at = now() WHERE message_id = $1"
    await server.query(claim, int(ids[0]))
    for status, expected in (("sending", ids[:1]), ("queued", ids[1:])):
        page = (await client.get(f"/v1/messages?status={status}")).json
        assert [(each["id"], each["status"]) for each in page["messages"]] == [(each, status) for each in expected]


async def test_queries_have_a_rate_that_is_told_and_sending_is_not_counted(server: Server) -> None:
    client = await v1_client(server, queries_per_s=1)
    first = await client.get("/v1/balance")
    assert first.headers["RateLimit-Policy"] == '"queries";q=2;w=2'
    assert first.headers["RateLimit"] == '"queries";r=1;t=1'
    replies = [await client.get("/v1/balance") for _ in range(3)]
    limited = replies[-1]
    problem(limited, 429, "too_many_requests")
    assert limited.headers["Retry-After"] == "1"
    assert limited.headers["RateLimit"].startswith('"queries";r=0')
    for _ in range(5):
        assert (await client.post("/v1/messages", message())).status == 201


async def test_the_description_is_served_to_anybody(server: Server) -> None:
    reply = await server.client.call("GET", "/v1/openapi.json")
    assert reply.status == 200
    assert reply.json["openapi"] == "3.1.0"
    assert "/v1/verifications/{id}/check" in reply.json["paths"]
