"""The fraud model beside the statistics: it observes every delta; its verdicts, snapshots and state are stored."""

import asyncio
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
import structlog

from homing import limits
from homing.guard.address_model import ADDRESS_WINDOW_MIN
from homing.guard.model import FraudModel
from homing.guard.persistence import (
    SavedNetwork,
    export_networks,
    restore_lift,
    restore_network,
    restore_statistics,
    restore_verdict,
)
from homing.guard.risk import DestinationRisks, LearnedRisk, learn_risks
from homing.guard.rules import GuardRules
from homing.guard.service import (
    GUARD_ADDRESSES_KEPT,
    read_country_traffic,
    read_risk_settings,
    read_rules,
    read_strictness,
    restore_addresses,
    take_addresses,
)
from homing.guard.snapshot import WHOLE_NETWORK, GuardSnapshot, NetworkKey, RangeKey, Verdict, encode_snapshot
from homing.i18n.reasons import reason_text
from homing.learning.learner import RoutingLearner
from homing.reasons import decode_reason, encode_reason
from homing.statistics.delta import Delta
from homing.statistics.history import delta_of
from homing.store import statements
from homing.store.database import Database
from homing.store.statements.guard import GuardRangeKey, NewGuardNetworkState, NewGuardVerdict
from homing.store.statements.statistics import StatisticsCell

GUARD_NETWORKS_MAX: Final = 20_000
GUARD_SNAPSHOT_RANGES_MAX: Final = 20_000  # verdicts in a snapshot, and allowances
GUARD_SAVE_S: Final = 30.0  # between two times that the model's state is stored
GUARD_SAVE_NETWORKS_MAX: Final = 500
LIFTS_REREAD: Final = timedelta(hours=1)  # of which a process that takes over drops the evidence again
GUARD_RISKS_S: Final = 30.0  # between two reads of the risk settings
log = structlog.get_logger()


class GuardListener:
    """A listener of the aggregator. It concludes nothing before it has restored the stored state. The model is updated
    in a thread; meanwhile no delta is observed.
    """

    def __init__(self, learner: Callable[[], RoutingLearner]) -> None:
        """`learner`: gives the conversion rates to expect of genuine messages."""
        self._learner = learner
        self.model = FraudModel(salt=secrets.randbits(64))
        self._is_restored = False
        self._now_s = 0.0
        self._updated_s = self._saved_s = self._deleted_s = self._risks_s = 0.0
        self._stored_verdicts: Mapping[RangeKey, Verdict] = {}
        self._rules = GuardRules()
        self._learned_risks: Sequence[LearnedRisk] = ()
        self._learned_on: date | None = None

    def start(self, cells: Sequence[StatisticsCell]) -> None:
        state, reporting = self.model.state, set[tuple[int, str]]()
        end_minute = max((cell.minute + cell.grain for cell in cells), default=0)
        for cell in cells:  # the oldest come first
            if cell.converted:
                reporting.add((cell.account_id, cell.app_id))
            age_s = (end_minute - cell.minute - cell.grain) * 60.0
            restore_statistics(
                state,
                delta_of(cell),
                cell.conversion_times,
                retained=0.5 ** (age_s / state.policy.history_half_life_s),
                is_reported=(cell.account_id, cell.app_id) in reporting,
            )

    def observe(self, deltas: Sequence[Delta]) -> None:
        self.model.observe(deltas)

    def advance(self, now_s: float) -> None:
        self._now_s = now_s

    def check(self, now_s: float) -> None:
        learner = self._learner()
        self.model.update(now_s, learner.expected_rate, learner.reporting)

    async def save(self, database: Database) -> None:
        """Updates the model and stores its conclusions, when it is time. Raises a `PlatformFailure`: then the next call
        stores them.
        """
        now_s = self._now_s
        now = datetime.fromtimestamp(now_s, UTC)
        if not self._is_restored:
            await self._restore(database, now)
            await self._lift_addresses(database, now)
            await asyncio.to_thread(self.model.observe_addresses, await restore_addresses(database, now))
            self._is_restored = True
        if now_s - self._updated_s < limits.GUARD_SNAPSHOT_S:
            return
        self._updated_s = now_s
        # All of the last hour, each time: transactions do not end in the order of their times.
        for row in await statements.guard.guard_verdicts_lifted(database, lifted_since=now - LIFTS_REREAD):
            self.model.lift((row.account_id, row.app_id, row.network, row.digits), row.since.timestamp())
        await self._lift_addresses(database, now)
        if now_s - self._risks_s >= GUARD_RISKS_S:
            await self._read_settings(database, now)
        await asyncio.to_thread(self.model.observe_addresses, await take_addresses(database))
        learner = self._learner()
        await asyncio.to_thread(self.model.update, now_s, learner.expected_rate, learner.reporting)
        snapshot = self.model.snapshot
        await self._store_verdicts(database, self._without_allowed(_verdicts_of(snapshot, now_s)), now)
        encoded = await asyncio.to_thread(encode_snapshot, snapshot, GUARD_SNAPSHOT_RANGES_MAX)
        await statements.guard.guard_snapshot_write(database, made_at=now, snapshot=encoded)
        if now_s - self._saved_s >= GUARD_SAVE_S:
            await self._save_state(database, now)
        if now_s - self._deleted_s >= limits.CONCLUSIONS_FORGET_S:
            self._deleted_s = now_s
            await statements.guard.guard_delete_old(database, before=now - timedelta(days=limits.GUARD_KEEP_DAYS))
            await statements.guard.guard_addresses_forget(database, before=now - GUARD_ADDRESSES_KEPT)
            await statements.guard.guard_address_lifts_forget(database, before=now - GUARD_ADDRESSES_KEPT)

    async def _lift_addresses(self, database: Database, now: datetime) -> None:
        """All of the last hour, each time: older evidence counts no more anyway."""
        since = now - timedelta(minutes=ADDRESS_WINDOW_MIN)
        for row in await statements.guard.guard_address_lifts(database, since=since):
            self.model.lift_address((row.account_id, row.app_id, row.address), row.lifted_at.timestamp())

    async def _read_settings(self, database: Database, now: datetime) -> None:
        """Operators' rules, strictness and risks, and once a day the risks that the days before taught."""
        self._rules = await read_rules(database)
        if self._learned_on != now.date():
            self._learned_risks = learn_risks(await read_country_traffic(database, now))
            self._learned_on = now.date()
        self.model.set_strictness(await read_strictness(database))
        self.model.set_risks(DestinationRisks(await read_risk_settings(database), self._learned_risks))
        self._risks_s = self._now_s

    def _without_allowed(self, verdicts: Mapping[RangeKey, Verdict]) -> Mapping[RangeKey, Verdict]:
        """Without those on what is on an allow list: such messages pass whatever the model concludes, so that nobody is
        alerted and nothing is shown as fraud.
        """
        countries = self.model.network_countries()

        def is_allowed(key: RangeKey) -> bool:
            account_id, app_id, network, digits = key
            country = countries.get((account_id, app_id, network), "")
            number = "" if digits == WHOLE_NETWORK else digits
            entry = self._rules.find_entry(account_id, number, network, country)
            return entry is not None and entry[0]

        return {key: verdict for key, verdict in verdicts.items() if not is_allowed(key)}

    async def _store_verdicts(self, database: Database, verdicts: Mapping[RangeKey, Verdict], now: datetime) -> None:
        """Stores new verdicts, with their alerts, and ends those that ended before their time."""
        stored = self._stored_verdicts
        ended = [key for key, verdict in stored.items() if key not in verdicts and verdict.until_s > self._now_s]
        if ended:
            await statements.guard.guard_verdicts_end(
                database,
                ranges=[
                    GuardRangeKey(account_id=account_id, app_id=app_id, network=network, digits=digits)
                    for account_id, app_id, network, digits in ended
                ],
                until=now,
            )
        new = [(key, verdict) for key, verdict in verdicts.items() if stored.get(key) != verdict]
        if new:
            countries = self.model.network_countries()
            await statements.guard.guard_verdicts_add(
                database,
                verdicts=[
                    NewGuardVerdict(
                        account_id=key[0],
                        app_id=key[1],
                        country=countries[key[:3]],
                        network=key[2],
                        digits=key[3],
                        reason=encode_reason(verdict.reason),
                        text=reason_text(verdict.reason),
                        may_block=verdict.may_block,
                        since=datetime.fromtimestamp(verdict.since_s, UTC),
                        until=datetime.fromtimestamp(verdict.until_s, UTC),
                    )
                    for key, verdict in new
                ],
            )
            for key, verdict in new:
                log.warning("guard_range_flagged", account=key[0], range=key[3], reason=verdict.reason.code)
        self._stored_verdicts = dict(verdicts)

    async def _save_state(self, database: Database, now: datetime) -> None:
        encoded = await asyncio.to_thread(self._encode_state)
        self._saved_s = self._now_s
        if encoded:
            await statements.guard.guard_network_states_write(
                database,
                saved_at=now,
                states=[
                    NewGuardNetworkState(account_id=key[0], app_id=key[1], network=key[2], state=state)
                    for key, state in encoded
                ],
            )

    def _encode_state(self) -> Sequence[tuple[NetworkKey, bytes]]:
        """Of the networks with messages since they were saved, and a little before: clocks differ."""
        since_s = self._saved_s - 120.0
        return [
            (key, zlib.compress(msgspec.msgpack.encode(saved), 1))
            for key, saved in export_networks(self.model.state, self._now_s, since_s, GUARD_SAVE_NETWORKS_MAX)
        ]

    async def _restore(self, database: Database, now: datetime) -> None:
        state = self.model.state
        rows = await statements.guard.guard_network_states_read(database, rows_max=GUARD_NETWORKS_MAX)
        for row in rows:
            try:
                saved = msgspec.msgpack.decode(zlib.decompress(row.state), type=SavedNetwork)
            except (msgspec.DecodeError, zlib.error) as error:  # of another release: the network is learnt anew
                log.warning("guard_state_undecodable", detail=str(error))
                continue
            restore_network(state, (row.account_id, row.app_id, row.network), saved)
        for lifted in await statements.guard.guard_verdicts_lifted(database, lifted_since=now - LIFTS_REREAD):
            key = lifted.account_id, lifted.app_id, lifted.network, lifted.digits
            restore_lift(state, key, lifted.lifted_at.timestamp())
        verdicts = {}
        for active in await statements.guard.guard_verdicts_active(database, now=now):
            key = active.account_id, active.app_id, active.network, active.digits
            verdicts[key] = Verdict(
                decode_reason(active.reason), active.since.timestamp(), active.until.timestamp(), active.may_block
            )
            restore_verdict(state, key, verdicts[key])
        self._stored_verdicts = verdicts
        log.info("guard_state_restored", networks=len(rows), verdicts=len(verdicts))


def _verdicts_of(snapshot: GuardSnapshot, now_s: float) -> dict[RangeKey, Verdict]:
    """Those on ranges, and those on networks as a whole or else their notices."""
    networks = {
        (*key, WHOLE_NETWORK): verdict
        for key, limits_of_network in snapshot.networks.items()
        for verdict in (limits_of_network.verdict or limits_of_network.notice,)
        if verdict is not None and verdict.until_s > now_s
    }
    return {**snapshot.verdicts, **networks}
