"""The one engine, seen from Python: a pool, and a clear word when the database is away."""

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

# A batch statement joins a few hundred keys to tables of any size. Its plan is kept, and one that was made while the
# table was small would scan it for ever; pinned to index look-ups it costs the same at ten rows and at 10^8. The other
# half of the pin is in the statements: `key = ANY (ARRAY[...])` can be looked up by but not merged or hashed by, so the
# batch drives and the table is probed (docs/decisions/0002-plans-and-indexes.md; tests/scenario/test_plans.py).
INDEX_PLANS: Mapping[str, str] = {
    "plan_cache_mode": "force_generic_plan",  # planning a batch anew took as long as running it
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
FREE_PLANS: Mapping[str, str] = {}  # for proofs and lists, which read whole tables

log = structlog.get_logger()


def translate(error: BaseException) -> errors.PlatformFailure:
    """What a driver's error means for the caller."""
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
        """Rows one by one in bounded memory; inside a transaction only."""
        rows: AsyncIterator[Record] = self.raw.cursor(statement, *values, prefetch=DATABASE_PREFETCH_ROWS)
        return rows


class Database:
    """A pool over one PostgreSQL.

    While the server cannot be reached every call fails at once with `DatabaseUnavailable`; a probe in the background
    notices when it is back, so that nobody waits for a dead database and nobody has to restart Homing.
    """

    def __init__(
        self,
        *,
        dsn: str,
        connections_max: int = limits.DATABASE_CONNECTIONS_MAX,
        plans: Mapping[str, str] = INDEX_PLANS,
        name: str = "homing",
    ) -> None:
        """`plans`: settings of the sessions, mostly the planner's; the hot statements are pinned to index look-ups.
        `name`: what pg_stat_activity calls the sessions.
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
        self.away = False
        self.full_at_s = float("-inf")  # when a write last found the disk full, by the monotonic clock

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
        if self.away:
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
                self._start_probe(away=isinstance(failure, errors.DatabaseUnavailable))
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
        heard: Callable[[str], None],
        lost: Callable[[], None],
    ) -> None:
        """Calls `heard` with each notice's payload for ever; `lost` whenever notices may have been missed."""
        await self._notices.listen(channel, heard, lost)

    def _start_probe(self, away: bool) -> None:
        if away and not self.away:
            log.error("database_unavailable", component="connection_pool")
        self.away = self.away or away
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
                if not self.away:
                    self.away = True
                    log.error("database_unavailable", component="connection_pool")
                await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)
            else:
                if self._connector.switches != self._switches:  # what the pool holds belongs to a host that hangs
                    self._switches = self._connector.switches
                    await self._pool.expire_connections()
                if self.away:
                    log.info("database_available")
                self.away = False
                return


async def _keep_session(_connection: object) -> None:
    """Nothing to reset: no statement changes a session's settings, and a round trip per borrow would cost more."""
