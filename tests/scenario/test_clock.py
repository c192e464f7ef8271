"""The platform's time is kept, so that whoever starts after a step back goes on from it; and the operator sees it."""

from datetime import UTC, datetime, timedelta

import pytest

from homing.common.steady_clock import SteadyClock
from homing.store.alarms import read_alarms
from homing.store.clock_watch import CLOCK_AHEAD_S_MAX, ClockWatch
from homing.store.database import FREE_PLANS, Database
from homing.store.migrate import migrate
from tests.support.server import migrated_database

HOUR = timedelta(hours=1)


class Machine:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.now.timestamp(), lambda: 0.0)


@pytest.fixture
async def database(postgres: str, worker: str) -> "Database":
    dsn = await migrated_database(postgres, f"clock_{worker}")
    await migrate(dsn)
    made = Database(dsn=dsn, connections_max=2, plans=FREE_PLANS)
    await made.open()
    return made


async def test_a_process_that_starts_after_a_step_back_goes_on_and_the_operator_is_told(database: Database) -> None:
    machine = Machine()
    first = ClockWatch(database, machine.clock(), "here link-1")
    await first.open()
    await first.check()
    assert await read_alarms(database) == []
    machine.now -= HOUR
    clock = machine.clock()
    second = ClockWatch(database, clock, "here link-1")
    await second.open()
    assert abs(clock() - (machine.now + HOUR)) < timedelta(seconds=1)
    await second.check()
    (alarm,) = await read_alarms(database)
    assert (alarm.component, alarm.code, alarm.subject) == ("clock", "stepped_back", "here link-1")
    assert abs(alarm.detail["seconds"] - 3_600) <= 2
    machine.now += HOUR
    await second.check()
    assert await read_alarms(database) == []
    await database.close()


async def test_nobody_goes_on_from_the_time_of_a_clock_that_was_wrong_by_years(database: Database) -> None:
    machine = Machine()
    right = machine.now
    machine.now += timedelta(seconds=CLOCK_AHEAD_S_MAX + 60)
    wrong = ClockWatch(database, machine.clock(), "here api-1")
    await wrong.check()
    machine.now = right
    clock = machine.clock()
    await ClockWatch(database, clock, "here api-1").open()
    assert abs(clock() - right) < timedelta(seconds=1)
    await database.close()
