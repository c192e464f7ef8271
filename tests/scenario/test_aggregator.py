"""The aggregator on a real database: each delta is observed once, one process leads, and a listener that missed deltas
is replaced.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from homing import errors
from homing.accounts.profile import Profile
from homing.aggregation.aggregator import LISTENER_SKIP_S, Aggregator
from homing.statistics.delta import Delta
from homing.statistics.proof import prove
from homing.statistics.rollup import Rollup, delete_expired
from homing.store import statements
from homing.store.alarms import read_alarms
from homing.store.database import Database
from homing.store.rows import Executor
from homing.store.statements.statistics import PendingChange, StatisticsCell
from tests.support.bank import Bank, group
from tests.support.server import migrated_database
from tests.support.waiting import stays, until


class RecordingListener:
    """Records what it observes; fails on data of the accounts in `fails_on`."""

    registry: list["RecordingListener"]

    def __init__(self, registry: list["RecordingListener"], fails_on: Collection[int] = ()) -> None:
        registry.append(self)
        self.fails_on = fails_on
        self.past: list[StatisticsCell] = []
        self.observed: list[Delta] = []
        self.rounds = 0
        self.saves = 0
        self.fails = False

    def start(self, cells: Sequence[StatisticsCell]) -> None:
        self.past += cells

    def observe(self, deltas: Sequence[Delta]) -> None:
        if self.fails:
            raise RuntimeError("the round went wrong")
        self.observed += deltas

    def advance(self, now_s: float) -> None:
        self.check(now_s)
        self.rounds += 1

    def check(self, now_s: float) -> None:
        accounts = {cell.account_id for cell in self.past} | {delta.account_id for delta in self.observed}
        if not accounts.isdisjoint(self.fails_on):
            raise KeyError("an account that it cannot take")

    async def save(self, database: Database) -> None:
        self.saves += 1

    @property
    def submitted(self) -> int:
        """All it knows of."""
        return sum(cell.submitted for cell in self.past) + sum(delta.submitted for delta in self.observed)


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"aggregator_{worker}"), 2)
    yield opened
    await opened.close()


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
async def account(bank: Bank) -> Profile:
    await bank.query(
        "TRUNCATE message, queue, balance, posting, stat, stat_cell, stat_delta, stat_pending, leader_lease CASCADE"
    )
    return await bank.account(balance=10_000_000)


def aggregators(bank: Bank, listeners: list[RecordingListener], clock: Clock) -> list[Aggregator]:
    return [
        Aggregator(
            database=database,
            owner=f"elsewhere:{n}:link",
            clock=clock,
            listeners={"listener": lambda: RecordingListener(listeners)},
        )
        for n, database in enumerate(bank.databases)
    ]


async def test_each_delta_is_observed_once_and_what_is_kept_adds_up(bank: Bank, account: Profile) -> None:
    listeners: list[RecordingListener] = []
    aggregator, _other = aggregators(bank, listeners, Clock())
    for count in (3, 5):
        await bank.send(0, account, [group("1", count)])
        await aggregator.run_round()
    (listener,) = listeners
    assert [sum(one.submitted for one in listener.observed), listener.rounds, listener.saves] == [8, 2, 2]
    assert listener.past == []
    assert await prove(bank.plain, datetime.now(UTC)) == []


async def test_the_others_wait_until_the_duty_is_free_and_begin_with_what_went_before(
    bank: Bank, account: Profile
) -> None:
    listeners: list[RecordingListener] = []
    first, second = aggregators(bank, listeners, Clock())
    await bank.send(0, account, [group("1", 3)])
    await first.run_round()
    await second.run_round()
    assert len(listeners) == 1
    await bank.send(0, account, [group("44", 4)])
    await first.release()
    await second.run_round()
    assert [listener.submitted for listener in listeners] == [3, 7]
    assert sum(cell.submitted for cell in listeners[1].past) == 3, "and the rest was heard"


async def test_an_owner_that_was_stalled_finds_that_the_duty_is_another_s(bank: Bank, account: Profile) -> None:
    listeners: list[RecordingListener] = []
    first, second = aggregators(bank, listeners, Clock())
    await first.run_round()
    await bank.query("UPDATE leader_lease SET leased_until = now() - interval '1 minute'")
    await second.run_round()
    await bank.send(0, account, [group("1", 3)])
    await first.run_round()
    assert listeners[0].observed == []
    await second.run_round()
    assert listeners[1].submitted == 3


async def test_a_round_whose_end_was_not_seen_is_not_lost(
    bank: Bank, account: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke after the commit: nobody heard what was taken out, so the listener starts anew."""
    listeners: list[RecordingListener] = []
    aggregator, _other = aggregators(bank, listeners, Clock())
    await aggregator.run_round()
    await bank.send(0, account, [group("1", 3)])
    turn = Rollup.run_round

    async def cut_off(rollup: Rollup) -> None:
        await turn(rollup)
        raise errors.DatabaseUnavailable

    monkeypatch.setattr(Rollup, "run_round", cut_off)
    with pytest.raises(errors.DatabaseUnavailable):
        await aggregator.run_round()
    monkeypatch.undo()
    await bank.send(0, account, [group("44", 2)])
    await aggregator.run_round()
    await aggregator.run_round()
    assert len(listeners) == 2
    assert listeners[1].submitted == 5
    assert await prove(bank.plain, datetime.now(UTC)) == []


async def test_a_round_that_came_to_nothing_is_done_again(
    bank: Bank, account: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that were numbered in it are numbered anew."""
    listeners: list[RecordingListener] = []
    aggregator, _other = aggregators(bank, listeners, Clock())
    await aggregator.run_round()
    await bank.send(0, account, [group("1", 3)])
    stat_await = statements.statistics.stat_await

    async def cut_off(db: Executor, *, changes: Sequence[PendingChange]) -> None:
        await stat_await(db, changes=changes)
        raise errors.DatabaseUnavailable

    monkeypatch.setattr(statements.statistics, "stat_await", cut_off)
    with pytest.raises(errors.DatabaseUnavailable):
        await aggregator.run_round()
    monkeypatch.undo()
    assert await bank.query("SELECT FROM stat_delta")
    await aggregator.run_round()
    assert [listener.submitted for listener in listeners] == [3]
    assert await prove(bank.plain, datetime.now(UTC)) == []


async def alarms(bank: Bank) -> list[tuple[str, str, str]]:
    return sorted((one.component, one.code, one.subject) for one in await read_alarms(bank.plain))


async def test_a_listener_that_fails_starts_anew_then_rests_and_the_adding_up_goes_on(
    bank: Bank, account: Profile
) -> None:
    listeners: list[RecordingListener] = []
    clock = Clock()
    aggregator, _other = aggregators(bank, listeners, clock)
    await aggregator.run_round()
    for count in (3, 2):
        listeners[-1].fails = True
        await bank.send(0, account, [group("1", count)])
        await aggregator.run_round()
        assert await alarms(bank) == [("listener", "failed", "")]
        await aggregator.run_round()
    assert listeners[-1].submitted == 3, "its second failure came soon after the first: it rests"
    registry = len(listeners)
    await bank.send(0, account, [group("1", 4)])
    await aggregator.run_round()
    assert len(listeners) == registry
    assert not await bank.query("SELECT FROM stat_delta")
    clock.ahead = timedelta(minutes=1)
    await aggregator.run_round()
    assert [listeners[-1].submitted, listeners[-1].fails] == [9, False]
    assert await alarms(bank) == []


async def test_an_account_that_a_listener_fails_on_is_left_out_and_told_and_heard_again_later(
    bank: Bank, account: Profile
) -> None:
    others = [await bank.account(balance=10_000_000) for _ in range(5)]
    listeners: list[RecordingListener] = []
    clock = Clock()
    bad = {account.account_id}
    aggregator = Aggregator(
        database=bank.databases[0],
        owner="elsewhere:1:link",
        clock=clock,
        listeners={"listener": lambda: RecordingListener(listeners, bad)},
    )
    for sender in (*others, account):
        await bank.send(0, sender, [group("1", 1)])
    skipped = ("listener", "account_skipped", str(account.account_id))
    await aggregator.run_round()
    assert await alarms(bank) == [("listener", "failed", "")]
    await aggregator.run_round()
    assert listeners[-1].submitted == len(others), "all but the one it fails on"
    assert await alarms(bank) == [skipped, ("listener", "failed", "")]
    clock.ahead = timedelta(minutes=1)
    await bank.send(0, others[0], [group("1", 2)])
    await bank.send(0, account, [group("1", 7)])
    await aggregator.run_round()
    assert listeners[-1].submitted == len(others) + 2
    assert await alarms(bank) == [skipped]

    bad.clear()  # as a release does that mends it
    clock.ahead = timedelta(seconds=LISTENER_SKIP_S + 60)
    await aggregator.run_round()
    assert listeners[-1].submitted == len(others) + 2 + 1 + 7
    assert await alarms(bank) == []


async def test_the_loop_goes_on_after_the_database_was_away(bank: Bank, account: Profile) -> None:
    listeners: list[RecordingListener] = []
    aggregator, _other = aggregators(bank, listeners, Clock())
    running = asyncio.get_running_loop().create_task(aggregator.run())
    try:
        bank.databases[0].is_unavailable = True
        await stays(running.done, False, for_s=1.2)
        bank.databases[0].is_unavailable = False
        await bank.send(1, account, [group("1", 3)])
        await until(lambda: listeners[-1].submitted if listeners else 0, lambda count: count == 3)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_past_is_told_once_by_minute_and_by_hour(bank: Bank, account: Profile) -> None:
    """Messages of every age: each in one cell."""
    now = datetime.now(UTC)
    ages = [timedelta(minutes=n) for n in (0, 1, 59, 61, 119, 121, 179, 181, 600, 3_000, 20_000)]
    for age in ages:
        await bank.query(
            "INSERT INTO stat_delta"
            " (account_id, minute, carrier_id, app_id, country, network, block, sender, submitted)"
            " VALUES ($1, $2, 1, '', '', '', '', '', 1)",
            account.account_id,
            int((now - age).timestamp()) // 60,
        )
    listeners: list[RecordingListener] = []
    first, second = aggregators(bank, listeners, Clock())
    await first.run_round()
    await first.release()
    await second.run_round()
    assert listeners[1].submitted == len(ages)
    assert {cell.grain for cell in listeners[1].past} == {1, 60}
    assert [cell.minute for cell in listeners[1].past] == sorted(cell.minute for cell in listeners[1].past)


async def test_an_aggregator_that_is_killed_in_the_middle_takes_nothing_with_it(bank: Bank, account: Profile) -> None:
    """Its session ends between taking and committing."""
    await bank.send(0, account, [group("1", 3)])
    raw = await asyncpg.connect(bank.dsn)
    await raw.execute("BEGIN; DELETE FROM stat_delta")
    (pid,) = await bank.query(f"SELECT pg_terminate_backend({raw.get_server_pid()})")
    assert pid[0]
    listeners: list[RecordingListener] = []
    aggregator, _other = aggregators(bank, listeners, Clock())
    await aggregator.run_round()
    assert listeners[0].submitted == 3


async def test_minutes_and_hours_are_dropped_in_time_and_days_stay(bank: Bank, account: Profile) -> None:
    """What comes later than that still counts in what is kept, and a backlog's pages are given back."""
    clock = Clock()
    listeners: list[RecordingListener] = []
    aggregator, _other = aggregators(bank, listeners, clock)
    await bank.send(0, account, [group("1", 3)])
    await bank.query(
        "INSERT INTO stat_delta (account_id, minute, carrier_id, app_id, country, network, block, sender, refused)"
        " SELECT 1, 29000000, 1, '', '', '', '', '', 1 FROM generate_series(1, 20000)"
    )
    while await aggregator.run_round():
        pass
    await aggregator.release()
    await aggregator.run_round()  # who takes over adds up what was taken out
    for days, grains in ((1, [1, 60, 1440]), (3, [60, 1440]), (101, [1440])):
        clock.ahead = timedelta(days=days)
        await delete_expired(bank.databases[0], clock())
        rows = await bank.query("SELECT DISTINCT grain FROM stat WHERE submitted > 0 ORDER BY 1")
        assert [row[0] for row in rows] == grains
    (size,) = await bank.query("SELECT pg_relation_size('stat_delta')")
    assert size[0] == 0
    await bank.send(0, account, [group("1", 2)])
    await aggregator.run_round()
    await aggregator.release()
    await aggregator.run_round()
    rows = await bank.query("SELECT DISTINCT grain FROM stat WHERE submitted = 5")
    assert [row[0] for row in rows] == [1440]
