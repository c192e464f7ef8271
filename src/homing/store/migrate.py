"""Numbered migrations, applied once each under a lock, and the partitions that messages live in."""

import importlib.resources
import re
from datetime import UTC, datetime
from typing import Final

import asyncpg

from homing import errors, limits
from homing.common import ids
from homing.store.connecting import Connector

MIGRATION_LOCK_TIMEOUT_S: Final = 60.0
PARTITION_LOCK_TIMEOUT_MS: Final = 1_000  # then it is tried again an hour later: there are weeks of time
PARTITIONS_AHEAD: Final = 4


LOCK_KEY = 4_803_664  # any number that is only ours
WEEK_MS = limits.PARTITION_DAYS * 86_400_000
PARTITIONED = ("message", "attempt", "part", "receipt")
IS_PARTITION = "SELECT relispartition FROM pg_class WHERE oid = to_regclass($1)"
STORAGE = {"message": "WITH (fillfactor = 85)"}  # room for the state changes beside the row


def available() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration, in order."""
    folder = importlib.resources.files("homing.store").joinpath("sql").joinpath("migrations")
    found = []
    for file in folder.iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name)
        if match:
            found.append((int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return sorted(found)


async def migrate(dsn: str) -> list[str]:
    """Brings a database to this release's schema; gives the names of what was applied.

    Raises `InvalidInput` when the database is of a newer release than this code.
    """
    connection = await Connector(dsn).connect()
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY, timeout=MIGRATION_LOCK_TIMEOUT_S)
        return await _apply(connection)
    finally:
        await connection.close()


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (number int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done = {row["number"] for row in await connection.fetch("SELECT number FROM migration")}
    steps = available()
    unknown = done - {number for number, _name, _sql in steps}
    if unknown:
        raise errors.InvalidInput(
            f"the database has migration {max(unknown)}, which this release does not know: use a newer Homing"
        )
    applied = []
    for number, name, sql in steps:
        if number in done:
            continue
        async with connection.transaction():
            await connection.execute(sql, timeout=limits.DATABASE_SLOW_TIMEOUT_S)
            await connection.execute("INSERT INTO migration (number, name) VALUES ($1, $2)", number, name)
        applied.append(f"{number:04d}_{name}")
    await _add_partitions(connection, ids.wall_clock_ms())
    return applied


async def add_partitions(dsn: str) -> None:
    """Makes the partitions of this and the coming weeks; called at start and by the housekeeping."""
    connection = await Connector(dsn).connect()
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK_KEY, timeout=MIGRATION_LOCK_TIMEOUT_S)
        await _add_partitions(connection, ids.wall_clock_ms())
    finally:
        await connection.close()


async def _add_partitions(connection: "asyncpg.Connection[asyncpg.Record]", now_ms: int) -> None:
    this_week = (now_ms - ids.EPOCH_MS) // WEEK_MS
    for week in range(this_week - 1, this_week + PARTITIONS_AHEAD + 1):
        start_ms = ids.EPOCH_MS + week * WEEK_MS
        suffix = datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y%m%d")
        first, beyond = ids.first_id_at(start_ms), ids.first_id_at(start_ms + WEEK_MS)
        for table in PARTITIONED:
            if await connection.fetchval(IS_PARTITION, f"{table}_{suffix}") is None:
                await _add_partition(connection, table, f"{table}_{suffix}", first, beyond)


async def _add_partition(
    connection: "asyncpg.Connection[asyncpg.Record]", table: str, name: str, first: int, beyond: int
) -> None:
    """Made apart and then attached, which takes no lock that a reader or a writer of the table waits for. `CREATE TABLE
    ... PARTITION OF` would wait for whoever reads (a dump, a proof), and every statement would wait behind it.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{PARTITION_LOCK_TIMEOUT_MS}ms'")
        await connection.execute(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY) {STORAGE.get(table, '')}"
        )
        await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first}) TO ({beyond})")
