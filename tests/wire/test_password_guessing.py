"""Passwords that are guessed over HTTP: the answer tells nothing, the right customers are not touched."""

import itertools
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from homing import limits
from homing.api.http.auth_guard import AuthGuard
from homing.api.smpp.dialect import NUMBER as SMPP
from homing.console.alerts import read_attention
from homing.dialects.lia.number import NUMBER as LIA
from homing.dialects.registry import DIALECTS
from homing.intake.intake import utc_now
from homing.smpp.statuses import CommandStatus
from tests.support.client import Client, signed
from tests.support.esme import refused
from tests.support.server import Account, Server, free_port
from tests.support.waiting import until

WRONG_LIA = {"status": "F", "remarks": "Invalid api_password"}
WRONG_LAAFFIC = {"status": "-1", "reason": "Authentication error"}

_hosts = itertools.count(1)
Ask = Callable[..., Awaitable[Any]]


def address() -> str:
    """One that nobody has called from."""
    n = next(_hosts)
    return f"198.18.{n >> 8}.{n & 255}"


async def lia(client: Client, account: Account, path: str, caller: str, **changes: str) -> Any:
    call = {"api_id": account.api_id, "api_password": account.api_password, **changes}
    headers = {"X-Forwarded-For": caller, "Content-Type": "application/json"}
    return (await client.call("POST", f"/api/{path}", headers=headers, body=json.dumps(call).encode())).json


async def balance_lia(server: Server, account: Account, caller: str, is_right: bool = True) -> Any:
    changes = {} if is_right else {"api_password": "guess"}
    return await lia(server.client, account, "CheckBalance", caller, **changes)


async def balance_laaffic(server: Server, account: Account, caller: str, is_right: bool = True) -> Any:
    asking = account if is_right else replace(account, secret="guess")
    headers = {**signed(asking), "X-Forwarded-For": caller}
    return (await server.client.call("GET", "/v3/getBalance", headers=headers)).json


BALANCES = [
    pytest.param(balance_lia, WRONG_LIA, id="lia"),
    pytest.param(balance_laaffic, WRONG_LAAFFIC, id="laaffic"),
]


def opened(answer: Mapping[str, Any]) -> bool:
    return "BalanceAmount" in answer or "balance" in answer


@pytest.mark.parametrize(("ask", "refused"), BALANCES)
async def test_after_ten_wrong_passwords_the_right_one_is_answered_like_a_wrong_one(
    server: Server, ask: Ask, refused: Mapping[str, str]
) -> None:
    account, guesser = await server.account(), address()
    for _ in range(limits.PASSWORD_FAILURES_MAX):
        assert await ask(server, account, guesser, is_right=False) == refused
    assert await ask(server, account, guesser) == refused
    assert opened(await ask(server, account, address())), "nobody is locked out elsewhere"
    assert opened(await ask(server, await server.account(), guesser)), "nor another customer there"


@pytest.mark.parametrize(("ask", "refused"), BALANCES)
async def test_where_a_password_was_right_it_stays_right_whoever_guesses_beside_it(
    server: Server, ask: Ask, refused: Mapping[str, str]
) -> None:
    account, office = await server.account(), address()
    assert opened(await ask(server, account, office))
    for _ in range(2 * limits.PASSWORD_FAILURES_MAX):
        assert await ask(server, account, office, is_right=False) == refused
    assert opened(await ask(server, account, office))


async def test_who_goes_through_keys_is_locked_out_for_all_of_them(server: Server) -> None:
    account, guesser = await server.account(), address()
    for n in range(limits.PASSWORD_ADDRESS_FAILURES_MAX):
        answer = await lia(server.client, account, "CheckBalance", guesser, api_id=f"API{n}")
        assert answer == {"status": "F", "remarks": "Invalid api_id"}
    assert await balance_lia(server, account, guesser) == WRONG_LIA


@pytest.mark.parametrize("path", ["CheckBalance", "GetDeliveryStatus", "CTrack", "SendSMS"])
async def test_from_elsewhere_nobody_learns_whether_a_lia_password_is_right(server: Server, path: str) -> None:
    account = await server.account(networks=["203.0.113.7/32"])
    right = await lia(server.client, account, path, "198.51.100.1")
    wrong = await lia(server.client, account, path, "198.51.100.1", api_password="guess")
    assert right == wrong
    assert "not Whitelisted" in right.get("remarks", "") or right["ErrorCode"] == 1003


async def test_from_elsewhere_nobody_learns_whether_a_laaffic_signature_is_right(server: Server) -> None:
    account = await server.account(networks=["203.0.113.7/32"])
    right = await balance_laaffic(server, account, "198.51.100.1")
    wrong = await balance_laaffic(server, account, "198.51.100.1", is_right=False)
    assert right == wrong == {"status": "-2", "reason": "IP access limited"}


async def test_refused_credentials_are_counted_logged_and_shown(server: Server) -> None:
    account, guesser = await server.account(), address()
    for _ in range(limits.PASSWORD_FAILURES_MAX + 1):
        await balance_lia(server, account, guesser, is_right=False)

    async def counted() -> bool:
        text = (await server.client.call("GET", "/metrics")).text
        return all(
            f'homing_auth_failures_total{{dialect="lia",process="api-1",reason="{reason}"}}' in text
            for reason in ("password", "locked_out")
        )

    await until(counted)

    def logged() -> bool:
        return any(
            line.get("event") == "passwords_guessed" and line["address"] == guesser for line in server.log_lines()
        )

    await until(logged)
    matters = await read_attention(server.database, utc_now())
    assert any("guessing API passwords" in matter.text and matter.values["n"] >= 1 for matter in matters)


async def test_another_process_knows_what_is_locked_and_where_a_password_was_right(server: Server) -> None:
    """As after a restart: what stood in memory is gone."""
    account, guesser, office = await server.account(), address(), address()
    assert opened(await balance_lia(server, account, office))
    for caller in (guesser, office):
        for _ in range(limits.PASSWORD_FAILURES_MAX):
            await balance_lia(server, account, caller, is_right=False)

    async def stored() -> bool:
        rows = await server.query(
            "SELECT l.network FROM password_lock AS l WHERE l.name = $1"
            " UNION ALL SELECT k.network FROM password_known AS k WHERE k.name = $1 AND k.network = $2",
            account.api_id,
            office,
        )
        return len(rows) == 3

    await until(stored)
    port = free_port()
    process = await server.start("api", "api-guessing", HOMING_HTTP_ADDRESS=f"127.0.0.1:{port}")
    fresh = Client(f"http://127.0.0.1:{port}")
    try:
        assert await lia(fresh, account, "CheckBalance", guesser) == WRONG_LIA
        assert opened(await lia(fresh, account, "CheckBalance", office))
    finally:
        await fresh.close()
        assert await process.stop() == 0


async def test_what_is_guessed_at_one_door_counts_at_the_others(server: Server) -> None:
    account, guesser = await server.account(), address()
    for _ in range(limits.PASSWORD_FAILURES_MAX):
        await balance_lia(server, account, guesser, is_right=False)

    async def stored() -> bool:
        return bool(await server.query("SELECT FROM password_lock WHERE name = $1", account.api_id))

    await until(stored)
    guard = AuthGuard(database=server.database, registry=CollectorRegistry(), dialects=DIALECTS)
    await guard.share()
    assert not await guard.passes(SMPP, account.api_id, guesser, is_right=True)
    assert await refused(server.environment["HOMING_SMPP_ADDRESS"], account.key, "guess") == CommandStatus.RINVPASWD

    async def counted() -> bool:
        text = (await server.client.call("GET", "/metrics")).text
        return (
            re.search(r'homing_auth_failures_total{dialect="smpp",process="[^"]+",reason="password"}', text) is not None
        )

    await until(counted)


async def test_keys_that_no_table_can_hold_are_counted_all_the_same(server: Server) -> None:
    guard = AuthGuard(database=server.database, registry=CollectorRegistry(), dialects=DIALECTS)
    for name in ("a\0b", "\ud83d", "x" * 100_000):
        for _ in range(limits.PASSWORD_FAILURES_MAX):
            guard.unknown(LIA, name, "198.18.255.1\0")
    await guard.share()
    assert not await guard.passes(LIA, "a\0b", "198.18.255.1\0", is_right=False)
