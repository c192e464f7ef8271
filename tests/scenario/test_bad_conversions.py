"""Customers who report wrongly, late, all at once, or no longer: through the dialects, by the aggregator's clock."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homing.admin import prices, routes
from homing.admin.carriers import add_carrier, find_carrier
from homing.aggregation.aggregator import Aggregator
from homing.aggregation.guard_listener import GuardListener
from homing.aggregation.routing_listener import RoutingListener
from homing.guard.policy import GuardPolicy
from homing.guard.snapshot import GuardSnapshot, decode_snapshot
from homing.model import Strategy
from homing.routing.rules import RouteScope
from tests.support.bank import Bank
from tests.support.command import homing_json
from tests.support.proofs import all_adds_up
from tests.support.server import Account, Server, migrated_database, running
from tests.support.waiting import WAIT_S, until

SURE_S = 60.0  # it is looked every half minute whether an app reports
PEOPLE = itertools.count(1)


@pytest.fixture(scope="module")
async def server(postgres: str, room: Path, worker: str) -> AsyncIterator[Server]:
    data = room / f"bad-conversions-{worker}"
    data.mkdir()
    async with running(await migrated_database(postgres, f"bad_conversions_{worker}"), data) as made:
        yield made


@pytest.fixture
async def account(server: Server) -> Account:
    return await server.account(balance="100")


async def send(server: Server, account: Account, numbers: Sequence[str]) -> dict[str, int]:
    """The ids by number of those that were accepted."""
    reply = await server.client.laaffic(
        account, "POST", "/v3/sendSms", body={"appId": account.app, "numbers": ",".join(numbers), "content": "123456"}
    )
    return {sent["number"]: int(sent["msgId"]) for sent in reply.json.get("array") or ()}


async def backfill(server: Server, account: Account, number: str, message_id: int, at: datetime) -> str:
    body = {"appId": account.app, "msgid": str(message_id), "number": number, "time": str(int(at.timestamp()))}
    reply = await server.client.laaffic(account, "POST", "/v3/postback/backfill", body=body)
    return str(reply.json["status"])


async def ctrack(server: Server, account: Account, message_id: int) -> int:
    reply = await server.client.lia(account, "CTrack", message_id=message_id, status="true")
    return int(reply.json["ErrorCode"])


def people(count: int, area: str = "9181", tail: str = "0001") -> list[str]:
    """Numbers that lie apart, to which messages are delivered at once."""
    return [f"{area}{next(PEOPLE):04d}{tail}" for _ in range(count)]


async def heard(server: Server, account: Account, converted: int) -> dict[str, Any]:
    """The account's figures, once everything is final and so many have converted."""
    words = ("stats", "--by", "account", "--account", account.name, "--since", "1h")
    lines: list[dict[str, Any]] = await until(
        lambda: homing_json(server.dsn, *words),
        lambda lines: lines and lines[0]["converted"] == converted and lines[0]["delivered"] == lines[0]["submitted"],
    )
    return lines[0]


async def latest_snapshot(server: Server) -> GuardSnapshot:
    row = await server.query_row("SELECT snapshot FROM guard_snapshot")
    return decode_snapshot(row["snapshot"])


async def test_an_attack_with_forged_conversions_is_flagged_by_density_and_blocked(
    server: Server, account: Account
) -> None:
    """Every message of the attack is reported at once as converted: the evidence of conversions is capped, in a
    network of which is known how messages spread over its ranges.
    """
    count = round(GuardPolicy().known_spread_messages) + 20
    genuine = await send(server, account, people(count))
    answers = await asyncio.gather(
        *(backfill(server, account, number, message_id, datetime.now(UTC)) for number, message_id in genuine.items())
    )
    assert set(answers) == {"0"}
    await heard(server, account, count)
    await until(
        lambda: latest_snapshot(server), lambda snapshot: (account.account_id, account.app) in snapshot.reporting_apps
    )
    for rule in ("range", "burst"):
        await homing_json(server.dsn, "guard", "mode", "block", rule, "--account", account.name)
    await server.settled()
    block = "918277700"
    taken = refused = 0
    while refused < 100 and taken < 800:  # how many pass before they are judged depends on the machine's pace
        n = taken + refused
        found = await send(server, account, [f"{block}{n:03d}"])
        for message_id in found.values():
            taken += 1
            assert await ctrack(server, account, message_id) == 1000
        refused += not found
        await asyncio.sleep(0.02)
    assert refused == 100, "it was not judged"
    (latest, *_more) = await homing_json(server.dsn, "guard", "decisions", "--account", account.name, "--limit", "1")
    assert latest["action"] == "block"
    assert latest["scope"] in (block, block[:-1]), "or the ten thousand that contain it, which have a limit as well"
    crowded = ("guard.range_dense", "guard.burst")  # which of them first depends on the machine's pace
    assert latest["reason"]["code"] in crowded

    async def saved() -> int:
        found = await homing_json(server.dsn, "guard", "saved", "--account", account.name)
        return sum(one["messages"] for one in found if one["action"] == "block")

    await until(saved, lambda count: count >= refused)  # decisions are stored after their answers
    assert await saved() == refused
    await all_adds_up(server.database)


async def test_conversions_in_bulk_after_the_fact_count_once_and_for_their_messages(
    server: Server, account: Account
) -> None:
    sent = await send(server, account, people(40))
    await heard(server, account, 0)
    for _twice in range(2):
        answers = await asyncio.gather(
            *(backfill(server, account, *pair, datetime.now(UTC) - timedelta(seconds=1)) for pair in sent.items())
        )
        assert set(answers) == {"0"}
    assert {await ctrack(server, account, message_id) for message_id in sent.values()} == {1009}
    line = await heard(server, account, 40)
    assert (line["submitted"], line["converted_rate"]["mean"]) == (40, 1.0)
    await all_adds_up(server.database)


@pytest.mark.parametrize("off", [timedelta(days=2), timedelta(hours=-1)], ids=["in the future", "before its message"])
async def test_a_time_that_cannot_be_is_kept_as_said_and_not_counted_on(
    server: Server, account: Account, off: timedelta
) -> None:
    ((number, message_id),) = (await send(server, account, people(1))).items()
    said = (datetime.now(UTC) + off).replace(microsecond=0)
    assert await backfill(server, account, number, message_id, said) == "0"
    line = await heard(server, account, 1)
    assert 0 <= line["conversion_s"] < WAIT_S
    shown = await homing_json(server.dsn, "message", "show", str(message_id))
    (told,) = [one["detail"] for one in shown["timeline"] if one["what"] == "converted"]
    assert f"converted at {said:%Y-%m-%d %H:%M:%S}" in told
    await all_adds_up(server.database)


async def test_a_cell_with_one_message_is_told_with_its_doubt_and_judges_nobody(
    server: Server, account: Account
) -> None:
    ((number, message_id),) = (await send(server, account, people(1))).items()
    await ctrack(server, account, message_id)
    line = await heard(server, account, 1)
    assert line["converted_rate"]["mean"] == 1.0
    assert line["converted_rate"]["low"] < 0.3
    assert await homing_json(server.dsn, "guard", "verdicts", "--account", account.name) == []
    suggested = await homing_json(server.dsn, "guard", "suggest", "--account", account.name)
    assert suggested["budgets"] == []
    explained = await homing_json(
        server.dsn, "route", "explain", number, "--account", account.name, "--app", account.app
    )
    assert len(explained["candidates"]) == 2
    await all_adds_up(server.database)


# --- a customer that stops reporting ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"stops_{worker}"), 1)
    async with opened.plain.transaction() as transaction:
        dear = await add_carrier(transaction, "dear", "simulator")
        cheap = (await find_carrier(transaction, "sim")).carrier_id
        for carrier_id, cost in ((dear, 12_000), (cheap, 10_000)):
            await routes.set_route(
                transaction, RouteScope(prefix="86"), carrier_id=carrier_id, strategy=Strategy.ADAPTIVE
            )
            await prices.set_costs(transaction, carrier_id, [("", cost)])
    yield opened
    await opened.close()


async def test_a_customer_that_stops_reporting_is_routed_by_receipts_says_so_and_is_no_thief(bank: Bank) -> None:
    """Two hours of traffic over many ranges, of which the second converts nobody; the cheap carrier's receipts are as
    good as the dear one's, so that it gets the traffic then.
    """
    account = await bank.account(balance=1_000_000)
    await bank.query("INSERT INTO app (app_id, account_id, name) VALUES ($1, $2, $1)", account.name, account.account_id)
    carriers = {row["name"]: row["carrier_id"] for row in await bank.query("SELECT name, carrier_id FROM carrier")}
    now_minute = int(time.time()) // 60
    told = (
        "INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted,"
        " sent, delivered, converted, receipt_bucket, conversion_bucket)"
        " SELECT $1, m, $2, $3, 'CN', '46001', '86138' || lpad((m * 10 + n)::text, 5, '0'), 'HOMING',"
    )
    where = f" FROM generate_series({now_minute} - 120, {now_minute} - 1) AS m, generate_series(1, 10) AS n"
    for name, rate in (("dear", 8), ("sim", 2)):
        who = account.account_id, carriers[name], account.name
        await bank.query(f"{told} 1, 1, NULL, NULL, NULL, NULL {where}", *who)
        await bank.query(f"{told} NULL, NULL, 1, NULL, 2, NULL {where}", *who)
        reported = f"{where} WHERE m < {now_minute} - 60 AND n <= {rate}"
        await bank.query(f"{told} NULL, NULL, NULL, 1, NULL, 4 {reported}", *who)

    board = bank.boards[0]
    board.settings_missed()
    await until(lambda: board.catalogue.adaptive_rules())
    learning = RoutingListener(lambda: board.catalogue, random.Random(1), GuardSnapshot)
    before = Aggregator(database=bank.databases[0], owner="elsewhere:1:link", clock=lambda: datetime.now(UTC))
    while await before.run_round():
        pass
    await before.release()
    aggregator = Aggregator(
        database=bank.databases[0],
        owner="elsewhere:2:link",
        clock=lambda: datetime.now(UTC),
        listeners={"learner": lambda: learning, "guard": lambda: GuardListener(lambda: learning.learner)},
    )
    await aggregator.run_round()

    shown = await homing_json(bank.dsn, "learn", "show", account.name)
    cell = [one for one in shown["beliefs"] if one["network"]]
    assert {one["source"] for one in cell} == {"receipts"}
    assert cell[0]["reason"]["values"]["basis"] == {"code": "shares.from_receipts"}
    assert learning.learner.reporting(account.account_id, account.name) == "silent"
    assert await homing_json(bank.dsn, "guard", "verdicts") == []
    (row,) = await bank.query("SELECT snapshot FROM guard_snapshot")
    latest = decode_snapshot(row["snapshot"])
    assert (account.account_id, account.name) not in latest.reporting_apps
    assert all(not limits.may_block and limits.verdict is None for limits in latest.networks.values())
    await aggregator.release()
