"""The guard on a running Homing: both dialects and SMPP, decisions, verdicts, alerts."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homing.admin.guard_strictness import backtest
from homing.api.smpp.statuses import VendorStatus
from homing.guard.service import read_strictness, restore_addresses
from homing.guard.strictness import Strictness
from homing.i18n.reasons import reason_text
from homing.model import GuardAction, PushKind
from homing.reasons import Reason, ReasonCode, decode_reason
from homing.smpp.statuses import CommandStatus
from tests.support.command import homing, homing_json
from tests.support.esme import bound
from tests.support.past_traffic import PAST_TRAFFIC
from tests.support.server import QUEUED, Account, Server, migrated_database, running
from tests.support.sink import Sink
from tests.support.v1 import v1_client
from tests.support.waiting import until

COUNTER = itertools.count(1)


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    data = room / f"guard-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"guard_{worker}"), data) as made:
        yield made


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account(balance="100")


async def command(server: Server, *words: str) -> str:
    return await homing(server.dsn, *words, data=server.data)


async def lia(server: Server, account: Account, number: str) -> dict[str, Any]:
    reply = await server.client.lia(
        account,
        "SendSMS",
        sms_type="T",
        encoding="T",
        sender_id=account.sender,
        phonenumber=number,
        textmessage="your code is 1234",
    )
    return dict(reply.json)


async def denied(server: Server, account: Account) -> str:
    """A prefix that the account may not send to."""
    prefix = f"62812{next(COUNTER):04}"
    await command(server, "guard", "deny", prefix, "--account", account.name)
    await server.settled()

    async def is_known() -> bool:
        return bool((await lia(server, account, f"{prefix}900"))["status"] == "F")

    await until(is_known)
    return prefix


async def balance(server: Server, account: Account) -> int:
    row = await server.query_row("SELECT balance_micro FROM balance WHERE account_id = $1", account.account_id)
    return int(row["balance_micro"])


async def test_a_denied_prefix_is_denied_however_its_numbers_are_written(server: Server, account: Account) -> None:
    prefix = await denied(server, account)
    for written in (f"00{prefix}901", f"+00{prefix}901", f"+{prefix}901", f"00 {prefix} 901"):
        assert (await lia(server, account, written))["remarks"] == "Destination blocked", written
        reply = await server.client.laaffic(
            account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": written, "content": "x"}
        )
        assert reply.json["status"] == "-19", written
    async with bound(server.environment["HOMING_SMPP_ADDRESS"], account.key, account.secret) as esme:
        assert (await esme.submit(f"00{prefix}901")).status == VendorStatus.DESTINATION_BLOCKED
        assert (await esme.submit(f"0{prefix}901")).status == CommandStatus.RINVDSTADR


async def test_a_prefix_is_denied_as_it_is_written_and_a_national_one_is_none(server: Server, account: Account) -> None:
    await command(server, "guard", "deny", "0062813", "--account", account.name)
    listed = await server.query("SELECT value FROM guard_list WHERE account_id = $1", account.account_id)
    assert [row["value"] for row in listed] == ["62813"]
    refused = await homing(server.dsn, "guard", "deny", "0151", "--account", account.name, data=server.data, status=1)
    assert "starts with 0" in refused


async def test_a_blocked_destination_is_refused_in_lias_words_and_costs_nothing(
    server: Server, account: Account
) -> None:
    prefix = await denied(server, account)
    before = await balance(server, account)
    found = await lia(server, account, f"{prefix}001")
    assert (found["status"], found["message_id"], found["remarks"]) == ("F", 0, "Destination blocked")
    assert await balance(server, account) == before


async def test_of_several_numbers_in_laaffics_call_the_blocked_are_counted_as_failed(
    server: Server, account: Account
) -> None:
    prefix = await denied(server, account)
    sent = {"appId": account.app, "content": "your code is 1234"}
    some = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={**sent, "numbers": f"{prefix}001,6281399990001"}
    )
    assert (some.json["status"], some.json["success"], some.json["fail"]) == ("0", "1", "1")
    none = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={**sent, "numbers": f"{prefix}001,{prefix}002"}
    )
    assert none.json["status"] == "-19"


async def stored_decisions(server: Server, account: Account) -> Any:
    return await server.query("SELECT FROM guard_decision WHERE account_id = $1", account.account_id)


async def test_every_decision_is_stored_and_what_was_saved_is_their_sum(server: Server, account: Account) -> None:
    prefix = await denied(server, account)
    for n in range(5):
        await lia(server, account, f"{prefix}{n:03}")

    async def stored() -> Any:
        rows = await server.query("SELECT * FROM guard_decision WHERE account_id = $1", account.account_id)
        return rows if len([row for row in rows if row["number"] != f"{prefix}900"]) == 5 else None

    rows = await until(stored)
    for row in rows:
        assert (row["action"], row["rule"], row["scope"]) == (GuardAction.BLOCK, "deny", prefix)
        assert decode_reason(row["reason"]) == Reason.of(ReasonCode.GUARD_DENY_LISTED, entry=prefix)
        assert row["reason_code"] == ReasonCode.GUARD_DENY_LISTED
        assert row["charge_micro"] > 0
    total = sum(row["charge_micro"] for row in rows)
    saved = await server.query(
        "SELECT sum(charge_micro)::bigint AS saved FROM guard_decision WHERE account_id = $1 AND action = 2",
        account.account_id,
    )
    assert saved[0]["saved"] == total
    told = await command(server, "guard", "saved", "--account", account.name)
    assert "deny" in told
    shown = await command(server, "message", "show", str(rows[0]["message_id"]))
    assert "blocked by the guard" in shown
    assert f"{prefix} is on the deny list" in shown
    (counted,) = await homing_json(server.dsn, "guard", "reasons", "--account", account.name)
    assert (counted["reason_code"], counted["action"]) == ("guard.deny_listed", "block")
    assert counted["messages"] == len(await stored_decisions(server, account))
    listed = await homing_json(
        server.dsn, "guard", "decisions", "--account", account.name, "--reason", "guard.deny_listed"
    )
    assert len(listed) == counted["messages"]
    assert listed[0]["reason"] == {
        "code": "guard.deny_listed",
        "values": {"entry": prefix},
        "text": f"{prefix} is on the deny list",
    }
    assert not await homing_json(server.dsn, "guard", "decisions", "--account", account.name, "--reason", "guard.flood")


async def test_an_allowed_number_passes_a_denied_prefix(server: Server, account: Account) -> None:
    prefix = await denied(server, account)
    await command(server, "guard", "allow", f"{prefix}777", "--account", account.name)

    async def passes() -> bool:
        return bool((await lia(server, account, f"{prefix}777"))["status"] == "S")

    assert await until(passes)
    assert (await lia(server, account, f"{prefix}778"))["status"] == "F"


async def test_a_dense_range_is_flagged_and_alerted_and_in_monitor_mode_its_messages_pass(
    server: Server, account: Account, sink: Sink
) -> None:
    """An app that reports nothing: density alone speaks, and nothing is refused for it."""
    box = sink.box()
    await command(server, "guard", "alert", box.url, "--account", account.name)
    block = f"6281355{next(COUNTER):02}"
    for n in range(60):
        assert (await lia(server, account, f"{block}{n:03}"))["status"] == "S"

    async def verdicts() -> Any:
        return await server.query("SELECT * FROM guard_verdict WHERE account_id = $1", account.account_id)

    (verdict, *_more) = await until(verdicts)
    assert (verdict["digits"], verdict["may_block"]) == (block, False)
    reason = decode_reason(verdict["reason"])
    assert reason.code is ReasonCode.GUARD_RANGE_DENSE

    async def noted() -> int:
        found = await lia(server, account, f"{block}999")
        assert found["status"] == "S"
        row = await server.query_row("SELECT notes FROM message WHERE message_id = $1", int(found["message_id"]))
        return int(found["message_id"]) if "guard" in (row["notes"] or "") else 0

    message_id = await until(noted)
    shown = await command(server, "message", "show", str(message_id))
    assert "would refuse it" in shown
    (told,) = [
        one
        for one in (await homing_json(server.dsn, "message", "show", str(message_id)))["timeline"]
        if one["what"] == "guard"
    ]
    (monitored,) = told["reasons"]
    assert (monitored["code"], monitored["values"]["scope"], monitored["text"]) == (
        "guard.monitored",
        block,
        told["detail"],
    )
    pushes = await server.query(
        "SELECT * FROM push WHERE account_id = $1 AND kind = $2", account.account_id, int(PushKind.ALERT)
    )
    assert len(pushes) == 1
    (alert,) = await box.first()
    assert (alert.json["event"], alert.json["range"], alert.json["reason"]) == ("guard.verdict", block, reason.code)
    assert (alert.json["values"], alert.json["text"]) == (reason.values, reason_text(reason))
    assert block in await command(server, "guard", "verdicts", "--json", "--account", account.name)
    await command(server, "guard", "lift", block, "--account", account.name)
    assert block not in await command(server, "guard", "verdicts", "--json", "--account", account.name)


async def test_a_receiver_of_alerts_knows_them_by_the_password_in_its_address(
    server: Server, account: Account, sink: Sink
) -> None:
    """It is sent along and shown to nobody."""
    box = sink.box()
    address = box.url.replace("://", "://homing:let-me-in@")
    said = await command(server, "guard", "alert", address, "--account", account.name)
    block = f"6281366{next(COUNTER):02}"
    for n in range(60):
        await lia(server, account, f"{block}{n:03}")
    (alert,) = await box.first()
    credentials = base64.b64encode(b"homing:let-me-in").decode()
    assert alert.headers["Authorization"] == f"Basic {credentials}"
    assert alert.headers["webhook-id"].startswith("push_")
    said += await command(server, "guard", "show", "--account", account.name)
    said += await command(server, "guard", "show", "--account", account.name, "--json")
    said += await command(server, "push", "list", account.name)
    said += await command(server, "push", "list", account.name, "--json")
    audited = await server.query(
        "SELECT * FROM audit WHERE kind = 'guard_alert' AND account_id = $1", account.account_id
    )
    said += str(audited)
    assert "homing:***@" in str(audited)
    assert "let-me-in" not in said
    assert said.count("homing:***@") >= 5


async def test_a_budget_ends_with_its_messages(server: Server, account: Account) -> None:
    await command(server, "guard", "mode", "block", "budget", "--account", account.name)
    await command(server, "guard", "budget", "KE", "--hour", "3", "--account", account.name)

    async def spent() -> bool:
        found = await lia(server, account, f"25471{next(COUNTER):07}")
        return bool(found["status"] == "F" and found["remarks"] == "Destination blocked")

    assert await until(spent)


async def test_smpp_answers_with_a_status_of_its_own(server: Server, account: Account) -> None:
    prefix = await denied(server, account)
    async with bound(server.environment["HOMING_SMPP_ADDRESS"], account.key, account.secret) as esme:

        async def is_blocked() -> bool:  # the SMPP server's process hears of settings by itself
            return bool((await esme.submit(f"{prefix}001")).status == VendorStatus.DESTINATION_BLOCKED)

        assert await until(is_blocked)


async def addresses_of(server: Server, account: Account) -> list[dict[str, Any]]:
    rows = await server.query(
        "SELECT * FROM guard_address WHERE account_id = $1 ORDER BY message_id", account.account_id
    )
    return [dict(row) for row in rows]


async def test_an_end_users_address_is_kept_as_hashes_and_its_conversion_is_observed(
    server: Server, account: Account
) -> None:
    client = await v1_client(server, account)
    address = "93.184.216.34"
    sent = await client.post(
        "/v1/messages", {"to": "+8613800130001", "text": "your table", "end_user": {"ip": address}}
    )
    started = await client.post("/v1/verifications", {"to": f"{QUEUED}20000123", "end_user": {"ip": address}})
    unnamed = await client.post("/v1/messages", {"to": "+8613800130001", "text": "your table"})
    private = await client.post(
        "/v1/messages", {"to": "+8613800130001", "text": "your table", "end_user": {"ip": "10.0.0.1"}}
    )
    assert [reply.status for reply in (sent, started, unnamed, private)] == [201] * 4
    rows = await until(lambda: addresses_of(server, account), lambda rows: len(rows) == 2)
    assert [row["message_id"] for row in rows] == [int(sent.json["id"]), int(started.json["id"])]
    assert rows[0]["address"] == rows[1]["address"]
    assert rows[0]["number"] != rows[1]["number"]
    assert all(row["site"] is None for row in rows)
    tables = await server.query(
        "SELECT message::text AS kept FROM message WHERE account_id = $1"
        " UNION ALL SELECT guard_address::text FROM guard_address WHERE account_id = $1"
        " UNION ALL SELECT verification::text FROM verification WHERE account_id = $1",
        account.account_id,
    )
    assert not any(address in row["kept"] for row in tables)
    text = await server.query_row("SELECT text FROM message WHERE message_id = $1", int(started.json["id"]))
    code = text["text"].split()[0]
    checked = await client.post(f"/v1/verifications/{started.json['id']}/check", {"code": code})
    assert checked.json["status"] == "verified"
    restored = await restore_addresses(server.database, datetime.now(UTC))
    own = [delta for delta in restored if delta.account_id == account.account_id]
    assert [delta.is_conversion for delta in own] == [False, False, True]


async def test_what_is_no_address_is_refused_by_name(server: Server, account: Account) -> None:
    client = await v1_client(server, account)
    for wrong in ("x", "1.2.3.4.5", "93.184.216.34, 10.0.0.1"):
        body = {"to": "+8613800130001", "text": "x", "end_user": {"ip": wrong}}
        problem = (await client.post("/v1/messages", body)).json
        assert (problem["code"], problem["errors"][0]["pointer"]) == ("invalid_request", "#/end_user/ip")


async def test_many_numbers_from_one_address_are_recorded_with_the_reason_and_without_the_address(
    server: Server, account: Account
) -> None:
    client = await v1_client(server, account)

    async def send(number: int) -> str:
        body = {"to": f"+86138001{number:05}", "text": "x", "end_user": {"ip": "2606:4700:1:2::1"}}
        return str((await client.post("/v1/messages", body)).json["id"])

    async def decisions() -> list[dict[str, Any]]:
        rows = await server.query(
            "SELECT scope, reason FROM guard_decision WHERE account_id = $1 AND rule = 'address'", account.account_id
        )
        return [dict(row) for row in rows]

    ids: list[str] = []
    while not (decided := await decisions()):
        assert len(ids) < 150, "noticed late: what processes have counted reaches the others in a second or two"
        ids.append(await send(len(ids)))
        await asyncio.sleep(0.02)  # decisions are stored half a second later
    first = decided[0]
    assert first["scope"].startswith("ip-")
    assert "2606" not in f"{first}"
    assert "from one end user's network" in await command(server, "message", "show", ids[-1])


async def test_strictness_is_set_for_an_account_and_removed_again(server: Server, account: Account) -> None:
    assert "Strictness set to strict" in await command(
        server, "guard", "strictness", "strict", "--account", account.name
    )
    listed = await homing_json(server.dsn, "guard", "strictness", "--account", account.name)
    assert [(row["account"], row["strictness"]) for row in listed] == [(account.name, "strict")]
    assert (await read_strictness(server.database)).of(account.account_id) is Strictness.STRICT
    await command(server, "guard", "strictness", "--account", account.name, "--remove")
    assert (await read_strictness(server.database)).of(account.account_id) is Strictness.STANDARD
    with pytest.raises(AssertionError, match="no strictness is set"):
        await command(server, "guard", "strictness", "--account", account.name, "--remove")


async def test_what_each_strictness_would_have_done_is_told_from_the_stored_messages(
    server: Server, account: Account
) -> None:
    began = datetime.now(UTC) - timedelta(hours=3)
    with pytest.raises(AssertionError, match="had no messages in 14 days"):
        await command(server, "guard", "suggest", "--account", account.name)
    await server.query(PAST_TRAFFIC, account.account_id, began, account.app)
    told = await homing_json(server.dsn, "guard", "suggest", "--account", account.name)
    reports = {row["strictness"]: row for row in told["strictness"]}
    assert list(reports) == ["lenient", "standard", "strict"]
    assert [row["is_set"] for row in reports.values()] == [False, True, False]
    for row in reports.values():
        assert row["messages"] == 2_800
        assert 270 <= row["refused"] <= 310, "the attack, also what of it was refused then"
        assert row["people"]["low"] <= row["people"]["value"] <= row["people"]["high"] <= 30
        assert float(row["stopped"]["low"]) <= float(row["stopped"]["value"]) <= 310 * 0.02
    shown = await command(server, "guard", "suggest")
    assert account.name in shown, "the latest results of all accounts"
    cut = await homing_json(server.dsn, "guard", "suggest", "--account", account.name, "--messages", "1500")
    assert all(0 < row["messages"] <= 1_500 for row in cut["strictness"])


async def test_a_busy_account_that_has_been_silent_since_is_judged_by_what_it_sent(
    server: Server, account: Account
) -> None:
    began = datetime.now(UTC) - timedelta(hours=3)
    await server.query(PAST_TRAFFIC, account.account_id, began, account.app)
    results = await backtest(server.database, account.account_id, began + timedelta(days=8), messages_max=1_500)
    assert [1_100 <= result.messages <= 1_500 for result in results] == [True] * 3
