"""Vendors over HTTP as carriers, end to end: our server sends by another Homing, which pushes its receipts back."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from homing.admin import carriers, routes
from homing.model import Outcome
from homing.routing.rules import RouteScope
from homing.states import MessageState
from tests.support import server as serving
from tests.support.hostile import Vendor, answer, close, silence
from tests.support.server import Account, Server
from tests.support.sink import Sink
from tests.support.waiting import until

TOKEN = "token-of-the-push-door"
END_S = 30.0
POLL_S = 0.05
TEXT = "Ihr Code: 1+1=2 & 你好"
ENDS = {
    "0001": MessageState.DELIVERED,
    "0002": MessageState.UNDELIVERABLE,
    "0003": MessageState.REJECTED,
    "0004": MessageState.EXPIRED,
}

Upstream = tuple[Server, Account]


@pytest.fixture(scope="module")
async def vendor(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    """Another Homing, which our server takes for a vendor."""
    data = room / f"{worker}-vendor"
    data.mkdir()
    dsn = await serving.migrated_database(postgres, f"vendor_{worker}")
    async with serving.running(dsn, data) as running:
        yield running


class Ways:
    """Makes carriers, each with a prefix of its own and an account that sends there."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._count = itertools.count(1)

    def name(self) -> str:
        return f"up-{next(self._count)}"

    async def add(self, name: str, kind: str, settings: dict[str, Any]) -> str:
        """A carrier; gives the prefix whose numbers go by it."""
        prefix = f"7{name.removeprefix('up-'):0>3}"
        async with self.server.database.transaction() as transaction:
            carrier_id = await carriers.add_carrier(transaction, name, kind, json.dumps(settings), self.server.vault)
            await routes.set_route(transaction, RouteScope(prefix=prefix), carrier_id=carrier_id)
        await self.server.settled()
        return prefix

    def push_url(self, name: str, what: str = "report") -> str:
        return f"{self.server.url}/carriers/{name}/{TOKEN}/{what}"

    async def send(self, account: Account, numbers: list[str], text: str = TEXT, **more: object) -> list[int]:
        parameters = {"sms_type": "T", "sender_id": account.sender, "textmessage": text, **more}
        reply = await self.server.client.lia(account, "SendSMSMulti", phonenumber=",".join(numbers), **parameters)
        ids = [one["message_id"] for one in reply.json]
        assert all(ids), reply.text
        return ids

    async def states(self, ids: list[int]) -> list[MessageState]:
        rows = await self.server.query("SELECT message_id, state FROM message WHERE message_id = ANY($1)", ids)
        known = {row["message_id"]: MessageState(row["state"]) for row in rows}
        return [known[message_id] for message_id in ids]

    async def ended(
        self, ids: list[int], *, enough: Callable[[MessageState], bool] = lambda state: state >= 3
    ) -> list[MessageState]:
        return await until(lambda: self.states(ids), lambda states: all(map(enough, states)))

    async def attempts(self, message_id: int) -> list[Any]:
        return await self.server.query("SELECT * FROM attempt WHERE message_id = $1 ORDER BY attempt", message_id)


@pytest.fixture
async def ways(server: Server) -> Ways:
    ways = server.__dict__.setdefault("ways", Ways(server))
    assert isinstance(ways, Ways)
    return ways


async def registered(vendor: Server, ways: Ways, name: str) -> Account:
    """Our account at the vendor, whose pushes come to our carrier of this name."""
    account = await vendor.account(
        balance="100", report_url=ways.push_url(name), inbound_url=ways.push_url(name, "inbound")
    )
    return account


LIA_GET: dict[str, Any] = {
    "method": "GET",
    "query": {
        "api_id": "{secret.id}",
        "api_password": "{secret.password}",
        "sms_type": "{traffic}",
        "encoding": "{encoding}",
        "sender_id": "{sender}",
        "phonenumber": "{number}",
        "textmessage": "{text}",
        "uid": "{reference}",
        "callback_url": "{secret.callback}",
    },
    "words": {"encoding": {"GSM7": "T", "UCS2": "U"}, "traffic": {"TRANSACTIONAL": "T", "PROMOTIONAL": "P"}},
    "reply": {
        "rules": [
            {"outcome": "accepted", "at": "status", "values": ["S"]},
            {"outcome": "deferred", "at": "remarks", "values": ["Insufficient balance", "Account locked"]},
            {"outcome": "refused", "at": "status", "values": ["F"]},
        ],
        "ref": {"at": "message_id"},
        "error_text": {"at": "remarks"},
    },
    "receipt": {
        "ref": {"at": "message_id"},
        "state": {"at": "DLRStatus"},
        "states": {
            "Acknowledged": "sent",
            "Delivered": "delivered",
            "Undeliverable": "undeliverable",
            "Expired": "expired",
            "Rejected": "rejected",
        },
        "error_code": {"at": "ErrorCode"},
        "number": {"at": "PhoneNumber"},
    },
}
"""The lia dialect's GET form, told as any other vendor's would be."""


def settings_of(kind: str, url: str, account: Account, ways: Ways, name: str, **more: object) -> dict[str, Any]:
    """A carrier's settings for the vendor. It is not asked about messages unless a test says so: pushes must do."""
    if kind == "laaffic":
        return {
            "key": account.key,
            "secret": account.secret,
            "app_id": account.app,
            "base_url": f"{url}/v3",
            "push_token": TOKEN,
            "ask_after_s": 0,
            **more,
        }
    if kind == "lia":
        return {
            "api_id": account.api_id,
            "api_password": account.api_password,
            "base_url": f"{url}/api",
            "callback_url": ways.push_url(name),
            "push_token": TOKEN,
            "ask_after_s": 0,
            **more,
        }
    secrets = {"id": account.api_id, "password": account.api_password, "callback": ways.push_url(name)}
    return {**LIA_GET, "url": f"{url}/api/SendSMS", "secrets": secrets, "push_token": TOKEN, **more}


@pytest.mark.parametrize("kind", ["laaffic", "lia", "http"])
async def test_messages_go_out_by_a_vendor_and_their_receipts_come_home(
    kind: str, server: Server, vendor: Server, ways: Ways
) -> None:
    name = ways.name()
    upstream = await registered(vendor, ways, name)
    prefix = await ways.add(name, kind, settings_of(kind, vendor.url, upstream, ways, name))
    account = await server.account(balance="100")
    numbers = [f"{prefix}555{end}" for end in ENDS]
    ids = await ways.send(account, numbers, uid="mine")
    assert await ways.ended(ids) == list(ENDS.values())
    sent = await vendor.query("SELECT number, text, sender FROM message WHERE account_id = $1", upstream.account_id)
    assert {(row["number"], row["text"], row["sender"]) for row in sent} == {(n, TEXT, "HOMING") for n in numbers}
    for message_id in ids:
        (attempt,) = await ways.attempts(message_id)
        assert attempt["outcome"] == Outcome.ACCEPTED
        assert attempt["carrier_ref"].isdigit()
    receipts = await server.query("SELECT * FROM receipt WHERE message_id = ANY($1)", ids)
    assert {row["message_id"] for row in receipts if row["applied"]} == set(ids)


@pytest.mark.parametrize("kind", ["laaffic", "lia"])
async def test_a_text_goes_to_many_numbers_in_one_call(kind: str, server: Server, vendor: Server, ways: Ways) -> None:
    name = ways.name()
    upstream = await registered(vendor, ways, name)
    prefix = await ways.add(name, kind, settings_of(kind, vendor.url, upstream, ways, name))
    account = await server.account(balance="100")
    ids = await ways.send(account, [f"{prefix}{n:05}0001" for n in range(150)], "one text")
    assert set(await ways.ended(ids)) == {MessageState.DELIVERED}
    calls = await vendor.query_row(
        "SELECT count(DISTINCT request_id) AS made FROM message WHERE account_id = $1", upstream.account_id
    )
    assert calls["made"] <= 10
    refs = {(await ways.attempts(message_id))[0]["carrier_ref"] for message_id in ids}
    assert len(refs) == len(ids)


@pytest.mark.parametrize("kind", ["laaffic", "lia"])
async def test_a_vendor_that_does_not_push_is_asked(kind: str, server: Server, vendor: Server, ways: Ways) -> None:
    name = ways.name()
    upstream = await vendor.account(balance="100")
    quick = {"ask_after_s": 0.3, "asks_per_s": 20, "push_token": ""}
    if kind == "lia":
        quick["callback_url"] = ""
    prefix = await ways.add(name, kind, settings_of(kind, vendor.url, upstream, ways, name, **quick))
    account = await server.account(balance="100")
    ids = await ways.send(account, [f"{prefix}555{end}" for end in ("0001", "0002")])
    assert await ways.ended(ids) == [MessageState.DELIVERED, MessageState.UNDELIVERABLE]
    receipts = await server.query("SELECT raw FROM receipt WHERE message_id = ANY($1)", ids)
    assert all(row["raw"].startswith(("getReport", "GetDeliveryStatus")) for row in receipts)


async def test_what_people_reply_comes_through_both(server: Server, vendor: Server, ways: Ways, sink: Sink) -> None:
    name, replied = ways.name(), sink.box()
    upstream = await registered(vendor, ways, name)
    answering = await vendor.query_row("SELECT carrier_id FROM carrier WHERE name = 'answering'")
    prefix = await ways.add(name, "laaffic", settings_of("laaffic", vendor.url, upstream, ways, name))
    match = RouteScope(prefix=prefix, account_id=upstream.account_id)
    async with vendor.database.transaction() as transaction:
        await routes.set_route(transaction, match, carrier_id=answering["carrier_id"])
    await vendor.settled()
    account = await server.account(balance="100", inbound_url=replied.url)
    await ways.send(account, [f"{prefix}25550022"])
    (push,) = await replied.first()
    assert push.json["content"] == "OK"
    assert push.json["mobile"] == f"{prefix}25550022"


@pytest.mark.parametrize("kind", ["laaffic", "lia", "http"])
async def test_a_vendor_account_without_money_puts_messages_off(
    kind: str, server: Server, vendor: Server, ways: Ways
) -> None:
    name = ways.name()
    upstream = await vendor.account(balance="0")
    prefix = await ways.add(name, kind, settings_of(kind, vendor.url, upstream, ways, name))
    account = await server.account(balance="100")
    (message_id,) = await ways.send(account, [f"{prefix}5550001"])
    attempts = await until(lambda: ways.attempts(message_id))
    assert attempts[0]["outcome"] == Outcome.DEFERRED
    assert await ways.states([message_id]) == [MessageState.QUEUED]


@pytest.mark.parametrize("kind", ["laaffic", "lia", "http"])
async def test_a_refusal_is_the_messages_end_and_its_money_comes_back(
    kind: str, server: Server, vendor: Server, ways: Ways
) -> None:
    name = ways.name()
    upstream = await vendor.account(balance="100", words=["forbidden"])
    prefix = await ways.add(name, kind, settings_of(kind, vendor.url, upstream, ways, name))
    account = await server.account(balance="1")
    ids = await ways.send(account, [f"{prefix}5550001", f"{prefix}5550002"], "a forbidden word")
    assert set(await ways.ended(ids)) == {MessageState.REJECTED}
    assert (await server.holdings(account))[2] == 1_000_000
    (attempt,) = await ways.attempts(ids[0])
    assert attempt["error_text"]


HOSTILE: dict[str, tuple[Any, Outcome, MessageState]] = {
    "closes": (close, Outcome.UNKNOWN, MessageState.UNKNOWN),
    "502": (answer("", 502), Outcome.UNKNOWN, MessageState.UNKNOWN),
    "web_page": (answer("<html>", content_type="text/html"), Outcome.UNKNOWN, MessageState.UNKNOWN),
    "silence": (silence, Outcome.UNKNOWN, MessageState.UNKNOWN),
    "too_many": (answer("", 429, retry_after="3600"), Outcome.DEFERRED, MessageState.QUEUED),
    "unauthorised": (answer("", 401), Outcome.DEFERRED, MessageState.QUEUED),
    "elsewhere": (answer("", 308, location="http://127.0.0.1:1/"), Outcome.DEFERRED, MessageState.QUEUED),
    "bad_request": (answer("", 400), Outcome.REFUSED, MessageState.REJECTED),
}


@pytest.mark.parametrize("deed", HOSTILE)
@pytest.mark.parametrize("kind", ["laaffic", "lia", "http"])
async def test_a_hostile_vendor_gets_a_campaigns_message_once(kind: str, deed: str, server: Server, ways: Ways) -> None:
    do, outcome, state = HOSTILE[deed]
    account = await server.account(balance="1")
    async with Vendor(do) as hostile:
        name = ways.name()
        prefix = await ways.add(name, kind, settings_of(kind, hostile.url, account, ways, name, timeout_s=1))
        (message_id,) = await ways.send(account, [f"{prefix}5550001"], sms_type="P")
        attempts = await until(lambda: ways.attempts(message_id))
        assert attempts[0]["outcome"] == outcome
        assert await ways.states([message_id]) == [state]
        assert len(hostile.asked) == 1
        await server.query("UPDATE carrier SET enabled = false WHERE name = $1", name)


@pytest.mark.parametrize("kind", ["laaffic", "lia", "http"])
async def test_a_vendor_that_is_away_gets_its_messages_when_it_is_back(
    kind: str, server: Server, vendor: Server, ways: Ways
) -> None:
    port = serving.free_port()
    account = await server.account(balance="1")
    gone = Vendor(answer(""), port=port)
    name = ways.name()
    prefix = await ways.add(name, kind, settings_of(kind, gone.url, account, ways, name))
    (message_id,) = await ways.send(account, [f"{prefix}5550001"])
    attempts = await until(lambda: ways.attempts(message_id))
    assert attempts[0]["outcome"] == Outcome.DEFERRED
    said = {
        "laaffic": f'{{"status":"0","array":[{{"msgId":"5","number":"{prefix}5550001","orderId":null}}]}}',
        "lia": '{"message_id":5,"status":"S"}',
        "http": '{"message_id":5,"status":"S"}',
    }
    async with Vendor(answer(said[kind]), port=port) as back:
        assert await ways.ended([message_id], enough=lambda state: state is MessageState.SENT) == [MessageState.SENT]
        assert len(back.asked) == 1
    await server.query("UPDATE carrier SET enabled = false WHERE name = $1", name)


# ---- The door


Push = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
async def pushed(server: Server) -> Push:
    """Calls the push door of a laaffic carrier."""
    settings = {"key": "k", "secret": "s", "app_id": "a", "base_url": "http://127.0.0.1:1", "push_token": TOKEN}
    async with server.database.transaction() as transaction:
        await carriers.add_carrier(
            transaction, "pushing", "laaffic", json.dumps({**settings, "ask_after_s": 0}), server.vault
        )
        await carriers.add_carrier(transaction, "silent", "simulator", "{}")
        await carriers.add_carrier(transaction, "tokenless", "lia", '{"api_id":"a","api_password":"b"}', server.vault)
    await server.settled()

    async def call(path: str, body: bytes = b'{"msgid":"1","status":0,"mobile":"86"}') -> Any:
        return await server.client.call("POST", path, headers={"Content-Type": "application/json"}, body=body)

    return call


@pytest.mark.parametrize(
    "path",
    [
        "/carriers",
        "/carriers/",
        "/carriers/pushing",
        "/carriers/pushing/",
        f"/carriers/nobody/{TOKEN}/report",
        f"/carriers/pushing/{TOKEN}x/report",
        f"/carriers/pushing/{TOKEN[:-1]}/report",
        "/carriers/pushing//report",
        f"/carriers/silent/{TOKEN}/report",
        "/carriers/tokenless//report",
        "/carriers/tokenless/0000000000000000/report",
        "/carriers/nobody/0000000000000000/report",
    ],
)
async def test_whoever_has_no_token_learns_nothing(pushed: Push, path: str) -> None:
    reply = await pushed(path)
    assert (reply.status, reply.body) == (404, b"not found\n")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("report", b""),
        ("report", b"{"),
        ("report", b"[]"),
        ("report", b'{"status":0}'),
        ("inbound", b"{}"),
        ("", b"{}"),
    ],
)
async def test_what_cannot_be_read_is_refused_and_not_acknowledged(pushed: Push, path: str, body: bytes) -> None:
    reply = await pushed(f"/carriers/pushing/{TOKEN}/{path}", body)
    assert reply.status == 400


async def test_a_receipt_that_matches_nothing_is_kept_and_acknowledged(server: Server, pushed: Push) -> None:
    body = b'{"msgid":"777000777","status":1,"mobile":"8613800130001","reason":"\\u0000 within"}'
    reply = await pushed(f"/carriers/pushing/{TOKEN}/report", body)
    assert (reply.status, reply.body) == (200, b"OK")
    row = await server.query_row("SELECT * FROM parked_receipt WHERE carrier_ref = '777000777'")
    assert (row["state"], row["number"]) == (MessageState.UNDELIVERABLE, "8613800130001")


@pytest.mark.parametrize(
    "changes",
    [{"mobile": "49\0"}, {"sendid": "S\0"}, {"mobile": "4" * 65}, {"sendid": "S" * 65}, {"content": "x" * 10_001}],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_inbound_message_that_cannot_be_stored_is_refused(pushed: Push, changes: dict[str, str]) -> None:
    body = {"mobile": "4915112345678", "sendid": "NOBODY", "content": "OK", **changes}
    reply = await pushed(f"/carriers/pushing/{TOKEN}/inbound", json.dumps(body).encode())
    assert reply.status == 400


async def test_an_inbound_message_for_nobody_is_acknowledged_and_kept(server: Server, pushed: Push) -> None:
    body = {"mobile": "4915112345678", "sendid": "NOBODY", "content": "OK\0 😀"}
    reply = await pushed(f"/carriers/pushing/{TOKEN}/inbound", json.dumps(body).encode())
    assert reply.status == 200
    row = await server.query_row("SELECT * FROM unmatched_inbound WHERE recipient = 'NOBODY'")
    assert (row["number"], row["content"]) == ("4915112345678", "OK 😀")


async def test_a_reply_that_is_pushed_twice_is_heard_once_and_a_second_reply_is_another(
    server: Server, pushed: Push, ways: Ways, sink: Sink
) -> None:
    box = sink.box()
    account = await server.account(balance="100", inbound_url=box.url)
    number = "79990000001"
    await ways.send(account, [number])
    reply = {"msgid": "twin-1", "mobile": number, "sendid": account.sender, "content": "yes"}
    others = [{**reply, "msgid": "twin-2"}, {**reply, "content": "no"}, {**reply, "msgid": ""}, {**reply, "msgid": ""}]
    bodies = [json.dumps(one).encode() for one in (*[reply] * 8, *others)]
    answers = await asyncio.gather(*(pushed(f"/carriers/pushing/{TOKEN}/inbound", body) for body in bodies))
    assert [one.status for one in answers] == [200] * len(bodies)
    stored = await server.query("SELECT content FROM inbound WHERE number = $1", number)
    assert sorted(row["content"] for row in stored) == ["no", "yes", "yes", "yes", "yes"]
    assert len(await box.first(5)) == 5


async def test_a_new_token_holds_at_once(server: Server, pushed: Push) -> None:
    settings = {"api_id": "a", "api_password": "b", "push_token": "first-token-of-all"}
    async with server.database.transaction() as transaction:
        await carriers.add_carrier(transaction, "turning", "lia", json.dumps(settings), server.vault)
    await server.settled()
    body = b'{"message_id":5,"DLRStatus":"Delivered"}'
    assert (await pushed("/carriers/turning/first-token-of-all/report", body)).status == 200
    async with server.database.transaction() as transaction:
        row = await carriers.find_carrier(transaction, "turning")
        await carriers.change_carrier(transaction, row, {"push_token": "second-token-of-all"}, server.vault)
    await server.settled()
    assert (await pushed("/carriers/turning/first-token-of-all/report", body)).status == 404
    assert (await pushed("/carriers/turning/second-token-of-all/report", body)).status == 200


async def test_tokens_and_secrets_are_not_logged(server: Server, pushed: Push) -> None:
    await pushed(f"/carriers/pushing/{TOKEN}/report", b"{")
    assert TOKEN not in server.logs
