"""`homing send` and `homing verify`: the way of a customer's call, from the command line."""

import json
from collections.abc import Sequence
from typing import Any

from homing.admin import account_settings, code_settings
from tests.support.command import homing, homing_json
from tests.support.server import QUEUED, Account, Server

DELIVERED = "8613800130001"
UNDELIVERABLE = "8613800130002"
WAITS = f"{QUEUED}20000007"
TESTER = "8613800138887"


async def command(server: Server, *words: str, status: int = 0) -> str:
    return await homing(server.dsn, *words, data=server.data, status=status)


async def command_json(server: Server, *words: str, status: int = 0) -> Any:
    return json.loads(await command(server, *words, "--json", status=status))


async def code_of(server: Server, verification_id: int) -> str:
    row = await server.query_row("SELECT text FROM message WHERE message_id = $1", verification_id)
    return str(row["text"]).split()[0]


async def test_a_message_is_sent_charged_and_followed(server: Server) -> None:
    account = await server.account()
    sent = await command_json(server, "send", account.name, f"+{DELIVERED}", "hi", "--reference", "r 7", "--wait", "60")
    assert (sent["state"], sent["number"], sent["sender"], sent["reference"]) == (
        "delivered",
        DELIVERED,
        "HOMING",
        "r 7",
    )
    assert (sent["segments"], sent["encoding"], sent["charge"], sent["country"]) == (1, "gsm7", "0.031", "CN")
    assert await server.holdings(account) == (1, 0, 9_969_000)
    shown = await homing_json(server.dsn, "message", "show", str(sent["message_id"]))
    assert (shown["account"], shown["state"]) == (account.name, "delivered")
    row = await server.query_row("SELECT app_id, dialect FROM message WHERE message_id = $1", sent["message_id"])
    assert (row["app_id"], row["dialect"]) == (account.app, 3)


async def test_a_dry_run_shows_the_price_and_stores_nothing(server: Server) -> None:
    account = await server.account()
    before = await server.holdings(account)
    for words, segments in (
        (("send", account.name, DELIVERED, "验" * 71), 2),
        (("verify", "send", account.name, DELIVERED), 1),
    ):
        quote = await command_json(server, *words, "--dry-run")
        assert (quote["segments"], quote["cost"]) == (segments, f"0.0{31 * segments}")
        assert "message_id" not in quote
        assert "nothing was sent or charged" in await command(server, *words, "--dry-run")
    assert await server.holdings(account) == before


async def test_what_the_account_may_not_send_is_refused_in_one_line(server: Server) -> None:
    account, locked = await server.account(balance="0.01", words=["casino"]), await server.account(locked=True)
    refused: Sequence[tuple[tuple[str, ...], str]] = (
        ((account.name, DELIVERED, "hi"), "insufficient_balance"),
        ((account.name, DELIVERED, "casino"), "sensitive_words"),
        ((account.name, "9855500001", "hi"), "no_route"),
        ((account.name, DELIVERED, "x" * 10_000), "text_too_long"),
        ((account.name, DELIVERED, " "), "the text is empty"),
        ((account.name, DELIVERED, "hi", "--from", "STRANGER"), "homing sender add"),
        ((account.name, DELIVERED, "hi", "--app", "none"), "has no app none"),
        ((locked.name, DELIVERED, "hi"), "is locked"),
        (("nobody", DELIVERED, "hi"), "nobody"),
    )
    for words, part in refused:
        printed = await command(server, "send", *words, status=1)
        assert part in printed
        assert len(printed.strip().splitlines()) == 1
    assert (await server.holdings(account))[0] == 0
    assert "starts with 0" in await command(server, "send", account.name, "013800130001", "hi", status=2)


async def test_a_wait_that_ends_first_and_a_message_that_fails_have_statuses_of_their_own(server: Server) -> None:
    account = await server.account()
    assert "No final state within 1 s" in await command(
        server, "send", account.name, WAITS, "hi", "--wait", "1", status=5
    )
    await command(server, "send", account.name, UNDELIVERABLE, "hi", "--wait", "60", status=3)
    assert (await command_json(server, "send", account.name, WAITS, "hi"))["state"] == "queued"


async def test_a_code_is_sent_and_is_right_once(server: Server) -> None:
    account = await server.account()
    sent = await command_json(server, "verify", "send", account.name, WAITS)
    assert (sent["number"], sent["is_test"], sent["state"]) == (WAITS, False, "queued")
    code, target = await code_of(server, sent["verification_id"]), str(sent["verification_id"])
    wrong = await command_json(server, "verify", "check", target, "none", status=3)
    assert (wrong["result"], wrong["attempts_left"]) == ("wrong", 4)
    right = await command_json(server, "verify", "check", target, code)
    assert right["result"] == "verified"
    assert (await command_json(server, "verify", "check", target, code, status=4))["result"] == "already verified"
    assert "number_limit_reached" in await command(server, "verify", "send", account.name, WAITS, status=6)
    assert "belongs to no verification" in await command(server, "verify", "check", "17", code, status=1)
    shown = await homing_json(server.dsn, "verification", "show", target)
    assert (shown["status"], shown["attempts"]) == ("verified", 1)
    assert code not in json.dumps(shown)


async def test_the_wrong_code_that_ends_a_verification_has_another_status_than_those_before(server: Server) -> None:
    account = await server.account()
    target = str((await command_json(server, "verify", "send", account.name, WAITS))["verification_id"])
    for status in (3, 3, 3, 3, 4):
        assert (await command_json(server, "verify", "check", target, "none", status=status))["result"] == "wrong"


async def test_a_template_decides_text_language_and_app(server: Server) -> None:
    account = await server.account()
    async with server.database.transaction() as transaction:
        other = await account_settings.create_app(
            transaction, account.account_id, name="other", app_id=None, report_url=None, inbound_url=None
        )
    for text, language in (("##code## is your code", ""), ("验证码 ##code##", "zh-Hans")):
        await command(server, "code-template", "add", account.name, other, "sign-in", text, "--language", language)
    words = ("verify", "send", account.name, WAITS, "--template", "sign-in", "--language", "zh-Hans-SG")
    quote = await command_json(server, *words, "--dry-run")
    assert quote["text"] == "验证码 ******"
    sent = await command_json(server, *words)
    row = await server.query_row("SELECT app_id, text FROM message WHERE message_id = $1", sent["verification_id"])
    assert row["app_id"] == other
    assert str(row["text"]).startswith("验证码 ")
    assert "no code template none" in await command(server, *words[:4], "--template", "none", status=1)


async def test_a_test_number_gets_no_message(server: Server) -> None:
    account: Account = await server.account(balance="0")
    async with server.database.transaction() as transaction:
        await code_settings.set_test_number(transaction, account.account_id, TESTER, "428193")
    sent = await command_json(server, "verify", "send", account.name, TESTER, "--wait", "5")
    assert (sent["is_test"], sent["charge"], sent["state"]) == (True, "0", None)
    assert (await server.holdings(account))[0] == 0
    await command(server, "verify", "check", str(sent["verification_id"]), "428193")


async def test_the_node_number_of_a_command_is_given_back(server: Server) -> None:
    """There are 64: a loop of commands would use them up."""
    account = await server.account()
    await command(server, "send", account.name, WAITS, "hi")
    rows = await server.query("SELECT 1 FROM id_node WHERE owner LIKE '%:command-%' AND leased_until > now() + '4 s'")
    assert rows == []
