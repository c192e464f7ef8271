"""The log of refused calls: gathered behind the calls, written once a second, and bounded however many there are."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.accounts.refused_calls import Caller, RefusedCall
from homing.common.storable_text import storable_text
from homing.common.token_bucket import TokenBucket, TokenBuckets
from homing.observe.logs import describe
from homing.reasons import ReasonCode, encode_reason
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.refusals import NewRefusedCall, NewRefusedCallSum

REFUSALS_WRITTEN_S: Final = 1.0  # between two writes
REST_WRITTEN_S: Final = 60.0  # between two writes of what is beyond the bounds
ACCOUNT_ROWS_PER_S: Final = 1.0  # that are listed of an account, by each process; strangers count as one account
ACCOUNT_ROWS_BURST: Final = 100.0
PROCESS_ROWS_PER_S: Final = 10.0
PROCESS_ROWS_BURST: Final = 1_000.0
PENDING_ROWS_MAX: Final = 2_000  # in memory, and as many sums
UNKNOWN_KEY_CHARS: Final = 6
"""Of a key that no account has: it may be a secret in the wrong place."""
CODE_CHARS_MAX: Final = 100
ADDRESS_CHARS_MAX: Final = 64
STRANGERS: Final = 0
"""The account of sums of calls that name no known one: theirs begin at 1."""

log = structlog.get_logger()


class _Alike(msgspec.Struct, frozen=True):
    """What calls have in common that are listed as one row. An empty `call`: calls beyond the bounds."""

    account_id: int | None
    dialect: str
    call: str
    code: str
    reason: str
    key: str
    app_id: str
    address: str


class _Count(msgspec.Struct):
    calls: int = 0
    messages: int = 0
    at: datetime = datetime.min.replace(tzinfo=UTC)
    request_id: str = ""

    def add(self, calls: int, messages: int, at: datetime, request_id: str) -> None:
        self.calls += calls
        self.messages += messages
        if at >= self.at:
            self.at, self.request_id = at, request_id


_Sums = dict[tuple[int, int, str, str], list[int]]


class RefusalLog:
    """`note` costs microseconds and never waits or raises. Calls that are alike share a row; beyond so many rows a
    second, of an account or of the process, calls are only counted by account, dialect and reason. What cannot be
    written is tried again; beyond the bounds of memory it is only counted.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._clock = clock
        self._clock_s = clock_s
        self._rows: dict[_Alike, _Count] = {}
        self._rest: dict[_Alike, _Count] = {}
        self._sums: _Sums = {}
        self._account_rows: TokenBuckets[int] = TokenBuckets(limits.PROFILES_MAX)
        self._process_rows = TokenBucket(PROCESS_ROWS_PER_S, PROCESS_ROWS_BURST, clock_s())
        self._rest_at_s = clock_s() + REST_WRITTEN_S

    def note(
        self,
        call: str,
        caller: Caller,
        refused: RefusedCall,
        *,
        address: str,
        request_id: str,
        row_bound: TokenBucket | None = None,
    ) -> None:
        """`call`: its name, which begins with its dialect's and a dot. `row_bound`: of rows of its kind, beside those
        of all.
        """
        dialect = call.partition(".")[0]
        key = caller.key
        if caller.account_id is None and len(key) > UNKNOWN_KEY_CHARS:
            key = key[:UNKNOWN_KEY_CHARS] + "…"
        alike = _Alike(
            caller.account_id,
            dialect,
            call,
            storable_text(refused.code, CODE_CHARS_MAX),
            encode_reason(refused.reason),
            storable_text(key, limits.KEY_CHARS_MAX),
            storable_text(refused.app_id, limits.KEY_CHARS_MAX),
            storable_text(address, ADDRESS_CHARS_MAX),
        )
        now = self._clock()
        count = self._rows.get(alike)
        if count is None:
            count = self._new_row(alike) if self._may_list(caller.account_id, row_bound) else None
        if count is None:
            count = self._rest_of(caller.account_id, dialect, refused.reason.code)
        count.add(1, refused.messages, now, request_id)
        self._sum(caller.account_id or STRANGERS, now, dialect, refused.reason.code, refused.messages)

    async def run(self) -> None:
        """Writes until it is cancelled."""
        while True:
            await asyncio.sleep(REFUSALS_WRITTEN_S)
            await self.write()

    async def write(self, *, is_last: bool = False) -> None:
        """Writes what waits. `is_last`: also what is beyond the bounds. Never raises."""
        rows, self._rows = self._rows, {}
        sums, self._sums = self._sums, {}
        rest: dict[_Alike, _Count] = {}
        if is_last or self._clock_s() >= self._rest_at_s:
            rest, self._rest = self._rest, {}
            self._rest_at_s = self._clock_s() + REST_WRITTEN_S
        if not rows and not sums and not rest:
            return
        try:
            async with self._database.transaction() as transaction:
                await statements.refusals.refused_calls_add(transaction, calls=[*_rows(rows), *_rows(rest)])
                await statements.refusals.refused_call_sums_add(transaction, sums=_new_sums(sums))
        except errors.PlatformFailure:
            self._keep(rows, rest, sums)
        except asyncio.CancelledError:
            self._keep(rows, rest, sums)
            raise
        except Exception as error:
            log.error("refused_calls_lost", calls=sum(count for count, _messages in sums.values()), **describe(error))

    def _may_list(self, account_id: int | None, row_bound: TokenBucket | None) -> bool:
        """Whether another row may be listed. The narrower bounds come first: no kind of call, and no account, uses up
        the share of others.
        """
        if len(self._rows) >= PENDING_ROWS_MAX:
            return False
        now_s = self._clock_s()
        if row_bound is not None and not row_bound.take(now_s):
            return False
        bucket = self._account_rows.bucket(account_id or STRANGERS, ACCOUNT_ROWS_PER_S, ACCOUNT_ROWS_BURST, now_s)
        return bucket.take(now_s) and self._process_rows.take(now_s)

    def _new_row(self, alike: _Alike) -> _Count:
        return self._rows.setdefault(alike, _Count())

    def _rest_of(self, account_id: int | None, dialect: str, code: ReasonCode) -> _Count:
        """Beyond the bound of these as well, of whichever account: there are only so many codes."""
        for owner in (account_id, None):
            rest = _Alike(owner, dialect, "", "", f'{{"code":"{code}"}}', "", "", "")
            if rest in self._rest or owner is None or len(self._rest) < PENDING_ROWS_MAX:
                break
        return self._rest.setdefault(rest, _Count())

    def _sum(self, account_id: int, now: datetime, dialect: str, code: str, messages: int) -> None:
        key = (account_id, int(now.timestamp()) // 3_600, dialect, code)
        if key not in self._sums and len(self._sums) >= PENDING_ROWS_MAX:
            key = (STRANGERS, *key[1:])
        counts = self._sums.setdefault(key, [0, 0])
        counts[0] += 1
        counts[1] += messages

    def _keep(self, rows: Mapping[_Alike, _Count], rest: Mapping[_Alike, _Count], sums: _Sums) -> None:
        """For the next write."""
        for before, after in ((rows, self._rows), (rest, self._rest)):
            for alike, count in before.items():
                after.setdefault(alike, _Count()).add(count.calls, count.messages, count.at, count.request_id)
        for key, counts in sums.items():
            kept = self._sums.setdefault(key, [0, 0])
            kept[0] += counts[0]
            kept[1] += counts[1]


def _rows(counts: Mapping[_Alike, _Count]) -> list[NewRefusedCall]:
    return [
        NewRefusedCall(
            **msgspec.structs.asdict(alike),
            at=count.at,
            request_id=count.request_id,
            calls=count.calls,
            messages=count.messages,
            is_rest=not alike.call,
        )
        for alike, count in counts.items()
    ]


def _new_sums(sums: _Sums) -> list[NewRefusedCallSum]:
    return [
        NewRefusedCallSum(
            account_id=account_id, hour=hour, dialect=dialect, reason_code=code, calls=calls, messages=messages
        )
        for (account_id, hour, dialect, code), (calls, messages) in sums.items()
    ]


async def forget_refused_calls(database: Database, now: datetime) -> None:
    """What is too old, and of the list what is beyond its bound."""
    await statements.refusals.refused_calls_forget(
        database,
        rows_max=limits.REFUSED_CALL_ROWS_MAX,
        before=now - timedelta(days=limits.REFUSED_CALL_DAYS),
    )
    await statements.refusals.refused_call_sums_forget(
        database, before_hour=int(now.timestamp()) // 3_600 - limits.REFUSED_CALL_SUM_DAYS * 24
    )
