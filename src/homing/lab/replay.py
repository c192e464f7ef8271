"""Stored traffic under other prices or another policy: what would it have cost, what would it have converted?"""

import csv
import heapq
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
from homing.store import statements
from homing.store.database import DatabaseConnection
from homing.store.statements.lab import ReplayedMessage

THINK_S: Final = 60.0
"""Of the replayed time, between two thoughts of the learner: the traffic's own time would take its own time."""
COST_COLUMNS: Final = ("carrier", "prefix", "price")
PRICE_COLUMNS: Final = ("prefix", "price")


class ReplayChanges(msgspec.Struct, frozen=True):
    """What is to be different. `costs`: (carrier name, prefix) → micro-units a segment, laid over what is listed;
    `prices`: prefix → micro-units, laid over the general list; `strategy`: of every rule.
    """

    costs: Mapping[tuple[str, str], int] = {}
    prices: Mapping[str, int] = {}
    strategy: Strategy | None = None


class ReplayCarrier(msgspec.Struct, frozen=True):
    """`messages` and `converted` as they were; `would` as they would have been."""

    carrier: str
    messages: int
    converted: int
    would: Estimate


class Replay(msgspec.Struct, frozen=True):
    """Costs in micro-units, at the lists as they are now and as they are changed; a message whose carrier's cost is not
    listed counts under `uncosted` (as it was) and `would_uncosted`. `unroutable`: would have been refused.
    """

    messages: int
    unsent: int
    converted: int
    cost_micro: int
    revenue_micro: int
    uncosted: int
    would: Estimate
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
            found = []
            for row in rows:
                try:
                    prefix = (row["prefix"] or "").strip().replace("*", "")
                    price = money.parse(row["price"] or "")
                    check_prefix(prefix)
                    check_price(price)
                except (ValueError, errors.InvalidInput) as error:
                    raise errors.InvalidInput(f"{path}:{rows.line_num}: {error}") from None
                found.append(((row.get("carrier") or "").strip(), prefix, price))
            return found
    except OSError as error:
        raise errors.InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise errors.InvalidInput(f"{path} is not a CSV file in UTF-8: {error}") from None


async def replay(
    connection: DatabaseConnection, changes: ReplayChanges, since: datetime, until: datetime, account_id: int | None
) -> Replay:
    """Reads the messages of a time one by one and tells what the changed settings would have made of them. `connection`
    is in a transaction. Raises `InvalidInput` for a carrier that there is not.
    """
    names = {row.carrier_id: row.name for row in await statements.admin.carrier_list(connection)}
    unknown = sorted({carrier for carrier, _prefix in changes.costs} - set(names.values()))
    if unknown:
        raise errors.InvalidInput(f"there is no carrier {unknown[0]!r}; `homing carrier list` shows them")
    now, then = await _catalogues(connection, changes, names)
    learnt = _Learnt(then) if changes.strategy is Strategy.ADAPTIVE else None
    books = _Books(names)
    async for row in statements.lab.replay_messages(
        connection,
        first_id=ids.first_id_at(int(since.timestamp() * 1000)),
        beyond_id=ids.first_id_at(int(until.timestamp() * 1000)),
        account_id=account_id,
    ):
        if row.sent_at is None:
            books.unsent += 1
            continue
        catalogue = then
        if learnt is not None:
            learnt.saw(row)
            catalogue = learnt.catalogue
        books.enter(row, now, catalogue, changes)
    return books.whole()


async def _catalogues(
    connection: DatabaseConnection, changes: ReplayChanges, names: Mapping[int, str]
) -> tuple[Catalogue, Catalogue]:
    """The settings as they are and as they are changed. No carrier counts as down."""
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
    now = Catalogue(prices=prices, rules=rules, enabled=carriers, costs=costs)
    then = Catalogue(
        prices=((account, prefix, micro) for (account, prefix), micro in other_prices.items()),
        rules=other_rules,
        enabled=carriers,
        costs=((carrier, prefix, micro) for (carrier, prefix), micro in other_costs.items()),
    )
    return now, then


class _Books:
    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self._strata = Strata()
        self._was: dict[int, list[int]] = {}
        self._messages = self._converted = self._uncosted = self._unroutable = 0
        self._cost = self._revenue = self._would_revenue = 0
        self._would_cost = self._would_uncosted = 0.0
        self.unsent = 0

    def enter(self, row: ReplayedMessage, now: Catalogue, then: Catalogue, changes: ReplayChanges) -> None:
        segments, converted = row.segments, row.credited_at is not None
        cell = cell_of(row)
        was = self._was.setdefault(row.carrier_id, [0, 0])
        was[0] += 1
        was[1] += converted
        self._messages += 1
        self._converted += converted
        self._revenue += row.charge_micro - row.refund_micro
        self._strata.saw(cell, row.carrier_id, converted)
        cost = now.cost(row.carrier_id, row.number)
        self._uncosted += cost is None
        self._cost += (cost or 0) * segments
        price = then.price(row.account_id, row.number) if changes.prices else None
        price_micro = row.price_micro if price is None else price.micro
        ranked = then.rank(route_request_of(row), price_micro)
        if ranked is None or not ranked.tiers:
            self._unroutable += 1
            return
        self._would_revenue += price_micro * segments if changes.prices else row.charge_micro - row.refund_micro
        best = ranked.tiers[0]
        for candidate in best.candidates:
            chance = candidate.weight / best.weight
            self._strata.wants(cell, candidate.carrier_id, chance)
            asks = then.cost(candidate.carrier_id, row.number)
            if asks is None:
                self._would_uncosted += chance
            else:
                self._would_cost += chance * asks * segments

    def whole(self) -> Replay:
        carriers = [
            ReplayCarrier(
                self._names.get(carrier_id, str(carrier_id)), messages, converted, self._strata.of(carrier_id)
            )
            for carrier_id in self._strata.carriers()
            for messages, converted in [self._was.get(carrier_id, [0, 0])]
        ]
        return Replay(
            self._messages,
            self.unsent,
            self._converted,
            self._cost,
            self._revenue,
            self._uncosted,
            self._strata.of(),
            round(self._would_cost),
            self._would_revenue,
            self._would_uncosted,
            self._unroutable,
            tuple(carriers),
        )


class _Learnt:
    """The shares that the learner would have set, hearing the stored facts when they came.

    It hears what the carriers that were really used did: what the others would have done it can only suppose, as it
    would with a new one.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._plain = self.catalogue = catalogue
        self._learner = RoutingLearner()
        self._adaptive = AdaptiveRouting(random.Random("replay"))  # noqa: S311 - draws of posteriors, repeatable
        self._due: list[tuple[float, int, Delta]] = []
        self._thought_s = 0.0
        self._count = 0

    def saw(self, row: ReplayedMessage) -> None:
        """A message at its submit; its later facts wait for their time."""
        at_s = ids.id_time_ms(row.message_id) / 1000
        if at_s - self._thought_s >= THINK_S:
            self._think(at_s)
        cell = cell_of(row)
        which = (
            minute_of(row.message_id),
            cell.account_id,
            cell.app_id,
            cell.country,
            cell.network,
            block_of(row.number),
            row.carrier_id,
            row.sender,
        )
        self._learner.observe([Delta(*which, submitted=1, sent=1)])
        assert row.sent_at is not None
        sent_s = row.sent_at.timestamp()
        state = MessageState(row.state)
        if TABLE[state].final and row.final_at is not None:
            final_s = row.final_at.timestamp()
            is_delivered = state is MessageState.DELIVERED
            self._wait(
                final_s,
                Delta(
                    *which,
                    delivered=int(is_delivered),
                    undelivered=int(not is_delivered),
                    receipt_bucket=histogram.bucket_of(final_s - sent_s),
                ),
            )
        if row.credited_at is not None:
            came_s = row.credited_at.timestamp()
            self._wait(came_s, Delta(*which, converted=1, conversion_bucket=histogram.bucket_of(came_s - at_s)))

    def _wait(self, at_s: float, delta: Delta) -> None:
        self._count += 1
        heapq.heappush(self._due, (at_s, self._count, delta))

    def _think(self, now_s: float) -> None:
        self._thought_s = now_s
        come = []
        while self._due and self._due[0][0] <= now_s:
            come.append(heapq.heappop(self._due)[2])
        self._learner.observe(come)
        self._learner.update(now_s)
        decided = self._adaptive.decide(self._plain, self._learner, now_s)
        self.catalogue = self._plain.with_shares(ShareTable({key: one.shares for key, one in decided.items()}))


def cell_of(row: ReplayedMessage) -> CellKey:
    return CellKey(row.account_id, row.app_id, row.country, row.mcc + row.mnc)
