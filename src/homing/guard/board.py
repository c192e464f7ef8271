"""What the accept path asks: a judge with the latest book and rules, and a store for what it decides."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

from homing import errors, limits
from homing.guard import book as books
from homing.guard.judge import Judge, Judgement
from homing.guard.risk import Level, Spend, Told
from homing.guard.rules import Budget, Listed, Mode, Rules
from homing.reasons import encode_reason
from homing.store.database import Database
from homing.store.following import follow
from homing.store.notices import SETTINGS_CHANNEL
from homing.text.numbers import Destination

BOOKS_CHANNEL: Final = "homing_guard"
log = structlog.get_logger()
Decision = tuple[object, ...]  # an element for each array of guard_decisions_add


class GuardBoard:
    """A judge that is kept up to date, and writes down what it finds: a little later and within bounds, so that no
    answer waits for it. What does not fit is counted in the log.
    """

    def __init__(self, database: Database, unix_s: Callable[[], float]) -> None:
        self._database = database
        self._unix_s = unix_s
        self._judge = Judge()
        self._stale, self._book_stale = asyncio.Event(), asyncio.Event()
        self._decisions: list[Decision] = []
        self._dropped = 0
        self._decided = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._made_at: datetime | None = None

    async def open(self) -> None:
        """Reads rules and book. Raises `StoreAway` when it cannot."""
        await self._read_rules()
        await self._read_book()
        rules, book = self._stale.set, self._book_stale.set
        works = (
            follow(self._stale, self._read_rules, limits.PROFILE_AGE_S_MAX),
            follow(self._book_stale, self._read_book, limits.GUARD_BOOK_S),
            self._database.listen(SETTINGS_CHANNEL, lambda _payload: rules(), rules),
            self._database.listen(BOOKS_CHANNEL, lambda _payload: book(), book),
            self._write(),
        )
        self._tasks = [asyncio.get_running_loop().create_task(work) for work in works]

    async def close(self) -> None:
        """Stores what is still to be stored, if it can be."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(errors.PlatformFailure):
            while self._decisions:
                await self._flush()

    def watch(
        self,
        account_id: int,
        app_id: str,
        number: str,
        place: Destination,
        sender: str,
        charge_micro: int,
        message_id: int,
    ) -> Judgement:
        """Judges a message, and notes it where there is something to note."""
        now_s = self._unix_s()
        found = self._judge.judge(account_id, app_id, number, place, sender, charge_micro, now_s)
        if found.reason is not None:
            if len(self._decisions) < limits.GUARD_DECISIONS_PENDING_MAX:
                self._decisions.append(
                    (
                        account_id,
                        datetime.fromtimestamp(now_s, UTC),
                        message_id,
                        app_id,
                        number,
                        place.country,
                        place.mcc + place.mnc,
                        int(found.action),
                        found.rule,
                        encode_reason(found.reason),
                        found.scope,
                        charge_micro,
                    )
                )
                self._decided.set()
            else:
                self._dropped += 1
        return found

    async def _read_rules(self) -> None:
        self._judge.obey(await read_rules(self._database))

    async def _read_book(self) -> None:
        row = await self._database.row("guard_book_read")
        if row is None or row["made_at"] == self._made_at:
            return
        self._made_at = row["made_at"]
        try:
            self._judge.read(books.read(row["book"]))
        except msgspec.DecodeError as error:
            log.warning("guard_book_unread", detail=str(error))

    async def _write(self) -> None:
        while True:
            await self._decided.wait()
            self._decided.clear()
            await asyncio.sleep(limits.GUARD_DECISIONS_LINGER_S)
            try:
                while self._decisions:
                    await self._flush()
            except errors.PlatformFailure as failure:
                log.warning("guard_decisions_wait", failure=str(failure))
                self._decided.set()
                if isinstance(failure, errors.StoreFailed) and failure.poison:
                    self._drop(limits.GUARD_DECISIONS_BATCH_MAX)
                await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)
            if self._dropped:
                log.warning("guard_decisions_dropped", messages=self._dropped)
                self._dropped = 0

    async def _flush(self) -> None:
        batch = self._decisions[: limits.GUARD_DECISIONS_BATCH_MAX]
        await self._database.execute("guard_decisions_add", *map(list, zip(*batch, strict=True)))
        del self._decisions[: len(batch)]

    def _drop(self, count: int) -> None:
        self._dropped += len(self._decisions[:count])
        del self._decisions[:count]


async def read_rules(database: Database) -> Rules:
    modes = await database.fetch("guard_modes")
    lists = await database.fetch("guard_lists")
    budgets = await database.fetch("guard_budgets")
    return Rules(
        {(row["account_id"], row["rule"]): Mode(row["mode"]) for row in modes},
        [Listed(row["account_id"], row["kind"], row["value"], row["is_allowed"]) for row in lists],
        {(row["account_id"], row["country"]): _budget(row) for row in budgets},
    )


async def read_risks(database: Database) -> Sequence[Told]:
    rows = await database.fetch("guard_risks")
    return [Told(row["account_id"], row["kind"], row["value"], Level(row["level"])) for row in rows]


async def read_spends(database: Database, now: datetime) -> Sequence[Spend]:
    """Of the last days before this one."""
    today = int(now.timestamp()) // 86_400
    rows = await database.fetch(
        "guard_spends", today - limits.GUARD_RISK_DAYS, today, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
    )
    return [Spend(*row) for row in rows]


def _budget(row: Mapping[str, Any]) -> Budget:
    return Budget(row["hour_messages"], row["day_messages"], row["hour_micro"], row["day_micro"])
