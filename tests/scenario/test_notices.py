"""Notices over one connection: whoever listens hears, and is told when something may have been missed."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from homing.store.notices import NotifyListener
from tests.support import server as serving
from tests.support.waiting import until

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Hearer:
    """What one who listens has heard, and how often something may have been missed."""

    def __init__(self, notices: NotifyListener, channel: str) -> None:
        self.heard: list[str] = []
        self.lost = 0
        self.task = asyncio.get_running_loop().create_task(notices.listen(channel, self.heard.append, self._lose))

    def _lose(self) -> None:
        self.lost += 1


@pytest.fixture
async def dsn(postgres: str, worker: str) -> str:
    return await serving.migrated_database(postgres, f"homing_notices_{worker}")


@pytest.fixture
async def teller(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def test_all_channels_of_a_process_share_a_connection_that_comes_back(
    dsn: str, teller: asyncpg.Connection
) -> None:
    notices = NotifyListener(dsn)
    first, second = Hearer(notices, "one"), Hearer(notices, "two")
    await until(lambda: bool(first.lost and second.lost))
    third = Hearer(notices, "one")
    await until(lambda: bool(third.lost))
    await teller.execute("SELECT pg_notify('one', 'a'), pg_notify('two', 'b')")
    await until(lambda: bool(first.heard and second.heard and third.heard))
    assert (first.heard, second.heard, third.heard) == (["a"], ["b"], ["a"])
    rows = await teller.fetch(LISTENERS)
    assert len(rows) == 1, "a connection for each channel"

    before = first.lost, second.lost, third.lost
    await teller.execute("SELECT pg_terminate_backend($1)", rows[0]["pid"])
    await until(lambda: first.lost > before[0] + 1 and second.lost > before[1] + 1 and third.lost > before[2] + 1)
    await teller.execute("SELECT pg_notify('one', 'c'), pg_notify('two', 'd')")
    await until(lambda: first.heard[-1] == "c" and second.heard[-1] == "d" and third.heard[-1] == "c")

    for hearer in (first, second):
        hearer.task.cancel()
    await asyncio.gather(first.task, second.task, return_exceptions=True)
    await teller.execute("SELECT pg_notify('one', 'e')")
    await until(lambda: third.heard[-1] == "e")
    assert first.heard[-1] == "c", "who has stopped listening hears no more"
    third.task.cancel()
    await asyncio.gather(third.task, return_exceptions=True)
    await until(lambda: teller.fetch(LISTENERS), lambda listeners: not listeners)
