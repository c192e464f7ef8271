"""CAMARA's One Time Password SMS 1.1: the cases of the definition's own tests, against a running Homing."""

import asyncio
import itertools
import json
import re
from typing import Any

import pytest

from homing import errors
from homing.admin import account_settings
from homing.admin.code_settings import set_test_number
from homing.dialects.registry import DIALECTS
from tests.support.client import Reply
from tests.support.command import homing
from tests.support.server import NO_ROUTE, QUEUED, Account, Server
from tests.support.waiting import until

BASE = "/one-time-password-sms/v1"
CORRELATOR = "b4333c46-49c0-4f62-80d7-f0ef930f1c46"
MESSAGE = "{{code}} is your short code to authenticate with Cool App via SMS"
COUNTER = itertools.count(1)


def number() -> str:
    """Its messages stay queued, so that the code stands in the text."""
    return f"+{QUEUED}{next(COUNTER):08}"


async def token_of(server: Server, account: Account, *scopes: str) -> str:
    async with server.database.transaction() as transaction:
        made = await account_settings.create_credential(
            transaction, server.vault, account.account_id, DIALECTS.named("v1"), scopes=scopes
        )
    server.secrets.add(made.secret)
    return made.token


class Api:
    """An account's calls."""

    def __init__(self, server: Server, account: Account, token: str) -> None:
        self.server = server
        self.account = account
        self.token = token

    async def call(self, name: str, body: Any, *, method: str = "POST", **headers: str | None) -> Reply:
        """`body`: bytes as they are, else JSON. `headers`: None leaves one out."""
        wanted: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "x-correlator": CORRELATOR,
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        reply = await self.server.client.call(
            method,
            f"{BASE}/{name}",
            headers={key: value for key, value in wanted.items() if value is not None},
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        )
        if wanted["x-correlator"] == CORRELATOR:
            assert reply.headers["x-correlator"] == CORRELATOR
        if reply.status != 204:
            assert reply.headers["Content-Type"] == "application/json"
        if reply.status >= 400:
            assert set(reply.json) == {"status", "code", "message"}
            assert reply.json["status"] == reply.status
            assert reply.json["message"]
        return reply

    async def send(self, to: str, message: str = MESSAGE) -> str:
        reply = await self.call("send-code", {"phoneNumber": to, "message": message})
        assert reply.status == 200, reply
        assert set(reply.json) == {"authenticationId"}
        identity: str = reply.json["authenticationId"]
        assert 0 < len(identity) <= 36
        return identity

    async def text(self, identity: str) -> str:
        (row,) = await self.server.query("SELECT text FROM message WHERE message_id = $1", int(identity))
        return str(row["text"])

    async def code(self, identity: str) -> str:
        (code,) = re.findall(r"\d{6}", await self.text(identity))
        return str(code)

    async def validate(self, identity: str, code: str) -> Reply:
        return await self.call("validate-code", {"authenticationId": identity, "code": code})


@pytest.fixture
async def api(server: Server) -> Api:
    account = await server.account()
    return Api(server, account, await token_of(server, account))


def refused(reply: Reply, status: int, code: str) -> bool:
    return (reply.status, reply.json["code"]) == (status, code)


async def test_a_code_is_sent_in_the_message_and_validated_once(api: Api) -> None:
    to = number()
    identity = await api.send(to)
    code = await api.code(identity)
    assert await api.text(identity) == MESSAGE.replace("{{code}}", code)
    reply = await api.validate(identity, code)
    assert (reply.status, reply.body) == (204, b"")
    assert refused(await api.validate(identity, code), 400, "ONE_TIME_PASSWORD_SMS.VERIFICATION_EXPIRED")
    conversions = await api.server.query("SELECT dialect FROM conversion WHERE account_id = $1", api.account.account_id)
    assert [row["dialect"] for row in conversions] == [5]


async def test_a_call_without_a_correlator_is_answered_alike(api: Api) -> None:
    body = {"phoneNumber": number(), "message": MESSAGE}
    reply = await api.call("send-code", body, x_correlator=None)
    assert reply.status == 200
    assert "x-correlator" not in reply.headers
    assert refused(await api.call("send-code", body, x_correlator="a b"), 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        {},
        [],
        {"phoneNumber": "3301", "message": MESSAGE},
        {"phoneNumber": "+0301234567", "message": MESSAGE},
        {"phoneNumber": 346661113334, "message": MESSAGE},
        {"phoneNumber": "+346661113334"},
        {"phoneNumber": "+346661113334", "message": None},
        {"phoneNumber": "+346661113334", "message": "message without code"},
        {"phoneNumber": "+346661113334", "message": "{{code}}" + "x" * 153},
        {"phoneNumber": "+346661113334", "message": "{{code}}\0"},
        {"phoneNumber": "+346661113334", "message": "{{code}}" + "x" * 9000},
    ],
)
async def test_a_send_that_is_not_of_the_definitions_form_is_an_invalid_argument(api: Api, body: Any) -> None:
    assert refused(await api.call("send-code", body), 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {},
        {"authenticationId": None, "code": "123456"},
        {"authenticationId": "1"},
        {"authenticationId": "1", "code": ""},
        {"authenticationId": "1", "code": "thisCodeExceedsTenCharacters"},
        {"authenticationId": "1" * 37, "code": "123456"},
    ],
)
async def test_a_validation_that_is_not_of_the_definitions_form_is_an_invalid_argument(api: Api, body: Any) -> None:
    assert refused(await api.call("validate-code", body), 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("call", ["send-code", "validate-code"])
@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer abc", "Bearer hm_unknown_secret", "Basic aG06aG0=", "Bearer hm_{key}_wrong"]
)
async def test_without_a_valid_token_nothing_is_done(api: Api, call: str, header: str | None) -> None:
    key = api.token.split("_")[1]
    reply = await api.call(call, {}, Authorization=header.replace("{key}", key) if header else None)
    assert refused(reply, 401, "UNAUTHENTICATED")
    assert reply.headers["www-authenticate"].startswith("Bearer")


async def test_a_revoked_key_opens_nothing(api: Api) -> None:
    async with api.server.database.transaction() as transaction:
        await account_settings.revoke_credential(transaction, DIALECTS, api.token.split("_")[1], 3)
    await api.server.settled()
    assert refused(await api.call("send-code", {}), 401, "UNAUTHENTICATED")


async def test_a_locked_account_and_one_that_does_not_allow_the_address_have_no_permission(server: Server) -> None:
    for account in (await server.account(locked=True), await server.account(networks=["203.0.113.0/24"])):
        reply = await Api(server, account, await token_of(server, account)).call("send-code", {})
        assert refused(reply, 403, "PERMISSION_DENIED")


async def test_a_key_needs_the_scope_of_verifications(server: Server) -> None:
    account = await server.account()
    body = {"phoneNumber": number(), "message": MESSAGE}
    without = Api(server, account, await token_of(server, account, "messages:write", "verifications:read"))
    assert refused(await without.call("send-code", body), 403, "PERMISSION_DENIED")
    assert refused(await without.call("validate-code", {}), 403, "PERMISSION_DENIED")
    having = Api(server, account, await token_of(server, account, "verifications:write"))
    assert (await having.call("send-code", body)).status == 200


async def test_there_are_no_keys_of_this_dialect_alone(server: Server) -> None:
    account = await server.account()
    said = await homing(server.dsn, "credential", "create", account.name, "--dialect", "camara", status=2)
    assert "'camara' is not one of" in said
    async with server.database.transaction() as transaction:
        with pytest.raises(errors.InvalidInput, match="keys of Homing's own API"):
            await account_settings.create_credential(
                transaction, server.vault, account.account_id, DIALECTS.named("camara")
            )


async def test_the_use_of_a_key_is_seen(api: Api) -> None:
    await api.send(number())

    async def used() -> bool:
        rows = await api.server.query(
            "SELECT last_used_at FROM credential WHERE account_id = $1 AND dialect = 3", api.account.account_id
        )
        return rows[0]["last_used_at"] is not None

    assert await until(used)


async def test_wrong_codes_end_the_verification_at_the_fifth(api: Api) -> None:
    identity = await api.send(number())
    right = await api.code(identity)
    wrong = "000000" if right != "000000" else "111111"
    replies = [await api.validate(identity, wrong) for _ in range(5)]
    assert [reply.json["code"] for reply in replies] == [
        *["ONE_TIME_PASSWORD_SMS.INVALID_OTP"] * 4,
        "ONE_TIME_PASSWORD_SMS.VERIFICATION_FAILED",
    ]
    assert {reply.status for reply in replies} == {400}
    assert refused(await api.validate(identity, right), 400, "ONE_TIME_PASSWORD_SMS.VERIFICATION_FAILED")


async def test_a_code_is_no_longer_valid_when_its_time_is_over(api: Api) -> None:
    identity = await api.send(number())
    code = await api.code(identity)
    await api.server.query(
        "UPDATE verification SET expires_at = now() - interval '1 s' WHERE verification_id = $1", int(identity)
    )
    assert refused(await api.validate(identity, code), 400, "ONE_TIME_PASSWORD_SMS.VERIFICATION_EXPIRED")


async def test_a_newer_code_ends_the_one_before(api: Api) -> None:
    to = number()
    async with api.server.database.transaction() as transaction:  # whose codes have no limit
        await set_test_number(transaction, api.account.account_id, to.removeprefix("+"), "123456")
    await api.server.settled()
    first, second = await api.send(to), await api.send(to)
    assert refused(await api.validate(first, "123456"), 400, "ONE_TIME_PASSWORD_SMS.VERIFICATION_EXPIRED")
    assert (await api.validate(second, "123456")).status == 204


@pytest.mark.parametrize("identity", ["1", "ea0840f3-3663-4149-bd10-c7c6b8912105", "9" * 36, "٣", "-1"])
async def test_an_unknown_authentication_id_is_not_found(api: Api, identity: str) -> None:
    assert refused(await api.validate(identity, "123456"), 404, "NOT_FOUND")


async def test_anothers_authentication_id_is_not_found(api: Api, server: Server) -> None:
    identity = await api.send(number())
    account = await server.account()
    other = Api(server, account, await token_of(server, account))
    assert refused(await other.validate(identity, await api.code(identity)), 404, "NOT_FOUND")


async def test_a_second_code_to_a_number_within_half_a_minute_is_one_too_many(api: Api) -> None:
    body = {"phoneNumber": number(), "message": MESSAGE}
    replies = await asyncio.gather(*(api.call("send-code", body) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [200, 403, 403, 403, 403]
    for reply in replies:
        if reply.status == 403:
            assert reply.json["code"] == "ONE_TIME_PASSWORD_SMS.MAX_OTP_CODES_EXCEEDED"
            assert 1 <= int(reply.headers["retry-after"]) <= 30


async def test_destinations_that_cannot_be_sent_to(api: Api) -> None:
    denied = number()
    await homing(
        api.server.dsn, "guard", "deny", denied.removeprefix("+"), "--account", api.account.name, data=api.server.data
    )
    await api.server.settled()
    reply = await api.call("send-code", {"phoneNumber": denied, "message": MESSAGE})
    assert refused(reply, 403, "ONE_TIME_PASSWORD_SMS.PHONE_NUMBER_NOT_ALLOWED")
    reply = await api.call("send-code", {"phoneNumber": f"+{NO_ROUTE}12345678", "message": MESSAGE})
    assert refused(reply, 404, "NOT_FOUND")


async def test_an_account_without_money_has_used_up_its_quota(server: Server) -> None:
    account = await server.account(balance="0")
    reply = await Api(server, account, await token_of(server, account)).call(
        "send-code", {"phoneNumber": number(), "message": MESSAGE}
    )
    assert refused(reply, 429, "QUOTA_EXCEEDED")


async def test_other_methods_and_media_types_are_refused_in_the_definitions_form(api: Api) -> None:
    assert refused(await api.call("send-code", b"", method="GET"), 405, "METHOD_NOT_ALLOWED")
    reply = await api.call("send-code", {}, Content_Type="text/plain")
    assert refused(reply, 415, "UNSUPPORTED_MEDIA_TYPE")
