"""Risk settings and learned risks reach the fraud model, and allow lists and lifts its verdicts."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from homing import limits
from homing.accounts.profile import Profile
from homing.aggregation.guard_listener import GUARD_RISKS_S, GUARD_SAVE_S, GuardListener
from homing.common import ids
from homing.guard.address_model import AddressDelta
from homing.guard.end_users import EndUserAddress
from homing.guard.persistence import restore_statistics
from homing.guard.risk import LEARNED_NATS_MAX, LEVEL_NATS, DestinationRisks, RiskLevel
from homing.guard.service import GUARD_RISK_DAYS
from homing.learning.learner import RoutingLearner
from homing.statistics.delta import Delta
from homing.store import statements
from homing.store.statements.guard import NewGuardAddress, NewGuardVerdict
from tests.support.bank import Bank
from tests.support.command import homing, homing_json
from tests.support.server import migrated_database

TODAY = int(time.time()) // 86_400
CROWDED = "6281299999"


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"guard_risk_{worker}"), 1)
    yield opened
    await opened.close()


@pytest.fixture
async def account(bank: Bank) -> Profile:
    await bank.query("TRUNCATE stat, stat_cell, guard_risk, guard_snapshot, guard_network_state CASCADE")
    return await bank.account()


async def sent(bank: Bank, account: Profile, country: str, day: int, messages: int, converted: int) -> None:
    await bank.query(
        "WITH cell AS ("
        " INSERT INTO stat_cell (account_id, app_id, country, network, prefix, carrier_id, sender)"
        " VALUES ($1, 'app', $2, '1', $3, 1, '') RETURNING account_id, cell_id)"
        " INSERT INTO stat (grain, period, account_id, cell_id, submitted, sent, delivered, undelivered, converted,"
        " refused, cost_micro, revenue_micro)"
        " SELECT 1440, $4, account_id, cell_id, $5, $5, 0, 0, $6, 0, 0, 0 FROM cell",
        account.account_id,
        country,
        str(day),
        day,
        messages,
        converted,
    )


async def risks_of(bank: Bank, watch: GuardListener, now_s: float) -> DestinationRisks:
    watch.advance(now_s)
    await watch.save(bank.databases[0])
    return watch.model.state.risks


async def test_risk_settings_and_learned_risks_reach_the_model_and_are_shown(bank: Bank, account: Profile) -> None:
    await sent(bank, account, "ID", TODAY - 1, 1_000, 500)
    await sent(bank, account, "LV", TODAY - 1, 1_000, 0)
    await sent(bank, account, "KE", TODAY, 1_000, 0)  # today's may still convert
    await sent(bank, account, "TN", TODAY - GUARD_RISK_DAYS - 1, 1_000, 0)
    await homing(bank.dsn, "guard", "risk", "ID", "high", "--note", "since spring")
    await homing(bank.dsn, "guard", "risk", "62812", "low", "--account", account.name)
    watch, now_s = GuardListener(RoutingLearner), time.time()
    risks = await risks_of(bank, watch, now_s)
    who = account.account_id
    assert risks.nats(who, "LV", "24701") == LEARNED_NATS_MAX
    assert risks.nats(who, "KE", "63902") == risks.nats(who, "TN", "60501") == 0.0
    assert risks.nats(who, "ID", "51010", "6281399") == LEVEL_NATS[RiskLevel.HIGH]
    assert risks.nats(who, "ID", "51010", "6281299") == LEVEL_NATS[RiskLevel.LOW]
    assert risks.nats(who + 1, "ID", "51010", "6281299") == LEVEL_NATS[RiskLevel.HIGH]

    shown = await homing_json(bank.dsn, "guard", "risks", "--account", account.name)
    assert [(one["value"], one["level"], one["account"]) for one in shown["told"]] == [
        ("ID", "high", None),
        ("62812", "low", account.name),
    ]
    assert [(one["country"], one["converted"], one["nats"]) for one in shown["learnt"]] == [
        ("LV", 0.0, LEARNED_NATS_MAX),
        ("ID", 500.0, 0.0),
    ]

    await homing(bank.dsn, "guard", "risk", "ID", "--remove")
    assert (await risks_of(bank, watch, now_s + limits.GUARD_SNAPSHOT_S)).nats(who, "ID", "51011") == LEVEL_NATS[
        RiskLevel.HIGH
    ]
    assert (await risks_of(bank, watch, now_s + GUARD_RISKS_S)).nats(who, "ID", "51011") == 0.0


async def test_a_wrong_risk_is_refused_in_one_line(bank: Bank, account: Profile) -> None:
    assert "give a risk level" in await homing(bank.dsn, "guard", "risk", "ID", status=1)
    assert "no risk level of KE" in await homing(bank.dsn, "guard", "risk", "KE", "--remove", status=1)
    assert "two-letter" in await homing(bank.dsn, "guard", "risk", "Indonesia", "high", status=1)


def silent_network(account: Profile, minute: int) -> list[Delta]:
    """One network converts, and another does not, whose messages are too sparse to be flagged by range."""
    deltas = []
    for n in range(200):
        told = minute - 30 - n % 20, account.account_id, "app"
        deltas.append(Delta(*told, "ID", "51010", f"62812{n * 497:05d}", 1, "", submitted=1, sent=1))
        deltas.append(Delta(*told, "LV", "24701", f"3712{n * 49:04d}", 1, "", submitted=1, sent=1))
        if n % 10:
            deltas.append(Delta(*told, "ID", "51010", f"62812{n * 497:05d}", 1, "", converted=1, conversion_bucket=5))
    return deltas


def watching(learner: RoutingLearner, deltas: Sequence[Delta], now_s: float) -> GuardListener:
    """One that knew both networks' rates before most of their messages came."""
    listener = GuardListener(lambda: learner)
    listener.observe(deltas[:2])
    listener.check(now_s - 60.0)
    listener.observe(deltas[2:])
    return listener


def crowded(account: Profile) -> list[Delta]:
    """The same with a range that is flagged."""
    minute = int(time.time()) // 60
    crowd = [
        Delta(minute - 45 + n % 20, account.account_id, "app", "ID", "51010", CROWDED, 1, "", submitted=2, sent=2)
        for n in range(20)
    ]
    return [*silent_network(account, minute), *crowd]


async def ranges(bank: Bank, listener: GuardListener, at_s: float) -> list[str]:
    """Which are flagged at a time."""
    for turn in range(2):
        listener.advance(at_s + turn * limits.GUARD_SNAPSHOT_S)
        await listener.save(bank.databases[0])
    return [key[3] for key in listener.model.snapshot.verdicts]


async def test_a_network_on_an_allow_list_has_no_verdict(bank: Bank, account: Profile) -> None:
    await homing(bank.dsn, "guard", "allow", "247-01", "--account", account.name)
    minute = int(time.time()) // 60 - 10
    deltas = silent_network(account, minute)
    learner = RoutingLearner()
    learner.observe(deltas)
    learner.update(minute * 60.0)
    now_s = minute * 60.0
    watch = watching(learner, deltas, now_s)

    async def verdicts(after_s: float) -> list[str]:
        for turn in range(3):
            watch.advance(now_s + after_s + turn * limits.GUARD_SNAPSHOT_S)
            await watch.save(bank.databases[0])
        return [one["network"] for one in await homing_json(bank.dsn, "guard", "verdicts", "--account", account.name)]

    assert await verdicts(0) == []
    await homing(bank.dsn, "guard", "allow", "247-01", "--account", account.name, "--remove")
    assert await verdicts(GUARD_RISKS_S) == ["24701"]
    await homing(bank.dsn, "guard", "allow", "LV", "--account", account.name)
    assert await verdicts(3 * GUARD_RISKS_S) == []


async def test_a_network_flagged_as_a_whole_is_listed_and_alerted_once(bank: Bank, account: Profile) -> None:
    """One network converts, and another does not, whose messages are too sparse to be flagged by range."""
    await bank.query("INSERT INTO guard_alert (account_id, url) VALUES ($1, 'http://127.0.0.1/')", account.account_id)
    minute = int(time.time()) // 60
    deltas = silent_network(account, minute)
    learner = RoutingLearner()
    learner.observe(deltas)
    learner.update(minute * 60.0)
    now_s = time.time()
    watch = watching(learner, deltas, now_s)
    for turn in range(3):
        watch.advance(now_s + turn * limits.GUARD_SNAPSHOT_S)
        await watch.save(bank.databases[0])
    (verdict,) = await homing_json(bank.dsn, "guard", "verdicts", "--account", account.name)
    assert (verdict["digits"], verdict["network"]) == ("", "24701")
    assert verdict["reason"]["code"] == "guard.network_unconverted"
    assert "whole network 247-01" in await homing(bank.dsn, "guard", "verdicts", "--account", account.name)
    (push,) = await bank.query("SELECT body FROM push WHERE account_id = $1", account.account_id)
    assert json.loads(push["body"])["network"] == "24701"

    successor = GuardListener(lambda: learner)
    for delta in deltas:
        restore_statistics(successor.model.state, delta, ())
    for turn in range(2):
        successor.advance(now_s + (3 + turn) * limits.GUARD_SNAPSHOT_S)
        await successor.save(bank.databases[0])
    (upheld,) = await homing_json(bank.dsn, "guard", "verdicts", "--account", account.name)
    assert upheld["since"] == verdict["since"]
    assert successor.model.snapshot.networks[account.account_id, "app", "24701"].verdict

    assert "247-02 is not currently suspected" in await homing(bank.dsn, "guard", "lift", "247-02", status=1)
    assert "released" in await homing(bank.dsn, "guard", "lift", "247-01", "--account", account.name)
    for turn in range(3, 6):
        watch.advance(now_s + turn * limits.GUARD_SNAPSHOT_S)
        await watch.save(bank.databases[0])
    assert await homing_json(bank.dsn, "guard", "verdicts", "--account", account.name) == []


async def test_a_lift_whose_transaction_ends_after_a_later_one_is_heard_of(bank: Bank, account: Profile) -> None:
    deltas = crowded(account)
    learner = RoutingLearner()
    learner.observe(deltas)
    now_s = time.time()
    learner.update(now_s)
    watch = watching(learner, deltas, now_s)
    assert await ranges(bank, watch, now_s) == [CROWDED]
    other = await bank.account()
    await bank.query(
        "INSERT INTO guard_verdict (account_id, app_id, country, network, digits, reason, may_block, since, until,"
        " lifted_at) VALUES ($1, 'app', 'LV', '24701', '3712', '{}', true, now(), now(), now() + interval '2 s')",
        other.account_id,
    )
    assert await ranges(bank, watch, now_s + 10.0) == [CROWDED]
    await bank.query("UPDATE guard_verdict SET lifted_at = now() WHERE account_id = $1", account.account_id)
    assert await ranges(bank, watch, now_s + 20.0) == []


@pytest.mark.parametrize("after_s", [20.0, 7_200.0])
async def test_what_an_operator_lifted_stays_so_when_another_process_takes_over(
    bank: Bank, account: Profile, after_s: float
) -> None:
    """Whether the first dies before it has stored its state again, or nothing came to the network afterwards."""
    deltas = crowded(account)
    learner = RoutingLearner()
    learner.observe(deltas)
    now_s = time.time()
    learner.update(now_s)
    watch = watching(learner, deltas, now_s)
    assert await ranges(bank, watch, now_s) == [CROWDED]
    await homing(bank.dsn, "guard", "lift", CROWDED, "--account", account.name)
    if after_s > GUARD_SAVE_S:
        assert await ranges(bank, watch, now_s + 2 * GUARD_SAVE_S) == []
    successor = GuardListener(lambda: learner)
    for delta in deltas:
        restore_statistics(successor.model.state, delta, ())
    assert await ranges(bank, successor, now_s + after_s) == []
    later = int(now_s + after_s) // 60
    successor.observe([msgspec.structs.replace(deltas[-1], minute=later, submitted=1, sent=1)])
    assert await ranges(bank, successor, now_s + after_s + 10.0) == []


async def test_a_verdict_that_blocks_is_alerted_after_a_notice(bank: Bank, account: Profile) -> None:
    await bank.query("INSERT INTO guard_alert (account_id, url) VALUES ($1, 'http://127.0.0.1/')", account.account_id)
    now = datetime.now(UTC)
    for minutes, may_block in ((0, False), (5, False), (10, True), (15, True)):
        await statements.guard.guard_verdicts_add(
            bank.databases[0],
            verdicts=[
                NewGuardVerdict(
                    account_id=account.account_id,
                    app_id="app",
                    country="LV",
                    network="24701",
                    digits="",
                    reason='{"code": "guard.network_unconverted"}',
                    text=str(minutes),
                    may_block=may_block,
                    since=now + timedelta(minutes=minutes),
                    until=now + timedelta(hours=1),
                )
            ],
        )
    pushes = await bank.query("SELECT body FROM push WHERE account_id = $1 ORDER BY body", account.account_id)
    assert sorted(json.loads(push["body"])["text"] for push in pushes) == ["0", "10"]


async def test_a_suspected_address_is_listed_and_lifted_by_its_name(bank: Bank, account: Profile) -> None:
    now_s = time.time()
    minute = int(now_s) // 60
    deltas = silent_network(account, minute)
    learner = RoutingLearner()
    learner.observe(deltas)
    learner.update(now_s)
    first_id = ids.first_id_at((minute - 20) * 60_000)
    await statements.guard.guard_addresses_add(
        bank.databases[0],
        messages=[
            NewGuardAddress(
                message_id=first_id + n,
                account_id=account.account_id,
                app_id="app",
                network="51010",
                address=77,
                prefix=7,
                site=None,
                number=n,
            )
            for n in range(80)
        ],
    )

    now_s_of = [now_s - 30]

    async def saved(watch: GuardListener) -> Any:
        for _turn in range(2):
            now_s_of.append(now_s_of[-1] + limits.GUARD_SNAPSHOT_S)
            watch.advance(now_s_of[-1])
            await watch.save(bank.databases[0])
        return await homing_json(bank.dsn, "guard", "addresses", "--account", account.name)

    watch, successor = (watching(learner, deltas, now_s - 30) for _process in range(2))
    people = [
        AddressDelta(
            account_id=account.account_id,
            app_id="app",
            network="51010",
            minute=minute - 20,
            end_user=EndUserAddress(1_000 + n, 2_000 + n),
            number=n,
            is_conversion=is_conversion,
        )
        for n in range(60)
        for is_conversion in (False, True)
    ]
    for each in (watch, successor):
        each.model.observe_addresses(people)
    (flagged,) = await saved(watch)
    assert (flagged["name"], flagged["account"]) == ("ip-000000004d", account.name)
    lift = ("guard", "lift", flagged["name"], "--account", account.name)
    assert "will be released" in await homing(bank.dsn, *lift)
    assert "is not currently suspected" in await homing(bank.dsn, *lift, status=1)
    assert await saved(watch) == []
    assert await saved(successor) == [], "it has read the messages of before"
    (act,) = await bank.query("SELECT act, subject FROM audit WHERE kind = 'guard_address'")
    assert (act["act"], act["subject"]) == ("update", flagged["name"])
