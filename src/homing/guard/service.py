"""The guard of an accepting process: an enforcer with the latest snapshot and rules, and a store for its decisions."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.guard.enforcement import Enforcer, GuardDecision, GuardRequest
from homing.guard.risk import CountryTraffic, RiskLevel, RiskSetting
from homing.guard.rules import CountryBudget, GuardRules, ListEntry, RuleMode
from homing.guard.snapshot import decode_snapshot
from homing.reasons import encode_reason
from homing.store import statements
from homing.store.database import Database
from homing.store.refreshing import refresh_on_change
from homing.store.statements.guard import GuardBudgetRow, NewGuardDecision

GUARD_DECISIONS_PENDING_MAX: Final = 50_000  # not yet stored; beyond it they are counted and dropped
GUARD_DECISIONS_BATCH_MAX: Final = 1_000
GUARD_DECISIONS_LINGER_S: Final = 0.5
GUARD_RISK_DAYS: Final = 30  # before today, that the learned risk of countries rests on
SNAPSHOT_CHANNEL: Final = "homing_guard"
log = structlog.get_logger()


class GuardService:
    """Decides on messages in memory. Decisions are stored a little later, within bounds, so that no answer waits for
    them; what does not fit is counted in the log.
    """

    def __init__(self, database: Database, unix_s: Callable[[], float]) -> None:
        self._database = database
        self._unix_s = unix_s
        self._enforcer = Enforcer()
        self._rules_stale, self._snapshot_stale = asyncio.Event(), asyncio.Event()
        self._decisions: list[NewGuardDecision] = []
        self._dropped = 0
        self._has_decisions = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._made_at: datetime | None = None  # of the snapshot in use

    async def open(self) -> None:
        """Reads rules and snapshot. Raises `DatabaseUnavailable` when it cannot."""
        await self._read_rules()
        await self._read_snapshot()
        snapshot_changed = self._snapshot_stale.set
        coroutines = (
            refresh_on_change(self._rules_stale, self._read_rules, limits.PROFILE_AGE_S_MAX),
            refresh_on_change(self._snapshot_stale, self._read_snapshot, limits.GUARD_SNAPSHOT_S),
            self._database.listen(SNAPSHOT_CHANNEL, lambda _payload: snapshot_changed(), snapshot_changed),
            self._store_decisions(),
        )
        self._tasks = [asyncio.get_running_loop().create_task(coroutine) for coroutine in coroutines]

    def settings_changed(self, _account: str) -> None:
        self._rules_stale.set()

    def settings_missed(self) -> None:
        self._rules_stale.set()

    async def close(self) -> None:
        """Stores the decisions that wait, if the database can be reached."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(errors.PlatformFailure):
            while self._decisions:
                await self._flush()

    def check(self, request: GuardRequest) -> GuardDecision:
        """Decides on a message, and has the decision stored unless it just passes."""
        now_s = self._unix_s()
        decision = self._enforcer.decide(request, now_s)
        if decision.reason is not None:
            if len(self._decisions) < GUARD_DECISIONS_PENDING_MAX:
                destination = request.destination
                self._decisions.append(
                    NewGuardDecision(
                        account_id=request.account_id,
                        at=datetime.fromtimestamp(now_s, UTC),
                        message_id=request.message_id,
                        app_id=request.app_id,
                        number=request.number,
                        country=destination.country,
                        network=destination.mcc + destination.mnc,
                        action=decision.action,
                        rule=decision.rule,
                        reason=encode_reason(decision.reason),
                        scope=decision.scope,
                        charge_micro=request.charge_micro,
                    )
                )
                self._has_decisions.set()
            else:
                self._dropped += 1
        return decision

    async def _read_rules(self) -> None:
        self._enforcer.use_rules(await read_rules(self._database))

    async def _read_snapshot(self) -> None:
        row = await statements.guard.guard_snapshot_read(self._database)
        if row is None or row.made_at == self._made_at:
            return
        self._made_at = row.made_at
        try:
            self._enforcer.use_snapshot(decode_snapshot(row.snapshot))
        except msgspec.DecodeError as error:  # of another release
            log.warning("guard_snapshot_undecodable", detail=str(error))

    async def _store_decisions(self) -> None:
        while True:
            await self._has_decisions.wait()
            self._has_decisions.clear()
            await asyncio.sleep(GUARD_DECISIONS_LINGER_S)
            try:
                while self._decisions:
                    await self._flush()
            except errors.PlatformFailure as failure:
                log.warning("database_unavailable", component="guard_decisions", failure=str(failure))
                self._has_decisions.set()
                if isinstance(failure, errors.DatabaseFailed) and failure.poison:
                    self._drop(GUARD_DECISIONS_BATCH_MAX)
                await asyncio.sleep(limits.DATABASE_PROBE_INTERVAL_S)
            if self._dropped:
                log.warning("guard_decisions_dropped", messages=self._dropped)
                self._dropped = 0

    async def _flush(self) -> None:
        batch = self._decisions[:GUARD_DECISIONS_BATCH_MAX]
        await statements.guard.guard_decisions_add(self._database, decisions=batch)
        del self._decisions[: len(batch)]

    def _drop(self, count: int) -> None:
        self._dropped += len(self._decisions[:count])
        del self._decisions[:count]


async def read_rules(database: Database) -> GuardRules:
    modes = await statements.guard.guard_modes(database)
    lists = await statements.guard.guard_lists(database)
    budgets = await statements.guard.guard_budgets(database)
    return GuardRules(
        {(row.account_id, row.rule): RuleMode(row.mode) for row in modes},
        [ListEntry(row.account_id, row.kind, row.value, row.is_allowed) for row in lists],
        {(row.account_id, row.country): _budget(row) for row in budgets},
    )


async def read_risk_settings(database: Database) -> Sequence[RiskSetting]:
    rows = await statements.guard.guard_risks(database)
    return [RiskSetting(row.account_id, row.kind, row.value, RiskLevel(row.level)) for row in rows]


async def read_country_traffic(database: Database, now: datetime) -> Sequence[CountryTraffic]:
    """Of the `GUARD_RISK_DAYS` before today."""
    today = int(now.timestamp()) // 86_400
    rows = await statements.guard.guard_country_traffic(database, first_day=today - GUARD_RISK_DAYS, beyond_day=today)
    return [
        CountryTraffic(
            account_id=row.account_id,
            app_id=row.app_id,
            country=row.country,
            messages=row.messages,
            converted=row.converted,
        )
        for row in rows
    ]


def _budget(row: GuardBudgetRow) -> CountryBudget:
    return CountryBudget(row.hour_messages, row.day_messages, row.hour_micro, row.day_micro)
