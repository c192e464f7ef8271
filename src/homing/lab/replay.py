"""Stored traffic under other prices or another policy: what would it have cost, what would it have converted?"""

import csv
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from homing import errors
from homing.admin.prices import check_prefix, check_price
from homing.common import histogram, ids, money
from homing.lab.estimate import Estimate, Strata
from homing.learning.adaptive import AdaptiveRouting
from homing.learning.learner import RoutingLearner
from homing.model import GENERAL, Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.catalogue_cache import rules_of
from homing.routing.cells import CellKey
from homing.routing.rules import route_request_of
from homing.routing.shares import ShareTable
from homing.states import TABLE, MessageState
from homing.statistics.delta import Delta, block_of, minute_of
from homing.statistics.due_deltas import DueDeltas
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.lab import ReplayedMessage

UPDATE_S: Final = 60.0
"""Replayed time between two updates of the learner; the interval of service would take too long."""
COST_COLUMNS: Final = ("carrier", "prefix", "price")
PRICE_COLUMNS: Final = ("prefix", "price")


class ReplayChanges(msgspec.Struct, frozen=True):
    """The changed settings. `costs`: (carrier name, prefix) -> micro-units per segment, in addition to the cost lists;
    `prices`: prefix -> micro-units, in addition to the general list; `strategy`: of every rule; None: unchanged.
    """

    costs: Mapping[tuple[str, str], int] = {}
    prices: Mapping[str, int] = {}
    strategy: Strategy | None = None


class ReplayCarrier(msgspec.Struct, frozen=True):
    """`messages` and `converted` as stored; `estimate` under the changed settings."""

    carrier: str
    messages: int
    converted: int
    estimate: Estimate


class Replay(msgspec.Struct, frozen=True):
    """Stored messages, and what the changed settings would have made of them (`estimate`, `would_`).

    Amounts are micro-units, by the current and by the changed lists. Messages whose cost is not listed count as
    `uncosted` or `would_uncosted`; `unroutable` messages would have been refused; `unsent` ones are left out.
    """

    messages: int
    unsent: int
    converted: int
    cost_micro: int
    revenue_micro: int
    uncosted: int
    estimate: Estimate
    would_cost_micro: int
    would_revenue_micro: int
    would_uncosted: float
    unroutable: int
    carriers: tuple[ReplayCarrier, ...]


def read_costs(path: Path) -> dict[tuple[str, str], int]:
    """A CSV with the columns carrier, prefix and price. Raises `InvalidInput` naming file and line."""
    return {(row[0], row[1]): row[2] for row in _read(path, COST_COLUMNS)}


def read_prices(path: Path) -> dict[str, int]:
    """A CSV with the columns prefix and price. Raises `InvalidInput` naming file and line."""
    return {row[1]: row[2] for row in _read(path, PRICE_COLUMNS)}


def _read(path: Path, columns: Sequence[str]) -> list[tuple[str, str, int]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in columns if name not in (rows.fieldnames or ())]
            if missing:
                raise errors.InvalidInput(f"{path}:1: the header must name the column {' and '.join(missing)}")
            entries = []
            for row in rows:
                try:
                    prefix = (row["prefix"] or "").strip().replace("*", "")
                    price = money.parse(row["price"] or "")
                    check_prefix(prefix)
                    check_price(price)
                except (ValueError, errors.InvalidInput) as error:
                    raise errors.InvalidInput(f"{path}:{rows.line_num}: {error}") from None
                entries.append(((row.get("carrier") or "").strip(), prefix, price))
            return entries
    except OSError as error:
        raise errors.InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.InvalidInput(f"{path} is not a CSV file in UTF-8: {error}") from None


async def replay(
    connection: DatabaseConnection, changes: ReplayChanges, since: datetime, until: datetime, account_id: int | None
) -> Replay:
    """Replays the messages submitted in [since, until) under changed settings. `connection` is in a transaction, since
    messages are read by a cursor. Raises `InvalidInput` for an unknown carrier, or a `PlatformFailure`.
    """
    names = {row.carrier_id: row.name for row in await statements.admin.carrier_list(connection)}
    unknown = sorted({carrier for carrier, _prefix in changes.costs} - set(names.values()))
    if unknown:
        raise errors.InvalidInput(f"carrier {unknown[0]!r} does not exist; `homing carrier list` lists the carriers")
    current, changed = await _catalogues(connection, changes, names)
    learner = _ReplayLearner(changed) if changes.strategy is Strategy.ADAPTIVE else None
    counts = _ReplayCounts(names)
    async for row in statements.lab.replay_messages(
        connection,
        first_id=ids.first_id_at(int(since.timestamp() * 1000)),
        beyond_id=ids.first_id_at(int(until.timestamp() * 1000)),
        account_id=account_id,
    ):
        if row.sent_at is None:
            counts.unsent += 1
            continue
        catalogue = changed
        if learner is not None:
            learner.observe(row)
            catalogue = learner.catalogue
        counts.add(row, current, catalogue, changes)
    return counts.result()


async def _catalogues(
    connection: DatabaseConnection, changes: ReplayChanges, names: Mapping[int, str]
) -> tuple[Catalogue, Catalogue]:
    """The current and the changed settings. No carrier counts as down."""
    prices = [
        (row.account_id, row.prefix, row.price_micro) for row in await statements.catalogue.catalogue_prices(connection)
    ]
    costs = [
        (row.carrier_id, row.prefix, row.cost_micro) for row in await statements.catalogue.catalogue_costs(connection)
    ]
    rules = rules_of(await statements.catalogue.catalogue_routes(connection))
    carriers = [row.carrier_id for row in await statements.catalogue.catalogue_carriers(connection)]
    ids_by_name = {name: carrier_id for carrier_id, name in names.items()}
    other_costs = {(carrier, prefix): micro for carrier, prefix, micro in costs}
    other_costs.update({(ids_by_name[name], prefix): micro for (name, prefix), micro in changes.costs.items()})
    other_prices = {(account, prefix): micro for account, prefix, micro in prices}
    other_prices.update({(GENERAL, prefix): micro for prefix, micro in changes.prices.items()})
    other_rules = rules
    if changes.strategy is not None:
        other_rules = [msgspec.structs.replace(rule, strategy=changes.strategy) for rule in rules]
    current = Catalogue(prices=prices, rules=rules, enabled=carriers, costs=costs)
    changed = Catalogue(
        prices=((account, prefix, micro) for (account, prefix), micro in other_prices.items()),
        rules=other_rules,
        enabled=carriers,
        costs=((carrier, prefix, micro) for (carrier, prefix), micro in other_costs.items()),
    )
    return current, changed


class _ReplayCounts:
    """Counts the replayed messages under the current and the changed settings."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._strata = Strata()
        self._by_carrier: dict[int, list[int]] = {}
        self._messages = self._converted = self._uncosted = self._unroutable = 0
        self._cost = self._revenue = self._would_revenue = 0
        self._would_cost = self._would_uncosted = 0.0
        self.unsent = 0

    def add(self, row: ReplayedMessage, current: Catalogue, changed: Catalogue, changes: ReplayChanges) -> None:
        segments, converted = row.segments, row.credited_at is not None
        cell = cell_of(row)
        carrier_counts = self._by_carrier.setdefault(row.carrier_id, [0, 0])
        carrier_counts[0] += 1
        carrier_counts[1] += converted
        self._messages += 1
        self._converted += converted
        self._revenue += row.charge_micro - row.refund_micro
        self._strata.add_observed(cell, row.carrier_id, converted)
        cost = current.cost(row.carrier_id, row.number)
        self._uncosted += cost is None
        self._cost += (cost or 0) * segments
        price = changed.price(row.account_id, row.number) if changes.prices else None
        price_micro = row.price_micro if price is None else price.micro
        ranked = changed.rank(route_request_of(row), price_micro)
        if ranked is None or not ranked.tiers:
            self._unroutable += 1
            return
        self._would_revenue += price_micro * segments if changes.prices else row.charge_micro - row.refund_micro
        best = ranked.tiers[0]
        for candidate in best.candidates:
            probability = candidate.weight / best.weight
            self._strata.add_expected(cell, candidate.carrier_id, probability)
            cost_micro = changed.cost(candidate.carrier_id, row.number)
            if cost_micro is None:
                self._would_uncosted += probability
            else:
                self._would_cost += probability * cost_micro * segments

    def result(self) -> Replay:
        carriers = [
            ReplayCarrier(
                self._names.get(carrier_id, str(carrier_id)), messages, converted, self._strata.estimate(carrier_id)
            )
            for carrier_id in self._strata.carriers()
            for messages, converted in [self._by_carrier.get(carrier_id, [0, 0])]
        ]
        return Replay(
            self._messages,
            self.unsent,
            self._converted,
            self._cost,
            self._revenue,
            self._uncosted,
            self._strata.estimate(),
            round(self._would_cost),
            self._would_revenue,
            self._would_uncosted,
            self._unroutable,
            tuple(carriers),
        )


class _ReplayLearner:
    """The shares that the learner would have set, from the stored events in their order.

    It observes the carriers that were really used: about others it has no data, as about a new carrier.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._without_shares = self.catalogue = catalogue
        self._learner = RoutingLearner()
        self._adaptive = AdaptiveRouting(random.Random("replay"))  # noqa: S311 - draws of posteriors, repeatable
        self._due = DueDeltas()
        self._updated_s = 0.0

    def observe(self, row: ReplayedMessage) -> None:
        """Observes a message at its submit, and queues its later events."""
        at_s = ids.id_time_ms(row.message_id) / 1000
        if at_s - self._updated_s >= UPDATE_S:
            self._update(at_s)
        cell = cell_of(row)
        cohort = (
            minute_of(row.message_id),
            cell.account_id,
            cell.app_id,
            cell.country,
            cell.network,
            block_of(row.number),
            row.carrier_id,
            row.sender,
        )
        self._learner.observe([Delta(*cohort, submitted=1, sent=1)])
        assert row.sent_at is not None
        sent_s = row.sent_at.timestamp()
        state = MessageState(row.state)
        if TABLE[state].final and row.final_at is not None:
            final_s = row.final_at.timestamp()
            is_delivered = state is MessageState.DELIVERED
            self._due.add(
                final_s,
                Delta(
                    *cohort,
                    delivered=int(is_delivered),
                    undelivered=int(not is_delivered),
                    receipt_bucket=histogram.bucket_of(final_s - sent_s),
                ),
            )
        if row.credited_at is not None:
            credited_s = row.credited_at.timestamp()
            bucket = histogram.bucket_of(credited_s - at_s)
            self._due.add(credited_s, Delta(*cohort, converted=1, conversion_bucket=bucket))

    def _update(self, now_s: float) -> None:
        self._updated_s = now_s
        self._learner.observe(self._due.take(now_s))
        self._learner.update(now_s)
        decisions = self._adaptive.decide(self._without_shares, self._learner, now_s)
        shares = ShareTable({key: decision.shares for key, decision in decisions.items()})
        self.catalogue = self._without_shares.with_shares(shares)


def cell_of(row: ReplayedMessage) -> CellKey:
    return CellKey(row.account_id, row.app_id, row.country, row.mcc + row.mnc)
