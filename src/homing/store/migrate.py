"""Numbered migrations, each applied once under a lock, and the partitions of messages.

Rules for several releases on one database: CONTRIBUTING.md, "A migration".
"""

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from homing import errors, limits
from homing.common import ids
from homing.store.connecting import Connector

MIGRATION_LOCK_TIMEOUT_S: Final = 60.0
PARTITION_LOCK_TIMEOUT_MS: Final = 1_000  # then it is tried again an hour later: there are weeks of time
PARTITIONS_AHEAD: Final = 4
LOCK_KEY = 4_803_664  # an arbitrary number for our advisory lock
FILE_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")
COMPATIBLE: Final = re.compile(r"^-- compatible: (\d{4})$", re.MULTILINE)
WEEK_MS = limits.PARTITION_DAYS * 86_400_000
PARTITIONED = ("message", "attempt", "part", "receipt")
IS_PARTITION = "SELECT relispartition FROM pg_class WHERE oid = to_regclass($1)"
STORAGE = {"message": "WITH (fillfactor = 85)"}  # room for the state changes beside the row


class Migration(msgspec.Struct, frozen=True):
    """`compatible_number`: the lowest schema version (a release's highest migration number) whose code can work on the
    schema once this migration is applied.
    """

    number: int
    name: str
    sql: str
    compatible_number: int


class PendingMigration(msgspec.Struct, frozen=True):
    """One that a database does not have yet. `stops_all`: processes of the release that the database is of cannot work
    beside it, so all are stopped before.
    """

    name: str
    compatible_number: int
    stops_all: bool


def available() -> list[Migration]:
    """Every migration of this release, in order."""
    folder = importlib.resources.files("homing.store").joinpath("sql").joinpath("migrations")
    migrations = []
    for file in folder.iterdir():
        match = FILE_NAME.fullmatch(file.name)
        if match:
            number, sql = int(match[1]), file.read_text(encoding="utf-8")
            stated = COMPATIBLE.search(sql)
            migrations.append(Migration(number, match[2], sql, int(stated[1]) if stated else number))
    return sorted(migrations, key=lambda migration: migration.number)


async def read_pending(dsn: str) -> list[PendingMigration]:
    """What `migrate` would apply. Nothing is changed. Raises as it does."""
    connection = await Connector(dsn).connect()
    try:
        if await connection.fetchval("SELECT to_regclass('migration')") is None:
            return pending({}, available())
        rows = await connection.fetch("SELECT number, coalesce(compatible_number, number) FROM migration")
    finally:
        await connection.close()
    check_compatible(dict(rows), available())
    return pending(dict(rows), available())


def pending(applied: Mapping[int, int], migrations: Sequence[Migration]) -> list[PendingMigration]:
    """`applied`: a database's migrations, each with its compatible number. A database without any has no processes."""
    version = max(applied, default=None)
    return [
        PendingMigration(
            f"{migration.number:04d}_{migration.name}",
            migration.compatible_number,
            version is not None and migration.compatible_number > version,
        )
        for migration in migrations
        if migration.number not in applied
    ]


async def migrate(dsn: str) -> list[str]:
    """Brings a database to this release's schema; gives the names of the migrations that it applied.

    A database that a newer release has migrated is left as it is. Raises `InvalidInput` when this release's code cannot
    work on it, as that release's migrations state.
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
    await connection.execute("ALTER TABLE migration ADD COLUMN IF NOT EXISTS compatible_number int")
    migrations = available()
    applied_rows = await connection.fetch("SELECT number, coalesce(compatible_number, number) FROM migration")
    check_compatible(dict(applied_rows), migrations)
    done = {number for number, _compatible in applied_rows}
    applied = []
    for migration in migrations:
        if migration.number in done:
            continue
        async with connection.transaction():
            await connection.execute(migration.sql, timeout=limits.DATABASE_SLOW_TIMEOUT_S)
            await connection.execute(
                "INSERT INTO migration (number, name, compatible_number) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.compatible_number,
            )
        applied.append(f"{migration.number:04d}_{migration.name}")
    await _add_partitions(connection, ids.wall_clock_ms())
    return applied


def check_compatible(applied: Mapping[int, int], migrations: Sequence[Migration]) -> None:
    """`applied`: a database's migrations, each with its compatible number. Raises `InvalidInput` when one that this
    release does not have needs newer code, or when it is not newer than this release: then it is of another branch.
    """
    version = migrations[-1].number
    for number in sorted(applied.keys() - {migration.number for migration in migrations}):
        if number < version or applied[number] > version:
            raise errors.InvalidInput(
                f"the database has migration {number}, which this release does not know: use a newer Homing"
            )


async def add_partitions(dsn: str) -> None:
    """Makes the partitions of this and the coming weeks; called at start and by the maintenance."""
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
        first_id, end_id = ids.first_id_at(start_ms), ids.first_id_at(start_ms + WEEK_MS)
        for table in PARTITIONED:
            if await connection.fetchval(IS_PARTITION, f"{table}_{suffix}") is None:
                await _add_partition(connection, table, f"{table}_{suffix}", first_id, end_id)


async def _add_partition(
    connection: "asyncpg.Connection[asyncpg.Record]", table: str, name: str, first_id: int, end_id: int
) -> None:
    """Creates the partition on its own and then attaches it, without a lock that blocks readers or writers. `CREATE
    TABLE ... PARTITION OF` would wait for long reads (a dump, a proof), and every statement would wait behind it.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{PARTITION_LOCK_TIMEOUT_MS}ms'")
        await connection.execute(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL EXCLUDING IDENTITY) {STORAGE.get(table, '')}"
        )
        await connection.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({first_id}) TO ({end_id})"
        )
