"""Our own failures in the dialects' words: a database that is away, one that does not answer, and what comes after."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support.client import Reply
from tests.support.server import Account, Server, database_url
from tests.support.waiting import until

AT_ONCE_S = 4.0
BACK_S = 10.0
STATEMENT_LIMIT_S = 5.0


@asynccontextmanager
async def away(server: Server) -> AsyncIterator[None]:
    """The database takes no connections and has dropped those it had."""
    name = server.dsn.partition("?")[0].rpartition("/")[2]
    connection = await asyncpg.connect(database_url(server.dsn, "postgres"))
    try:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await connection.close()


def lia_send(server: Server, account: Account, **change: str) -> "asyncio.Future[Reply]":
    parameters = {
        "sms_type": "T",
        "encoding": "T",
        "sender_id": account.sender,
        "phonenumber": "8613800000001",
        "textmessage": "hi",
        **change,
    }
    return asyncio.ensure_future(server.client.lia(account, "SendSMS", **parameters))


def laaffic_calls(account: Account) -> list[tuple[str, str, dict[str, str] | None, object]]:
    """Every call of the dialect, right in itself."""
    group = {"numbers": "8613800000001", "content": "hi"}
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    span = {"startTime": now, "endTime": now}
    inbound = {"appId": account.app, "current": 1, "size": 10, "params": {"strTime": now, "endTime": now}}
    return [
        ("GET", "/v3/getBalance", None, None),
        ("GET", "/v3/sendSms", {"appId": account.app, **group}, None),
        ("POST", "/v3/sendSms", None, {"appId": account.app, **group}),
        ("POST", "/sms/sendSms", None, {"appId": account.app, **group}),
        ("GET", "/v3/getReport", {"appId": account.app, "msgIds": "1"}, None),
        ("GET", "/v3/getSentRcd", {"appId": account.app, **span}, None),
        ("POST", "/v3/recordMo", None, inbound),
        (
            "POST",
            "/v3/postback/backfill",
            None,
            {"appId": account.app, "number": "8613800000001", "time": "1630468800"},
        ),
        *otp_calls(account),
    ]


def otp_calls(account: Account) -> list[tuple[str, str, dict[str, str] | None, object]]:
    """The same of verification codes."""
    app, verification = {"appId": account.app}, {"verificationId": "22000000000000000001"}
    named = {"name": "a name"}
    template, flow = {**app, **named, "text": "##code##"}, {**named, "flow": [{"waitingTime": 1}]}
    code = {**app, "to": "8613800000001", "code": "1234", "orderId": "o"}
    return [
        ("POST", "/otp/app/add", None, named),
        ("PUT", f"/otp/app/update/{account.app}", None, named),
        ("GET", f"/otp/app/details/{account.app}", None, None),
        ("POST", "/otp/template/add", None, template),
        ("PUT", "/otp/template/update/1", None, named),
        ("GET", "/otp/template/details/1", None, None),
        ("GET", "/otp/template/list", None, None),
        ("POST", "/otp/flow/add", None, flow),
        ("PUT", "/otp/flow/update/1", None, named),
        ("GET", "/otp/flow/details/1", None, None),
        ("GET", "/otp/flow/list", None, None),
        ("POST", "/otp/verification/send", None, {**code, "templateId": 1}),
        ("POST", "/v3/otp/verification/sendRule", None, code),
        ("POST", "/otp/verification/resend", None, verification),
        ("POST", "/otp/verification/verify", None, {**verification, "code": "1234"}),
        ("GET", "/otp/verification/record/22000000000000000001", None, None),
        ("POST", "/otp/verification/orderId/record", None, {**app, "orderId": "o"}),
        ("POST", "/otp/backfillRate", None, app),
        ("POST", "/otp/postback/backfill", None, {**app, "number": "8613800000001", "time": "1630468800"}),
    ]


async def test_while_the_database_is_away_every_call_says_so_at_once_and_service_resumes_by_itself(
    server: Server,
) -> None:
    account, stranger = await server.account(), await server.account()
    client = server.client
    message_id = (await lia_send(server, account, phonenumber="8613800000005")).json["message_id"]
    assert (await client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
    before = await server.holdings(account)

    async with away(server):
        await until(lambda: client.call("GET", "/healthz"), lambda r: r.status == 503, within_s=BACK_S)
        for who in (account, stranger):  # the server knows one of them, and would have to look the other up
            started_s = time.monotonic()
            for method, path, query, body in laaffic_calls(who):
                reply = await client.laaffic(who, method, path, query, body)
                assert reply.status == 200, (path, reply)
                assert reply.json["status"] == "-18", (path, reply)
                assert (
                    {"status", "reason"}
                    <= set(reply.json)
                    <= {"status", "reason", "success", "fail", "array", "failArray"}
                )
            batch = {"appId": who.app, "array": [{"numbers": "8613800000001", "content": "hi"}]}
            reply = await client.laaffic(who, "POST", "/v3/sendSms/batch", None, batch)
            assert reply.json["status"] in ("-18", "-12"), reply
            failed = await lia_send(server, who, uid="u-9")
            assert (failed.status, failed.json["status"], failed.json["message_id"]) == (200, "F", 0)
            numbers = await client.lia(
                who,
                "SendSMSMulti",
                sms_type="T",
                encoding="T",
                sender_id="HOMING",
                phonenumber="8613800000001,8613800000002",
                textmessage="hi",
            )
            assert numbers.json["status"] == "F", "one object: the call as a whole failed"
            for path in ("CheckBalance", "GetDeliveryStatus"):
                failed = await client.lia(who, path, message_id=message_id)
                assert (failed.status, failed.json["status"]) == (200, "F"), (path, failed)
            tracked = await client.lia(who, "CTrack", message_id=message_id, status="true")
            assert tracked.status == 200
            assert tracked.json.get("ErrorCode") not in range(1000, 1010), "no conversion was recorded, nor refused"
            assert time.monotonic() - started_s < AT_ONCE_S, "the answers did not come at once"

    await until(lambda: client.call("GET", "/healthz"), lambda r: r.status == 200, within_s=BACK_S)
    reply = await until(
        lambda: client.laaffic(stranger, "GET", "/v3/getBalance"), lambda r: r.json["status"] == "0", within_s=BACK_S
    )
    await until(
        lambda: not server.database.is_unavailable, within_s=BACK_S
    )  # the test's own connections come back the same way
    assert await server.holdings(account) == before, "a refused call left something behind"
    sent = await until(lambda: lia_send(server, account), lambda r: r.json["status"] == "S", within_s=BACK_S)
    await until(  # the link is back at work too
        lambda: client.lia(account, "GetDeliveryStatus", message_id=sent.json["message_id"]),
        lambda r: r.json["DLRStatus"] == "Delivered",
        within_s=BACK_S,
    )
    tracked = await client.lia(account, "CTrack", message_id=message_id, status="true")
    assert tracked.json["ErrorCode"] == 1000, "failed attempts consume nothing"


async def test_a_database_that_does_not_answer_fails_the_call_in_time_and_takes_nothing(server: Server) -> None:
    account = await server.account(balance="5")
    group = {"numbers": "8613800000001,8613800000002", "content": "hi"}
    batch = {"appId": account.app, "array": [group, group]}
    assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
    async with server.database.transaction() as transaction:  # somebody holds the purse
        await transaction.raw.execute("SELECT FROM balance WHERE account_id = $1 FOR UPDATE", account.account_id)
        started_s = time.monotonic()
        bulk, single, lia = await asyncio.gather(
            server.client.laaffic(account, "POST", "/v3/sendSms/batch", None, batch),
            server.client.laaffic(account, "POST", "/v3/sendSms", None, {"appId": account.app, **group}),
            lia_send(server, account),
        )
        took_s = time.monotonic() - started_s
        assert took_s < STATEMENT_LIMIT_S * 3
    assert (bulk.status, bulk.json["status"]) == (200, "-12")
    assert (single.status, single.json["status"]) == (200, "-18")
    assert (lia.status, lia.json["status"], lia.json["message_id"]) == (200, "F", 0)
    assert await server.holdings(account) == (0, 0, 5_000_000)
    reply = await until(
        lambda: server.client.laaffic(account, "POST", "/v3/sendSms/batch", None, batch),
        lambda r: r.json["status"] == "0",
        within_s=BACK_S,
    )
    assert reply.json["success"] == "4"
