"""PostgreSQL: a connection pool that fails at once while the database is unavailable."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import structlog

from homing import errors, limits
from homing.store.connecting import Connector
from homing.store.notices import NotifyListener
from homing.store.queries import Statement
from homing.store.rows import Record
from homing.store.unavailable import UNAVAILABLE_ERRORS

DATABASE_PREFETCH_ROWS: Final = 1_000  # of rows that are read one by one
POISON_CLASSES = ("22", "23")  # SQLSTATE: data exception, integrity violation

# A batch statement joins a few hundred keys to tables of any size. Its plan is cached, and one that was made while the
# table was small would scan it for ever; restricted to index look-ups it costs the same at ten rows and at 10^8. The
# statements do their part: `key = ANY (ARRAY[...])` allows an index look-up but no merge or hash join, so the batch
# drives and the table is probed (docs/decisions/0002-plans-and-indexes.md; tests/scenario/test_plans.py).
INDEX_PLANS: Mapping[str, str] = {
    "plan_cache_mode": "force_generic_plan",  # planning a batch each time took as long as running it
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
FREE_PLANS: Mapping[str, str] = {}  # for proofs and lists, which read large parts of tables

log = structlog.get_logger()


def translate(error: BaseException) -> errors.PlatformFailure:
    """The failure that a caller gets for a driver's error."""
    if isinstance(error, TimeoutError):
        return errors.DatabaseFailed("timeout")
    if isinstance(error, UNAVAILABLE_ERRORS):
        return errors.DatabaseUnavailable(type(error).__name__)
    state = getattr(error, "sqlstate", None) or ""
    return errors.DatabaseFailed(f"{type(error).__name__} {state}", poison=state[:2] in POISON_CLASSES)


class DatabaseConnection:
    """One connection, on which statements run (homing.store.statements).

    Raises `DatabaseUnavailable` or `DatabaseFailed`.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def fetch(self, statement: Statement, *values: Any, timeout_s: float | None = None) -> Sequence[Record]:
        rows: list[Record] = await self.raw.fetch(statement, *values, timeout=timeout_s)
        return rows

    def cursor(self, statement: Statement, *values: Any) -> AsyncIterator[Record]:
        """Streams rows in bounded memory; inside a transaction only."""
        rows: AsyncIterator[Record] = self.raw.cursor(statement, *values, prefetch=DATABASE_PREFETCH_ROWS)
        return rows


class Database:
    """A pool over one PostgreSQL.

    While the server cannot be reached every call fails at once with `DatabaseUnavailable`, so that no caller waits for
    it. A probe in the background detects when it is available again.
    """

    def __init__(
        self,
        *,
        dsn: str,
        connections_max: int = limits.DATABASE_CONNECTIONS_MAX,
        plans: Mapping[str, str] = INDEX_PLANS,
        name: str = "homing",
    ) -> None:
        """`plans`: planner settings of the sessions; `INDEX_PLANS` for the data plane. `name`: the sessions'
        application_name, as in pg_stat_activity.
        """
        self._dsn = dsn
        self._plans = plans
        self._connections_max = connections_max
        self._name = name
        self._pool: Any = None
        self._probe: asyncio.Task[None] | None = None
        self._connector = Connector(dsn)
        self._switches = 0
        self._notices = NotifyListener(dsn)
        self.is_unavailable = False
        self.full_at_s = float("-inf")  # when a write last failed as the disk was full, by the monotonic clock

    async def open(self) -> None:
        """Connects. Raises `DatabaseUnavailable` when there is no database."""
        self._pool = asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=self._connections_max,
            max_inactive_connection_lifetime=0,
            command_timeout=limits.DATABASE_STATEMENT_TIMEOUT_S,
            timeout=limits.DATABASE_CONNECT_TIMEOUT_S,
            connect=self._connector.for_pool,
            reset=_keep_session,
            server_settings={"application_name": self._name, **self._plans},
        )
        try:
            await self._pool
        except (*UNAVAILABLE_ERRORS, TimeoutError) as error:
            raise errors.DatabaseUnavailable(str(error)) from error

    async def close(self) -> None:
        if self._probe:
            self._probe.cancel()
        if self._pool:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(limits.DATABASE_STATEMENT_TIMEOUT_S):
                    await self._pool.close()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[DatabaseConnection]:
        """A connection for one or more statements, each its own transaction."""
        if self.is_unavailable:
            raise errors.DatabaseUnavailable
        try:
            async with self._pool.acquire(timeout=limits.DATABASE_CONNECT_TIMEOUT_S) as raw:
                yield DatabaseConnection(raw)
        except errors.HomingError:
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            failure = translate(error)
            if isinstance(error, asyncpg.DiskFullError):
                self.full_at_s = time.monotonic()
            if isinstance(failure, errors.DatabaseUnavailable) or isinstance(error, TimeoutError):
                self._start_probe(is_unavailable=isinstance(failure, errors.DatabaseUnavailable))
            raise failure from error

    @contextlib.asynccontextmanager
    async def transaction(self, isolation: str | None = None) -> AsyncIterator[DatabaseConnection]:
        """`isolation`: "repeatable_read" for several statements on one snapshot."""
        async with self.connection() as connection, connection.raw.transaction(isolation=isolation):
            yield connection

    async def fetch(self, statement: Statement, *values: Any, timeout_s: float | None = None) -> Sequence[Record]:
        async with self.connection() as connection:
            return await connection.fetch(statement, *values, timeout_s=timeout_s)

    async def listen(
        self,
        channel: str,
        on_notice: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        """Calls `on_notice` with each notice's payload until it is cancelled, and `on_lost` whenever notices may have
        been missed.
        """
        await self._notices.listen(channel, on_notice, on_lost)

    def _start_probe(self, is_unavailable: bool) -> None:
        if is_unavailable and not self.is_unavailable:
            log.error("database_unavailable", component="connection_pool")
        self.is_unavailable = self.is_unavailable or is_unavailable
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().create_task(self._wait_until_back())

    async def _wait_until_back(self) -> None:
        while True:
            try:
                raw = await self._connector.connect()
                try:
                    await raw.fetchval("SELECT 1", timeout=1.0)
                finally:
                    raw.terminate()
            except (*UNAVAILABLE_ERRORS, TimeoutError, asyncpg.PostgresError):
                if not self.is_unavailable:
                    self.is_unavailable = True
                    log.error("database_unavailable", component="connection_pool")
                await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)
            else:
                if self._connector.switches != self._switches:  # the pool's connections belong to a host that hangs
                    self._switches = self._connector.switches
                    await self._pool.expire_connections()
                if self.is_unavailable:
                    log.info("database_available")
                self.is_unavailable = False
                return


async def _keep_session(_connection: object) -> None:
    """No statement changes a session's settings, so there is nothing to reset, which would cost a round trip."""
