"""Verifications by Homing's own API: one success, few codes to a number, and nothing twice for one key."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from homing.admin import code_settings
from homing.messages.lookup import MessageLookup
from homing.model import CodeAlphabet, CodeTemplate
from tests.support.client import Reply
from tests.support.server import QUEUED, Server
from tests.support.v1 import V1Client, new_token, problem, v1_client
from tests.support.waiting import until

TESTER = "8613800139999"


def waiting(n: int = 7) -> str:
    """A number of a carrier that nobody serves: the text with the code stays where it can be read."""
    return f"{QUEUED}2{n:07d}"


async def started(client: V1Client, **more: Any) -> dict[str, Any]:
    reply = await client.post("/v1/verifications", {"to": waiting(), **more})
    assert reply.status == 201, reply.text
    document: dict[str, Any] = reply.json
    return document


async def text_of(server: Server, message_id: str) -> str:
    row = await server.query_row("SELECT text FROM message WHERE message_id = $1", int(message_id))
    return str(row["text"])


async def code_of(server: Server, verification: dict[str, Any]) -> str:
    return (await text_of(server, verification["id"])).split()[0]


def wrong(code: str) -> str:
    return "000000" if code != "000000" else "000001"


async def test_a_code_is_sent_and_right_once(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client, reference="sign-up 7")
    assert made["status"] == "pending"
    assert made["to"] == waiting()
    assert made["reference"] == "sign-up 7"
    assert made["attempts_left"] == 5
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert timedelta(seconds=298) < lasts < timedelta(seconds=302)
    code = await code_of(server, made)
    assert len(code) == 6
    assert code.isdigit()
    path = f"/v1/verifications/{made['id']}"
    tried = (await client.post(f"{path}/check", {"code": wrong(code)})).json
    assert (tried["id"], tried["status"], tried["attempts_left"]) == (made["id"], "pending", 4)
    checked = await client.post(f"{path}/check", {"code": f" {code} "})
    assert (checked.status, checked.json["status"]) == (200, "verified")
    problem(await client.post(f"{path}/check", {"code": code}), 409, "already_verified")
    problem(await client.post(f"{path}/check", {"code": wrong(code)}), 409, "already_verified")
    rows = await server.query(
        "SELECT message_id, dialect FROM conversion WHERE account_id = $1", client.account.account_id
    )
    assert [tuple(row) for row in rows] == [(int(made["id"]), 3)]
    shown = (await client.get(path)).json
    assert (shown["status"], shown["attempts_left"]) == ("verified", 0)
    assert [message["id"] for message in shown["messages"]] == [made["id"]]
    assert code not in (await client.get(path)).text
    assert code not in (await client.get(f"/v1/messages/{made['id']}")).text
    assert code not in (await client.get("/v1/messages")).text
    assert code not in (await client.get("/v1/messages?reference=sign-up%207")).text
    by_reference = await MessageLookup(server.database).by_reference(client.account.account_id, "sign-up 7")
    assert by_reference is not None
    assert code not in by_reference.text


async def test_of_a_hundred_right_checks_at_once_one_is_verified(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client)
    code = await code_of(server, made)
    replies = await asyncio.gather(
        *(client.post(f"/v1/verifications/{made['id']}/check", {"code": code}) for _ in range(100))
    )
    assert Counter(reply.status for reply in replies) == {200: 1, 409: 99}
    assert Counter(reply.json.get("code", reply.json["status"]) for reply in replies) == {
        "verified": 1,
        "already_verified": 99,
    }


async def test_a_repeated_check_with_its_key_gets_the_first_answer(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client)
    code = await code_of(server, made)
    path = f"/v1/verifications/{made['id']}/check"
    replies = await asyncio.gather(*(client.post(path, {"code": code}, key="k") for _ in range(30)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert replies[0].json["status"] == "verified"
    assert sum("Idempotency-Replayed" in reply.headers for reply in replies) == 29
    problem(await client.post(path, {"code": wrong(code)}, key="k"), 409, "idempotency_key_reused")


async def test_five_wrong_codes_end_it(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client)
    code = await code_of(server, made)
    path = f"/v1/verifications/{made['id']}/check"
    answers = [(await client.post(path, {"code": wrong(code)})).json for _ in range(5)]
    assert [(each["status"], each["attempts_left"]) for each in answers] == [
        ("pending", 4),
        ("pending", 3),
        ("pending", 2),
        ("pending", 1),
        ("failed", 0),
    ]
    right = await client.post(path, {"code": code})
    assert (right.status, right.json["status"]) == (200, "failed")
    problem(await client.post(f"/v1/verifications/{made['id']}/resend"), 409, "verification_over")
    problem(await client.post(f"/v1/verifications/{made['id']}/cancel"), 409, "verification_over")


async def test_an_expired_or_cancelled_code_is_right_no_more(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client)
    code = await code_of(server, made)
    path = f"/v1/verifications/{made['id']}"
    cancelled = await client.post(f"{path}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert (await client.post(f"{path}/cancel")).json == cancelled.json
    assert (await client.post(f"{path}/check", {"code": code})).json["status"] == "cancelled"
    late = await started(client, to=waiting(8))
    await server.query("UPDATE verification SET expires_at = now() WHERE verification_id = $1", int(late["id"]))
    reply = await client.post(f"/v1/verifications/{late['id']}/check", {"code": await code_of(server, late)})
    assert (reply.status, reply.json["status"]) == (200, "expired")
    assert (await client.get(f"/v1/verifications/{late['id']}")).json["status"] == "expired"
    problem(await client.post(f"/v1/verifications/{late['id']}/resend"), 409, "verification_over")


async def test_nobody_elses_verification_is_found(server: Server) -> None:
    client, other = await v1_client(server), await v1_client(server)
    made = await started(client)
    code = await code_of(server, made)
    for number in (made["id"], "1", "x", "9" * 30):
        path = f"/v1/verifications/{number}"
        problem(await other.get(path), 404, "verification_not_found")
        problem(await other.post(f"{path}/check", {"code": code}), 404, "verification_not_found")
        problem(await other.post(f"{path}/resend"), 404, "verification_not_found")
        problem(await other.post(f"{path}/cancel"), 404, "verification_not_found")
    message = await client.post("/v1/messages", {"to": waiting(), "text": "no code"})
    problem(await client.get(f"/v1/verifications/{message.json['id']}"), 404, "verification_not_found")
    assert (await client.post(f"/v1/verifications/{made['id']}/check", {"code": code})).json["status"] == "verified"


async def test_a_number_gets_one_code_in_half_a_minute_over_all_calls(server: Server) -> None:
    client = await v1_client(server)
    replies: list[Reply] = await asyncio.gather(
        *(client.post("/v1/verifications", {"to": waiting()}) for _ in range(20))
    )
    assert Counter(reply.status for reply in replies) == {201: 1, 429: 19}
    limited = next(reply for reply in replies if reply.status == 429)
    problem(limited, 429, "number_limit_reached")
    assert 25 <= int(limited.headers["Retry-After"]) <= 30
    made = next(reply for reply in replies if reply.status == 201).json
    problem(await client.post(f"/v1/verifications/{made['id']}/resend"), 429, "number_limit_reached")
    assert (await server.holdings(client.account))[0] == 1


async def test_the_same_code_goes_out_again(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client)
    await server.query("UPDATE verification SET sent_times = '{}' WHERE account_id = $1", client.account.account_id)
    path = f"/v1/verifications/{made['id']}"
    replies = await asyncio.gather(*(client.post(f"{path}/resend", key="again") for _ in range(20)))
    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}, replies[0].text
    assert replies[0].json["status"] == "pending"
    shown = (await client.get(path)).json
    assert len(shown["messages"]) == 2
    first, second = [await text_of(server, message["id"]) for message in shown["messages"]]
    assert first == second
    checked = await client.post(f"{path}/check", {"code": first.split()[0]})
    assert checked.json["status"] == "verified"


async def test_of_many_calls_with_one_key_one_sends(server: Server) -> None:
    client = await v1_client(server)
    body = {"to": waiting(), "reference": "r"}
    replies = await asyncio.gather(*(client.post("/v1/verifications", body, key="k") for _ in range(50)))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    assert (await server.holdings(client.account))[0] == 1
    problem(await client.post("/v1/verifications", {"to": waiting(9)}, key="k"), 409, "idempotency_key_reused")
    row = await server.query_row(
        "SELECT expires_at FROM verification WHERE verification_id = $1", int(replies[0].json["id"])
    )
    assert row["expires_at"].replace(microsecond=0) == datetime.fromisoformat(replies[0].json["expires_at"])


async def test_templates_are_chosen_by_name_and_language(server: Server) -> None:
    client = await v1_client(server)
    texts = {"": "##code## is your code", "zh": "##code## \N{CJK UNIFIED IDEOGRAPH-9A8C}"}
    ids = {}
    async with server.database.transaction() as transaction:
        for locale, text in texts.items():
            template = CodeTemplate(
                template_id=0,
                app_id=client.account.app,
                name="login",
                locale=locale,
                text=text,
                alphabet=CodeAlphabet.NUMERIC,
                length=8,
                sender="",
            )
            ids[locale] = await code_settings.add_code_template(transaction, client.account.account_id, template)
    await server.settled()
    for n, (asked, locale) in enumerate(
        [({}, ""), ({"locale": "zh-Hans"}, "zh"), ({"locale": "de"}, ""), ({"template": str(ids["zh"])}, "zh")]
    ):
        made = await started(client, to=waiting(n), **{"template": "login", **asked})
        text = await text_of(server, made["id"])
        assert text[8:] == texts[locale].removeprefix("##code##")
        assert text[:8].isdigit()
    for name in ("nothing", "0", "9" * 20, "a\0b"):
        reply = await client.post("/v1/verifications", {"to": waiting(9), "template": name})
        assert reply.status == 422
        assert reply.json["errors"][0]["pointer"] == "#/template"


async def test_ones_own_code_and_sender_can_be_given(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client, code="AB12cd", **{"from": "HOMING"})
    assert (await text_of(server, made["id"])).startswith("AB12cd ")
    checked = await client.post(f"/v1/verifications/{made['id']}/check", {"code": "ab12CD"})
    assert checked.json["status"] == "verified"


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "invalid_request", "#/to"),
        ({"to": waiting(), "code": "123"}, "invalid_request", "#/code"),
        ({"to": waiting(), "code": "12 34"}, "invalid_request", "#/code"),
        ({"to": waiting(), "code": "1" * 11}, "invalid_request", "#/code"),
        ({"to": waiting(), "from": "NOBODY"}, "sender_not_registered", "#/from"),
        ({"to": waiting(), "app": "nobodys"}, "app_unknown", "#/app"),
        ({"to": "0123456789"}, "number_national", "#/to"),
        ({"to": waiting(), "text": "x"}, "unknown_member", "#/text"),
        ({"to": waiting(), "reference": "\0"}, "invalid_request", "#/reference"),
    ],
)
async def test_a_wrong_request_is_refused_by_name(server: Server, body: Any, code: str, pointer: str) -> None:
    client = await v1_client(server)
    document = problem(await client.post("/v1/verifications", body), 422, code)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert (await server.holdings(client.account))[0] == 0


@pytest.mark.parametrize("code", ["", "\0", "x" * 65, 123456, None, "\N{FULLWIDTH DIGIT ONE}23456"])
async def test_whatever_is_entered_has_an_answer(server: Server, code: Any) -> None:
    client = await v1_client(server)
    made = await started(client)
    reply = await client.post(f"/v1/verifications/{made['id']}/check", {"code": code})
    if isinstance(code, str) and len(code) <= 64:
        assert (reply.status, reply.json["status"], reply.json["attempts_left"]) == (200, "pending", 4)
    else:
        problem(reply, 422, "invalid_request")


async def test_a_tester_gets_no_message_and_the_code_is_always_the_same(server: Server) -> None:
    client = await v1_client(server)
    async with server.database.transaction() as transaction:
        await code_settings.set_test_number(transaction, client.account.account_id, TESTER, "123456")
    await server.settled()
    replies = await asyncio.gather(*(client.post("/v1/verifications", {"to": TESTER}, key="k") for _ in range(20)))
    assert {(reply.status, reply.body) for reply in replies} == {(201, replies[0].body)}
    made = replies[0].json
    assert made["price"]["amount"] == "0"
    assert (await server.holdings(client.account))[0] == 0
    assert (await client.post(f"/v1/verifications/{made['id']}/resend")).status == 200
    checked = await client.post(f"/v1/verifications/{made['id']}/check", {"code": "123456"})
    assert checked.json["status"] == "verified"


async def test_a_code_that_was_verified_leaves_the_message_when_it_is_delivered(server: Server) -> None:
    client = await v1_client(server)
    made = await started(client, to="8613800130001")

    async def is_delivered() -> bool:
        shown = (await client.get(f"/v1/verifications/{made['id']}")).json
        return bool(shown["messages"][0]["status"] == "delivered")

    await until(is_delivered)
    assert (await text_of(server, made["id"])).startswith("****** ")


async def test_an_account_without_an_app_is_told(server: Server) -> None:
    client = await v1_client(server)
    await server.query("DELETE FROM app WHERE account_id = $1", client.account.account_id)
    await server.settled()
    token = await new_token(server, client.account)
    reply = await V1Client(server, client.account, token).post("/v1/verifications", {"to": waiting()})
    problem(reply, 422, "app_unknown")
