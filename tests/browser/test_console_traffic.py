"""Messages, pushes and receipts in a real browser: with something in them, in both themes and on a phone."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from playwright.async_api import Dialog, expect

from homing.admin.code_settings import add_code_flow, add_code_template, set_test_number
from homing.model import CodeAlphabet, CodeTemplate, FlowStep, UserRole
from tests.support.browser import DESK, LANGUAGES, PHONE, Opening, check, check_width, picture
from tests.support.codes import TEXT, code_engine
from tests.support.server import Account, Server
from tests.support.sink import Sink
from tests.support.viewer import Viewer, signed_in
from tests.support.waiting import until

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>"


@dataclass(frozen=True)
class Scene:
    """`cookies` of an operator; the message has everything that a message can have."""

    cookies: Mapping[str, str]
    account: Account
    message_id: int
    receipt_id: int
    verification_id: int

    @property
    def pages(self) -> Mapping[str, str]:
        return {
            "message": f"/messages/{self.message_id}",
            "messages-found": "/messages?find=8613811230002",
            "pushes-given-up": "/pushes",
            "pushes-replay-some": "/pushes/replay",
            "receipts-some": "/receipts",
            "receipt": f"/receipts/{self.receipt_id}",
            "receipts-drop-some": "/receipts/drop",
            "verification": f"/verifications/{self.verification_id}",
            "verifications-some": f"/verifications?account={self.account.name}",
            "verification-message": f"/messages/{self.verification_id}",
            "account-codes-some": f"/accounts/{self.account.name}/codes",
        }


@pytest.fixture(scope="session")
async def scene(server: Server, console: str, sink: Sink) -> Scene:
    _name, viewer = await signed_in(console, server.database)
    account = await server.account(report_url=sink.box().url)
    message_id = await send(server, account, "8613811230002")
    await until_ended(viewer, message_id)
    await server.query(
        "INSERT INTO push (account_id, lane, message_id, dialect, kind, url, body, created_at, attempts, outcome)"
        " SELECT $1, 0, $2, 2, 1, 'https://customer.example/reports/' || n, '', now(), 11, 2"
        " FROM generate_series(1, 4) AS n",
        account.account_id,
        message_id,
    )
    await server.query(
        "INSERT INTO push_attempt (account_id, push_id, attempt, at, took_ms, status, answer)"
        " SELECT account_id, push_id, 11, now(), 31, 502, $2 FROM push"
        " WHERE message_id = $1 AND outcome = 2",
        message_id,
        f"Bad gateway {HOSTILE}",
    )
    (carrier,) = await server.query("SELECT min(carrier_id) AS carrier_id FROM carrier")
    parked = await server.query(
        "INSERT INTO parked_receipt (carrier_id, carrier_ref, received_at, state, raw, given_up_at, number)"
        " SELECT $1, 'f00d' || n, now() - n * interval '1 min', 3, 'id:f00d' || n || ' sub:001 dlvrd:001 submit"
        " date:2611260950 done date:2611260951 stat:DELIVRD err:000 text:' || $2, now(), '8613811230002'"
        " FROM generate_series(1, 6) AS n RETURNING parked_id",
        carrier["carrier_id"],
        HOSTILE,
    )
    verification_id = await verified(server, account)
    return Scene(viewer.cookies, account, message_id, parked[0]["parked_id"], verification_id)


async def verified(server: Server, account: Account) -> int:
    """Of an account that has set something for codes: one that was sent twice, and entered."""
    async with server.database.transaction() as transaction:
        for locale, text in (("", TEXT), ("zh-Hans", f"您的验证码是 ##code##。{HOSTILE}")):
            template = CodeTemplate(
                template_id=0,
                app_id=account.app,
                name="sign-in",
                locale=locale,
                text=text,
                alphabet=CodeAlphabet.ALPHANUMERIC,
                length=6,
                sender=account.sender,
            )
            template_id = await add_code_template(transaction, account.account_id, template)
        await add_code_flow(transaction, account.account_id, "patient", [FlowStep(wait_s=30), FlowStep(wait_s=120)])
        await set_test_number(transaction, account.account_id, "8613800139999", "428193")
    async with code_engine(server) as engine:
        sent = await engine.send(account, "8613811230002", template_id=template_id)
        await engine.check(account, sent, "000-000")
        await engine.check(account, await engine.resend(account, sent))
    return sent.verification_id


async def send(server: Server, account: Account, number: str) -> int:
    body = {"appId": account.app, "numbers": number, "content": "Your code is 471"}
    reply = await server.client.laaffic(account, "POST", "/v3/sendSms", body=body)
    assert reply.json["status"] == "0", reply
    return int(reply.json["array"][0]["msgId"])


async def until_ended(viewer: Viewer, message_id: int) -> None:
    await until(lambda: viewer.get(f"/messages/{message_id}"), lambda seen: "answered with HTTP" in seen.words)


def _note(messages: list[str], dialog: Dialog) -> None:
    messages.append(dialog.message)


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")])
async def test_a_page_of_traffic_looks_right(size: tuple[int, int], theme: str, opened: Opening, scene: Scene) -> None:
    async with opened(dict(scene.cookies), size=size, theme=theme) as page:
        ran: list[str] = []
        page.on("dialog", partial(_note, ran))
        for name, path in scene.pages.items():
            await page.goto(path)
            await picture(page, f"{name}-{'phone' if size == PHONE else 'desk'}-{theme}")
            await check(page, name)
            assert ran == [], "script in an answer or in a receipt ran"
            assert await page.locator("main img").count() == 0


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_page_of_traffic_fits_in_every_language(language: str, opened: Opening, scene: Scene) -> None:
    async with opened({**scene.cookies, "homing_language": language}, size=PHONE) as page:
        for name, path in scene.pages.items():
            await page.goto(path)
            await picture(page, f"{name}-phone-{language}")
            await check_width(page, path)


async def test_a_message_arrives_under_ones_eyes(opened: Opening, server: Server, scene: Scene, console: str) -> None:
    """An open page of a message that is on its way follows it to its end, without being loaded again."""
    account = await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    message_id = await send(server, account, "8613811230001")
    path = f"/messages/{message_id}"
    final = "SELECT FROM message WHERE message_id = $1 AND final_at IS NOT NULL"
    await until(lambda: server.query(final, message_id))
    await server.query("UPDATE message SET state = 2, final_at = NULL WHERE message_id = $1", message_id)
    await until(lambda: viewer.get(path), lambda seen: ">Sent</span>" in seen.text)
    async with opened(viewer.cookies) as page:
        await page.goto(path)
        await page.evaluate("window.isTheSame = true")
        await expect(page.locator("h1 .tag")).to_have_text("Sent")
        await server.query("UPDATE message SET state = 3, final_at = now() WHERE message_id = $1", message_id)
        await send(server, account, "8613811230001")  # what moves statistics wakes the viewers
        await expect(page.locator("h1 .tag")).to_have_text("Delivered")
        assert await page.evaluate("window.isTheSame")


async def test_pushes_are_sent_again_after_one_has_seen_how_many(opened: Opening, scene: Scene) -> None:
    async with opened(dict(scene.cookies), scripts=False) as page:
        await page.goto(f"/pushes?account={scene.account.name}")
        await page.get_by_role("link", name="Send all again").click()
        assert "4 failed pushes will be sent again" in await page.locator("main").inner_text()
        await page.get_by_role("button", name="Send again").click()
        assert "4 pushes will be sent again." in await page.locator("[role=status]").inner_text()
        assert await page.get_by_text("No failed pushes").count() == 1
