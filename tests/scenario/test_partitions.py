"""Partitions for the weeks to come are made under readers and writers that wait for nothing."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from homing.store.migrate import PARTITIONED, add_partitions
from tests.support.bank import Bank, group
from tests.support.server import migrated_database
from tests.support.waiting import in_time


@pytest.fixture(scope="module")
async def bank(postgres: str, worker: str) -> AsyncIterator[Bank]:
    opened = await Bank.open(await migrated_database(postgres, f"partitions_{worker}"), 1)
    yield opened
    await opened.close()


async def partitions(bank: Bank, table: str) -> list[str]:
    rows = await bank.query(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::text::regclass ORDER BY 1",
        table,
    )
    return [row["name"] for row in rows]


async def shape(bank: Bank, partition: str) -> list[str]:
    """Columns, indexes, triggers and storage of a partition, without its name."""
    rows = await bank.query(
        "SELECT 'column ' || attname || ' ' || atttypid::regtype || ' ' || attnotnull AS it FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0"
        " UNION ALL SELECT 'index ' || regexp_replace(indexdef, '^.* USING', '') FROM pg_indexes WHERE tablename = $1"
        " UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass"
        " UNION ALL SELECT 'storage ' || coalesce(array_to_string(reloptions, ','), '') FROM pg_class"
        " WHERE oid = $1::text::regclass ORDER BY 1",
        partition,
    )
    return [row["it"] for row in rows]


async def test_a_new_week_waits_for_no_reader_and_keeps_no_statement_waiting(bank: Bank) -> None:
    account = await bank.account(balance=10**9)
    before = {table: await partitions(bank, table) for table in PARTITIONED}
    shapes = {names[-1]: await shape(bank, names[0]) for names in before.values()}
    for names in before.values():
        await bank.query(f"DROP TABLE {names[-1]}")
    reader = await asyncpg.connect(bank.dsn)
    try:
        transaction = reader.transaction()
        await transaction.start()
        for table in PARTITIONED:
            await reader.fetch(
                f"SELECT count(*) FROM {table}"
            )  # as a dump or a proof: its locks last as long as it does

        slowest_s = 0.0

        async def write() -> None:
            nonlocal slowest_s
            for _ in range(50):
                began_s = time.monotonic()
                await bank.send(0, account, [group("1", 5)])
                slowest_s = max(slowest_s, time.monotonic() - began_s)

        async with in_time():
            await asyncio.gather(add_partitions(bank.dsn), write())
        await transaction.rollback()
    finally:
        await reader.close()
    assert slowest_s < 0.9, "less than the time that a lock is waited for"
    assert {table: await partitions(bank, table) for table in PARTITIONED} == before
    for name, expected in shapes.items():
        assert await shape(bank, name) == expected
    await add_partitions(bank.dsn)
