"""Bad input through real sockets: each piece gets a clear answer; nothing hangs, is half-accepted, or leaks.

What the server logged is looked at when it has stopped (tests/conftest.py) and, for these inputs, here: every hostile
value carries `MARK`, which no log line may show.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote

import pytest

from tests.support.client import signed
from tests.support.server import Account, Server

MARK = "HOSTILEMARK"
ANSWER_S = 5.0
MEGABYTE = 1024 * 1024


@pytest.fixture
async def account(server: Server) -> AsyncIterator[Account]:
    """An account that has to be as it was when the test is over, on a server that still serves."""
    account = await server.account()
    before, tracebacks = await server.holdings(account), server.logs.count("Traceback")
    yield account
    async with asyncio.timeout(ANSWER_S):
        assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
        assert (await server.client.lia(account, "CheckBalance")).json["BalanceAmount"] == 10
    assert await server.holdings(account) == before, "something was half-accepted"
    assert MARK not in server.logs
    assert server.logs.count("Traceback") == tracebacks


class Raw:
    """A socket to the server, and answers read off it one by one."""

    def __init__(self, server: Server) -> None:
        self._port = server.port

    async def __aenter__(self) -> "Raw":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=64 * MEGABYTE)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.writer.close()

    async def send(self, data: bytes) -> None:
        """As much as the server takes: it may have answered and closed before the end."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def answer(self) -> tuple[int, bytes]:
        """(status, body) of the next answer; (0, b"") when the server closed without one."""
        try:
            async with asyncio.timeout(ANSWER_S):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await self.reader.readexactly(int(length[1])) if length else b""
                return int(head.split(b" ", 2)[1]), body
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0, b""


async def exchange(server: Server, data: bytes) -> tuple[int, bytes]:
    async with Raw(server) as raw:
        answer = asyncio.create_task(raw.answer())  # as clients do that read while they send
        await raw.send(data)
        return await answer


def request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    if method == "POST" and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def lia_json(account: Account, raw_members: str) -> bytes:
    return (
        f'{{"api_id":"{account.api_id}","api_password":"{account.api_password}","sms_type":"T","encoding":"U",'
        f'"sender_id":"HOMING",{raw_members}}}'
    ).encode("utf-8", "surrogatepass")


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# --- bodies ------------------------------------------------------------------------------------------------

POSTS = [
    *("/api/SendSMS", "/api/CTrack", "/v3/sendSms", "/v3/sendSms/batch", "/sms/recordMo", "/v3/postback/backfill"),
    *("/otp/verification/send", "/v3/otp/verification/verify", "/otp/app/add"),
]


@pytest.mark.parametrize("path", POSTS)
async def test_an_oversized_body_is_refused(server: Server, account: Account, path: str) -> None:
    headers = {**JSON, **signed(account)}
    body = json.dumps({"content": MARK * (8 * MEGABYTE // len(MARK))}).encode()
    status, _body = await exchange(server, request("POST", path, headers, body))
    assert status == 413


async def test_an_oversized_body_of_a_put_is_refused(server: Server, account: Account) -> None:
    body = json.dumps({"name": MARK * (8 * MEGABYTE // len(MARK))}).encode()
    headers = {**JSON, **signed(account), "Content-Length": str(len(body))}
    status, answer = await exchange(server, request("PUT", f"/otp/app/update/{account.app}", headers, body))
    assert status == 413
    assert json.loads(answer)["status"] == "-22"
    chunked = {**JSON, **signed(account), "Transfer-Encoding": "chunked"}
    name = f"put {account.name}"
    body = json.dumps({"name": name}).encode()
    data = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    status, answer = await exchange(server, request("PUT", f"/otp/app/update/{account.app}", chunked, data))
    assert (status, json.loads(answer)["data"]["name"]) == (200, name)


async def test_a_body_is_refused_by_its_announced_length_before_it_is_sent(server: Server, account: Account) -> None:
    for length in ("100000000", "99999999999999999999"):
        headers = {**JSON, "Content-Length": length}
        status, _body = await exchange(server, request("POST", "/api/SendSMS", headers))
        assert status in (400, 413), length


async def test_an_oversized_chunked_body_is_refused(server: Server, account: Account) -> None:
    async with Raw(server) as raw:
        await raw.send(request("POST", "/v3/sendSms", {**signed(account), "Transfer-Encoding": "chunked"}))
        answer = asyncio.create_task(raw.answer())
        chunk = b"%x\r\n%b\r\n" % (64 * 1024, b"a" * 64 * 1024)
        for _ in range(128):
            await raw.send(chunk)
            if answer.done():
                break
        status, _body = await answer
    assert status == 413


async def test_a_chunked_body_is_read(server: Server, account: Account) -> None:
    body = json.dumps({"api_id": account.api_id, "api_password": account.api_password}).encode()
    async with Raw(server) as raw:
        await raw.send(request("POST", "/api/CheckBalance", {**JSON, "Transfer-Encoding": "chunked"}))
        for byte in body:
            await raw.send(b"1\r\n%c\r\n" % byte)
        await raw.send(b"0\r\n\r\n")
        status, answer = await raw.answer()
    assert (status, json.loads(answer)["BalanceAmount"]) == (200, 10)


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n{}", b"-1\r\n{}\r\n", b'9\r\n{"appId":XX0\r\n\r\n']
)
async def test_broken_chunks_are_the_callers_fault(server: Server, account: Account, chunks: bytes) -> None:
    for path, malformed in (("/api/CheckBalance", 400), ("/v3/sendSms", 200)):
        headers = {**signed(account), **JSON, "Transfer-Encoding": "chunked"}
        status, body = await exchange(server, request("POST", path, headers, chunks))
        assert status in (0, 400, 411, malformed), path
        assert status != 200 or json.loads(body)["status"] == "-22", path


@pytest.mark.parametrize("end", [b"zz\r\n", b"5\r\nabc", b""], ids=["garbage", "cut-in-a-chunk", "cut-between-chunks"])
async def test_a_chunked_body_that_breaks_off_is_not_taken_for_a_whole_one(
    server: Server, account: Account, end: bytes
) -> None:
    """A form stays readable wherever it is cut: what has come so far would be a message with half a text."""
    credentials = f"api_id={account.api_id}&api_password={quote(account.api_password)}"
    half = f"{credentials}&sms_type=T&encoding=T&sender_id=HOMING&phonenumber=8613800000005&textmessage=half".encode()
    async with Raw(server) as raw:
        await raw.send(request("POST", "/api/SendSMS", {**FORM, "Transfer-Encoding": "chunked"}))
        await raw.send(b"%x\r\n%b\r\n%b" % (len(half), half, end))
        raw.writer.write_eof()
        status, answer = await raw.answer()
    assert status in (0, 400, 408, 411), answer
    await asyncio.sleep(0.2)  # for what may be accepted behind our back


async def test_lengths_that_are_none_are_refused(server: Server, account: Account) -> None:
    for headers in (
        {"Content-Length": "-1"},
        {"Content-Length": "abc"},
        {"Content-Length": "1e3"},
        {"Transfer-Encoding": "gzip"},
    ):
        status, _body = await exchange(server, request("POST", "/api/SendSMS", {**JSON, **headers}, b"{}"))
        assert status in (0, 400, 411, 413, 501), headers


async def test_two_lengths_do_not_smuggle_a_second_request(server: Server, account: Account) -> None:
    smuggled = request("GET", "/healthz", {})
    headers = {**JSON, "Content-Length": str(5 + len(smuggled)), "Transfer-Encoding": "chunked"}
    async with Raw(server) as raw:
        await raw.send(request("POST", "/api/CheckBalance", headers, b"0\r\n\r\n" + smuggled))
        first, _body = await raw.answer()
        second, _body = await raw.answer() if first not in (0, 400) else (0, b"")
    assert second != 200, "a request came out of another's body"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":', id="cut-off"),
        pytest.param(b"\xff\xfe{\x00}\x00", id="utf-16"),
        pytest.param(b'{"a":"\xff\xfe"}', id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="nested-arrays"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, id="nested-objects"),
        pytest.param(b'{"appId":' + b"[" * 20_000 + b"]" * 20_000 + b"}", id="nested-value"),
        pytest.param(b"\x00" * 1000, id="nul"),
        pytest.param(b'{"a":NaN,"b":Infinity}', id="not-a-number"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
    ],
)
async def test_broken_json_is_told_in_the_dialects_words(
    server: Server, account: Account, path: str, body: bytes
) -> None:
    status, answer = await exchange(server, request("POST", path, {**signed(account), **JSON}, body))
    if path.startswith("/api/"):
        assert (
            (status, answer) == (400, b"{}")
            or json.loads(answer).get("ErrorCode") == 1001
            or (json.loads(answer)["remarks"] == "api_id not specified")
        )
    else:
        assert status == 200
        assert json.loads(answer)["status"] in ("-22", "-14", "-1"), answer


# --- values ------------------------------------------------------------------------------------------------

HUGE = "1" + "0" * 400
TEXTS = [
    pytest.param('"a\\u0000b' + MARK + '"', id="nul"),
    pytest.param('"\\ud83d' + MARK + '"', id="high-surrogate"),
    pytest.param('"' + MARK + '\\ude00"', id="low-surrogate"),
]


@pytest.mark.parametrize("value", TEXTS)
@pytest.mark.parametrize("member", ["textmessage", "uid", "callback_url", "pe_id", "templateid"])
async def test_lia_refuses_text_that_cannot_be_kept(server: Server, account: Account, member: str, value: str) -> None:
    members = {"phonenumber": '"8613800000005"', "textmessage": '"hi"', member: value}
    body = lia_json(account, ",".join(f'"{name}":{text}' for name, text in members.items()))
    for path in ("/api/SendSMS", "/api/SendSMSMulti"):
        status, answer = await exchange(server, request("POST", path, JSON, body))
        assert status == 200
        reply = json.loads(answer)
        reply = reply[0] if isinstance(reply, list) else reply
        assert (reply["message_id"], reply["status"]) == (0, "F"), answer
        assert "System" not in reply["remarks"], "it is the caller's fault, not ours"


@pytest.mark.parametrize("value", TEXTS)
@pytest.mark.parametrize("member", ["numbers", "content", "senderId", "orderId", "appId"])
async def test_laaffic_refuses_text_that_cannot_be_kept(
    server: Server, account: Account, member: str, value: str
) -> None:
    members = {"appId": f'"{account.app}"', "numbers": '"8613800000005"', "content": '"hi"', member: value}
    group = "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"
    batch = f'{{"appId":{members["appId"]},"array":[{group}]}}'
    for path, body in (("/v3/sendSms", group), ("/v3/sendSms/batch", batch)):
        status, answer = await exchange(server, request("POST", path, signed(account), body.encode()))
        assert status == 200
        assert json.loads(answer)["status"] in ("-1", "-9", "-22"), answer


@pytest.mark.parametrize("number", [HUGE, "-" + HUGE, "1e400", "0." + "1" * 5000, "9" * 100_000])
async def test_numbers_beyond_all_bounds_are_refused(server: Server, account: Account, number: str) -> None:
    for member, good in (
        ("phonenumber", '"textmessage":"hi"'),
        ("ValidityPeriodInSeconds", '"textmessage":"hi","phonenumber":"8613800000005"'),
    ):
        body = lia_json(account, f'{good},"{member}":{number}')
        status, answer = await exchange(server, request("POST", "/api/SendSMS", JSON, body))
        assert status == 200
        assert member in json.loads(answer)["remarks"], answer
    credentials = f'"api_id":"{account.api_id}","api_password":"{account.api_password}"'
    body = f'{{{credentials},"status":true,"message_id":{number}}}'.encode()
    assert json.loads((await exchange(server, request("POST", "/api/CTrack", JSON, body)))[1])["ErrorCode"] == 1008
    status, answer = await exchange(server, request("POST", "/api/GetDeliveryStatus", JSON, body))
    assert json.loads(answer)["status"] == "F"
    sends = f'{{"appId":"{account.app}","numbers":{number},"content":"hi"}}'
    reports = f'{{"appId":"{account.app}","msgid":{number},"number":"8613800000005","time":{number}}}'
    for path, text in (("/v3/sendSms", sends), ("/v3/postback/backfill", reports)):
        status, answer = await exchange(server, request("POST", path, signed(account), text.encode()))
        assert status == 200
        assert json.loads(answer)["status"] in ("-9", "-14", "-22"), (path, answer)


async def test_a_million_commas(server: Server, account: Account) -> None:
    commas = "," * 1_000_000
    started_s = time.monotonic()
    body = json.dumps({"appId": account.app, "numbers": commas, "content": "hi"}).encode()
    status, answer = await exchange(server, request("POST", "/v3/sendSms", signed(account), body))
    assert (status, json.loads(answer)["status"]) == (200, "-8")
    body = json.dumps({"appId": account.app, "numbers": "1" + commas + "2", "content": "hi"}).encode()
    status, answer = await exchange(server, request("POST", "/v3/sendSms", signed(account), body))
    assert (status, json.loads(answer)["status"]) == (200, "-9")
    body = json.dumps({"appId": account.app, "numbers": "86138," * 150_000, "content": "hi"}).encode()
    status, answer = await exchange(server, request("POST", "/v3/sendSms", signed(account), body))
    assert (status, json.loads(answer)["status"]) == (200, "-7")
    orders = {"appId": account.app, "numbers": "8613800000005", "content": "hi", "orderId": commas}
    status, answer = await exchange(
        server, request("POST", "/v3/sendSms", signed(account), json.dumps(orders).encode())
    )
    assert (status, json.loads(answer)["status"]) == (200, "-22")
    body = lia_json(account, f'"textmessage":"hi","phonenumber":"{commas[:100_000]}"')
    for path in ("/api/SendSMS", "/api/SendSMSMulti"):
        status, answer = await exchange(server, request("POST", path, JSON, body))
        reply = json.loads(answer)
        reply = reply[0] if isinstance(reply, list) else reply
        assert (status, reply["status"], reply["message_id"]) == (200, "F", 0)
    assert time.monotonic() - started_s < ANSWER_S


async def test_wrong_types_everywhere(server: Server, account: Account) -> None:
    shapes = ("[]", "{}", '[[["x"]]]', '{"a":{"b":[1]}}', "true")
    for shape in shapes:
        for member in ("appId", "numbers", "content", "senderId", "orderId"):
            members = {"appId": f'"{account.app}"', "numbers": '"8613800000005"', "content": '"hi"', member: shape}
            body = "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"
            status, answer = await exchange(server, request("POST", "/v3/sendSms", signed(account), body.encode()))
            assert (status, json.loads(answer)["status"]) == (200, "-22"), (member, shape)
        for member in ("sms_type", "encoding", "sender_id", "phonenumber"):
            members = {"textmessage": '"hi"', "phonenumber": '"8613800000005"', "sms_type": '"T"', member: shape}
            credentials = {"api_id": f'"{account.api_id}"', "api_password": f'"{account.api_password}"'}
            both = {**credentials, "encoding": '"T"', "sender_id": '"HOMING"', **members}
            body = "{" + ",".join(f'"{name}":{text}' for name, text in both.items()) + "}"
            status, answer = await exchange(server, request("POST", "/api/SendSMS", JSON, body.encode()))
            assert (status, json.loads(answer)["status"]) == (200, "F"), (member, shape)


# --- queries and headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["%", "%zz", "%4", "%e4%bd", "%ff%fe", "%00", "%ed%a0%bd", "%u4f60", "%%30%30"])
async def test_broken_percent_encoding_is_answered(server: Server, account: Account, broken: str) -> None:
    credentials = f"api_id={account.api_id}&api_password={quote(account.api_password)}"
    query = f"{credentials}&sms_type=T&encoding=T&sender_id=HOMING&phonenumber={broken}{MARK}&textmessage={broken}"
    status, answer = await exchange(server, request("GET", f"/api/SendSMS?{query}", {}))
    assert (status, json.loads(answer)["status"]) == (200, "F")
    status, answer = await exchange(server, request("POST", "/api/SendSMS", FORM, query.encode()))
    assert (status, json.loads(answer)["status"]) == (200, "F")
    target = f"/api/CTrack?{credentials}&status=true&message_id={broken}{MARK}"
    assert json.loads((await exchange(server, request("GET", target, {})))[1])["ErrorCode"] == 1008
    target = f"/api/CTrack?api_id={broken}{MARK}&api_password={broken}"
    assert json.loads((await exchange(server, request("GET", target, {})))[1])["ErrorCode"] == 1003
    target = f"/v3/sendSms?appId={account.app}&numbers={broken}{MARK}&content=hi"
    status, answer = await exchange(server, request("GET", target, signed(account)))
    assert (status, json.loads(answer)["status"]) in ((200, "-9"), (200, "-22"))
    target = f"/v3/getReport?appId={account.app}&msgIds={broken}{MARK}"
    status, answer = await exchange(server, request("GET", target, signed(account)))
    assert (status, json.loads(answer)["nofound"]) == (200, "1")
    target = f"/v3/getSentRcd?appId={account.app}&startTime={broken}{MARK}&endTime={broken}"
    status, answer = await exchange(server, request("GET", target, signed(account)))
    assert (status, json.loads(answer)["status"]) in ((200, "-11"), (200, "-22"))


@pytest.mark.parametrize("broken", ["%00", "%ff%fe", "%ed%a0%bd"])
async def test_content_that_is_no_text_is_not_sent(server: Server, account: Account, broken: str) -> None:
    target = f"/v3/sendSms?appId={account.app}&numbers=8613800000005&content={broken}{MARK}"
    status, answer = await exchange(server, request("GET", target, signed(account)))
    assert (status, json.loads(answer)["status"]) == (200, "-22"), answer


async def test_a_query_of_ten_megabytes_is_refused(server: Server, account: Account) -> None:
    query = f"api_id={account.api_id}&textmessage=" + MARK * (10 * MEGABYTE // len(MARK))
    for target, headers in (("/api/SendSMS", {}), ("/v3/sendSms", signed(account))):
        status, _body = await exchange(server, request("GET", f"{target}?{query}", headers))
        assert status in (0, 400, 413, 414, 431)


async def test_more_parameters_than_a_call_can_need_are_refused_in_the_dialects_words(
    server: Server, account: Account
) -> None:
    many = "&".join(f"p{n}={n}" for n in range(5000))
    members = json.dumps({f"p{n}": n for n in range(5000)}).encode()
    for data in (
        request("GET", f"/api/CheckBalance?{many}", {}),
        request("POST", "/api/CheckBalance", FORM, many.encode()),
        request("POST", "/api/CheckBalance", JSON, members),
    ):
        status, answer = await exchange(server, data)
        assert (status, json.loads(answer)) == (200, {"status": "F", "remarks": "too many parameters"})
    status, answer = await exchange(server, request("GET", f"/v3/getReport?{many}", signed(account)))
    assert (status, json.loads(answer)["status"]) == (200, "-22")


async def test_a_body_larger_than_a_call_can_need_is_refused_in_the_dialects_words(
    server: Server, account: Account
) -> None:
    body = b"31=%41&" * (2 * MEGABYTE // 7)
    status, answer = await exchange(server, request("POST", "/api/CheckBalance", FORM, body))
    assert (status, json.loads(answer)) == (413, {"status": "F", "remarks": "request too large"})
    body = b"{" + b" " * 2 * MEGABYTE + b"}"
    status, answer = await exchange(server, request("POST", "/v3/sendSms", signed(account), body))
    assert (status, json.loads(answer)) == (
        413,
        {
            "status": "-22",
            "reason": "The request is not of the dialect's shape: the request is too large",
            "success": "0",
            "fail": "0",
            "array": [],
            "failArray": [],
        },
    )


@pytest.mark.parametrize("path", ["/v3/sendSms/batch", "/carriers/nobody/wrong/report"])
async def test_a_strangers_body_is_not_waited_for(server: Server, account: Account, path: str) -> None:
    """The answer comes though nothing of the body does: who it is from is asked first."""
    headers = {**signed(account), "Sign": "0" * 32, "Content-Length": str(2 * MEGABYTE)}
    status, answer = await exchange(server, request("POST", path, headers))
    assert (status, answer) == (404, b"not found\n") or json.loads(answer)["status"] == "-1"


async def test_a_forwarded_address_in_a_line_of_its_own_does_not_hide_the_proxys(server: Server) -> None:
    listed = await server.account(networks=["203.0.113.7/32"])
    credentials = f"api_id={listed.api_id}&api_password={quote(listed.api_password)}"

    async def asked(*lines: str) -> tuple[int, bytes]:
        head = [f"GET /api/CheckBalance?{credentials} HTTP/1.1", "Host: x", *(f"X-Forwarded-For: {x}" for x in lines)]
        return await exchange(server, "\r\n".join(head).encode() + b"\r\n\r\n")

    _status, answer = await asked("203.0.113.7", "198.51.100.9")
    assert json.loads(answer)["status"] == "F"
    _status, answer = await asked("198.51.100.9", "203.0.113.7:4711")
    assert json.loads(answer)["BalanceAmount"] == 10


async def test_a_request_has_one_host(server: Server) -> None:
    head = "GET /healthz HTTP/1.1\r\n"
    assert (await exchange(server, f"{head}Host: x\r\n\r\n".encode()))[0] == 200
    assert (await exchange(server, f"{head}\r\n".encode()))[0] == 400
    assert (await exchange(server, f"{head}Host: x\r\nHost: x\r\n\r\n".encode()))[0] == 400
    assert (await exchange(server, b"GET /healthz HTTP/1.0\r\n\r\n"))[0] == 200


async def test_answers_do_not_name_the_software(server: Server) -> None:
    for path in ("/healthz", "/nowhere", "/v3/getBalance"):
        reply = await server.client.call("GET", path)
        assert [value for name, value in reply.headers.items() if name.lower() == "server"] == ["http"]


async def test_a_refused_call_leaves_its_connection_usable(server: Server, account: Account) -> None:
    async with Raw(server) as raw:
        for _ in range(3):
            await raw.send(request("POST", "/v3/sendSms", {**signed(account), "Sign": "0" * 32}, b"{}"))
            status, answer = await raw.answer()
            assert (status, json.loads(answer)["status"]) == (200, "-1")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([f"X-{n}: {MARK}" for n in range(20_000)], id="many"),
        pytest.param(["X-Long: " + MARK * (4 * MEGABYTE // len(MARK))], id="long"),
        pytest.param(["Api-Key: " + MARK * 5000, "Sign: " + "0" * 50_000, "Timestamp: " + "9" * 9000], id="ours"),
    ],
)
async def test_a_flood_of_headers_is_refused(server: Server, account: Account, headers: Sequence[str]) -> None:
    data = "\r\n".join(["GET /v3/getBalance HTTP/1.1", "Host: x", *headers]).encode() + b"\r\n\r\n"
    status, body = await exchange(server, data)
    assert status in (0, 400, 431) or json.loads(body)["status"] == "-1"


@pytest.mark.parametrize(
    "value", [b"\xff\xfe", b"\xe4\xbd\xa0", b"a\tb", "９".encode(), b"-1", b"+1", b"1" * 5000, b" ", b"\x01"]
)
@pytest.mark.parametrize("header", ["Api-Key", "Timestamp", "Sign"])
async def test_header_values_that_are_nonsense(server: Server, account: Account, header: str, value: bytes) -> None:
    headers = {**signed(account), header: "@"}
    status, body = await exchange(server, request("GET", "/v3/getBalance", headers).replace(b"@", value))
    assert status in (0, 400, 431) or (status == 200 and json.loads(body)["status"] in ("-1", "-16")), body


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v3/getBalance\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BREW /api/SendSMS HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_of_ours_is_refused(server: Server, account: Account, data: bytes) -> None:
    async with Raw(server) as raw:
        answer = asyncio.create_task(raw.answer())
        await raw.send(data)
        status, body = await answer
    assert status in (0, *range(400, 500), 505), body
    assert status != 500


# --- connections -------------------------------------------------------------------------------------------


async def test_pipelined_requests_are_answered_in_their_order(server: Server, account: Account) -> None:
    body = json.dumps({"api_id": account.api_id, "api_password": account.api_password, "status": "no"}).encode()
    async with Raw(server) as raw:
        await raw.send(
            request("GET", "/v3/getBalance", signed(account))
            + request("POST", "/api/CTrack", JSON, body)
            + request("GET", "/v3/nothing", {})
            + request("GET", "/v3/getBalance", signed(account))
        )
        answers = [await raw.answer() for _ in range(4)]
    assert [status for status, _body in answers] == [200, 200, 404, 200]
    assert json.loads(answers[0][1])["balance"] == json.loads(answers[3][1])["balance"] == "10.000000"
    assert json.loads(answers[1][1])["ErrorCode"] == 1006


async def test_a_half_closed_connection_is_answered_or_closed_at_once(server: Server, account: Account) -> None:
    async with Raw(server) as raw:
        await raw.send(request("GET", "/v3/getBalance", signed(account)))
        raw.writer.write_eof()
        status, body = await raw.answer()
    assert status == 0 or (status, json.loads(body)["status"]) == (200, "0")
    async with Raw(server) as raw:
        await raw.send(request("POST", "/v3/sendSms", {**signed(account), "Content-Length": "100"}, b"{"))
        raw.writer.write_eof()
        assert (await raw.answer())[0] in (0, 400, 408)


async def test_a_caller_that_waits_for_leave_to_send_its_body_gets_it(server: Server, account: Account) -> None:
    body = json.dumps({"api_id": account.api_id, "api_password": account.api_password}).encode()
    head = {**JSON, "Content-Length": str(len(body)), "Expect": "100-continue"}
    async with Raw(server) as raw:
        await raw.send(request("POST", "/api/CheckBalance", head))
        status, _body = await raw.answer()
        assert status == 100
        await raw.send(body)
        status, answer = await raw.answer()
    assert (status, json.loads(answer)["BalanceAmount"]) == (200, 10)


async def test_connections_that_break_off_leave_nothing(server: Server, account: Account) -> None:
    body = json.dumps({"appId": account.app, "numbers": "8613800000005", "content": MARK}).encode()
    whole = request("POST", "/v3/sendSms", signed(account), body)
    for cut in (10, 60, len(whole) - len(body), len(whole) - 10, len(whole) - 1):
        async with Raw(server) as raw:
            await raw.send(whole[:cut])
    await asyncio.sleep(0.3)


async def test_slow_clients_are_cut_off_and_hold_nobody_up(server: Server, account: Account) -> None:
    body = json.dumps({"appId": account.app, "numbers": "8613800000005", "content": MARK}).encode()
    headers = request("POST", "/v3/sendSms", signed(account), body)

    async def dribble(data: bytes) -> float:
        """Seconds until the server had enough of a client that never ends."""
        started_s = time.monotonic()
        async with Raw(server) as raw:
            await raw.send(data)
            async with asyncio.timeout(40):
                try:
                    while await raw.reader.read(1000):
                        pass
                except ConnectionError:
                    pass
        return time.monotonic() - started_s

    slow = [
        *(asyncio.create_task(dribble(b"POST /v3/sendSms HTTP/1.1\r\nHost: x\r\nX-Slow: ")) for _ in range(100)),
        *(asyncio.create_task(dribble(headers[: -len(body)] + body[:10])) for _ in range(100)),
    ]
    await asyncio.sleep(0.5)
    for _ in range(20):
        started_s = time.monotonic()
        assert (await server.client.laaffic(account, "GET", "/v3/getBalance")).json["status"] == "0"
        assert time.monotonic() - started_s < 4.0
    took_s = await asyncio.gather(*slow)
    assert max(took_s) < 35
