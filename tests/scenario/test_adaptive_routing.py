"""Adaptive routing on a real database: facts become shares, processes route by them, and each message can tell why."""

import asyncio
import csv
import io
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from homing.accounts.profile import Profile
from homing.admin import carriers, prices, routes
from homing.aggregation.aggregator import Aggregator
from homing.aggregation.routing_listener import RoutingListener
from homing.common.ids import first_id_at
from homing.dialects.registry import DIALECTS
from homing.guard.snapshot import GuardSnapshot
from homing.messages.timeline import find_message, read_timeline
from homing.model import Strategy
from homing.routing.rules import RouteScope
from tests.support.bank import Bank, group
from tests.support.command import homing, homing_json
from tests.support.server import migrated_database
from tests.support.waiting import until

POOR, GOOD = "sim", "good"


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"learning_{worker}"), 2)
    async with opened.plain.transaction() as transaction:
        good = await carriers.add_carrier(transaction, GOOD, "simulator")
        poor = (await carriers.find_carrier(transaction, POOR)).carrier_id
        match = RouteScope(prefix="86")
        await routes.set_route(transaction, match, carrier_id=poor, priority=1, strategy=Strategy.ADAPTIVE)
        await routes.set_route(transaction, match, carrier_id=good, priority=2, strategy=Strategy.ADAPTIVE)
        await prices.set_costs(transaction, poor, [("", 10_000)])
        await prices.set_costs(transaction, good, [("", 12_000)])
    for board in opened.boards:
        board.settings_missed()  # a role hears of changed settings; here nobody listens
    await until(lambda: all(board.catalogue.adaptive_rules() for board in opened.boards))
    yield opened
    await opened.close()


@pytest.fixture
async def account(bank: Bank) -> Profile:
    await bank.query(
        "TRUNCATE message, queue, balance, posting, stat, stat_cell, stat_delta, stat_pending, leader_lease,"
        " learn_shares, learn_choice, learn_terms, learn_fake CASCADE"
    )
    await asyncio.sleep(0.1)
    made = await bank.account(balance=100_000_000)
    await bank.query("INSERT INTO app (app_id, account_id, name) VALUES ($1, $2, $1)", made.name, made.account_id)
    return made


async def carrier_ids(bank: Bank) -> dict[str, int]:
    return {row["name"]: row["carrier_id"] for row in await bank.query("SELECT name, carrier_id FROM carrier")}


async def happened(bank: Bank, account: Profile, carrier: str, sent: int, delivered: int, converted: int) -> None:
    """Messages of half an hour ago, as what became of them is told to statistics."""
    minute = int(time.time()) // 60 - 30
    ids = await carrier_ids(bank)
    told = "INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, {})"
    values = " VALUES ($1, $2, $3, $4, '', '-1-1', '8613800138', 'HOMING', {})"
    cell = account.account_id, minute, ids[carrier], account.name
    await bank.query((told + values).format("submitted, sent", "$5, $5"), *cell, sent)
    await bank.query((told + values).format("delivered, receipt_bucket", "$5, 2"), *cell, delivered)
    await bank.query((told + values).format("converted, conversion_bucket", "$5, 5"), *cell, converted)


def aggregator_of(bank: Bank) -> Aggregator:
    board = bank.boards[0]
    return Aggregator(
        database=bank.databases[0],
        owner="elsewhere:1:link",
        clock=lambda: datetime.now(UTC),
        listeners={"learner": lambda: RoutingListener(lambda: board.catalogue, random.Random(1), GuardSnapshot)},
    )


async def learnt(bank: Bank, process: int, account: Profile) -> dict[int, int]:
    """The weights by which a process routes, once it has heard of any."""
    reader = bank.boards[process]._shares

    def mine() -> list[dict[int, int]]:
        known = reader._shares.items()
        return [
            dict(one.weights) for (_match, cell), one in known if cell.account_id == account.account_id and cell.network
        ]

    await until(mine)
    return mine()[0]


async def carriers_of(bank: Bank, ids: list[int]) -> Counter[str]:
    rows = await bank.query(
        "SELECT c.name FROM message JOIN carrier AS c USING (carrier_id) WHERE message_id = ANY ($1::bigint[])", ids
    )
    return Counter(row["name"] for row in rows)


async def test_what_converts_gets_the_traffic_in_every_process_and_each_message_tells_why(
    bank: Bank, account: Profile
) -> None:
    await happened(bank, account, POOR, 600, 590, 60)
    await happened(bank, account, GOOD, 600, 580, 290)
    aggregator = aggregator_of(bank)
    await aggregator.run_round()
    ids = await carrier_ids(bank)
    for process in range(2):
        assert await learnt(bank, process, account) == {ids[GOOD]: 9_900, ids[POOR]: 100}
    sent = await bank.send(1, account, [group("86", 400)])
    counts = await carriers_of(bank, sent)
    assert counts[GOOD] > 380

    async with bank.plain.connection() as connection:
        row = await find_message(connection, sent[0])
        assert row is not None
        moments = await read_timeline(connection, row, DIALECTS)
    told = [(moment.what, moment.detail) for moment in moments]
    candidates = [detail for what, detail in told if what == "candidate"]
    assert len(candidates) == 2
    assert candidates[0].startswith("good: share 99.0 %, 290 of 600 messages converted, rate 4")
    assert "96.7% delivered, 0.012 per segment" in candidates[0]
    assert candidates[1].startswith("sim: share 1.0 %, 60 of 600 messages converted")
    (draw,) = [detail for what, detail in told if what == "draw"]
    assert f": {row.route_carrier} has " in draw, "the draw leads to the carrier that was chosen"
    assert any(what == "route" and "adaptive: drawn of " in detail for what, detail in told)

    explained = await homing_json(
        bank.dsn, "route", "explain", "8613800138000", "--account", account.name, "--app", account.name
    )
    assert [row["carrier"] for row in explained["learnt"]] == [GOOD, POOR]
    assert explained["learnt"][0]["source"] == "prior", "the network of that number has had no traffic of its own"
    assert explained["reason"]["code"] == "shares.by_cost"
    assert explained["reason"]["values"]["basis"] == {"code": "shares.from_prior"}
    assert " % to the best of 2 carriers: " in explained["reason"]["text"]
    shown = await homing_json(bank.dsn, "learn", "show", account.name)
    assert {row["carrier"]: row["share"] for row in shown["beliefs"] if row["network"]} == {GOOD: 0.99, POOR: 0.01}
    await aggregator.release()


async def test_a_new_process_comes_to_the_same_from_what_was_added_up(bank: Bank, account: Profile) -> None:
    await happened(bank, account, POOR, 600, 590, 60)
    await happened(bank, account, GOOD, 600, 580, 290)
    first = aggregator_of(bank)
    await first.run_round()
    await first.release()
    await bank.query("TRUNCATE learn_shares, learn_choice")
    second = aggregator_of(bank)
    await second.run_round()
    ids = await carrier_ids(bank)
    (row,) = await bank.query("SELECT carriers, weights FROM learn_shares WHERE network <> ''")
    assert dict(zip(row["carriers"], row["weights"], strict=True)) == {ids[GOOD]: 9_900, ids[POOR]: 100}
    assert not await bank.query("SELECT FROM stat_delta")
    await second.release()


async def test_who_opts_out_is_routed_by_priority_at_once(bank: Bank, account: Profile) -> None:
    await happened(bank, account, POOR, 600, 590, 60)
    await happened(bank, account, GOOD, 600, 580, 290)
    aggregator = aggregator_of(bank)
    await aggregator.run_round()
    await learnt(bank, 1, account)
    board = bank.boards[1]
    said = await homing(bank.dsn, "learn", "set", "--account", account.name, "--off")
    assert "routes by priority" in said
    board.settings_missed()
    await until(lambda: board.catalogue.objective(account.account_id, account.name).opted_out)
    assert await carriers_of(bank, await bank.send(1, account, [group("86", 50)])) == {POOR: 50}
    number = "8613800138000"
    explained = await homing_json(
        bank.dsn, "route", "explain", number, "--account", account.name, "--app", account.name
    )
    assert explained["reason"]["code"] == "route.opted_out"
    explained = await homing_json(bank.dsn, "route", "explain", number)
    assert explained["reason"]["code"] == "route.no_recent_traffic"
    assert "name --account and --app" in await homing(bank.dsn, "route", "explain", number)
    await homing(bank.dsn, "learn", "set", account.name, "--worth", "0.4", "--explore", "0.02")
    shown = await homing_json(bank.dsn, "learn", "show", "--account", account.name)
    assert [(row["app_id"], row["worth"], row["opted_out"]) for row in shown["terms"]] == [
        (None, None, True),
        (account.name, "0.4", False),
    ]
    await aggregator.release()


async def test_a_carrier_that_calls_delivered_what_nobody_got_is_found_with_its_messages(
    bank: Bank, account: Profile
) -> None:
    await happened(bank, account, POOR, 900, 900, 40)
    await happened(bank, account, GOOD, 900, 800, 400)
    aggregator = aggregator_of(bank)
    await aggregator.run_round()
    (found,) = await homing_json(bank.dsn, "learn", "fakes")
    assert (found["carrier"], found["kind"]) == (POOR, "unconverted")
    assert found["reason"]["values"]["ratio_ppm"] < 150_000
    ids = await carrier_ids(bank)
    old = first_id_at(int((time.time() - 7_200) * 1000))
    sent = await bank.send(0, account, [group("86", 3)])
    for n, one in enumerate(sent):
        await bank.query(
            "UPDATE message SET message_id = $2, state = 3, carrier_id = $3, sent_at = now(),"
            " final_at = now() + interval '2 seconds', carrier_ref = 'ref' WHERE message_id = $1",
            one,
            old + n,
            ids[POOR],
        )
    await bank.query("UPDATE app SET expects_conversions = true WHERE app_id = $1", account.name)
    rows = list(csv.DictReader(io.StringIO(await homing(bank.dsn, "learn", "fakes", "--csv", POOR))))
    assert sorted(int(row["message_id"]) for row in rows) == [old, old + 1, old + 2]
    assert {row["receipt_s"] for row in rows} == {"2.0"}
    await aggregator.release()
