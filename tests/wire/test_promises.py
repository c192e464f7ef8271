"""What the contracts promise beyond one call and its answer."""

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator

import pytest

from tests.support.client import Client, signature, signed
from tests.support.server import QUEUED, Account, Server, free_port
from tests.support.waiting import in_time

SIMULTANEOUS = 32


@pytest.fixture(scope="module")
async def plain(server: Server) -> AsyncIterator[Client]:
    """A second api process of the same installation, on IPv6 and without trusted proxies."""
    try:
        port = free_port("::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    process = await server.start("api", "api-2", HOMING_HTTP_ADDRESS=f"[::1]:{port}", HOMING_HTTP_TRUSTED_PROXIES="[]")
    client = Client(f"http://[::1]:{port}")
    yield client
    await client.close()
    assert await process.stop() == 0


async def sent(server: Server, account: Account, number: str = "8613800000005") -> int:
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber=number,
        textmessage="Your code is 1234",
    )
    assert reply.json["status"] == "S", reply
    message_id: int = reply.json["message_id"]
    return message_id


def test_the_signature_is_the_one_of_the_contract() -> None:
    assert signature("bDqJFiq9", "7bz1lzh9", "1630468800") == "05d7a50893e22a5c4bb3216ae3396c7c"
    assert hashlib.md5(b"bDqJFiq97bz1lzh91630468800").hexdigest() == "05d7a50893e22a5c4bb3216ae3396c7c"


async def test_message_ids_increase_and_stay_exact_in_javascript(server: Server) -> None:
    account = await server.account()
    ids = [await sent(server, account, f"{QUEUED}00000001") for _ in range(20)]
    assert ids == sorted(set(ids))
    assert 0 < ids[0] <= ids[-1] < 2**53


async def test_of_simultaneous_ctracks_exactly_one_is_the_first(server: Server, plain: Client) -> None:
    account = await server.account()
    message_id = await sent(server, account)
    clients = [Client(client.base) for client in (server.client, plain) for _ in range(SIMULTANEOUS // 2)]
    try:
        for client in clients:  # every one has its connection before the race starts
            assert (await client.lia(account, "CTrack", message_id=message_id)).json["ErrorCode"] == 1005
        replies = await asyncio.gather(
            *(client.lia(account, "CTrack", message_id=message_id, status="true") for client in clients)
        )
    finally:
        await asyncio.gather(*(client.close() for client in clients))
    codes = sorted(reply.json["ErrorCode"] for reply in replies)
    assert codes == [1000] + [1009] * (SIMULTANEOUS - 1)
    rows = await server.query("SELECT message_id FROM conversion WHERE account_id = $1", account.account_id)
    assert [row["message_id"] for row in rows] == [message_id]


async def test_simultaneous_sends_cannot_overspend(server: Server, plain: Client) -> None:
    account = await server.account(balance="0.1", gifted="0.02", credit="0.01")  # four of 0.031 each
    clients = [server.client, plain]
    replies = await asyncio.gather(
        *(
            clients[n % 2].laaffic(
                account,
                "POST",
                "/v3/sendSms",
                body={"appId": account.app, "numbers": "8613800000005", "content": "hi"},
            )
            for n in range(SIMULTANEOUS)
        )
    )
    assert sorted(reply.json["status"] for reply in replies) == ["-10"] * (SIMULTANEOUS - 4) + ["0"] * 4
    assert await server.holdings(account) == (4, 0, 120_000 - 4 * 31_000)


async def test_an_allow_list_holds_on_a_real_ipv6_socket(server: Server, plain: Client) -> None:
    allowed, other = await server.account(networks=["::1"]), await server.account(networks=["2001:db8::/32"])
    assert (await plain.call("GET", "/v3/getBalance", headers=signed(allowed))).json["status"] == "0"
    assert (await plain.call("GET", "/v3/getBalance", headers=signed(other))).json["status"] == "-2"
    reply = await plain.lia(other, "CheckBalance")
    assert reply.json == {"status": "F", "remarks": "IP not Whitelisted"}


async def test_a_forwarded_address_from_an_untrusted_peer_is_not_read(server: Server, plain: Client) -> None:
    account = await server.account(networks=["192.0.2.0/24"])
    headers = {**signed(account), "X-Forwarded-For": "192.0.2.1"}
    assert (await plain.call("GET", "/v3/getBalance", headers=headers)).json["status"] == "-2"
    assert (await server.client.call("GET", "/v3/getBalance", headers=headers)).json["status"] == "0"


async def test_a_lock_holds_at_once_and_opens_again(server: Server) -> None:
    account = await server.account()
    assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
    for lock, status in ((True, "-13"), (False, "0")):
        async with server.database.transaction() as transaction:
            await transaction.raw.execute(
                "UPDATE account SET locked_at = CASE WHEN $2 THEN now() END WHERE account_id = $1",
                account.account_id,
                lock,
            )
        await server.settled()
        assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == status
        assert ((await server.client.lia(account, "CheckBalance")).json.get("status") == "F") is lock


async def test_a_revoked_credential_opens_nothing(server: Server) -> None:
    account = await server.account()
    assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
    async with server.database.transaction() as transaction:
        await transaction.raw.execute(
            "UPDATE credential SET revoked_at = now() WHERE account_id = $1", account.account_id
        )
    await server.settled()
    assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "-1"
    reply = await server.client.lia(account, "CTrack", message_id="1", status="true")
    assert reply.json == {"ErrorCode": 1003, "ErrorDescription": "Invalid api_id"}


async def test_an_unregistered_sender_is_replaced_and_the_timeline_says_so(server: Server) -> None:
    account = await server.account()
    query = {"appId": account.app, "numbers": "8613800000005", "content": "hi", "senderId": "NOBODY"}
    reply = await server.client.laaffic(account, "GET", "/v3/sendSms", query)
    row = await server.query_row(
        "SELECT sender, notes::text AS notes FROM message WHERE account_id = $1 AND message_id = $2",
        account.account_id,
        int(reply.json["array"][0]["msgId"]),
    )
    assert row["sender"] == account.sender
    assert "NOBODY" in row["notes"]


async def test_what_a_lia_message_carries_along_is_kept(server: Server) -> None:
    account = await server.account()
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="P",
        encoding="UFS",
        sender_id=account.sender,
        phonenumber="+8613800000005",
        textmessage="你好",
        pe_id="PE-1101",
        template_id="TP-2202",
        ValidityPeriodInSeconds="90",
    )
    row = await server.query_row(
        "SELECT number, notes::text AS notes, extract(epoch FROM expires_at) AS expires_s FROM message"
        " WHERE account_id = $1 AND message_id = $2",
        account.account_id,
        reply.json["message_id"],
    )
    assert row["number"] == "8613800000005"
    assert "PE-1101" in row["notes"]
    assert "TP-2202" in row["notes"]
    reply = await server.client.lia(account, "GetDeliveryStatus", message_id=reply.json["message_id"])
    assert reply.json["MessageType"] == "Unicode"


async def test_a_sent_message_is_expired_when_its_validity_is_over(server: Server) -> None:
    account = await server.account(balance="1")
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber="8613800000005",
        textmessage="hi",
        ValidityPeriodInSeconds=60,
    )
    message_id = reply.json["message_id"]
    async with in_time():
        while not await server.query(
            "SELECT FROM queue WHERE message_id = $1 AND lane = 0 AND account_id = $2", message_id, account.account_id
        ):
            await asyncio.sleep(0.05)
    async with server.database.transaction() as transaction:  # a minute passes
        await transaction.raw.execute(
            "UPDATE queue SET due_at = now() - interval '1 s' WHERE lane = 0 AND message_id = $1", message_id
        )
    async with in_time():
        while (await server.client.lia(account, "GetDeliveryStatus", message_id=message_id)).json[
            "DLRStatus"
        ] != "Expired":
            await asyncio.sleep(0.1)
    assert (await server.client.lia(account, "CheckBalance")).json["BalanceAmount"] == 1


async def test_health_metrics_and_request_ids(server: Server) -> None:
    health = await server.client.call("GET", "/healthz")
    assert health.status == 200
    metrics = await server.client.call("GET", "/metrics")
    assert metrics.status == 200
    assert metrics.headers["Content-Type"].startswith("text/plain")
    assert "homing_http_requests_total" in metrics.text
    assert server.demo.secret not in metrics.text
    first = await server.client.laaffic(server.demo, "GET", "/v3/getBalance")
    second = await server.client.laaffic(server.demo, "GET", "/v3/getBalance")
    assert first.headers["X-Request-Id"]
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


async def test_metrics_are_put_together_once_however_often_they_are_asked_for(server: Server) -> None:
    texts = await asyncio.gather(*(server.client.call("GET", "/metrics") for _ in range(50)))
    assert len({reply.text for reply in texts}) <= 2, "each would count the calls before it"


async def test_a_call_written_by_hand_on_a_socket_is_served(server: Server) -> None:
    account = await server.account()
    body = json.dumps({"api_id": account.api_id, "api_password": account.api_password}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        f"POST /api/CheckBalance HTTP/1.1\r\nhost: x\r\nCONTENT-TYPE: application/json\r\ncontent-length: {len(body)}"
    )
    for byte in f"{head}\r\nconnection: close\r\n\r\n".encode() + body:  # one byte a packet
        writer.write(bytes([byte]))
        await writer.drain()
    async with in_time():
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"BalanceAmount":10.0,"CurrenceCode":"USD","Message":"OK"}')
