"""A message goes out and comes home: sent, delivered, told, converted, and right in every query and every book."""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from homing.delivery.safe_http import SafeHttpClient
from homing.dialects.registry import DIALECTS
from homing.ledger.proof import prove
from homing.messages.outbox import LEASE
from homing.model import CarrierReceipt
from homing.observe.work import WorkMetrics
from homing.receipts.inbox import IncomingReceipt, ReceiptInbox
from homing.states import MessageState
from homing.store.database import Database
from homing.store.statements.pushes import ClaimedPush
from tests.support.proofs import all_adds_up
from tests.support.server import QUEUED, REPLYING, Account, Server
from tests.support.sink import Box, Push, Sink
from tests.support.waiting import in_time, until

LIA_PUSH = {
    "message_id": int,
    "uid": str,
    "PhoneNumber": str,
    "DLRStatus": str,
    "SMSID": str,
    "ClientCost": (int, float),
    "ErrorCode": str,
    "ErrorDescription": str,
    "Remarks": str,
}
LAAFFIC_PUSH = {
    "appId": str,
    "orderId": str,
    "msgid": str,
    "mobile": str,
    "status": int,
    "reason": str,
    "timestamp": int,
    "mcc": str,
    "mnc": str,
    "pricedetail": dict,
}
INBOUND_PUSH = {
    "msgid": str,
    "mobile": str,
    "reply_time": str,
    "content": str,
    "sendid": str,
    "mcc": int,
    "mnc": int,
    "operator": str,
    "pricedetail": dict,
}
PRICE_DETAIL = {"pay": str, "chargeCnt": int, "currency": str, "price": str}


# --- calls -------------------------------------------------------------------------------------------------


async def lia_send(server: Server, account: Account, number: str, **more: object) -> int:
    reply = await server.client.lia(
        account,
        "SendSMS",
        **{
            "sms_type": "T",
            "encoding": "T",
            "sender_id": account.sender,
            "phonenumber": number,
            "textmessage": "Your code is 1234",
            **more,
        },
    )
    assert reply.json["status"] == "S", reply
    message_id: int = reply.json["message_id"]
    return message_id


async def laaffic_send(server: Server, account: Account, number: str, **more: object) -> int:
    body = {"appId": account.app, "numbers": number, "content": "Your code is 1234", **more}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    assert reply.json["status"] == "0", reply
    return int(reply.json["array"][0]["msgId"])


async def lia_status(server: Server, account: Account, message_id: int) -> dict[str, Any]:
    status: dict[str, Any] = (await server.client.lia(account, "GetDeliveryStatus", message_id=message_id)).json
    return status


async def becomes(server: Server, account: Account, message_id: int, word: str) -> dict[str, Any]:
    """The message's status, once it is `word`."""
    return await until(lambda: lia_status(server, account, message_id), lambda status: status["DLRStatus"] == word)


async def balance(server: Server, account: Account) -> tuple[str, str]:
    reply = (await server.client.laaffic(account, "GET", "/v3/getBalance")).json
    return reply["balance"], reply["gift"]


async def books_are_right(server: Server, account: Account) -> None:
    proof = await prove(server.database, account.account_id)
    assert proof.holds, proof.differences


def has_shape(push: Push, shape: dict[str, Any]) -> dict[str, Any]:
    """A push's body, when it has exactly the contract's members in their types."""
    assert push.method == "POST"
    assert push.headers["Content-Type"].startswith("application/json")
    body = push.json
    assert set(body) == set(shape)
    for name, kind in shape.items():
        assert isinstance(body[name], kind), (name, body)
        assert not isinstance(body[name], bool), (name, body)
    if "pricedetail" in shape:
        assert {name: type(value) for name, value in body["pricedetail"].items()} == PRICE_DETAIL
    return body


# --- the whole way -----------------------------------------------------------------------------------------


async def test_a_lia_message_comes_home(server: Server, sink: Sink) -> None:
    account, box = await server.account(balance="1"), sink.box(204)
    message_id = await lia_send(server, account, "+8613800000001", uid="order-7", callback_url=box.url)
    status = await becomes(server, account, message_id, "Delivered")
    assert status["message_id"] == message_id
    assert status["PhoneNumber"] == "8613800000001"
    assert status["ClientCost"] == 0.031
    assert abs(datetime.fromisoformat(status["SentDateUTC"] + "+00:00") - datetime.now(UTC)) < timedelta(minutes=1)

    pushes = await box.until(lambda came: bool(came) and came[-1].json["DLRStatus"] == "Delivered")
    reports = [has_shape(push, LIA_PUSH) for push in pushes]
    assert [report["DLRStatus"] for report in reports if report["DLRStatus"] != "Accepted"] == [
        "Acknowledged",
        "Delivered",
    ]
    for report in reports:
        assert (report["message_id"], report["uid"]) == (message_id, "order-7")
        assert report["PhoneNumber"] == "8613800000001"
        assert report["ClientCost"] == 0.031
    assert reports[-1]["SMSID"] == status["SMSID"] != ""
    assert reports[-1]["ErrorCode"].isdigit()

    tracked = await server.client.lia(account, "CTrack", message_id=message_id, status="true")
    assert tracked.json == {"ErrorCode": 1000, "ErrorDescription": "OK"}
    by_uid = await server.client.lia(account, "GetDeliveryStatus", uid="order-7")
    by_carrier = await server.client.lia(account, "GetDeliveryStatus", SMSID=status["SMSID"])
    assert by_uid.json == by_carrier.json == await lia_status(server, account, message_id)
    assert (await server.client.lia(account, "CheckBalance")).json == {
        "BalanceAmount": 0.969,
        "CurrenceCode": "USD",
        "Message": "OK",
    }
    await books_are_right(server, account)


async def test_a_laaffic_message_comes_home(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(balance="0.1", gifted="0.05", report_url=box.url)
    sent_ms = time.time() * 1000
    message_id = await laaffic_send(server, account, "+8613800000001,8613800000002", orderId="a,b", content="x" * 161)
    pushes = await box.first(2)
    reports = sorted((has_shape(push, LAAFFIC_PUSH) for push in pushes), key=lambda report: report["orderId"])
    assert reports[0]["msgid"] == str(message_id)
    for report, number, failed in zip(reports, ("8613800000001", "8613800000002"), (False, True), strict=True):
        assert report["appId"] == account.app
        assert report["mobile"].removeprefix("+") == number
        assert (report["status"] != 0) is failed
        assert (report["reason"] != "0") is failed
        assert report["mcc"] == "460"
        assert sent_ms - 1000 <= report["timestamp"] <= time.time() * 1000 + 1000
        assert (report["pricedetail"]["chargeCnt"], report["pricedetail"]["price"]) == (2, "0.031")
        assert report["pricedetail"]["currency"] == "USD"

    query = {"appId": account.app, "msgIds": ",".join(report["msgid"] for report in reports)}
    found = (await server.client.laaffic(account, "GET", "/v3/getReport", query)).json
    assert (found["success"], found["fail"], found["sending"], found["nofound"]) == ("1", "1", "0", "0")
    assert [row["status"] for row in found["array"]] == ["0", "1"]
    span = {"appId": account.app, "startTime": iso(-1), "endTime": iso(1)}
    finished = (await server.client.laaffic(account, "GET", "/v3/getSentRcd", span)).json["array"]
    assert [(row["msgId"], row["status"]) for row in finished] == [
        (reports[0]["msgid"], "0"),
        (reports[1]["msgid"], "2"),
    ]

    used = {"appId": account.app, "msgid": str(message_id), "number": "8613800000001", "time": str(int(time.time()))}
    for _ in range(2):
        reply = await server.client.laaffic(account, "POST", "/v3/postback/backfill", body=used)
        assert reply.text == '{"status":"0","reason":"success"}'
    assert await balance(server, account) == ("0.026000", "0.00000")
    await books_are_right(server, account)


def iso(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("last", "word", "laaffic_status", "refunded"),
    [
        ("0001", "Delivered", "0", False),
        ("0002", "Undeliverable", "1", False),
        ("0003", "Rejected", "1", True),
        ("0004", "Expired", "1", True),
        ("0005", "Acknowledged", "-1", False),
        ("0006", "Delivered", "0", False),
    ],
)
async def test_a_magic_number_forces_its_fate(
    server: Server, sink: Sink, last: str, word: str, laaffic_status: str, refunded: bool
) -> None:
    lia_box, laaffic_box = sink.box(), sink.box()
    account = await server.account(balance="1", gifted="0.04", report_url=laaffic_box.url)
    number = f"861380000{last}"
    first = await lia_send(server, account, number, callback_url=lia_box.url)  # 0.031 of the gift
    second = await laaffic_send(server, account, number)  # 0.009 of the gift, 0.022 of the balance
    for message_id in (first, second):
        status = await becomes(server, account, message_id, word)
        assert (status["ErrorCode"] == 0) is (word in ("Delivered", "Acknowledged"))
    await lia_box.until(lambda came: bool(came) and came[-1].json["DLRStatus"] == word)
    query = {"appId": account.app, "msgIds": str(second)}
    found = (await server.client.laaffic(account, "GET", "/v3/getReport", query)).json
    assert found["array"][0]["status"] == laaffic_status
    if laaffic_status == "-1":
        assert laaffic_box.pushes == []
    else:
        (push,) = await laaffic_box.first()
        report = has_shape(push, LAAFFIC_PUSH)
        assert (report["status"] == 0) is (laaffic_status == "0")
        assert (report["reason"] == "0") is (laaffic_status == "0")
    expected = ("1.000000", "0.04000") if refunded else ("0.978000", "0.00000")
    assert await balance(server, account) == expected
    await books_are_right(server, account)


async def test_an_account_whose_policy_says_so_gets_its_money_back_for_undeliverable_messages(server: Server) -> None:
    account = await server.account(balance="1", gifted="0.02", refund_undeliverable=True)
    message_id = await lia_send(server, account, "8613800000002")
    assert await balance(server, account) in (("0.989000", "0.00000"), ("1.000000", "0.02000"))
    await becomes(server, account, message_id, "Undeliverable")
    assert await balance(server, account) == ("1.000000", "0.02000")
    await books_are_right(server, account)


async def test_both_dialects_report_into_one_conversion_record(server: Server) -> None:
    account = await server.account()
    ids = [await lia_send(server, account, "8613800000005"), await laaffic_send(server, account, "8613800000005")]

    async def backfill(message_id: int) -> str:
        used = {"appId": account.app, "msgid": str(message_id), "number": "8613800000005", "time": "1630468800000"}
        status: str = (await server.client.laaffic(account, "POST", "/v3/postback/backfill", body=used)).json["status"]
        return status

    async def track(message_id: int) -> int:
        code: int = (await server.client.lia(account, "CTrack", message_id=message_id, status=True)).json["ErrorCode"]
        return code

    assert [await track(ids[0]), await backfill(ids[0]), await track(ids[0])] == [1000, "0", 1009]
    assert [await backfill(ids[1]), await track(ids[1]), await backfill(ids[1])] == ["0", 1009, "0"]
    rows = await server.query(
        "SELECT message_id, reported_at FROM conversion WHERE account_id = $1 AND recorded_at IS NOT NULL"
        " ORDER BY message_id",
        account.account_id,
    )
    assert [row["message_id"] for row in rows] == ids
    assert rows[1]["reported_at"] == datetime(2021, 9, 1, 4, tzinfo=UTC)


async def test_a_conversion_by_number_is_the_latest_messages_in_the_app(server: Server) -> None:
    account = await server.account()
    ids = [await laaffic_send(server, account, "8613800000005") for _ in range(3)]
    used = {"appId": account.app, "number": "+86 138 0000 0005", "time": "1630468800"}
    assert (await server.client.laaffic(account, "POST", "/v3/postback/backfill", body=used)).json["status"] == "0"
    rows = await server.query(
        "SELECT message_id FROM conversion WHERE account_id = $1 AND recorded_at IS NOT NULL", account.account_id
    )
    assert [row["message_id"] for row in rows] == [ids[-1]]


async def test_what_a_person_answers_is_pushed_and_listed(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(inbound_url=box.url)
    number = f"{REPLYING}25550000"
    await laaffic_send(server, account, number)
    (push,) = await box.first()
    inbound = has_shape(push, INBOUND_PUSH)
    assert "appId" not in inbound
    assert (inbound["mobile"], inbound["sendid"]) == (number, account.sender)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", inbound["reply_time"])
    page = {"appId": account.app, "current": 1, "size": 10, "params": {"strTime": iso(-1), "endTime": iso(1)}}
    data = (await server.client.laaffic(account, "POST", "/v3/recordMo", body=page)).json["data"]
    assert (data["total"], data["pages"]) == (1, 1)
    (record,) = data["records"]
    assert set(record) == {"number", "sendId", "receiveTime", "content", "mcc", "mnc", "operator", "pricedetail"}
    assert (record["number"], record["sendId"], record["content"]) == (number, account.sender, inbound["content"])
    assert (record["mcc"], record["mnc"], record["operator"]) == (inbound["mcc"], inbound["mnc"], inbound["operator"])


async def test_many_messages_all_come_home_and_the_books_are_right(server: Server, sink: Sink) -> None:
    """A thousand with every fate, from several callers at once, more than the account can pay for."""
    box = sink.box()
    account = await server.account(balance="10", gifted="1", credit="0.5", report_url=box.url)
    lasts = ("0001", "0002", "0003", "0004", "0006")
    calls = [",".join(f"8613{call:04d}{n:01d}{lasts[n % 5]}" for n in range(5)) for call in range(80)]
    bodies = [{"appId": account.app, "numbers": numbers, "content": "hi"} for numbers in calls]
    replies = await asyncio.gather(
        *(server.client.laaffic(account, "POST", "/v3/sendSms", body=body) for body in bodies)
    )
    accepted = [row for reply in replies if reply.json["status"] == "0" for row in reply.json["array"]]
    assert {reply.json["status"] for reply in replies} <= {"0", "-10"}
    assert len(accepted) >= 5 * (11_500_000 // (5 * 31_000)), "the account could have paid for more"
    pushes = await box.until(lambda came: len({push.json["msgid"] for push in came}) == len(accepted))
    assert {push.json["msgid"] for push in pushes} == {row["msgId"] for row in accepted}
    charged = sum(31_000 for row in accepted if row["number"][-4:] in ("0001", "0002", "0006"))
    _count, gift_micro, balance_micro = await server.holdings(account)
    assert gift_micro + balance_micro == 11_000_000 - charged
    await all_adds_up(server.database, account.account_id)


# --- pushes ------------------------------------------------------------------------------------------------


async def attempts(server: Server, account: Account, message_id: int, count: int) -> Sequence[Any]:
    """The rows of a message's push attempts, once there are so many."""
    tries = (
        "SELECT p.push_id, p.body, p.due_at, p.due_at - a.at AS wait, a.attempt, a.status, a.answer"
        " FROM push AS p JOIN push_attempt AS a USING (account_id, push_id)"
        " WHERE account_id = $1 AND p.message_id = $2 ORDER BY p.push_id, a.attempt"
    )
    return await until(lambda: server.query(tries, account.account_id, message_id), lambda rows: len(rows) >= count)


async def time_passes(server: Server, account: Account) -> None:
    """The account's waiting pushes are due now."""
    await server.query(
        "UPDATE push SET due_at = now() WHERE account_id = $1 AND due_at IS NOT NULL", account.account_id
    )


async def test_a_push_that_fails_is_tried_again_and_every_attempt_is_written_down(server: Server, sink: Sink) -> None:
    box = sink.box(500, 503, 200)
    account = await server.account(report_url=box.url)
    message_id = await laaffic_send(server, account, "8613800000001")
    waits = []
    for count in (1, 2):
        rows = await attempts(server, account, message_id, count)
        waits.append(rows[-1]["wait"])
        await time_passes(server, account)
    assert timedelta(0) < waits[0] < waits[1], "the waits do not grow"
    rows = await attempts(server, account, message_id, 3)
    assert [(row["attempt"], row["status"]) for row in rows] == [(1, 500), (2, 503), (3, 200)]
    assert rows[0]["answer"] == "the sink has it"
    assert len({row["push_id"] for row in rows}) == 1
    assert rows[-1]["due_at"] is None, "an acknowledged push is not due again"
    assert len({push.body for push in box.pushes}) == 1


async def test_any_2xx_acknowledges_in_lia_and_200_alone_in_laaffic(server: Server, sink: Sink) -> None:
    lia_box, laaffic_box = sink.box(202), sink.box(202)
    account = await server.account(report_url=laaffic_box.url)
    rejected = await lia_send(server, account, "8613800000003", callback_url=lia_box.url)
    rows = await attempts(server, account, rejected, 1)
    assert [(row["status"], row["due_at"]) for row in rows] == [(202, None)]
    delivered = await laaffic_send(server, account, "8613800000001")
    (row,) = await attempts(server, account, delivered, 1)
    assert row["status"] == 202
    assert row["due_at"] is not None, "a 202 does not acknowledge"


async def test_redirects_are_not_followed(server: Server, sink: Sink) -> None:
    target = sink.box()
    for status in (301, 302, 303, 307, 308):
        box = sink.box((status, {"Location": target.url}))
        account = await server.account()
        message_id = await lia_send(server, account, "8613800000003", callback_url=box.url)
        (row,) = await attempts(server, account, message_id, 1)
        assert row["status"] == status
        assert row["due_at"] is not None, "a redirect does not acknowledge"
    assert target.pushes == []


@pytest.fixture
async def sink6() -> AsyncIterator[Sink]:
    """A sink where pushes may not go: the test server allows 127.0.0.0/8 alone."""
    try:
        async with Sink("::1") as taking:
            yield taking
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


async def test_private_targets_are_refused_unless_the_operator_allows_them(
    server: Server, sink: Sink, sink6: Sink
) -> None:
    account, closed, opened = await server.account(), sink6.box(), sink.box()
    for url in (closed.url, "http://10.255.255.1:9/", "http://169.254.169.254/latest/meta-data/", "http://[fd00::1]/"):
        message_id = await lia_send(server, account, "8613800000003", callback_url=url)
        started_s = time.monotonic()
        (row,) = await attempts(server, account, message_id, 1)
        assert row["status"] is None, url
        assert row["answer"], "the attempt does not say why"
        assert time.monotonic() - started_s < 8, "it was tried, not refused"
    await lia_send(server, account, "8613800000003", callback_url=opened.url)
    await opened.first()
    assert closed.pushes == []


async def test_the_address_that_a_name_resolves_to_decides(sink: Sink, sink6: Sink) -> None:
    def urls(box: Box, host: str) -> str:
        return re.sub(r"//(\[[^]]*\]|[^:/]+)", f"//{host}", box.url)

    box, box6 = sink.box(), sink6.box()
    guarded, allowed = SafeHttpClient([]), SafeHttpClient([ip_network("127.0.0.0/8")])
    await asyncio.gather(guarded.open(), allowed.open())
    try:
        hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::ffff:127.0.0.1]"]
        targets = [*(urls(box, host) for host in hosts), box6.url, urls(box, "[::]"), urls(box6, "[::]")]
        elsewhere = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "[fe80::1]")
        targets += [f"http://{host}:9/" for host in (*elsewhere, "[fc00::1]", "[ff02::1]", "255.255.255.255")]
        async with in_time():
            posted = await asyncio.gather(*(guarded.post(url, "{}", {}) for url in targets))
        for url, one in zip(targets, posted, strict=True):
            assert one.status is None, url
        assert box.pushes == box6.pushes == []
        for host in ("127.0.0.1", "localhost"):
            assert (await allowed.post(urls(box, host), "{}", {})).status == 200
        assert (await allowed.post(box6.url, "{}", {})).status is None
        for url in ("http://", "ftp://127.0.0.1/", "http://[", "file:///etc/passwd", "http://127.0.0.1:99999/", "x"):
            assert (await allowed.post(url, "{}", {})).status is None, url
    finally:
        await asyncio.gather(guarded.close(), allowed.close())


# --- receipts ----------------------------------------------------------------------------------------------


@pytest.fixture
async def inbox(server: Server) -> AsyncIterator[ReceiptInbox]:
    """Where carriers' receipts arrive, over the server's database."""
    database = Database(dsn=server.dsn)
    await database.open()
    receiving = ReceiptInbox(
        database=database,
        clock=lambda: datetime.now(UTC),
        work_metrics=WorkMetrics(CollectorRegistry()),
        dialects=DIALECTS,
    )
    yield receiving
    await receiving.drained()
    await database.close()


async def reported(
    server: Server, inbox: ReceiptInbox, account: Account, message_id: int, *states: MessageState
) -> None:
    """The carrier of a message reports on it."""
    row = await server.query_row(
        "SELECT m.carrier_id, m.carrier_ref, c.name FROM message AS m JOIN carrier AS c USING (carrier_id)"
        " WHERE m.account_id = $1 AND m.message_id = $2",
        account.account_id,
        message_id,
    )
    receipts = [CarrierReceipt(row["carrier_ref"], int(state), datetime.now(UTC), None, state.name) for state in states]
    await inbox.store([IncomingReceipt(row["carrier_id"], row["name"], receipt) for receipt in receipts])


FINAL = (
    MessageState.DELIVERED,
    MessageState.UNDELIVERABLE,
    MessageState.EXPIRED,
    MessageState.REJECTED,
    MessageState.FAILED,
    MessageState.UNKNOWN,
    MessageState.SENT,
)


@pytest.mark.parametrize(
    ("last", "word"), [("0001", "Delivered"), ("0002", "Undeliverable"), ("0003", "Rejected"), ("0004", "Expired")]
)
async def test_late_and_repeated_receipts_change_nothing(
    server: Server, sink: Sink, inbox: ReceiptInbox, last: str, word: str
) -> None:
    box = sink.box()
    account = await server.account(balance="1", gifted="0.01", refund_undeliverable=True)
    message_id = await lia_send(server, account, f"861380000{last}", callback_url=box.url)
    before = await becomes(server, account, message_id, word)
    held = await balance(server, account)
    await box.until(lambda came: bool(came) and came[-1].json["DLRStatus"] == word)
    if word == "Rejected":  # refused at submit: the carrier has no id for it that a receipt could name
        assert before["SMSID"] == ""
        return
    for state in FINAL:
        await reported(server, inbox, account, message_id, state)
    await reported(server, inbox, account, message_id, *FINAL)
    assert await lia_status(server, account, message_id) == before
    assert await balance(server, account) == held
    await asyncio.sleep(0.3)
    assert [push.json["DLRStatus"] for push in box.pushes].count(word) == 1
    assert box.pushes[-1].json["DLRStatus"] == word
    rows = await server.query(
        "SELECT applied FROM receipt WHERE account_id = $1 AND message_id = $2", account.account_id, message_id
    )
    assert sorted(row["applied"] for row in rows) == [False] * (2 * len(FINAL)) + [True]
    await books_are_right(server, account)


async def test_a_receipt_that_comes_much_later_settles_the_message_once(
    server: Server, sink: Sink, inbox: ReceiptInbox
) -> None:
    box = sink.box()
    account = await server.account(balance="1")
    message_id = await lia_send(server, account, "8613800000005", callback_url=box.url)
    await becomes(server, account, message_id, "Acknowledged")
    await reported(server, inbox, account, message_id, MessageState.UNKNOWN)
    assert (await lia_status(server, account, message_id))["DLRStatus"] == "Unknown"
    await reported(server, inbox, account, message_id, MessageState.EXPIRED, MessageState.DELIVERED)
    assert (await lia_status(server, account, message_id))["DLRStatus"] == "Expired"
    await box.until(lambda came: bool(came) and came[-1].json["DLRStatus"] == "Expired")
    assert [p.json["DLRStatus"] for p in box.pushes][-3:] == ["Acknowledged", "Unknown", "Expired"]
    assert await balance(server, account) == ("1.000000", "0.00000")
    await books_are_right(server, account)


async def test_a_receipt_that_nobody_expects_is_kept_and_harms_nothing(server: Server, inbox: ReceiptInbox) -> None:
    carrier = await server.query_row("SELECT carrier_id, name FROM carrier WHERE name = 'simulator-a'")
    receipt = CarrierReceipt("nobody's-id", int(MessageState.DELIVERED), datetime.now(UTC), "000", "stat:DELIVRD")
    await inbox.store([IncomingReceipt(carrier["carrier_id"], carrier["name"], receipt)])
    rows = await server.query("SELECT raw FROM parked_receipt WHERE carrier_ref = 'nobody''s-id'")
    assert [row["raw"] for row in rows] == ["stat:DELIVRD"]


class Hands:
    """Somebody who posts pushes in this process, and keeps them for himself."""

    def __init__(self, room: int) -> None:
        self.left = room
        self.served: list[ClaimedPush] = []

    def has_room(self, account_id: int, taken: Counter[int]) -> bool:
        return taken.total() < self.left

    def leased_until(self) -> datetime:
        return datetime.now(UTC) + LEASE

    def serve(self, claimed: Sequence[ClaimedPush]) -> None:
        self.left -= len(claimed)
        self.served += claimed


async def test_a_fresh_push_is_handed_over_and_comes_back_when_its_lease_ends(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(report_url=box.url)
    ids = [await laaffic_send(server, account, f"86138{n}0000005") for n in range(3)]
    for message_id in ids:
        await becomes(server, account, message_id, "Acknowledged")
    database = Database(dsn=server.dsn)
    await database.open()
    hands = Hands(room=2)
    inbox = ReceiptInbox(
        database=database,
        clock=lambda: datetime.now(UTC),
        work_metrics=WorkMetrics(CollectorRegistry()),
        dialects=DIALECTS,
        local_delivery=hands,
    )
    rows = await server.query(
        "SELECT m.carrier_id, m.carrier_ref, c.name FROM message AS m JOIN carrier AS c USING (carrier_id)"
        " WHERE m.account_id = $1",
        account.account_id,
    )
    receipts = [
        IncomingReceipt(
            row["carrier_id"],
            row["name"],
            CarrierReceipt(row["carrier_ref"], int(MessageState.DELIVERED), datetime.now(UTC), None, "DELIVRD"),
        )
        for row in rows
    ]
    try:
        await asyncio.gather(*(inbox.store([receipt]) for receipt in receipts))
        await inbox.drained()
    finally:
        await database.close()
    assert len(hands.served) == 2, "as many as there was room for"
    taken = {one.message_id for one in hands.served}
    await box.until(lambda came: bool(came))
    await asyncio.sleep(0.3)
    assert {int(push.json["msgid"]) for push in box.pushes} == set(ids) - taken, "the third was due at once"
    kept = await server.query(
        "SELECT push_id, message_id, attempts, due_at > now() + interval '30 seconds' AS leased FROM push"
        " WHERE account_id = $1 AND message_id = ANY ($2)",
        account.account_id,
        list(taken),
    )
    assert {(row["push_id"], row["message_id"], row["attempts"], row["leased"]) for row in kept} == {
        (one.push_id, one.message_id, 1, True) for one in hands.served
    }
    # the process that took them has died: when the lease ends another claims them
    await server.query(
        "UPDATE push SET due_at = now() WHERE account_id = $1 AND due_at IS NOT NULL RETURNING push_id",
        account.account_id,
    )
    await box.until(lambda came: len(came) == 3)
    assert {int(push.json["msgid"]) for push in box.pushes} == set(ids)


async def test_reports_of_every_change_are_not_handed_over_lest_they_overtake(server: Server, sink: Sink) -> None:
    box = sink.box()
    account = await server.account(balance="1")
    message_id = await lia_send(server, account, "8613800000005", callback_url=box.url)
    await becomes(server, account, message_id, "Acknowledged")
    database = Database(dsn=server.dsn)
    await database.open()
    hands = Hands(room=100)
    inbox = ReceiptInbox(
        database=database,
        clock=lambda: datetime.now(UTC),
        work_metrics=WorkMetrics(CollectorRegistry()),
        dialects=DIALECTS,
        local_delivery=hands,
    )
    try:
        await reported(server, inbox, account, message_id, MessageState.DELIVERED)
    finally:
        await database.close()
    assert hands.served == []
    await box.until(lambda came: bool(came) and came[-1].json["DLRStatus"] == "Delivered")


async def test_a_message_that_waits_for_its_carrier_is_pending_and_unknown_to_getreport(server: Server) -> None:
    account = await server.account()
    message_id = await laaffic_send(server, account, f"{QUEUED}00000001")
    assert (await lia_status(server, account, message_id))["DLRStatus"] == "Pending"
    query = {"appId": account.app, "msgIds": str(message_id)}
    found = (await server.client.laaffic(account, "GET", "/v3/getReport", query)).json
    assert (found["nofound"], found["array"]) == ("1", [])


async def test_the_log_tells_no_secrets_numbers_or_texts(server: Server) -> None:
    account = await server.account()
    number = "8613812340001"
    message_id = await lia_send(server, account, number, textmessage="the secret of the day", uid="told-nobody")
    await becomes(server, account, message_id, "Delivered")
    logged = json.dumps(server.log_lines())
    for word in (account.api_password, account.secret, number, "the secret of the day", "told-nobody", "api_password"):
        assert word not in logged
