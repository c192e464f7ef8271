"""The database reads the time of a message's id as the processes do, and is the only place in SQL that does."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

import homing.store
from homing.common import ids
from homing.store.migrate import migrate
from tests.support.server import migrated_database


@pytest.fixture
async def connection(postgres: str, worker: str) -> AsyncIterator[asyncpg.Connection]:
    dsn = await migrated_database(postgres, f"id_times_{worker}")
    await migrate(dsn)
    opened = await asyncpg.connect(dsn)
    yield opened
    await opened.close()


async def test_the_functions_read_ids_as_the_processes_do(connection: asyncpg.Connection) -> None:
    began = datetime(1970, 1, 1, tzinfo=UTC)
    for time_ms in (ids.EPOCH_MS, 1_795_953_600_000, 1_795_953_600_999, ids.EPOCH_MS + (1 << 40)):
        at = began + timedelta(milliseconds=time_ms)
        first = ids.first_id_at(time_ms)
        last = first + (1 << ids.SHIFT) - 1
        for message_id in (first, last):
            row = await connection.fetchrow("SELECT accepted_at($1), accepted_minute($1)", message_id)
            assert tuple(row) == (at, time_ms // 60_000)
        assert await connection.fetchval("SELECT first_id_at($1)", at) == first


def test_no_statement_knows_the_beginning_of_ids() -> None:
    folder = Path(homing.store.__file__).parent / "sql"
    assert [file.name for file in folder.glob("*.sql") if re.search(rf"\b{ids.EPOCH_MS}\b", file.read_text())] == []
