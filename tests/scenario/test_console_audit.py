"""The audit: every change is in it, whichever way it was made, with who and from where, and without secrets."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from click.testing import CliRunner

from homing.admin import account_settings, carriers
from homing.admin.words import add_word
from homing.audit import act_as, at_the_machine
from homing.cli import main
from homing.console.pages.audit import ACTS, KINDS
from homing.ledger.postings import adjustment, post
from homing.store import statements
from tests.support.server import Server
from tests.support.viewer import Viewer, accept, signed_in


async def rows_of(server: Server, kind: str, subject: str) -> list[dict[str, Any]]:
    rows = await server.query("SELECT * FROM audit WHERE kind = $1 AND subject = $2 ORDER BY audit_id", kind, subject)
    return [
        {**row, "before": json.loads(row["before"] or "null"), "after": json.loads(row["after"] or "null")}
        for row in rows
    ]


async def test_no_table_of_settings_is_without_the_trigger(server: Server) -> None:
    """Whoever is told of changes (0001_foundation.sql) is a setting."""
    rows = await server.query(
        "SELECT tgrelid::regclass::text AS name, array_agg(tgname::text) AS triggers FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgparentid = 0 GROUP BY 1"
    )
    settings = {row["name"] for row in rows if "settings_changed" in row["triggers"]}
    audited = {row["name"] for row in rows if "audited" in row["triggers"]}
    assert len(settings) > 10
    assert settings - audited == {"carrier_session"}, "which processes write themselves"
    assert {"console_user", "posting", "balance", "guard_alert", "guard_verdict"} <= audited


async def test_every_kind_that_is_recorded_has_a_name_on_the_page(server: Server) -> None:
    rows = await server.query(
        "SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'audited'"
    )
    assert {row["name"] for row in rows} <= set(KINDS)
    assert {"insert", "update", "delete"} <= set(ACTS)


async def test_a_change_says_what_it_was_and_what_it_is_and_nothing_that_stayed(server: Server) -> None:
    account = await server.account()
    async with server.database.transaction() as transaction:
        await act_as(transaction, "ada", "203.0.113.9")
        await account_settings.change_account(transaction, account.account_id, {"queries_per_s": 7})
        await account_settings.change_account(transaction, account.account_id, {"queries_per_s": 7})
    changed = [row for row in await rows_of(server, "account", account.name) if row["actor"] == "ada"]
    assert len(changed) == 1, "a change that changes nothing is none"
    assert (changed[0]["before"], changed[0]["after"]) == ({"queries_per_s": 100_000}, {"queries_per_s": 7})
    assert (changed[0]["act"], changed[0]["address"], changed[0]["account_id"]) == (
        "update",
        "203.0.113.9",
        account.account_id,
    )


async def test_what_is_rolled_back_was_never_changed(server: Server) -> None:
    account = await server.account()
    before = len(await rows_of(server, "account", account.name))
    try:
        async with server.database.transaction() as transaction:
            await account_settings.set_lock(transaction, account.account_id, "no")
            raise RuntimeError
    except RuntimeError:
        pass
    assert len(await rows_of(server, "account", account.name)) == before


async def test_who_is_named_for_one_transaction_alone(server: Server) -> None:
    account = await server.account()
    async with server.database.connection() as connection:
        async with connection.raw.transaction():
            await act_as(connection, "ada", "203.0.113.9")
        await account_settings.set_lock(connection, account.account_id, "later, on the same connection")
    assert (await rows_of(server, "account", account.name))[-1]["actor"] == "homing"


async def test_no_secret_is_in_the_audit(server: Server) -> None:
    account = await server.account()
    settings = {"host": "smpp.example", "port": 2775, "system_id": "us", "password": "hush-one"}
    async with server.database.transaction() as transaction:
        carrier_id = await carriers.add_carrier(
            transaction, "audited-carrier", "smpp", json.dumps(settings), server.vault
        )
        row = await carriers.find_carrier(transaction, "audited-carrier")
        await carriers.change_carrier(transaction, row, {"password": "hush-two"}, server.vault)
        await statements.admin.carrier_switch(transaction, carrier_id=carrier_id, enabled=False, is_draining=False)
    added, changed, _disabled = await rows_of(server, "carrier", "audited-carrier")
    assert added["after"]["settings"]["system_id"] == "us"
    assert added["after"]["settings"]["password"] == "(hidden)"
    assert changed["after"]["settings"]["password"] == "(hidden)"
    for credential in await rows_of(server, "credential", account.key):
        assert credential["after"]["secret"] == "(hidden)"
    found = await server.query("SELECT FROM audit WHERE to_jsonb(audit)::text ~ 'hush|argon2'")
    assert found == []


async def test_money_that_people_move_is_in_it_and_charges_are_not(server: Server) -> None:
    account = await server.account(balance="5")
    reply = await server.client.laaffic(
        account, "GET", "/v3/sendSms", {"appId": account.app, "numbers": "8613800130001", "content": "x"}
    )
    assert reply.json["status"] == "0"
    async with server.database.transaction() as transaction:
        await post(transaction, account.account_id, adjustment(-1_000_000), "ada", "audited adjustment")
        await account_settings.set_credit(transaction, account.account_id, 3_000_000)
    rows = await server.query(
        "SELECT kind, subject FROM audit WHERE account_id = $1 AND kind IN ('posting', 'balance') ORDER BY audit_id",
        account.account_id,
    )
    assert [tuple(row) for row in rows] == [
        ("posting", "test balance"),
        ("posting", "audited adjustment"),
        ("balance", str(account.account_id)),
    ]


def run(server: Server, *words: str) -> str:
    environment: Mapping[str, str | None] = {
        "HOMING_DATA": str(server.data),
        "HOMING_DATABASE_URL": server.dsn,
        "HOMING_SECRET_KEY": None,
    }
    result = CliRunner().invoke(main, words, env=environment, prog_name="homing")
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_a_command_is_recorded_under_the_machines_user(server: Server) -> None:
    account = await server.account()
    await asyncio.to_thread(run, server, "account", "lock", account.name, "--reason", "audited")
    row = (await rows_of(server, "account", account.name))[-1]
    assert row["actor"] == at_the_machine()["homing.actor"]
    assert row["actor"].endswith("(command line)")
    assert row["after"]["lock_reason"] == "audited"


async def test_users_are_made_listed_and_disabled_from_the_command_line(server: Server, console: str) -> None:
    account = await server.account()
    made = json.loads(
        await asyncio.to_thread(
            run, server, "user", "create", "Shop@Acme", "--role", "customer", "--account", account.name, "--json"
        )
    )
    assert made["name"] == "shop@acme"
    path = "/" + made["link"].split("/", 3)[3]
    viewer = Viewer(console)
    assert (await accept(viewer, path, "")).goes_to == "/"
    assert (await viewer.get("/")).status == 200
    (row,) = [
        one
        for one in json.loads(await asyncio.to_thread(run, server, "user", "list", "--json"))
        if one["name"] == "shop@acme"
    ]
    assert (row["role"], row["account"], row["has_password"]) == ("customer", account.name, True)
    await asyncio.to_thread(run, server, "user", "disable", "shop@acme")
    assert (await viewer.get("/")).goes_to == "/sign-in"
    await asyncio.to_thread(run, server, "user", "enable", "shop@acme")
    again = json.loads(await asyncio.to_thread(run, server, "user", "password", "shop@acme", "--json"))
    assert (
        await accept(Viewer(console), "/" + again["link"].split("/", 3)[3], "", "another long password")
    ).status == 303


async def test_the_page_shows_changes_the_latest_first_and_as_text(server: Server, console: str) -> None:
    name, viewer = await signed_in(console, server.database)
    account = await server.account()
    word = "<script>alert(1)</script>"
    async with server.database.transaction() as transaction:
        await act_as(transaction, name, "203.0.113.9")
        await account_settings.set_lock(transaction, account.account_id, word)
    answer = await viewer.get(f"/audit?actor={name}&kind=account")
    assert word not in answer.text
    assert word in answer.words
    assert account.name in answer.words
    assert "203.0.113.9" in answer.words
    assert "No entries found" in (await viewer.get("/audit?actor=nobody&kind=price")).words
    assert (await viewer.get("/audit?kind=%27%3B--&before=x&actor=%00%ff")).status == 200


async def test_the_pages_of_the_audit_follow_each_other_without_a_gap(server: Server, console: str) -> None:
    _name, viewer = await signed_in(console, server.database)
    async with server.database.transaction() as transaction:
        await act_as(transaction, "pager", "")
        for n in range(120):
            await add_word(transaction, 0, f"paged-{n:03d}")
    seen: list[str] = []
    path: str | None = "/audit?actor=pager"
    while path:
        answer = await viewer.get(path)
        seen += re.findall(r"paged-\d{3}", re.sub(r"<dl.*?</dl>", "", answer.text, flags=re.DOTALL))
        older = re.search(r'href="(\?[^"]*before=\d+)"', answer.text)
        path = "/audit" + older[1].replace("&amp;", "&") if older else None
    assert seen == [f"paged-{n:03d}" for n in range(119, -1, -1)]
