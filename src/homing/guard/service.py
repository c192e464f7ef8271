"""The guard of an accepting process: an enforcer with the latest snapshot and rules, and a store for its decisions."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import errors, limits
from homing.guard.address_model import ADDRESS_WINDOW_MIN, AddressDelta
from homing.guard.end_users import AddressHasher, EndUserAddress
from homing.guard.enforcement import Enforcer, GuardDecision, GuardRequest
from homing.guard.risk import CountryTraffic, RiskLevel, RiskSetting
from homing.guard.rules import CountryBudget, GuardRules, ListEntry, RuleMode
from homing.guard.snapshot import decode_snapshot
from homing.guard.strictness import Strictness, StrictnessSettings
from homing.reasons import encode_reason
from homing.store import statements
from homing.store.database import Database, DatabaseConnection
from homing.store.refreshing import refresh_on_change
from homing.store.statements.guard import GuardAddressRow, GuardBudgetRow, NewGuardAddress, NewGuardDecision
from homing.store.statements.intake import NewMessage

GUARD_DECISIONS_PENDING_MAX: Final = 50_000  # not yet stored; beyond it they are counted and dropped
GUARD_ADDRESSES_PENDING_MAX: Final = 50_000  # likewise
GUARD_ADDRESSES_KEPT: Final = timedelta(hours=24)
GUARD_ADDRESS_ROWS_MAX: Final = 20_000  # that a round of the model observes
GUARD_DECISIONS_BATCH_MAX: Final = 1_000
GUARD_DECISIONS_LINGER_S: Final = 0.5
GUARD_RISK_DAYS: Final = 30  # before today, that the learned risk of countries rests on
SNAPSHOT_CHANNEL: Final = "homing_guard"
log = structlog.get_logger()


class GuardService:
    """Decides on messages in memory. Decisions are stored a little later, within bounds, so that no answer waits for
    them; what does not fit is counted in the log.
    """

    def __init__(self, database: Database, unix_s: Callable[[], float], addresses: AddressHasher | None = None) -> None:
        """`addresses`: hashes numbers beside end users' addresses; None where no door takes addresses."""
        self._database = database
        self._unix_s = unix_s
        self._enforcer = Enforcer()
        self._rules_stale, self._snapshot_stale = asyncio.Event(), asyncio.Event()
        self._hasher = addresses
        self._decisions: list[NewGuardDecision] = []
        self._addresses: list[NewGuardAddress] = []
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
            while self._decisions or self._addresses:
                await self._flush()

    def note(self, end_user: EndUserAddress, messages: Sequence[NewMessage]) -> None:
        """Has it stored, a little later, who requested messages that were accepted."""
        if self._hasher is None or len(self._addresses) + len(messages) > GUARD_ADDRESSES_PENDING_MAX:
            self._dropped += len(messages)
            return
        self._addresses += [
            NewGuardAddress(
                message_id=message.message_id,
                account_id=message.account_id,
                app_id=message.app_id,
                network=message.mcc + message.mnc,
                address=end_user.address,
                prefix=end_user.prefix,
                site=end_user.site,
                number=self._hasher.of_number(message.account_id, message.number),
            )
            for message in messages
        ]
        self._has_decisions.set()

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
                        reason_code=decision.reason.code,
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
                while self._decisions or self._addresses:
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
        if batch:
            await statements.guard.guard_decisions_add(self._database, decisions=batch)
            del self._decisions[: len(batch)]
        messages = self._addresses[:GUARD_DECISIONS_BATCH_MAX]
        if messages:
            await statements.guard.guard_addresses_add(self._database, messages=messages)
            del self._addresses[: len(messages)]

    def _drop(self, count: int) -> None:
        self._dropped += len(self._decisions[:count]) + len(self._addresses[:count])
        del self._decisions[:count], self._addresses[:count]


async def read_rules(database: Database) -> GuardRules:
    modes = await statements.guard.guard_modes(database)
    budgets = await statements.guard.guard_budgets(database)
    return GuardRules(
        {(row.account_id, row.rule): RuleMode(row.mode) for row in modes},
        await read_lists(database),
        {(row.account_id, row.country): _budget(row) for row in budgets},
    )


async def read_lists(database: Database) -> Sequence[ListEntry]:
    rows = await statements.guard.guard_lists(database)
    return [ListEntry(row.account_id, row.kind, row.value, row.is_allowed) for row in rows]


async def read_strictness(connection: DatabaseConnection | Database) -> StrictnessSettings:
    rows = await statements.guard.guard_strictness_all(connection)
    return StrictnessSettings({row.account_id: Strictness(row.strictness) for row in rows})


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


async def take_addresses(database: Database) -> Sequence[AddressDelta]:
    """What came of end users' addresses since the last call."""
    rows = await statements.guard.guard_address_take(database, rows_max=GUARD_ADDRESS_ROWS_MAX)
    return [_address_delta(row, row.is_conversion) for row in rows]


async def restore_addresses(database: Database, now: datetime) -> Sequence[AddressDelta]:
    """What a new model begins with: the messages of its window, oldest first, each before its conversion."""
    async with database.transaction() as transaction:
        await statements.guard.guard_address_skip(transaction)
        rows = await statements.guard.guard_addresses_read(
            transaction, since=now - timedelta(minutes=ADDRESS_WINDOW_MIN), rows_max=10 * GUARD_ADDRESS_ROWS_MAX
        )
    deltas = []
    for row in reversed(rows):
        deltas.append(_address_delta(row, False))
        if row.is_conversion:
            deltas.append(_address_delta(row, True))
    return deltas


def _address_delta(row: GuardAddressRow, is_conversion: bool) -> AddressDelta:
    return AddressDelta(
        account_id=row.account_id,
        app_id=row.app_id,
        network=row.network,
        minute=row.minute,
        end_user=EndUserAddress(row.address, row.prefix, row.site),
        number=row.number,
        is_conversion=is_conversion,
    )
