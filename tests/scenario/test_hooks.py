"""Hooks of sign-in products against a running Homing, with the payloads that the products publish."""

import asyncio
import hmac
import itertools
import json
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from homing.admin import account_settings
from homing.admin.code_settings import add_code_template
from homing.dialects.registry import DIALECTS
from homing.model import CodeAlphabet, CodeTemplate
from tests.support.client import Reply
from tests.support.command import homing
from tests.support.server import NO_ROUTE, QUEUED, Account, Server
from tests.support.waiting import until

COUNTER = itertools.count(1)


def number() -> str:
    """Its messages stay queued, so that the code stands in the text."""
    return f"+{QUEUED}{next(COUNTER):07}5"


def supabase_body(to: str, otp: str, sms_phone: str | None = None) -> dict[str, Any]:
    """The example of Supabase's page of the hook."""
    return {
        "user": {
            "id": "6481a5c1-3d37-4a56-9f6a-bee08c554965",
            "aud": "authenticated",
            "role": "authenticated",
            "email": "",
            "phone": to,
            "phone_confirmed_at": "2024-05-13T11:52:48.157306Z",
            "app_metadata": {"provider": "phone", "providers": ["phone"]},
            "user_metadata": {},
            "identities": [
                {
                    "identity_id": "3be5e552-65aa-41d9-9db9-2a502f845459",
                    "identity_data": {"email_verified": False, "phone": "+1612341244428", "phone_verified": True},
                    "provider": "phone",
                }
            ],
            "is_anonymous": False,
        },
        "sms": {"otp": otp} if sms_phone is None else {"otp": otp, "phone": sms_phone},
    }


def logto_body(to: str, code: str) -> dict[str, Any]:
    """The example of Logto's page of the connector."""
    return {"to": to, "type": "SignIn", "payload": {"code": code}, "ip": "192.168.1.1"}


def zitadel_body(to: str, code: str, name: str = "code") -> dict[str, Any]:
    """The example of Zitadel's page of HTTP providers, of a message by SMS."""
    return {
        "contextInfo": {
            "eventType": "user.human.phone.code.added",
            "provider": {"id": "285181292935381355", "description": "test"},
            "recipientPhoneNumber": to,
        },
        "templateData": {
            "title": "Zitadel - Verify phone",
            "text": f"A new phone number has been added. Please use the following code to verify it: {code}",
            "buttonText": "Verify phone",
        },
        "args": {name: code, "changeDate": "2024-09-16T10:58:50.73237+02:00", "loginNames": ["Username"]},
    }


class Hook:
    """An account's hook, and the calls of a product that has its secret."""

    def __init__(self, server: Server, account: Account, key: str, secret: str) -> None:
        self.server = server
        self.account = account
        self.key = key
        self.secret = secret

    async def post(
        self, product: str, body: Any, headers: Mapping[str, str] | None = None, *, query: str = "", key: str = ""
    ) -> Reply:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.server.client.call(
            "POST",
            f"/hooks/{product}/{key or self.key}{query}",
            headers={"Content-Type": "application/json", **(headers or self.headers(product, encoded))},
            body=encoded,
        )

    def headers(self, product: str, body: bytes, secret: str = "", webhook_id: str = "") -> dict[str, str]:
        """As the product shows that it knows the secret."""
        secret, now = secret or self.secret, datetime.now(UTC)
        if product == "zitadel":
            timestamp = str(int(time.time()))
            signature = hmac.digest(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hex()
            return {"ZITADEL-Signature": f"t={timestamp},v1={signature}"}
        if product == "logto":
            return {"Authorization": f"Bearer {secret}"}
        webhook_id = webhook_id or str(uuid.uuid4())
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(f"whsec_{secret}").sign(webhook_id, now, body.decode()),
        }

    async def texts(self, to: str) -> list[str]:
        """Of the messages to a number."""
        rows = await self.server.query(
            "SELECT text FROM message WHERE account_id = $1 AND number = $2 ORDER BY message_id",
            self.account.account_id,
            to.removeprefix("+"),
        )
        return [row["text"] for row in rows]

    async def template(self, name: str, text: str, locale: str = "") -> None:
        template = CodeTemplate(
            template_id=0,
            app_id=self.account.app,
            name=name,
            locale=locale,
            text=text,
            alphabet=CodeAlphabet.NUMERIC,
            length=6,
            sender="",
        )
        async with self.server.database.transaction() as transaction:
            await add_code_template(transaction, self.account.account_id, template)
        await self.server.settled()


async def hook_of(server: Server, account: Account) -> Hook:
    async with server.database.transaction() as transaction:
        made = await account_settings.create_credential(
            transaction, server.vault, account.account_id, DIALECTS.named("hooks")
        )
    server.secrets.add(made.secret)
    return Hook(server, account, made.key, made.secret)


@pytest.fixture
async def hook(server: Server) -> Hook:
    return await hook_of(server, await server.account())


def generic_body(to: str, code: str) -> dict[str, Any]:
    return {"to": to, "code": code}


BODIES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "supabase": supabase_body,
    "logto": logto_body,
    "zitadel": zitadel_body,
    "generic": generic_body,
}


def is_error(reply: Reply, status: int, http_code: int) -> bool:
    assert set(reply.json) == {"error"}
    assert set(reply.json["error"]) == {"http_code", "message"}
    assert reply.json["error"]["message"]
    return (reply.status, reply.json["error"]["http_code"]) == (status, http_code)


@pytest.mark.parametrize("product", BODIES)
async def test_the_products_code_is_sent_to_the_number(product: str, hook: Hook) -> None:
    to = number()
    reply = await hook.post(product, BODIES[product](to, "561166"))
    assert (reply.status, reply.body) == (200, b"{}")
    assert reply.headers["Content-Type"].startswith("application/json")
    (text,) = await hook.texts(to)
    assert "561166" in text
    (row,) = await hook.server.query(
        "SELECT dialect, masked_text FROM message WHERE account_id = $1", hook.account.account_id
    )
    assert row["dialect"] == 6
    assert "561166" not in row["masked_text"]


@pytest.mark.parametrize("product", BODIES)
async def test_a_call_that_does_not_know_the_secret_sends_nothing(product: str, hook: Hook) -> None:
    to = number()
    body = json.dumps(BODIES[product](to, "561166")).encode()
    wrong = hook.headers(product, body, "0123456789abcdef0123456789abcdef")
    for headers in (wrong, {"Accept": "*/*"}):
        assert is_error(await hook.post(product, body, headers), 401, 401)
    assert is_error(await hook.post(product, body, key="unknown"), 401, 401)
    assert is_error(await hook.post(product, body, key="a/b"), 401, 401)
    assert await hook.texts(to) == []


async def test_a_hook_of_one_product_is_not_opened_by_anothers_proof(hook: Hook) -> None:
    body = json.dumps(supabase_body(number(), "561166")).encode()
    assert is_error(await hook.post("supabase", body, hook.headers("logto", body)), 401, 401)


@pytest.mark.parametrize("product", BODIES)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"to":1,"code":2}'])
async def test_a_body_that_is_not_the_products_is_refused(product: str, body: bytes, hook: Hook) -> None:
    assert is_error(await hook.post(product, body), 200 if product == "supabase" else 400, 400)


async def test_a_changed_phone_gets_the_code(hook: Hook) -> None:
    """Newer versions of Supabase name the number that the code goes to."""
    old, new = number(), number()
    assert (await hook.post("supabase", supabase_body(old, "561166", new))).status == 200
    assert await hook.texts(old) == []
    assert len(await hook.texts(new)) == 1


@pytest.mark.parametrize("product", ["supabase", "logto", "zitadel"])
async def test_a_call_that_is_repeated_sends_once_whatever_its_webhook_id(product: str, hook: Hook) -> None:
    to = number()
    replies = await asyncio.gather(*(hook.post(product, BODIES[product](to, "561166")) for _ in range(8)))
    assert [reply.body for reply in replies] == [b"{}"] * 8
    assert len(await hook.texts(to)) == 1


async def test_a_generic_call_is_repeated_by_its_webhook_id(hook: Hook) -> None:
    to = number()
    body = json.dumps({"to": to, "text": "Your table is ready"}).encode()
    for webhook_id in ("first", "first", "second"):
        reply = await hook.post("generic", body, hook.headers("generic", body, webhook_id=webhook_id))
        assert reply.body == b"{}"
    assert await hook.texts(to) == ["Your table is ready"] * 2
    assert (await hook.post("generic", body, {"Authorization": f"Bearer {hook.secret}"})).status == 200
    assert len(await hook.texts(to)) == 3


async def test_what_is_kept_of_a_call_does_not_give_its_code_away(hook: Hook) -> None:
    to = number()
    await hook.post("supabase", supabase_body(to, "561166"))
    (row,) = await hook.server.query("SELECT * FROM answered_call WHERE account_id = $1", hook.account.account_id)
    assert "561166" not in str(dict(row).values())
    assert to.removeprefix("+") not in str(dict(row).values())


async def test_texts_come_from_the_template_of_the_address_or_the_product(hook: Hook) -> None:
    await hook.template("sign-in", "##code## is your Acme code")
    await hook.template("sign-in", "您的 Acme 验证码是 ##code##", "zh-Hans")
    to = number()
    assert (await hook.post("zitadel", zitadel_body(to, "0M53RF"))).status == 200
    assert await hook.texts(to) == [zitadel_body(to, "0M53RF")["templateData"]["text"]]
    for query, text in (
        ("?template=sign-in", "0M53RF is your Acme code"),
        ("?template=sign-in&locale=zh-Hans-CN", "您的 Acme 验证码是 0M53RF"),
    ):
        to = number()
        assert (await hook.post("zitadel", zitadel_body(to, "0M53RF"), query=query)).status == 200
        assert await hook.texts(to) == [text]
    to = number()
    assert (await hook.post("supabase", supabase_body(to, "561166"))).status == 200
    assert await hook.texts(to) == ["561166 is your verification code"]
    assert is_error(await hook.post("logto", logto_body(number(), "1"), query="?template=none"), 400, 400)
    assert is_error(await hook.post("logto", logto_body(number(), "1"), query="?app=none"), 400, 400)


async def test_logtos_language_chooses_the_template(hook: Hook) -> None:
    await hook.template("sign-in", "##code## is your Acme code")
    await hook.template("sign-in", "您的 Acme 验证码是 ##code##", "zh-Hans")
    to, body = number(), logto_body("", "561166")
    body = {**body, "to": to, "payload": {"code": "561166", "locale": "zh-Hans"}}
    assert (await hook.post("logto", body, query="?template=sign-in")).status == 200
    assert await hook.texts(to) == ["您的 Acme 验证码是 561166"]


async def test_zitadels_second_factor_has_its_code_under_another_name(hook: Hook) -> None:
    to = number()
    assert (await hook.post("zitadel", zitadel_body(to, "482913", "oTP"))).status == 200
    assert len(await hook.texts(to)) == 1
    assert is_error(await hook.post("zitadel", zitadel_body(to, "482913", "url")), 400, 400)


@pytest.mark.parametrize("body", [{"code": "1"}, {"code": "12345678901"}, {"text": "", "code": ""}, {"code": "\0"}])
async def test_generic_calls_name_a_number_and_a_code_or_a_text(body: dict[str, str], hook: Hook) -> None:
    if body == {"code": "1"}:
        assert is_error(await hook.post("generic", {**body, "to": number(), "text": "no such digit"}), 400, 400)
        assert is_error(await hook.post("generic", body), 400, 400)
    else:
        assert is_error(await hook.post("generic", {**body, "to": number()}), 400, 400)


async def test_limits_of_codes_hold_and_supabase_reads_them_from_a_200(hook: Hook) -> None:
    to = number()
    assert (await hook.post("supabase", supabase_body(to, "561166"))).body == b"{}"
    refused = await hook.post("supabase", supabase_body(to, "561167"))
    assert is_error(refused, 200, 429)
    assert "this number" in refused.json["error"]["message"]
    refused = await hook.post("logto", logto_body(to, "561168"))
    assert is_error(refused, 429, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert len(await hook.texts(to)) == 1


async def test_the_person_learns_nothing_of_the_account(server: Server) -> None:
    hook = await hook_of(server, await server.account(balance="0"))
    reply = await hook.post("supabase", supabase_body(number(), "561166"))
    assert is_error(reply, 200, 402)
    assert reply.json["error"]["message"] == "The message cannot be sent."
    reply = await hook.post("logto", logto_body(number(), "561166"))
    assert is_error(reply, 402, 402)
    assert "money" in reply.json["error"]["message"]


async def test_destinations_that_cannot_be_sent_to(hook: Hook) -> None:
    assert is_error(await hook.post("logto", logto_body(f"+{NO_ROUTE}12345678", "561166")), 422, 422)
    assert is_error(await hook.post("logto", logto_body("0139", "561166")), 400, 400)
    denied = number()
    await homing(
        hook.server.dsn,
        "guard",
        "deny",
        denied.removeprefix("+"),
        "--account",
        hook.account.name,
        data=hook.server.data,
    )
    await hook.server.settled()
    assert is_error(await hook.post("logto", logto_body(denied, "561166")), 403, 403)


async def test_a_locked_account_a_foreign_address_and_a_revoked_hook_are_refused(server: Server) -> None:
    for account in (await server.account(locked=True), await server.account(networks=["203.0.113.0/24"])):
        hook = await hook_of(server, account)
        assert is_error(await hook.post("supabase", supabase_body(number(), "561166")), 403, 403)
    hook = await hook_of(server, await server.account())
    async with server.database.transaction() as transaction:
        await account_settings.revoke_credential(transaction, DIALECTS, hook.key, 6)
    await server.settled()
    assert is_error(await hook.post("supabase", supabase_body(number(), "561166")), 401, 401)


async def test_secrets_that_the_products_made_are_taken_as_they_are(server: Server) -> None:
    account = await server.account()
    secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for product, given in (("supabase", f"v1,whsec_{secret}"), ("zitadel", secret)):
        key = f"{product}{account.account_id}"
        said = await homing(
            server.dsn,
            *("credential", "create", account.name, "--dialect", "hooks", "--key", key, "--secret", given),
            data=server.data,
        )
        assert key in said
        await server.settled()
        reply = await Hook(server, account, key, secret).post(product, BODIES[product](number(), "561166"))
        assert reply.body == b"{}", reply


async def test_the_end_users_address_reaches_the_guard_from_each_product_that_sends_it(
    server: Server, hook: Hook
) -> None:
    address = "93.184.216.34"
    supabase = {**supabase_body("+8613800130061", "561166"), "metadata": {"ip_address": address}}
    logto = {**logto_body("+8613800130062", "561166"), "ip": address}
    generic = {**generic_body("+8613800130063", "561166"), "ip": address}
    for product, body in (("supabase", supabase), ("logto", logto), ("generic", generic)):
        assert (await hook.post(product, body)).status == 200
    for n, garbage in enumerate((7, None, {"v4": address}, "x" * 100_000, "10.0.0.1")):
        assert (
            await hook.post("generic", {**generic_body(f"+861380013007{n}", "561166"), "ip": garbage})
        ).status == 200

    async def hashes() -> list[int]:
        rows = await server.query("SELECT address FROM guard_address WHERE account_id = $1", hook.account.account_id)
        return [row["address"] for row in rows]

    kept = await until(hashes, lambda rows: len(rows) >= 3)
    assert len(kept) == 3
    assert len(set(kept)) == 1
