"""Bearer keys of Homing's own API: what opens an account, and what a key may be used for."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homing.admin import account_settings
from homing.dialects.registry import DIALECTS
from homing.dialects.v1.operations import OPERATIONS
from homing.dialects.v1.scopes import SCOPES
from homing.errors import InvalidInput
from homing.model import UserRole
from tests.support.command import homing
from tests.support.server import Server
from tests.support.v1 import V1Client, new_token, problem, v1_client
from tests.support.viewer import signed_in
from tests.support.waiting import stays, until


async def test_a_key_opens_its_account_and_no_other(server: Server) -> None:
    mine, other = await v1_client(server, balance="3"), await v1_client(server, balance="4")
    for client, amount in ((mine, "3"), (other, "4")):
        reply = await client.get("/v1/balance")
        assert reply.status == 200
        assert reply.json["balance"] == {"amount": amount, "currency": "USD"}
    key, secret = mine.token.split("_")[1:]
    other_key, other_secret = other.token.split("_")[1:]
    for token in (
        f"hm_{key}_{other_secret}",
        f"hm_{other_key}_{secret}",
        f"hm_{key}_{secret}x",
        f"hm_{key}_{secret[:-1]}",
        f"hm_{key}_{secret.swapcase()}",
        f"hm_{key}",
        f"hm__{secret}",
        f"{key}_{secret}",
        f"HM_{key}_{secret}",
        f"hm_{mine.account.key}_{mine.account.secret}",
        f"hm_{mine.account.api_id}_{mine.account.api_password}",
        "hm_" + "x" * 2_000,
    ):
        reply = await V1Client(server, mine.account, token).get("/v1/balance")
        problem(reply, 401, "key_invalid")
        assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "key_missing"),
        ("", "key_missing"),
        ("Basic aG06ZGVtbw==", "key_invalid"),
        ("Bearer", "key_invalid"),
        ("Bearer hm_demo_7bz1lzh9 extra", "key_invalid"),
        ("Bearer hm_demo_7bz1lzh9\N{NO-BREAK SPACE}x", "key_missing"),  # no ASCII: the server drops such a header
    ],
)
async def test_what_is_no_bearer_key_is_refused(server: Server, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    reply = await server.client.call("GET", "/v1/balance", headers=headers)
    problem(reply, 401, code)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_the_demos_key_opens_the_demo_and_the_scheme_is_in_any_case(server: Server) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        reply = await server.client.call("GET", "/v1/balance", headers={"Authorization": f"{scheme} hm_demo_7bz1lzh9"})
        assert reply.status == 200, reply.text


async def test_a_key_works_for_what_its_scopes_name_alone(server: Server) -> None:
    client = await v1_client(server, None, "messages:write")
    sent = await client.post("/v1/messages", {"to": "+1 202 555 0101", "text": "x"})
    assert sent.status == 201
    document = problem(await client.get("/v1/balance"), 403, "scope_missing")
    assert "account:read" in str(document["detail"])
    problem(await client.get(f"/v1/messages/{sent.json['id']}"), 403, "scope_missing")
    for operation in OPERATIONS:
        if operation.scope != "messages:write":
            path = operation.path.format(id="1", app="1", number="1")
            problem(await client.call(operation.method, path, {}), 403, "scope_missing")
    assert {operation.scope for operation in OPERATIONS} == set(SCOPES)


async def test_a_scope_that_there_is_not_is_refused(server: Server) -> None:
    account = await server.account()
    with pytest.raises(InvalidInput, match="no scope 'messages:writ'"):
        await new_token(server, account, "messages:writ")
    with pytest.raises(InvalidInput, match="no scope"):
        async with server.database.transaction() as transaction:
            await account_settings.create_credential(
                transaction, server.vault, account.account_id, DIALECTS.named("lia"), scopes=["messages:write"]
            )


@pytest.mark.parametrize(
    ("key", "secret"), [("a_b", "x" * 32), ("ab", "x_" * 16), ("\N{LATIN SMALL LETTER U WITH DIAERESIS}b", "x" * 32)]
)
async def test_a_key_that_could_be_read_in_two_ways_is_refused(server: Server, key: str, secret: str) -> None:
    account = await server.account()
    with pytest.raises(InvalidInput, match="letters and digits"):
        async with server.database.transaction() as transaction:
            await account_settings.create_credential(
                transaction, server.vault, account.account_id, DIALECTS.named("v1"), key=key, secret=secret
            )


async def test_a_revoked_key_opens_nothing_and_the_others_still_do(server: Server) -> None:
    client = await v1_client(server)
    second = V1Client(server, client.account, await new_token(server, client.account))
    assert [(await each.get("/v1/balance")).status for each in (client, second)] == [200, 200]
    async with server.database.transaction() as transaction:
        await account_settings.revoke_credential(transaction, DIALECTS, client.token.split("_")[1], 3)

    async def is_closed() -> bool:
        return (await client.get("/v1/balance")).status == 401

    await until(is_closed)
    assert (await second.get("/v1/balance")).status == 200


async def test_a_locked_account_and_a_foreign_address_are_told_apart(server: Server) -> None:
    locked = await v1_client(server, locked=True)
    problem(await locked.get("/v1/balance"), 403, "account_locked")
    elsewhere = await v1_client(server, networks=["192.0.2.0/24"])
    problem(await elsewhere.get("/v1/balance"), 403, "address_not_allowed")
    wrong = V1Client(server, elsewhere.account, elsewhere.token + "x")
    problem(await wrong.get("/v1/balance"), 403, "address_not_allowed")  # nobody elsewhere learns of the secret
    there = await elsewhere.call("GET", "/v1/balance", headers={"X-Forwarded-For": "192.0.2.7"})
    assert there.status == 200


async def test_the_last_use_is_noted_and_is_no_change_of_settings(server: Server) -> None:
    client = await v1_client(server)
    key = client.token.split("_")[1]
    before = await server.query("SELECT count(*) AS n FROM audit WHERE account_id = $1", client.account.account_id)
    await asyncio.gather(*(client.get("/v1/balance") for _ in range(20)))

    async def noted() -> datetime | None:
        row = await server.query_row("SELECT last_used_at FROM credential WHERE key = $1", key)
        at: datetime | None = row["last_used_at"]
        return at

    await until(noted)
    first = await noted()
    assert first is not None
    assert datetime.now(UTC) - first < timedelta(minutes=1)
    await client.get("/v1/balance")
    await stays(noted, first, for_s=1.5)
    after = await server.query("SELECT count(*) AS n FROM audit WHERE account_id = $1", client.account.account_id)
    assert after[0]["n"] == before[0]["n"]


async def test_a_key_is_shown_as_it_is_pasted_with_its_scopes_and_last_use(server: Server) -> None:
    account = await server.account()

    async def run(*words: str) -> Any:
        return json.loads(await homing(server.dsn, "credential", *words, "--json", data=server.data))

    create = ("create", account.name, "--dialect", "v1")
    made = await run(*create, "--scope", "messages:write", "--scope", "account:read")
    assert made["token"] == f"hm_{made['key']}_{made['secret']}"
    assert (await V1Client(server, account, made["token"]).get("/v1/balance")).status == 200

    async def listed() -> Any:
        return next(row for row in await run("list", account.name) if row["key"] == made["key"])

    row = await until(listed, lambda row: row["last_used_at"] is not None)
    assert row["scopes"] == ["account:read", "messages:write"]
    refused = await homing(server.dsn, "credential", *create, "--scope", "messages", data=server.data, status=1)
    assert "messages:read" in refused


async def test_the_console_shows_a_new_key_once_as_it_is_pasted(server: Server, console: str) -> None:
    account = await server.account()
    _name, viewer = await signed_in(console, server.database, UserRole.CUSTOMER, account.account_id)
    made = await viewer.post(
        "/credentials", {"do": "create", "dialect": "v1", "label": "shop", "scope": "account:read"}
    )
    shown = re.search(r'id="token">(hm_\w+)<', made.text)
    assert shown
    assert (await V1Client(server, account, shown[1]).get("/v1/balance")).status == 200
    assert shown[1].rpartition("_")[2] not in (await viewer.get("/credentials")).text
