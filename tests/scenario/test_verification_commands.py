"""Verifications on the command line: their story, what accounts set for codes, and never a code."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.codes import TEXT, CodeEngine, code_engine
from tests.support.command import homing, homing_json
from tests.support.server import Account, Server
from tests.support.waiting import until

CODE = "471-906"
DELIVERED, REFUSED = "8613811240001", "8613811240003"


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[CodeEngine]:
    async with code_engine(server) as engine:
        yield engine


async def story(server: Server, message_id: int) -> Any:
    return await homing_json(server.dsn, "verification", "show", str(message_id))


async def test_a_verification_is_told_by_the_id_of_any_of_its_messages(server: Server, engine: CodeEngine) -> None:
    account = await server.account()
    sent = await engine.send(account, DELIVERED)
    again = await engine.resend(account, sent)
    await engine.check(account, sent, "000-000")
    await until(lambda: story(server, sent.message_id), lambda told: all(one["sent_at"] for one in told["messages"]))
    await engine.check(account, again)
    for message_id in (sent.message_id, again.message_id):
        told = await story(server, message_id)
        assert told["verification_id"] == sent.verification_id
        assert (told["status"], told["attempts"], told["attempts_max"]) == ("verified", 1, 5)
        assert (told["account"], told["number"], told["text"]) == (account.name, DELIVERED, TEXT)
        assert [one["message_id"] for one in told["messages"]] == [sent.message_id, again.message_id]
        assert sum(one["is_converted"] for one in told["messages"]) == 1
        assert float(told["cost"]) == sum(float(one["cost"]) for one in told["messages"]) > 0
        assert len({one["carrier"] for one in told["messages"]}) == 2, "sent again by another carrier"
    assert (await homing_json(server.dsn, "verification", "show", f"2200{sent.message_id:016d}"))[
        "status"
    ] == "verified"
    for words in (("verification", "show", str(sent.message_id)), ("message", "show", str(sent.message_id))):
        for form in ((), ("--json",)):
            assert CODE not in await homing(server.dsn, *words, *form)
    missing = await homing(server.dsn, "verification", "show", "17", status=1)
    assert "message 17 belongs to no verification" in missing


async def test_verifications_are_listed_by_account_number_and_status(server: Server, engine: CodeEngine) -> None:
    account, other = await server.account(), await server.account()
    verified = await engine.send(account, DELIVERED)
    pending = await engine.send(account, REFUSED)
    cancelled = await engine.send(account, DELIVERED)
    expired = await engine.send(account, DELIVERED)
    others = await engine.send(other, DELIVERED)
    await engine.check(account, verified)
    await engine.verifications.cancel(account.account_id, cancelled.verification_id)
    await server.query("UPDATE verification SET expires_at = now() WHERE verification_id = $1", expired.verification_id)

    async def ids(*words: str) -> list[int]:
        rows = await homing_json(server.dsn, "verification", "list", *words)
        mine = (verified, pending, cancelled, expired, others)
        known = {sent.verification_id for sent in mine}
        return [row["verification_id"] for row in rows if row["verification_id"] in known]

    def of(*sent: Any) -> list[int]:
        return [each.verification_id for each in sent]

    mine = ("--account", account.name)
    assert await ids() == of(others, expired, cancelled, pending, verified)
    assert await ids(*mine) == of(expired, cancelled, pending, verified)
    assert await ids(*mine, "--number", f"+{REFUSED}") == of(pending)
    assert await ids(*mine, "--limit", "2") == of(expired, cancelled)
    for status, listed in {
        "verified": of(verified),
        "pending": of(pending),
        "cancelled": of(cancelled),
        "expired": of(expired),
        "failed": [],
    }.items():
        assert await ids(*mine, "--status", status) == listed, status
    assert "No verifications." in await homing(server.dsn, "verification", "list", *mine, "--status", "failed")
    assert CODE not in await homing(server.dsn, "verification", "list", "--json")


async def test_a_test_numbers_verification_has_no_message_and_costs_nothing(server: Server, engine: CodeEngine) -> None:
    account = await server.account()
    sent = await engine.send(account, DELIVERED, test_numbers={DELIVERED: "123456"})
    told = await story(server, sent.message_id)
    assert (told["is_test"], told["messages"], told["cost"]) == (True, [], "0")
    (row,) = await homing_json(server.dsn, "verification", "list", "--account", account.name)
    assert (row["messages"], row["is_test"]) == (0, True)
    assert "No message was sent." in await homing(server.dsn, "verification", "show", str(sent.message_id))


async def test_code_templates_are_added_changed_and_removed(server: Server) -> None:
    account = await server.account()
    add = ("code-template", "add", account.name)
    added = await homing_json(server.dsn, *add, account.app, "sign-in", TEXT, "--length", "4", "--alphabet", "hex")
    await homing_json(server.dsn, *add, account.name, "sign-in", "验证码 ##code##", "--language", "zh-Hans")
    first, second = await homing_json(server.dsn, "code-template", "list", account.name)
    assert (first["template_id"], first["text"], first["length"], first["alphabet"]) == (
        added["template_id"],
        TEXT,
        4,
        "hex",
    )
    assert (second["locale"], second["length"], second["alphabet"]) == ("zh-Hans", 6, "numeric")
    template_id = str(added["template_id"])
    await homing(server.dsn, "code-template", "change", account.name, template_id, "--text", "Acme: ##code##")
    (first, _second) = await homing_json(server.dsn, "code-template", "list", account.name)
    assert (first["text"], first["length"], first["name"]) == ("Acme: ##code##", 4, "sign-in")
    for words, complaint in {
        (*add, account.app, "sign-in", TEXT): "already has a code template named 'sign-in'",
        (*add, account.app, "other", "no mark"): "contains ##code##",
        (*add, "nowhere", "other", TEXT): "has no app 'nowhere'",
        ("code-template", "change", account.name, "999999999", "--text", TEXT): "does not exist",
    }.items():
        assert complaint in await homing(server.dsn, *words, status=1)
    await homing(server.dsn, "code-template", "change", account.name, template_id, status=2)
    await homing(server.dsn, "code-template", "remove", account.name, template_id)
    assert len(await homing_json(server.dsn, "code-template", "list", account.name)) == 1


async def test_a_test_numbers_code_is_neither_listed_nor_audited(server: Server) -> None:
    account: Account = await server.account()
    for code in ("428193", "552716"):
        assert code not in await homing(server.dsn, "test-number", "add", account.name, "+86 138 1124 0009", code)
    assert await homing_json(server.dsn, "test-number", "list", account.name) == [{"number": "8613811240009"}]
    rows = await server.query(
        "SELECT before, after FROM audit WHERE kind = 'test_number' AND account_id = $1 ORDER BY audit_id",
        account.account_id,
    )
    assert ["(hidden)" in row["after"] for row in rows] == [True, True], "a changed code is in the audit, hidden"
    assert not [row for row in rows if "428193" in str(row) or "552716" in str(row)]
    assert "letters and digits" in await homing(
        server.dsn, "test-number", "add", account.name, "8613811240009", "1", status=1
    )
    await homing(server.dsn, "test-number", "remove", account.name, "8613811240009")
    assert await homing_json(server.dsn, "test-number", "list", account.name) == []
    assert "is not a test number" in await homing(
        server.dsn, "test-number", "remove", account.name, "8613811240009", status=1
    )


async def test_an_apps_expiry_and_limits_are_changed_one_by_one(server: Server) -> None:
    account = await server.account(report_url="https://shop.example/reports")

    async def app() -> Any:
        (row,) = await homing_json(server.dsn, "app", "list", account.name)
        return row

    assert [(await app())[name] for name in ("code_expiry_s", "total_limit", "number_limit")] == [300, None, None]
    change = ("app", "set", account.app)
    changed = await homing_json(server.dsn, *change, "--code-expiry", "600", "--number-limit", "5/hour")
    assert changed["number_limit"] == {"unit": "hour", "period": 1, "most": 5}
    await homing(server.dsn, *change, "--total-limit", "1000/2days")
    row = await app()
    assert (row["code_expiry_s"], row["total_limit"]["most"], row["number_limit"]["most"]) == (600, 1000, 5)
    assert row["report_url"] == "https://shop.example/reports"
    printed = await homing(server.dsn, "app", "list", account.name)
    assert "1000/2days" in printed
    assert "5/hour" in printed
    await homing(server.dsn, *change, "--number-limit", "none")
    row = await app()
    assert (row["number_limit"], row["total_limit"]["period"]) == (None, 2)
    assert "a limit's period is 1 to 90" in await homing(server.dsn, *change, "--total-limit", "1/91days", status=1)
    for wrong in ("5", "5/fortnight", "-1/day"):
        assert "is not a limit" in await homing(server.dsn, *change, "--total-limit", wrong, status=2)
    assert "code-expiry" in await homing(server.dsn, *change, "--code-expiry", "59", status=2)
