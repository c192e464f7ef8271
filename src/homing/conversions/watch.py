"""The guard beside the statistics: hears what changes, and writes down what is judged and what is remembered."""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import structlog

from homing import limits
from homing.guard import book as books
from homing.guard.board import read_risks, read_rules, read_spends
from homing.guard.book import WHOLE_NETWORK, RangeName, Verdict, VerdictBook
from homing.guard.mind import Mind
from homing.guard.remembering import Kept
from homing.guard.risk import Learnt, Risks, learn
from homing.guard.rules import Rules
from homing.messages.reason_words import reason_text
from homing.reasons import decode_reason, encode_reason
from homing.routing.beliefs import Learner
from homing.statistics.delta import Delta
from homing.statistics.reading import Cell
from homing.store.database import Database

log = structlog.get_logger()


class Watch:
    """A listener of the brain (conversions/brain.py). It says nothing before it has remembered what the mind before it
    knew; thoughts run in a thread, and nothing is heard while one is under way.
    """

    def __init__(self, learner: Callable[[], Learner]) -> None:
        """`learner`: the one beside it, which knows what to expect of genuine messages."""
        self._learner = learner
        self.mind = Mind()
        self._is_ready = False
        self._now_s = 0.0
        self._written_s = self._saved_s = self._forgot_s = 0.0
        self._told: dict[RangeName, Verdict] = {}
        self._lifted_at = datetime.fromtimestamp(0, UTC)
        self._risks_s = 0.0
        self._rules = Rules()
        self._learnt: Sequence[Learnt] = ()
        self._learnt_day: date | None = None

    def start(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            self.mind.recall(cell.as_delta(), cell.conversion_times)

    def hear(self, deltas: Sequence[Delta]) -> None:
        self.mind.hear(deltas)

    def think(self, now_s: float) -> None:
        self._now_s = now_s

    def check(self, now_s: float) -> None:
        learner = self._learner()
        self.mind.think(now_s, learner.expected_rate, learner.reporting)

    async def save(self, database: Database) -> None:
        """Thinks and tells, when it is time. Raises a `PlatformFailure`: then it is told the next time."""
        now_s = self._now_s
        now = datetime.fromtimestamp(now_s, UTC)
        if not self._is_ready:
            await self._remember(database, now)
            self._is_ready = True
        if now_s - self._written_s < limits.GUARD_BOOK_S:
            return
        self._written_s = now_s
        for row in await database.fetch("guard_verdicts_lifted", self._lifted_at):
            self.mind.lift((row["account_id"], row["app_id"], row["network"], row["digits"]), now_s)
            self._lifted_at = max(self._lifted_at, row["lifted_at"])
        if now_s - self._risks_s >= limits.GUARD_RISKS_S:
            await self._read_risks(database, now)
        learner = self._learner()
        await asyncio.to_thread(self.mind.think, now_s, learner.expected_rate, learner.reporting)
        book = self.mind.verdicts()
        await self._tell(database, self._effective(_verdicts_of(book, now_s)), now)
        written = await asyncio.to_thread(books.write, book, limits.GUARD_BOOK_RANGES_MAX)
        await database.execute("guard_book_write", now, written)
        if now_s - self._saved_s >= limits.GUARD_SAVE_S:
            await self._save_memory(database, now)
        if now_s - self._forgot_s >= limits.CONCLUSIONS_FORGET_S:
            self._forgot_s = now_s
            await database.execute("guard_forget", now - timedelta(days=limits.GUARD_KEEP_DAYS))

    async def _read_risks(self, database: Database, now: datetime) -> None:
        """What operators say of destinations; and once a day what the days before it taught."""
        self._rules = await read_rules(database)
        if self._learnt_day != now.date():
            self._learnt = learn(await read_spends(database, now))
            self._learnt_day = now.date()
        risks = Risks(await read_risks(database), self._learnt)
        self.mind.policy = msgspec.structs.replace(self.mind.policy, risks=risks)
        self._risks_s = self._now_s

    def _effective(self, verdicts: Mapping[RangeName, Verdict]) -> Mapping[RangeName, Verdict]:
        """Without those on what an operator's allow list holds: such messages pass whatever is concluded of them, so
        nobody is alerted and nothing is shown as theft.
        """
        countries = self.mind.countries()

        def is_allowed(name: RangeName) -> bool:
            account_id, app_id, network, digits = name
            country = countries.get((account_id, app_id, network), "")
            listed = self._rules.listed(account_id, "" if digits == WHOLE_NETWORK else digits, network, country)
            return listed is not None and listed[0]

        return {name: verdict for name, verdict in verdicts.items() if not is_allowed(name)}

    async def _tell(self, database: Database, verdicts: Mapping[RangeName, Verdict], now: datetime) -> None:
        """Writes down verdicts that are new, with their alerts, and those that ended before their time."""
        ended = [name for name, verdict in self._told.items() if name not in verdicts and verdict.until_s > self._now_s]
        if ended:
            await database.execute("guard_verdicts_end", *map(list, zip(*ended, strict=True)), now)
        fresh = [(name, verdict) for name, verdict in verdicts.items() if self._told.get(name) != verdict]
        if fresh:
            countries = self.mind.countries()
            await database.execute(
                "guard_verdicts_add",
                [name[0] for name, _verdict in fresh],
                [name[1] for name, _verdict in fresh],
                [countries[name[:3]] for name, _verdict in fresh],
                [name[2] for name, _verdict in fresh],
                [name[3] for name, _verdict in fresh],
                [encode_reason(verdict.reason) for _name, verdict in fresh],
                [reason_text(verdict.reason) for _name, verdict in fresh],
                [verdict.sure for _name, verdict in fresh],
                [datetime.fromtimestamp(verdict.since_s, UTC) for _name, verdict in fresh],
                [datetime.fromtimestamp(verdict.until_s, UTC) for _name, verdict in fresh],
                limits.PUSH_LANES,
            )
            for name, verdict in fresh:
                log.warning("guard_verdict", account=name[0], range=name[3], reason=verdict.reason.code)
        self._told = dict(verdicts)

    async def _save_memory(self, database: Database, now: datetime) -> None:
        kept = await asyncio.to_thread(self._packed)
        self._saved_s = self._now_s
        if kept:
            names = [name for name, _packed in kept]
            await database.execute(
                "guard_memory_write",
                [name[0] for name in names],
                [name[1] for name in names],
                [name[2] for name in names],
                [packed for _name, packed in kept],
                now,
                timeout_s=limits.DATABASE_SLOW_TIMEOUT_S,
            )

    def _packed(self) -> list[tuple[tuple[int, str, str], bytes]]:
        since_s = self._saved_s - 120.0
        return [
            (name, zlib.compress(msgspec.msgpack.encode(kept), 1))
            for name, kept in self.mind.keep(since_s, limits.GUARD_SAVE_CELLS_MAX)
        ]

    async def _remember(self, database: Database, now: datetime) -> None:
        rows = await database.fetch(
            "guard_memory_read", limits.GUARD_CELLS_MAX, timeout_s=limits.DATABASE_SLOW_TIMEOUT_S
        )
        for row in rows:
            try:
                kept = msgspec.msgpack.decode(zlib.decompress(row["memory"]), type=Kept)
            except (msgspec.DecodeError, zlib.error) as error:  # another release's: it is learnt anew
                log.warning("guard_memory_unread", detail=str(error))
                continue
            self.mind.remember((row["account_id"], row["app_id"], row["network"]), kept)
        for row in await database.fetch("guard_verdicts_active", now):
            name = row["account_id"], row["app_id"], row["network"], row["digits"]
            verdict = Verdict(
                decode_reason(row["reason"]), row["since"].timestamp(), row["until"].timestamp(), row["is_sure"]
            )
            self.mind.uphold(name, verdict)
            self._told[name] = verdict
        self._lifted_at = now
        log.info("guard_remembers", networks=len(rows), verdicts=len(self._told))


def _verdicts_of(book: VerdictBook, now_s: float) -> dict[RangeName, Verdict]:
    """Those on ranges, and those on networks as a whole."""
    networks = {
        (*name, WHOLE_NETWORK): terms.verdict
        for name, terms in book.cells.items()
        if terms.verdict is not None and terms.verdict.until_s > now_s
    }
    return {**book.verdicts, **networks}
