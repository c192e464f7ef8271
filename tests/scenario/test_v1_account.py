"""What an account asks for by Homing's own API: money, replies, numbers; and conversions that it reports."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.server import NO_PRICE, QUEUED, REPLYING, Server
from tests.support.v1 import V1Client, problem, v1_client
from tests.support.waiting import until


async def sent(client: V1Client, to: str = f"{QUEUED}20000007") -> str:
    reply = await client.post("/v1/messages", {"to": to, "text": "x"})
    assert reply.status == 201, reply.text
    return str(reply.json["id"])


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


async def test_the_balance_and_the_statement_agree(server: Server) -> None:
    client = await v1_client(server, balance="1", gifted="0.03", credit="5")
    ids = [await sent(client) for _ in range(3)]
    balance = (await client.get("/v1/balance")).json
    assert balance == {
        "available": usd("5.97"),
        "balance": usd("0.97"),
        "gift": usd("0"),
        "credit": usd("5"),
    }
    postings: list[dict[str, Any]] = []
    query = "limit=2"
    while True:
        page = (await client.get(f"/v1/statement?{query}")).json
        postings += page["postings"]
        if "next_cursor" not in page:
            break
        query = f"limit=2&cursor={page['next_cursor']}"
    assert sum(float(each["amount"]["amount"]) for each in postings) == pytest.approx(0.97)
    charged = [each["submission_id"] for each in postings if each["kind"] == "charge"]
    assert sorted(set(charged)) == sorted(ids)
    assert [each["kind"] for each in postings][-2:] == ["gift", "topup"]
    numbers = [int(each["id"]) for each in postings]
    assert numbers == sorted(numbers, reverse=True)
    problem(await client.get("/v1/statement?cursor=-1"), 422, "invalid_request")
    problem(await client.get("/v1/balance?x=1"), 422, "unknown_member")


async def test_what_people_send_is_listed_to_its_account_alone(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    for n in range(3):
        await sent(client, f"{REPLYING}2000{n}007")

    async def replies() -> bool:
        return len((await client.get("/v1/inbound")).json["messages"]) == 3

    await until(replies)
    page = (await client.get("/v1/inbound?limit=2")).json
    assert len(page["messages"]) == 2
    rest = (await client.get(f"/v1/inbound?limit=2&cursor={page['next_cursor']}")).json
    every = page["messages"] + rest["messages"]
    assert sorted(each["from"] for each in every) == [f"{REPLYING}2000{n}007" for n in range(3)]
    assert {each["to"] for each in every} == {"HOMING"}
    assert "next_cursor" not in rest
    assert (await other.get("/v1/inbound")).json == {"messages": []}
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (await client.get(f"/v1/inbound?since={later}")).json == {"messages": []}


async def test_a_number_is_looked_up_with_its_price(server: Server) -> None:
    client = await v1_client(server, prices={"8613": "0.05"})
    reply = await client.get("/v1/lookups/+8613800130001")
    assert reply.status == 200
    assert reply.json["number"] == "8613800130001"
    assert reply.json["possible"] is True
    assert (reply.json["country"], reply.json["calling_code"], reply.json["mcc"]) == ("CN", "86", "460")
    assert reply.json["price"] == usd("0.05")
    assert (await client.post("/v1/lookups", {"number": "+86 138-0013-0001"})).json == reply.json
    nowhere = await client.get(f"/v1/lookups/{NO_PRICE}0000001")
    assert nowhere.json["possible"] is False
    assert "price" not in nowhere.json
    problem(await client.get("/v1/lookups/0791234567"), 422, "number_national")
    problem(await client.get("/v1/lookups/abc"), 422, "number_invalid")
    problem(await client.post("/v1/lookups", {"number": "%s"}), 422, "number_invalid")
    problem(await client.post("/v1/lookups", {"to": "1"}), 422, "unknown_member")


async def test_a_conversion_is_recorded_once(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    message_id = await sent(client)
    replies = await asyncio.gather(*(client.post("/v1/conversions", {"message_id": message_id}) for _ in range(30)))
    assert Counter((reply.status, reply.json["first"]) for reply in replies) == {(201, True): 1, (200, False): 29}
    problem(await other.post("/v1/conversions", {"message_id": message_id}), 404, "message_not_found")
    by_number = await client.post("/v1/conversions", {"to": f"+{QUEUED} 2000 0007"})
    assert (by_number.status, by_number.json["message_id"]) == (200, message_id)
    row = await server.query_row("SELECT dialect FROM conversion WHERE message_id = $1", int(message_id))
    assert row["dialect"] == 3


async def test_a_conversion_with_a_key_is_answered_once(server: Server) -> None:
    client = await v1_client(server)
    body = {"message_id": await sent(client), "converted_at": "2026-01-01T00:00:00+08:00"}
    replies = await asyncio.gather(*(client.post("/v1/conversions", body, key="k") for _ in range(30)))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    assert replies[0].json["first"] is True


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"message_id": "1", "to": "8613800130001"}, 422, "invalid_request"),
        ({"message_id": 1}, 422, "invalid_request"),
        ({"message_id": "x"}, 422, "invalid_request"),
        ({"message_id": "1"}, 404, "message_not_found"),
        ({"message_id": "9" * 16}, 404, "message_not_found"),
        ({"to": "8613800139998"}, 404, "message_not_found"),
        ({"to": "x"}, 422, "number_invalid"),
        ({"message_id": "1", "converted_at": "2999-01-01T00:00:00Z"}, 422, "invalid_request"),
        ({"message_id": "1", "converted_at": "0001-01-01T00:00:00+12:00"}, 422, "invalid_request"),
    ],
)
async def test_what_is_no_conversion_is_refused(server: Server, body: Any, status: int, code: str) -> None:
    client = await v1_client(server)
    problem(await client.post("/v1/conversions", body), status, code)
