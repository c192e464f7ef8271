"""The laaffic dialect's verification codes with everything running: two api processes, carriers, the aggregator."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from homing.admin import guard_settings
from homing.verification.codes import CodeKeeper
from tests.support.client import Client, Reply, signed
from tests.support.server import NO_PRICE, NO_ROUTE, QUEUED, Account, Server, free_port
from tests.support.waiting import until

NUMBER = "8613800000001"
"""Delivered by the simulated carriers."""
HELD = f"{QUEUED}20000007"
"""Messages to it stay queued, so that their text can be read."""
TEXT = "##code## is your code"


class Shop:
    """A customer with an app and a template, who calls one of two processes."""

    def __init__(self, server: Server, account: Account, clients: list[Client]) -> None:
        self.server = server
        self.account = account
        self.clients = clients
        self.template = 0

    async def call(self, method: str, path: str, body: Any = None, process: int = 0) -> Any:
        reply = await self.clients[process].laaffic(self.account, method, path, body=body)
        assert reply.status == 200, reply
        return reply.json

    async def good(self, method: str, path: str, body: Any = None, process: int = 0) -> Any:
        answer = await self.call(method, path, body, process)
        assert (answer["status"], answer["reason"]) == ("0", "success"), answer
        return answer["data"]

    async def send(self, process: int = 0, **more: Any) -> Any:
        body = {"appId": self.account.app, "templateId": self.template, "to": HELD, **more}
        return await self.call("POST", "/otp/verification/send", body, process)

    async def sent(self, process: int = 0, **more: Any) -> str:
        answer = await self.send(process, **more)
        assert answer["status"] == "0", answer
        return str(answer["data"]["verificationId"])

    async def verify(self, verification_id: str, code: str, process: int = 0) -> tuple[str, str, int]:
        body = {"verificationId": verification_id, "code": code}
        answer = await self.call("POST", "/v3/otp/verification/verify", body, process)
        assert answer["data"]["verificationId"] == verification_id
        return answer["status"], answer["reason"], answer["data"]["matched"]

    async def record(self, verification_id: str) -> Any:
        return await self.good("GET", f"/otp/verification/record/{verification_id}")

    async def code(self, verification_id: str) -> str:
        """As the person reads it."""
        row = await self.server.query_row(
            "SELECT verification_id, code_sealed FROM verification WHERE verification_id ="
            " coalesce((SELECT verification_id FROM verification_message WHERE message_id = $1), $1)",
            int(verification_id[4:]),
        )
        return CodeKeeper(self.server.vault).open(row["verification_id"], row["code_sealed"])

    async def messages(self) -> int:
        return (await self.server.holdings(self.account))[0]


@pytest.fixture(scope="module")
async def clients(server: Server) -> AsyncIterator[list[Client]]:
    """Of two processes."""
    address = f"127.0.0.1:{free_port()}"
    await server.start("api", "api-otp", HOMING_HTTP_ADDRESS=address)
    second = Client(f"http://{address}")
    yield [server.client, second]
    await second.close()


@pytest.fixture
async def shop(server: Server, clients: list[Client]) -> Shop:
    shop = Shop(server, await server.account(), clients)
    body = {"appId": shop.account.app, "name": "sign-in", "text": TEXT, "codeLength": 6}
    shop.template = (await shop.good("POST", "/otp/template/add", body))["templateId"]
    return shop


def wrong(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


async def test_the_story_from_an_application_to_the_conversion_in_the_statistics(shop: Shop) -> None:
    app = await shop.good("POST", "/otp/app/add", {"name": "shop", "codeExpiry": 10})
    template = {"appId": app["appId"], "name": "code", "text": TEXT, "codeType": 3, "codeLength": 8}
    template_id = (await shop.good("POST", "/v3/otp/template/add", template, 1))["templateId"]
    answer = await shop.send(appId=app["appId"], templateId=template_id, to=f"+{NUMBER}", orderId="order-1")
    verification_id = answer["data"]["verificationId"]
    assert answer["data"] == {"verificationId": verification_id, "to": f"+{NUMBER}", "channel": "sms"}
    assert len(verification_id) == 20
    assert verification_id.isdigit()
    code = await shop.code(verification_id)
    assert len(code) == 8

    record = await until(
        lambda: shop.record(verification_id), lambda record: record["sms"] and record["sms"]["status"] == 0
    )
    assert list(record) == ["verificationId", "verifications", "sms"]
    assert record["verifications"] == {
        "matched": -1,
        "verifiedDate": None,
        "oriReceiver": f"+{NUMBER}",
        "channel": "sms",
        "orderId": "order-1",
    }
    assert list(record["sms"]) == (
        ["submitTm", "sendTm", "doneTm", "mcc", "mnc", "sender", "chargeCnt", "pay", "status", "reason"]
    )
    assert (record["sms"]["mcc"], record["sms"]["chargeCnt"], record["sms"]["pay"]) == (460, 1, "0.031")
    assert record["sms"]["sender"] == "HOMING"
    assert record["sms"]["doneTm"].endswith("+08:00")

    row = await shop.server.query_row("SELECT text FROM message WHERE message_id = $1", int(verification_id[4:]))
    assert row["text"] == "******** is your code", "the message has left: its code is gone"

    assert await shop.verify(verification_id, f" {code.lower()} ", 1) == ("0", "success", 0)
    assert await shop.verify(verification_id, code) == ("-22", "already verified", -1)
    record = await shop.record(verification_id)
    assert record["verifications"]["matched"] == 0
    assert record["verifications"]["verifiedDate"].endswith("+08:00")

    order = await shop.good(
        "POST", "/otp/verification/orderId/record", {"appId": app["appId"], "orderId": "order-1"}, 1
    )
    assert list(order) == ["orderId", "flowId", "verifications", "sms"]
    assert (order["orderId"], order["flowId"], order["verifications"]["matched"]) == ("order-1", None, 0)
    assert order["sms"] == [record["sms"]]

    async def converted() -> int:
        row = await shop.server.query_row(
            "SELECT coalesce(sum(s.converted), 0)::int AS n FROM stat_minute AS s JOIN stat_cell AS c USING (cell_id)"
            " WHERE c.account_id = $1 AND c.app_id = $2",
            shop.account.account_id,
            app["appId"],
        )
        return int(row["n"])

    assert await until(converted) == 1


async def test_what_one_process_was_told_holds_in_the_other_at_once(shop: Shop) -> None:
    for n in range(5):
        app = await shop.good("POST", "/otp/app/add", {"name": f"shop {n}"}, n % 2)
        template = {"appId": app["appId"], "name": f"code {n}", "text": TEXT}
        made = await shop.good("POST", "/otp/template/add", template, (n + 1) % 2)
        flow = {"name": f"flow {n}", "flow": [{"waitingTime": 60, "channel": "sms"}]}
        flow_id = (await shop.good("POST", "/otp/flow/add", flow, n % 2))["flowId"]
        more = {"appId": app["appId"], "templateId": made["templateId"], "flowId": flow_id}
        assert (await shop.send((n + 1) % 2, **more))["status"] == "0"


async def test_of_right_checks_at_once_in_two_processes_one_is_answered_0(shop: Shop) -> None:
    verification_id = await shop.sent()
    code = await shop.code(verification_id)
    answers = await asyncio.gather(*(shop.verify(verification_id, code, n % 2) for n in range(30)))
    assert Counter(answers) == {("0", "success", 0): 1, ("-22", "already verified", -1): 29}


async def test_after_five_wrong_codes_the_right_one_is_too_late(shop: Shop) -> None:
    verification_id = await shop.sent()
    code = await shop.code(verification_id)
    answers = await asyncio.gather(*(shop.verify(verification_id, wrong(code), n % 2) for n in range(20)))
    assert Counter(answers) == {("-22", "code is wrong", -1): 5, ("-22", "too many attempts", 2): 15}
    assert await shop.verify(verification_id, code) == ("-22", "too many attempts", 2)
    assert (await shop.record(verification_id))["verifications"]["matched"] == 2
    answer = await shop.call("POST", "/otp/verification/resend", {"verificationId": verification_id})
    assert (answer["status"], "verificationId" in answer["reason"]) == ("-22", True)


async def test_a_resent_code_has_a_new_id_and_the_old_one_stays_good(shop: Shop) -> None:
    first = await shop.sent()
    code = await shop.code(first)
    data = await shop.good("POST", "/otp/verification/resend", {"verificationId": first, "channel": "sms"}, 1)
    second = data["verificationId"]
    assert second != first
    assert data == {"verificationId": second, "to": HELD, "channel": "sms"}
    assert (await shop.record(second))["verifications"]["matched"] == 1, "it has not left"
    assert await shop.verify(second, wrong(code)) == ("-22", "code is wrong", -1)
    assert await shop.verify(first, code) == ("0", "success", 0)
    assert await shop.verify(second, code) == ("-22", "already verified", -1)
    assert await shop.messages() == 2
    answer = await shop.call("POST", "/otp/verification/resend", {"verificationId": second})
    assert answer["status"] == "-22", "it is over"


async def test_an_expired_code_is_said_to_be(shop: Shop) -> None:
    verification_id = await shop.sent()
    code = await shop.code(verification_id)
    await shop.server.query(
        "UPDATE verification SET expires_at = now() - interval '1 second' WHERE account_id = $1",
        shop.account.account_id,
    )
    assert await shop.verify(verification_id, code) == ("-22", "code expired", -1)
    assert (await shop.record(verification_id))["verifications"]["matched"] == -1


async def test_what_was_never_sent_is_unknown_and_so_is_anothers(shop: Shop) -> None:
    other = Shop(shop.server, await shop.server.account(), shop.clients)
    verification_id = await shop.sent()
    code = await shop.code(verification_id)
    for who, unknown in (
        (other, verification_id),
        (shop, "22000000000000000001"),
        (shop, "1"),
        (shop, "2200" + "9" * 16),
    ):
        assert await who.verify(unknown, code) == ("-22", "unknown verificationId", 3)
        assert (await who.record(unknown)) == {
            "verificationId": unknown,
            "verifications": {
                "matched": 3,
                "verifiedDate": None,
                "oriReceiver": None,
                "channel": None,
                "orderId": None,
            },
            "sms": None,
        }
        answer = await who.call("POST", "/otp/verification/resend", {"verificationId": unknown})
        assert (answer["status"], "verificationId" in answer["reason"]) == ("-22", True)
    order = await shop.good("POST", "/otp/verification/orderId/record", {"appId": shop.account.app, "orderId": "no"})
    assert (order["verifications"]["matched"], order["sms"]) == (3, [])
    assert await shop.verify(verification_id, code) == ("0", "success", 0)


async def test_a_flows_step_sends_the_same_code_again(shop: Shop) -> None:
    flow = {"name": "again", "flow": [{"waitingTime": 1, "status": 1, "channel": "sms", "channelCut": 1}]}
    data = await shop.good("POST", "/otp/flow/add", flow)
    assert data == {"flowId": data["flowId"], **flow}
    verification_id = await shop.sent(flowId=data["flowId"], orderId="with-flow")
    code = await shop.code(verification_id)

    async def order() -> Any:
        body = {"appId": shop.account.app, "orderId": "with-flow"}
        return await shop.good("POST", "/otp/verification/orderId/record", body)

    record = await until(order, lambda record: len(record["sms"]) == 2)
    assert record["flowId"] == data["flowId"]
    rows = await shop.server.query("SELECT text FROM message WHERE account_id = $1", shop.account.account_id)
    assert [row["text"] for row in rows] == [f"{code} is your code"] * 2
    assert await shop.verify(verification_id, code) == ("0", "success", 0)


async def test_a_repeated_order_id_gets_the_first_answer_and_costs_nothing(shop: Shop) -> None:
    before = await shop.server.holdings(shop.account)
    answers = await asyncio.gather(*(shop.send(n % 2, orderId="o-1") for n in range(40)))
    assert len({json.dumps(answer) for answer in answers}) == 1, "also beyond what one number may get"
    other = await shop.send(orderId="o-1", to=f"{QUEUED}20000008")
    assert other == answers[0], "whatever else the call says"
    after = await shop.server.holdings(shop.account)
    assert (after[0] - before[0], before[2] - after[2]) == (1, 20_000)
    assert (await shop.send(orderId="o-2"))["data"]["verificationId"] != other["data"]["verificationId"]
    app = await shop.good("POST", "/otp/app/add", {"name": "another"})
    template = {"appId": app["appId"], "name": "another's", "text": TEXT}
    template_id = (await shop.good("POST", "/otp/template/add", template))["templateId"]
    elsewhere = await shop.send(appId=app["appId"], templateId=template_id, orderId="o-1")
    assert elsewhere["data"]["verificationId"] != other["data"]["verificationId"], "an orderId is an app's"


async def test_an_order_whose_first_call_was_refused_can_be_sent(server: Server, clients: list[Client]) -> None:
    poor = Shop(server, await server.account(balance="0"), clients)
    body = {"appId": poor.account.app, "name": "sign-in", "text": TEXT}
    poor.template = (await poor.good("POST", "/otp/template/add", body))["templateId"]
    assert (await poor.send(orderId="o"))["status"] == "-10"
    await server.query("UPDATE balance SET balance_micro = 1000000 WHERE account_id = $1", poor.account.account_id)
    sent = await poor.send(orderId="o")
    assert sent["status"] == "0"
    await server.query("UPDATE balance SET balance_micro = 0 WHERE account_id = $1", poor.account.account_id)
    assert await poor.send(orderId="o") == sent
    await server.query("UPDATE balance SET balance_micro = 9980000 WHERE account_id = $1", poor.account.account_id)


async def test_a_process_that_is_killed_leaves_no_code_that_cannot_be_checked_and_sends_none_twice(
    shop: Shop, server: Server
) -> None:
    """Whoever heard nothing asks again with the same orderId, of another process."""
    address = f"127.0.0.1:{free_port()}"
    doomed = await server.start("api", "api-killed", HOMING_HTTP_ADDRESS=address)
    client = Client(f"http://{address}")
    heard: dict[str, str | None] = {}

    def body(order: str) -> dict[str, str]:
        number = f"{QUEUED}3{int(order[2:]):07d}"
        return {"appId": shop.account.app, "to": number, "code": order, "orderId": order}

    async def ask_until_it_is_gone() -> None:
        while True:
            order = f"k-{len(heard)}"
            heard[order] = None
            try:
                reply = await client.laaffic(shop.account, "POST", "/otp/verification/sendRule", body=body(order))
            except aiohttp.ClientError:
                return
            heard[order] = reply.json["data"]["verificationId"]
            if len(heard) == 100:
                doomed.process.kill()

    await asyncio.gather(*(ask_until_it_is_gone() for _each in range(30)))
    await doomed.process.wait()
    server.processes.remove(doomed)
    await client.close()
    assert len(heard) >= 100
    for order, verification_id in heard.items():
        again = await shop.good("POST", "/otp/verification/sendRule", body(order))
        assert verification_id in (None, again["verificationId"])
        assert await shop.verify(again["verificationId"], order) == ("0", "success", 0)
    messages, _gift, balance = await server.holdings(shop.account)
    assert (messages, balance) == (len(heard), 10_000_000 - len(heard) * 20_000)


async def test_a_test_number_gets_its_own_code_and_its_orders_are_answered_once_too(shop: Shop) -> None:
    shop = Shop(shop.server, shop.server.demo, shop.clients)
    shop.template = 1
    tester, order = "8613800139999", f"test-{shop.server.port}"
    messages = await shop.messages()
    answers = await asyncio.gather(*(shop.send(n % 2, to=tester, orderId=order) for n in range(20)))
    assert len({json.dumps(answer) for answer in answers}) == 1
    first = answers[0]["data"]["verificationId"]
    second = (await shop.good("POST", "/otp/verification/resend", {"verificationId": first}))["verificationId"]
    assert second != first
    assert await shop.verify(second, "000000") == ("-22", "code is wrong", -1)
    assert (await shop.record(first))["sms"] is None
    assert await shop.verify(first, "123456") == ("0", "success", 0)
    assert await shop.verify(second, "123456") == ("-22", "already verified", -1)
    assert await shop.messages() == messages


async def test_one_number_gets_five_an_hour_and_what_the_app_sets_besides(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.send(n % 2) for n in range(12)))
    assert Counter(answer["status"] for answer in answers) == {"0": 5, "-28": 7}
    limited = {
        "name": shop.account.name,
        "periodTotalSendLimit": {"enabled": True, "unit": 1, "period": 1, "limit": 3},
        "periodPhoneSendLimit": {"enabled": True, "unit": 3, "period": 2, "limit": 1},
    }
    data = await shop.good("PUT", f"/otp/app/update/{shop.account.app}", limited)
    assert data["periodPhoneSendLimit"] == limited["periodPhoneSendLimit"]
    other = f"{QUEUED}20000008"
    assert [(await shop.send(to=other))["status"] for _twice in range(2)] == ["0", "-28"]
    assert (await shop.send(to=f"{QUEUED}20000009"))["status"] == "0"
    assert (await shop.send(to=f"{QUEUED}20000010"))["status"] == "0"
    assert (await shop.send(to=f"{QUEUED}20000011"))["status"] == "-27"
    off = {"periodTotalSendLimit": {"enabled": False}}
    data = await shop.good("PUT", f"/v3/otp/app/update/{shop.account.app}", off)
    assert data["periodTotalSendLimit"] == {"enabled": False}
    assert data["periodPhoneSendLimit"]["enabled"], "what is left out stays"
    assert (await shop.send(to=f"{QUEUED}20000011"))["status"] == "0"


async def test_the_customers_own_code_is_sent_with_or_without_a_template(shop: Shop) -> None:
    body = {"appId": shop.account.app, "to": HELD, "code": "aB-9"}
    for template, text in ((None, "aB-9 is your verification code"), (shop.template, "aB-9 is your code")):
        data = await shop.good("POST", "/otp/verification/sendRule", {**body, "templateId": template})
        message_id = int(data["verificationId"][4:])
        row = await shop.server.query_row("SELECT text, sender FROM message WHERE message_id = $1", message_id)
        assert (row["text"], row["sender"]) == (text, "HOMING")
        assert await shop.verify(data["verificationId"], "Ab-9") == ("0", "success", 0)


async def test_a_templates_sender_that_is_not_registered_is_replaced(shop: Shop) -> None:
    await shop.good("PUT", f"/otp/template/update/{shop.template}", {"senderId": "SPOOFED"})
    verification_id = await shop.sent()
    row = await shop.server.query_row(
        "SELECT sender, notes FROM message WHERE message_id = $1", int(verification_id[4:])
    )
    assert row["sender"] == "HOMING"
    assert "SPOOFED" in row["notes"]


async def test_each_code_of_the_contract(shop: Shop, server: Server, clients: list[Client]) -> None:
    send = {"appId": shop.account.app, "templateId": shop.template}
    assert (await shop.send(to=f"{NO_PRICE}20000001"))["reason"] == "getting fee fail"
    assert (await shop.send(to=f"{NO_ROUTE}20000001"))["status"] == "-26"
    assert (await shop.send(appId="nobody"))["status"] == "-1"
    again = {"appId": shop.account.app, "name": "sign-in", "text": TEXT}
    assert (await shop.call("POST", "/otp/template/add", again))["status"] == "-20"
    assert (await shop.call("POST", "/otp/app/add", {"name": shop.account.name}))["status"] == "-20"
    prudish = Shop(server, await server.account(words=["casino"]), clients)
    body = {"appId": prudish.account.app, "name": "sign-in", "text": f"casino: {TEXT}"}
    prudish.template = (await prudish.good("POST", "/otp/template/add", body))["templateId"]
    assert (await prudish.send())["status"] == "-29"
    path = "/otp/verification/send"
    locked = await server.account(locked=True)
    assert (await clients[0].laaffic(locked, "POST", path, body=send)).json["status"] == "-13"
    elsewhere = await server.account(networks=["192.0.2.0/24"])
    assert (await clients[0].laaffic(elsewhere, "POST", path, body=send)).json["status"] == "-2"
    late = await clients[0].call("POST", path, headers=signed(shop.account, "1600000000"), body=b"{}")
    assert late.json["status"] == "-16"


async def test_a_number_that_the_guard_blocks_has_no_price(shop: Shop) -> None:
    blocked = f"{QUEUED}20000077"
    async with shop.server.database.transaction() as transaction:
        await guard_settings.set_listed(transaction, shop.account.account_id, ("prefix", blocked), False, "test")
    answer = await until(lambda: shop.send(to=blocked), lambda answer: answer["status"] != "0")
    assert answer == {"status": "-26", "reason": "getting fee fail"}


async def test_an_id_that_the_vendors_sdk_leaves_out_of_a_path_is_understood(shop: Shop) -> None:
    """It appends an ID only where the URL does not hold its digits yet; what is not set comes as null."""
    nothing = dict.fromkeys(("appId", "text", "codeType", "codeLength", "speechRate", "language", "senderId"))
    body = {**nothing, "templateId": str(shop.template), "name": "renamed"}
    data = await shop.good("PUT", "/v3/otp/template/update/", body)
    assert (data["templateId"], data["name"], data["text"]) == (shop.template, "renamed", TEXT)
    assert shop.template > 100_000, "an ID that hardly any URL holds"
    flow = {
        "flowId": None,
        "name": "a flow",
        "flow": [{"waitingTime": 9, "status": 1, "channelCut": 1, "channel": "sms"}],
    }
    flow_id = (await shop.good("POST", "/v3/otp/flow/add", flow))["flowId"]
    data = await shop.good("PUT", "/v3/otp/flow/update/", {"flowId": str(flow_id), "name": "another", "flow": None})
    assert (data["flowId"], data["name"], data["flow"]) == (flow_id, "another", flow["flow"])
    data = await shop.good("PUT", "/v3/otp/app/update/", {"appId": shop.account.app, "codeExpiry": 7})
    assert data["codeExpiry"] == 7
    for path, member in (
        ("template/update", "templateId"),
        ("template/details", "templateId"),
        ("flow/details", "flowId"),
    ):
        method = "PUT" if path.endswith("update") else "GET"
        answer = await shop.call(method, f"/v3/otp/{path}/", {} if method == "PUT" else None)
        assert (answer["status"], member in answer["reason"]) == ("-22", True), path
    demo = Shop(shop.server, shop.server.demo, shop.clients)
    assert (await demo.good("GET", "/v3/otp/template/details/"))["templateId"] == 1, "as in 127.0.0.1"


CALLS = [
    ("POST", "app/add"),
    ("PUT", "app/update/ABC"),
    ("POST", "template/add"),
    ("PUT", "template/update/1"),
    ("POST", "flow/add"),
    ("PUT", "flow/update/1"),
    ("POST", "verification/send"),
    ("POST", "verification/sendRule"),
    ("POST", "verification/resend"),
    ("POST", "verification/verify"),
    ("POST", "verification/orderId/record"),
    ("POST", "backfillRate"),
    ("POST", "postback/backfill"),
]
MEMBERS = [
    *("appId", "name", "text", "codeType", "codeLength", "senderId", "language", "speechRate", "codeExpiry", "flow"),
    *("periodTotalSendLimit", "templateId", "to", "channel", "flowId", "orderId", "code", "verificationId", "mcc"),
    *("backfillNumber", "number", "time", "msgid"),
]
HOSTILE = [
    "[]",
    "{}",
    "true",
    "1e400",
    "1" * 5_000,
    "-1",
    "1.5",
    '"\\u0000"',
    '"\\ud800"',
    '"' + "x" * 100_000 + '"',
    "[" * 50_000 + "]" * 50_000,
    '{"enabled":true,"unit":9}',
    '[{"waitingTime":-1}]',
    '[{"waitingTime":1,"channel":"call"}]',
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_hostile_bodies_are_the_callers_fault_and_change_nothing(shop: Shop, method: str, path: str) -> None:
    async def raw(body: bytes) -> Reply:
        return await shop.clients[0].call(method, f"/otp/{path}", headers=signed(shop.account), body=body)

    before = await shop.server.holdings(shop.account)
    good = {
        "appId": f'"{shop.account.app}"',
        "templateId": str(shop.template),
        "verificationId": '"22000000000000000001"',
        "code": '"1234"',
        "orderId": '"x"',
        "to": '"1"',
    }
    broken = [b"", b"{", b"[]", b"null", b"\xff", b"\x00" * 100, b"[" * 100_000, b'{"a":' * 20_000]
    bodies = [
        ("{" + ",".join(f'"{name}":{text}' for name, text in {**good, member: value}.items()) + "}").encode()
        for member in MEMBERS
        for value in HOSTILE
    ]
    for body in broken + bodies:
        reply = await raw(body)
        assert reply.status == 200, body[:100]
        if path != "backfillRate" and not path.endswith("orderId/record"):
            assert reply.json["status"] in ("-1", "-14", "-22"), (body[:100], reply)
        assert reply.json["status"] != "-18", (body[:100], reply)
    assert await shop.server.holdings(shop.account) == before


async def test_the_ids_of_paths_may_be_anything(shop: Shop) -> None:
    for path in ("app/details", "template/details", "flow/details", "verification/record"):
        for given in ("", "%00", "%ff", "../../etc", "9" * 100, "x" * 5_000, "%E2%82%AC", "-1", "0", "1%2f2"):
            reply = await shop.clients[0].laaffic(shop.account, "GET", f"/otp/{path}/{given}")
            assert reply.status in (200, 404), (path, given, reply)
            if reply.status == 200 and path != "verification/record":
                assert reply.json["status"] in ("-1", "-22"), (path, given, reply)


async def test_parameters_out_of_their_bounds_are_named(shop: Shop) -> None:
    app, template = {"name": "a shop"}, {"appId": shop.account.app, "name": "a template", "text": TEXT}
    send = {"appId": shop.account.app, "templateId": shop.template, "to": HELD, "code": "1234"}
    step = {"waitingTime": 5}
    limit = {"enabled": True, "unit": 1, "period": 1, "limit": 1}
    refused: list[tuple[str, dict[str, Any], str, tuple[Any, ...]]] = [
        ("app/add", app, "name", (None, "", "abc", "x" * 33, "a\nbcd")),
        ("app/add", app, "codeExpiry", (0, 61, "soon")),
        ("app/add", app, "periodTotalSendLimit", ({**limit, "unit": 5}, {**limit, "limit": 0}, {"enabled": True}, 1)),
        ("app/add", app, "periodPhoneSendLimit", ({**limit, "period": 91}, {**limit, "limit": 10**9 + 1})),
        ("template/add", template, "appId", (None, "abc")),
        ("template/add", template, "text", (None, "no mark", "x" * 249 + "##code##")),
        ("template/add", template, "codeType", (0, 5)),
        ("template/add", template, "codeLength", (3, 11)),
        ("template/add", template, "speechRate", (101, "x")),
        ("template/add", template, "language", ("XX",)),
        ("template/add", template, "maxDuration", (4, 600)),
        ("template/add", template, "repeatCnt", (0, 11)),
        ("template/add", template, "senderId", ("x" * 33,)),
        ("flow/add", {"name": "a flow"}, "flow", (None, [], [step] * 5, [{}], [{"waitingTime": 0}])),
        ("verification/send", send, "templateId", (None, 0, "x", 2**31)),
        ("verification/send", send, "to", (None, "123456789", "861380000000012", "0138000000001", "abcdefghijk")),
        ("verification/send", send, "channel", ("call", "sna", "pigeon")),
        ("verification/send", send, "flowId", (-1, 2**31 - 1)),
        ("verification/send", send, "orderId", ("x" * 65,)),
        ("verification/sendRule", send, "code", (None, "", "  ", "x" * 11, "a\nb")),
        ("verification/resend", {}, "verificationId", (None, "")),
        ("verification/verify", {"code": "1234"}, "verificationId", (None, "")),
        ("verification/verify", {"verificationId": "1"}, "code", (None, "", "x" * 11)),
        ("verification/orderId/record", {"appId": shop.account.app}, "orderId", (None, "", "x" * 65)),
        ("backfillRate", {"appId": shop.account.app}, "mcc", ("x" * 65,)),
    ]
    for path, body, member, values in refused:
        for value in values:
            answer = await shop.call("POST", f"/otp/{path}", {**body, member: value})
            assert (answer["status"], member in answer["reason"]) == ("-22", True), (path, member, value, answer)
    for channel in ("call", "sna"):
        flow = {"name": "a flow", "flow": [step, {**step, "channel": channel}]}
        answer = await shop.call("POST", "/otp/flow/add", flow)
        assert (answer["status"], f"flow[1].channel {channel}" in answer["reason"]) == ("-22", True)
    assert await shop.messages() == 0


async def test_customers_changes_stand_in_the_audit_log_under_their_key(shop: Shop) -> None:
    app = await shop.good("POST", "/otp/app/add", {"name": "audited"})
    await shop.good("PUT", f"/otp/app/update/{app['appId']}", {"codeExpiry": 9})
    await shop.good("PUT", f"/otp/template/update/{shop.template}", {"codeLength": 7})
    rows = await shop.server.query(
        "SELECT kind, act, actor, address FROM audit WHERE account_id = $1 AND actor LIKE 'api:%' ORDER BY audit_id",
        shop.account.account_id,
    )
    assert {row["actor"] for row in rows} == {f"api:{shop.account.key}"}
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert {("app", "insert"), ("app", "update"), ("code_template", "update")} <= {
        (row["kind"], row["act"]) for row in rows
    }


async def test_settings_may_not_be_changed_without_end(server: Server, clients: list[Client]) -> None:
    """Each change makes every process read its settings anew."""
    busy = Shop(server, await server.account(queries_per_s=20), clients)
    path = f"/otp/app/update/{busy.account.app}"
    began_s = time.monotonic()
    changes = 0
    while (answer := await busy.call("PUT", path, {"codeExpiry": 1 + changes % 60}))["status"] == "0":
        changes += 1
        assert changes <= 61 + (time.monotonic() - began_s), "60 at once, and then one a second"
    assert answer["status"] == "-15"
    assert changes >= 60
    assert (await busy.call("GET", f"/otp/app/details/{busy.account.app}"))["status"] == "0"


async def test_of_one_name_added_many_times_at_once_there_is_one(shop: Shop) -> None:
    answers = await asyncio.gather(
        *(shop.call("POST", "/otp/app/add", {"name": "the same"}, n % 2) for n in range(12)),
    )
    assert Counter(answer["status"] for answer in answers) == {"0": 1, "-20": 11}


async def test_reported_shares_are_kept_and_teach_nothing(shop: Shop) -> None:
    rate = {
        "appId": shop.account.app,
        "mcc": "460",
        "backfillNumber": "81",
        "backfillCardinalNumber": 100,
        "backfillNow": "0.81",
        "callbackTime": "1669709482",
    }
    assert await shop.good("POST", "/otp/backfillRate", rate) is None
    row = await shop.server.query_row("SELECT * FROM reported_rate WHERE account_id = $1", shop.account.account_id)
    assert (row["app_id"], row["mcc"], row["converted"], row["sent"]) == (shop.account.app, "460", "81", "100")
    assert (row["rate"], row["called_at"]) == ("0.81", "1669709482")
    assert await shop.server.query("SELECT FROM conversion WHERE account_id = $1", shop.account.account_id) == []


async def test_a_conversion_may_be_reported_by_verification_id(shop: Shop) -> None:
    verification_id = await shop.sent()
    body = {"appId": shop.account.app, "msgid": verification_id, "number": HELD, "time": "1669709482"}
    assert await shop.call("POST", "/otp/postback/backfill", body) == {"status": "0", "reason": "success"}
    (row,) = await shop.server.query("SELECT message_id FROM conversion WHERE account_id = $1", shop.account.account_id)
    assert row["message_id"] == int(verification_id[4:])
