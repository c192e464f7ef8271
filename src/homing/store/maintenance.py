"""Hourly maintenance: partitions of the coming weeks, deletion of texts past their retention, other rooms' chores."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from homing import errors, limits
from homing.observe.logs import describe
from homing.store import statements
from homing.store.database import Database
from homing.store.migrate import add_partitions

log = structlog.get_logger()


async def run_maintenance(database: Database, dsn: str, *chores: Callable[[], Awaitable[None]]) -> None:
    """Runs until it is cancelled. `chores`: other rooms' hourly work."""
    while True:
        try:
            await add_partitions(dsn)
            await statements.messages.retention_blank(database, receipt_days=limits.RECEIPT_MATCH_DAYS)
            for chore in chores:
                await chore()
        except errors.PlatformFailure as failure:
            log.warning("database_unavailable", component="maintenance", failure=str(failure))
        except Exception as error:
            log.error("maintenance_failed", **describe(error))
        await asyncio.sleep(limits.PARTITION_SWEEP_S)
