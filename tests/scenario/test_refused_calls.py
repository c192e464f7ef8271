"""Refused calls: logged whichever dialect refuses, whose they are, without secrets, never more than the bounds."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.accounts.directory import Directory
from homing.accounts.refusal_log import ACCOUNT_ROWS_BURST, REST_WRITTEN_S, RefusalLog, forget_refused_calls
from homing.accounts.refused_calls import STRANGER, Caller, RefusedCall, invalid
from homing.admin.account_settings import create_credential
from homing.api.http.stray_calls import STRANGERS_BURST, StrayCalls
from homing.api.http.wire import Headers, HttpEndpoint, HttpRequest, HttpResponse
from homing.dialects.registry import DIALECTS
from homing.dialects.serving import HttpDialect
from homing.i18n.reasons import CALL_TITLES
from homing.model import UserRole
from homing.reasons import Reason, ReasonCode
from tests.support.client import Reply
from tests.support.command import homing_json
from tests.support.esme import bound, refused
from tests.support.server import NO_ROUTE, Account, Server
from tests.support.v1 import v1_client
from tests.support.viewer import signed_in
from tests.support.waiting import until

NUMBER = "8613800001234"


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account()


async def logged(server: Server, account_id: int, calls: int) -> Mapping[str, Sequence[Any]]:
    """The rows by call, once so many calls are logged."""

    async def rows() -> Sequence[Any]:
        return await server.query(
            "SELECT *, reason ->> 'code' AS reason_code FROM refused_call WHERE account_id = $1"
            " ORDER BY refused_call_id",
            account_id,
        )

    read = await until(rows, lambda rows: sum(row["calls"] for row in rows) >= calls, describe=lambda: None)
    assert sum(row["calls"] for row in read) == calls, read
    by_call: dict[str, list[Any]] = {}
    for row in read:
        by_call.setdefault(row["call"], []).append(row)
    return by_call


def told(row: Any) -> tuple[str, str, int]:
    return row["code"], row["reason_code"], row["messages"]


async def test_every_dialect_logs_what_it_refuses(server: Server, account: Account) -> None:
    client, lia = server.client, {"sms_type": "T", "encoding": "T", "sender_id": "HOMING", "textmessage": "x"}
    v1 = await v1_client(server, account, "messages:write")
    await client.lia(account, "SendSMS", **{**lia, "sender_id": "NOPE"}, phonenumber=NUMBER)
    many = f"{NO_ROUTE}8123456789,{NO_ROUTE}8123456788,12,{NUMBER}"
    await client.lia(account, "SendSMSMulti", **lia, phonenumber=many)
    await client.lia(account, "CTrack", status="true", message_id=17)
    laaffic = {"appId": account.app, "numbers": f"{NUMBER},12", "content": "x"}
    await client.laaffic(account, "GET", "/v3/sendSms", {**laaffic, "appId": "none"})
    await client.laaffic(account, "GET", "/v3/sendSms", laaffic)
    await client.laaffic(account, "POST", "/v3/otp/verification/send", body={"appId": account.app, "to": "12"})
    await v1.post("/v1/messages", {"to": NUMBER, "text": ""})
    await v1.post("/v1/messages", {"messages": [{"to": "12", "text": "x"}, {"to": NUMBER, "text": "x"}]})
    await v1.get("/v1/balance")
    await client.call(
        "POST",
        "/one-time-password-sms/v1/send-code",
        headers={"Authorization": f"Bearer {v1.token}", "Content-Type": "application/json"},
        body=b'{"phoneNumber": "+12345678", "message": "{{code}}"}',
    )
    rows = await logged(server, account.account_id, 11)
    assert list(map(told, rows["lia.SendSMS"])) == [("Invalid sender_id", "call.sender_unknown", 1)]
    assert sorted(map(told, rows["lia.SendSMSMulti"])) == [
        ("Invalid phonenumber", "call.number_invalid", 1),
        ("No route for this phonenumber", "call.no_route", 2),
    ]
    assert list(map(told, rows["lia.CTrack"])) == [("1008", "call.invalid", 0)]
    assert sorted(map(told, rows["laaffic.sendSms"])) == [
        ("-1", "call.app_unknown", 2),
        ("-9", "call.number_invalid", 1),
    ]
    (otp,) = rows["laaffic.otp/verification/send"]
    assert otp["reason_code"] == "call.invalid"
    assert sorted(map(told, rows["v1.messages"])) == [
        ("422 number_invalid", "call.number_invalid", 1),
        ("422 text_empty", "call.text_empty", 1),
    ]
    assert list(map(told, rows["v1.balance"])) == [("403 scope_missing", "call.scope_missing", 0)]
    assert list(map(told, rows["camara.send-code"])) == [("403 PERMISSION_DENIED", "call.scope_missing", 1)]
    whole = json.dumps([dict(row) for each in rows.values() for row in each], default=str)
    assert NUMBER not in whole
    assert not [secret for secret in (account.secret, account.api_password, v1.token) if secret in whole]


async def test_binds_and_submits_are_logged(server: Server, account: Account) -> None:
    smpp = server.environment["HOMING_SMPP_ADDRESS"]
    async with bound(smpp, account.api_id, account.api_password) as esme:
        await esme.submit("12")
        await esme.submit(f"{NO_ROUTE}8123456789")
        await esme.submit(NUMBER, source_addr="NOPE")
    await refused(smpp, account.api_id, "wrong")
    rows = await logged(server, account.account_id, 4)
    assert sorted(map(told, rows["smpp.submit_sm"])) == [
        ("0x0000000A ESME_RINVSRCADR", "call.sender_unknown", 1),
        ("0x0000000B ESME_RINVDSTADR", "call.number_invalid", 1),
        ("0x00000401 NO_ROUTE", "call.no_route", 1),
    ]
    (bind,) = rows["smpp.bind"]
    assert (bind["reason_code"], bind["key"]) == ("call.secret_wrong", account.api_id)


async def test_a_wrong_secret_is_the_accounts_and_an_unknown_key_nobodys(server: Server, account: Account) -> None:
    key = "a-secret-that-was-pasted-as-a-key"
    for api_id in (account.api_id, key):
        await server.client.call("GET", f"/api/CheckBalance?api_id={api_id}&api_password=wrong-wrong-wrong")
    (row,) = (await logged(server, account.account_id, 1))["lia.CheckBalance"]
    assert (row["code"], row["reason_code"]) == ("Invalid api_password", "call.secret_wrong")

    async def strangers() -> Sequence[Any]:
        return await server.query("SELECT * FROM refused_call WHERE account_id IS NULL AND key LIKE 'a-secr%'")

    (stranger,) = await until(strangers, bool)
    assert stranger["key"] == "a-secr…"


async def test_hooks_log_what_they_refuse(server: Server, account: Account) -> None:
    async with server.database.transaction() as transaction:
        hook = await create_credential(transaction, server.vault, account.account_id, DIALECTS.named("hooks"))
    path, token = f"/hooks/generic/{hook.key}", {"Authorization": hook.secret}

    async def call(headers: Mapping[str, str], body: bytes) -> Reply:
        return await server.client.call("POST", path, headers=headers, body=body)

    unsigned = await call({}, b"{}")
    odd = await call(token, b'{"to": "12", "text": "x"}')
    nowhere = await call(token, f'{{"to": "+{NO_ROUTE}8123456789", "text": "your code"}}'.encode())
    malformed = await call(token, b"[]")
    rows = (await logged(server, account.account_id, 4))["hooks.generic"]
    assert [(row["code"], row["reason_code"]) for row in rows] == [
        (str(unsigned.status), "call.secret_wrong"),
        (str(odd.status), "call.number_invalid"),
        (str(nowhere.status), "call.no_route"),
        (str(malformed.status), "call.invalid"),
    ]
    assert {(row["key"], row["messages"]) for row in rows} == {(hook.key, 1)}
    whole = json.dumps([dict(row) for row in rows], default=str)
    assert hook.secret not in whole
    assert "your code" not in whole


async def test_a_wrong_base_url_is_listed_to_the_account_whose_key_is_named(server: Server, account: Account) -> None:
    v1 = await v1_client(server, account)
    call = server.client.call
    for method, path in (
        ("POST", "/v1/v1/messages"),  # the base URL twice
        ("POST", "/messages"),  # without it
        ("PUT", "/v1/messages"),
        ("GET", "/v1/verifications/123456789/resent"),
        ("GET", "/v1/" + v1.token),
    ):
        assert (await v1.call(method, path)).status in (404, 405)
    await call("GET", f"/api/SendSMS2?api_id={account.api_id}&api_password={account.api_password}")
    await call("GET", "/v3/getBalances", headers={"Api-Key": account.key})
    await call("DELETE", "/v3/getBalance", headers={"Api-Key": account.key})
    rows = await logged(server, account.account_id, 8)
    shown = {(row["call"], row["code"], row["reason_code"]) for each in rows.values() for row in each}
    assert shown == {
        ("v1.unknown", "404 not_found", "call.path_unknown"),
        ("v1.unknown", "404", "call.path_unknown"),
        ("v1.messages", "405 method_not_allowed", "call.method_wrong"),
        ("lia.unknown", "404", "call.path_unknown"),
        ("laaffic.unknown", "404", "call.path_unknown"),
        ("laaffic.getBalance", "405", "call.method_wrong"),
    }
    paths = {json.loads(row["reason"])["values"]["path"] for row in rows["v1.unknown"]}
    assert paths == {"/v1/v1/messages", "/messages", "/v1/verifications/…/resent", "/v1/hm_…"}
    assert rows["lia.unknown"][0]["key"] == account.api_id


async def test_scanners_fill_neither_the_list_nor_the_place_of_others(server: Server) -> None:
    log = RefusalLog(server.database, lambda: datetime.now(UTC), lambda: 0.0)
    directory = Directory(database=server.database, vault=server.vault, email_keyed=DIALECTS.email_keyed)
    finders = {each.name: each.named_key for each in DIALECTS if isinstance(each, HttpDialect)}
    served = {"/v1/": HttpEndpoint("v1.none", frozenset(), never)}
    stray = StrayCalls(endpoints=served, key_finders=finders, directory=directory, refusal_log=log, clock_s=lambda: 0.0)
    for _ in range(100):
        await stray.note(scanned("/v1/again"), "404")  # one row
    for n in range(500):
        await stray.note(scanned(f"/v1/scan{n}x"), "404")
        await stray.note(scanned(f"/.env{n}"), "404")
    log.note("lia.SendSMS", STRANGER, RefusedCall(code="1", reason=invalid("other")), address="", request_id="other")
    await log.write(is_last=True)
    rows = await server.query("SELECT * FROM refused_call WHERE address = '192.0.2.66' OR request_id = 'other'")
    listed = [row for row in rows if row["call"] == "v1.unknown"]
    assert len(listed) == STRANGERS_BURST
    assert [row["calls"] for row in listed if "again" in row["reason"]] == [100]
    assert [row["call"] for row in rows if row["request_id"] == "other"] == ["lia.SendSMS"]
    assert not [row for row in listed if "env" in row["reason"]]
    (rest,) = await server.query(
        "SELECT calls FROM refused_call WHERE is_rest AND account_id IS NULL"
        " AND reason ->> 'code' = 'call.path_unknown' ORDER BY refused_call_id DESC LIMIT 1"
    )
    assert rest["calls"] == 500 - (STRANGERS_BURST - 1)


class NoHeaders(dict[str, str]):
    def get(self, _key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return default


NO_HEADERS: Headers = NoHeaders()


class Scanner:
    def find_address(self) -> str:
        return "192.0.2.66"

    async def fetch_body(self, bytes_max: int) -> bytes:
        raise AssertionError(bytes_max)


def scanned(path: str) -> HttpRequest:
    return HttpRequest("GET", path, "", NO_HEADERS, b"", "scan", Scanner())


async def never(request: HttpRequest) -> HttpResponse:
    raise AssertionError(request)


async def test_a_customer_sees_the_own_calls_and_operators_all(server: Server, console: str, account: Account) -> None:
    other = await server.account()
    for each in (account, other):
        await server.client.lia(each, "SendSMS", sms_type="T", sender_id="NOPE", phonenumber=NUMBER, textmessage="x")
        await logged(server, each.account_id, 1)
    _name, customer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    _name, operator = await signed_in(console, server.database)
    own = (await customer.get(f"/refusals?account={other.name}")).words
    assert "Invalid sender_id" in own
    assert account.api_id in own
    assert other.api_id not in own
    for each in (account, other):
        words = (await operator.get(f"/refusals?account={each.name}&reason=call.sender_unknown&dialect=lia")).words
        assert "the sender ID is not registered" in words
        assert each.api_id in words
    assert account.api_id not in (await operator.get(f"/refusals?account={account.name}&dialect=v1")).words
    assert account.api_id not in (await operator.get("/refusals?unknown=yes")).words
    assert "nobody does not exist" in (await operator.get("/refusals?account=nobody")).words
    assert "发送方未登记" in (await customer.get("/refusals", accept_language="zh-CN")).words
    listed = await homing_json(server.dsn, "refusal", "list", "--account", account.name)
    assert [(row["code"], row["reason"]["code"]) for row in listed] == [("Invalid sender_id", "call.sender_unknown")]
    counted = await homing_json(server.dsn, "refusal", "count", "--account", account.name, "--since", "1h")
    assert counted == [{"reason_code": "call.sender_unknown", "calls": 1, "messages": 1}]


async def test_a_flood_is_counted_whole_and_listed_within_bounds(server: Server, account: Account) -> None:
    now_s = 0.0
    log = RefusalLog(server.database, lambda: datetime.now(UTC), lambda: now_s)
    caller, distinct, alike = Caller(account.account_id, "key"), 5_000, 7_000
    for n in range(distinct):
        refused_call = RefusedCall(code=f"code {n}", reason=invalid("the number 8613800001234 is odd"), messages=2)
        log.note("lia.SendSMS", caller, refused_call, address="192.0.2.1", request_id=str(n))
    again = RefusedCall(code="code 0", reason=invalid("the number 8613800001234 is odd"), messages=2)
    for n in range(alike):
        log.note("lia.SendSMS", caller, again, address="192.0.2.1", request_id=str(n))
    await log.write()
    rows = await server.query("SELECT * FROM refused_call WHERE account_id = $1", account.account_id)
    assert len(rows) == ACCOUNT_ROWS_BURST
    assert {row["calls"] for row in rows} == {1, alike + 1}, "calls that are alike share a row"
    assert "8613800001234" not in rows[0]["reason"]
    now_s = REST_WRITTEN_S
    await log.write()
    (rest,) = await server.query("SELECT * FROM refused_call WHERE account_id = $1 AND is_rest", account.account_id)
    assert rest["calls"] == distinct - ACCOUNT_ROWS_BURST
    (total,) = await server.query(
        "SELECT sum(calls)::int AS calls, sum(messages)::int AS messages FROM refused_call_sum WHERE account_id = $1",
        account.account_id,
    )
    assert (total["calls"], total["messages"]) == (distinct + alike, 2 * (distinct + alike))


async def test_what_is_old_is_forgotten(server: Server, account: Account) -> None:
    then = datetime.now(UTC) - timedelta(days=101)
    old = RefusalLog(server.database, lambda: then)
    refused_call = RefusedCall(code="1", reason=Reason.of(ReasonCode.CALL_NO_ROUTE))
    old.note("lia.SendSMS", Caller(account.account_id, "key"), refused_call, address="", request_id="")
    await old.write()
    await logged(server, account.account_id, 1)
    await forget_refused_calls(server.database, datetime.now(UTC))
    for table in ("refused_call", "refused_call_sum"):
        assert await server.query(f"SELECT 1 FROM {table} WHERE account_id = $1", account.account_id) == []


def test_every_reason_of_a_call_has_a_title() -> None:
    assert set(CALL_TITLES) == {code for code in ReasonCode if code.startswith("call.")}
