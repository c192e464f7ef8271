"""The quickstart's programs, run as the page shows them: their message arrives."""

import asyncio
import os
import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from homing.admin import account_settings
from homing.console.snippets import LANGUAGES, ProgrammingLanguage, Snippets
from homing.dialects.laaffic.number import NUMBER as LAAFFIC
from homing.dialects.lia.number import NUMBER as LIA
from homing.dialects.registry import DIALECTS
from homing.model import UserRole
from tests.support.server import Account, Server
from tests.support.v1 import new_token
from tests.support.viewer import Seen, Viewer, signed_in
from tests.support.waiting import until

RUN_S = 60.0
DELIVERED = 3
TOOLS = {
    "curl": ("bash", "curl", "md5sum"),
    "python": ("python3",),
    "php": ("php",),
    "node": ("node",),
    "java": ("java",),
}


ANSWERED = {"v1": '"status":"queued"', "lia": '"status":"S"', "laaffic": '"status":"0"'}


async def owner(server: Server, console: str, account: Account) -> Viewer:
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    return viewer


async def revealed(viewer: Viewer, dialect: str, path: str = "/quickstart") -> Seen:
    page = await viewer.get(f"{path}?dialect={dialect}")
    key_id = re.search(r'name="key_id" value="(\d+)"', page.text)
    assert key_id
    action = re.search(r'<form method="post" id="reveal" action="(/[^"]*quickstart[^"]*)"', page.text)
    assert action
    return await viewer.post(unescape(action[1]), {"key_id": key_id[1]})


def program(page: Seen, language: str) -> str:
    found = re.search(rf'<code id="p-{language}">(.*?)</code>', page.text, re.DOTALL)
    assert found
    return unescape(found[1])


async def run(language: ProgrammingLanguage, text: str, folder: Path) -> str:
    """As the page says: pasted into a shell, or kept under its name and run by its command."""
    command = text
    if language.file:
        (folder / language.file).write_text(text, encoding="utf-8")
        command = language.run
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(RUN_S):
        printed, _none = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


OF_ALL_DIALECTS = [language for language in LANGUAGES if language.key != "typescript"]
"""TypeScript is of Homing's own API alone; its program runs where the client is built (test_clients_docs.py)."""
OF_MOST_MACHINES = [language for language in OF_ALL_DIALECTS if language.key != "java"]


@pytest.mark.parametrize("language", OF_ALL_DIALECTS, ids=lambda language: language.key)
@pytest.mark.parametrize("dialect", ["v1", "lia", "laaffic"])
async def test_a_program_of_the_page_sends_a_message_that_arrives(
    dialect: str, language: ProgrammingLanguage, server: Server, console: str, tmp_path: Path
) -> None:
    missing = [tool for tool in TOOLS[language.key] if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the program cannot be run here: {' and '.join(missing)} is not installed")
    account = await server.account()
    if dialect == "v1":
        await new_token(server, account)
    page = await revealed(await owner(server, console, account), dialect)
    assert page.status == 200
    answer = await run(language, program(page, language.key), tmp_path)
    assert ANSWERED[dialect] in answer.replace(": ", ":")
    assert dialect != "v1" or '"status":"pending"' in answer.replace(": ", ":")
    sent = "SELECT FROM message WHERE account_id = $1 AND state = $2 AND text = 'Your code is 123456'"
    await until(lambda: server.query(sent, account.account_id, DELIVERED))


@pytest.mark.parametrize("language", OF_MOST_MACHINES, ids=lambda language: language.key)
async def test_no_key_or_secret_can_end_its_text_and_begin_code(
    language: ProgrammingLanguage, server: Server, console: str, tmp_path: Path
) -> None:
    if any(shutil.which(tool) is None for tool in TOOLS[language.key]):
        pytest.skip(f"{language.label} is not installed")
    account = await server.account()
    odd = '\'"\\$(touch broken)`touch broken`<key>"; 密'
    async with server.database.transaction() as transaction:
        await account_settings.create_credential(
            transaction,
            server.vault,
            account.account_id,
            DIALECTS.of(LIA),
            key=f"k{account.name}{odd}",
            secret=odd,
            may_be_short=True,
        )
    page = await revealed(await owner(server, console, account), "lia")
    assert '"status":"S"' in await run(language, program(page, language.key), tmp_path)
    assert not (tmp_path / "broken").exists()


def test_every_program_names_every_value_that_its_dialect_needs() -> None:
    values = {name: f"the-{name}" for name in ("key", "secret", "sender", "app", "number", "text")}
    for dialect, needed in (
        ("v1", ("key", "secret", "number", "text")),
        ("lia", ("key", "secret", "sender", "number", "text")),
        ("laaffic", ("key", "secret", "app")),
    ):
        for snippet in Snippets(DIALECTS).fill(DIALECTS.named(dialect), {"url": "http://api.example", **values}):
            assert all(f"the-{name}" in snippet.program for name in needed), snippet.language.key
            assert "http://api.example" in snippet.program
            assert not re.search(r"<(url|key|secret|sender|app|number|text|body)>", snippet.program)


async def test_a_secret_is_masked_until_it_is_asked_for_and_that_is_recorded(server: Server, console: str) -> None:
    account = await server.account()
    name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    for dialect, secret, key in (
        ("lia", account.api_password, account.api_id),
        ("laaffic", account.secret, account.key),
    ):
        page = await viewer.get(f"/quickstart?dialect={dialect}")
        assert key in page.words
        assert secret not in page.text
        shown = await revealed(viewer, dialect)
        assert shown.text.count(secret) >= len(OF_ALL_DIALECTS)
        assert shown.headers["cache-control"] == "no-store"
        assert not re.findall(rf'(?:href|action|value)="[^"]*{re.escape(secret)}', shown.text)
        assert secret not in (await viewer.get(f"/quickstart?dialect={dialect}")).text
    rows = await server.query(
        "SELECT subject, address FROM audit WHERE act = 'show_secret' AND actor = $1 ORDER BY audit_id", name
    )
    assert [tuple(row) for row in rows] == [(account.api_id, viewer.address), (account.key, viewer.address)]


async def test_nobody_else_learns_a_secret(server: Server, console: str) -> None:
    mine, other = await server.account(), await server.account()
    customer = await owner(server, console, mine)
    await customer.get("/quickstart")
    (foreign,) = await server.query("SELECT credential_id FROM credential WHERE key = $1", other.key)
    for named in (str(foreign["credential_id"]), "0", "x", ""):
        assert (await customer.post("/quickstart?dialect=laaffic", {"key_id": named})).status == 404
    assert (await customer.get(f"/accounts/{other.name}/quickstart")).status == 404
    _name, support = await signed_in(console, server.database, UserRole.SUPPORT)
    path = f"/accounts/{other.name}/quickstart?dialect=laaffic"
    page = await support.get(path)
    assert page.status == 200
    assert 'name="key_id"' not in page.text
    refused = await support.post(path, {"key_id": str(foreign["credential_id"])})
    assert refused.status == 403
    assert other.secret not in refused.text
    _name, operator = await signed_in(console, server.database)
    assert other.secret in (await revealed(operator, "laaffic", f"/accounts/{other.name}/quickstart")).text
    rows = await server.query("SELECT FROM audit WHERE to_jsonb(audit)::text LIKE '%' || $1 || '%'", other.secret)
    assert rows == []


async def test_what_is_missing_is_said_with_the_way_to_it(server: Server, console: str) -> None:
    async with server.database.transaction() as transaction:
        account_id = await account_settings.create_account(transaction, "with-nothing")
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account_id)
    page = await viewer.get("/quickstart?dialect=laaffic")
    assert "Create a credential for this dialect first" in page.words
    assert 'href="/credentials"' in page.text
    async with server.database.transaction() as transaction:
        for dialect in (LIA, LAAFFIC):
            made = await account_settings.create_credential(transaction, server.vault, account_id, DIALECTS.of(dialect))
            server.secrets.add(made.secret)
    assert "Create an app first" in (await viewer.get("/quickstart?dialect=laaffic")).words
    assert "Register a sender ID first" in (await viewer.get("/quickstart?dialect=lia")).words
    odd = await viewer.get("/quickstart?dialect=%00&number=%ff")  # the first dialect, Homing's own
    assert "Create a credential for this dialect first" in odd.words


async def test_a_secret_that_was_sealed_with_another_key_is_not_shown(server: Server, console: str) -> None:
    account = await server.account()
    await server.query("UPDATE credential SET secret = sha256(secret) WHERE key = $1 RETURNING key", account.key)
    page = await revealed(await owner(server, console, account), "laaffic")
    assert page.status == 422
    assert "encrypted with a different key" in page.words
    assert "********" in page.text
