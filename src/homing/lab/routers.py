"""Routing policies for comparison: baselines in common use, and an oracle that knows the truth."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from homing.lab.catalogues import catalogue, rules_by_network, single_rule
from homing.lab.event_queue import START_MINUTE
from homing.lab.world import World, worth_micro
from homing.model import Strategy
from homing.routing.catalogue import Catalogue
from homing.routing.rules import RouteRule
from homing.statistics.delta import Delta


class Router(Protocol):
    """A routing policy. It observes what carriers and customers report, as in service, and never the truth.

    `listens`: whether it uses deltas at all.
    """

    listens: bool

    def observe(self, deltas: Sequence[Delta]) -> None: ...

    def update(self, now_s: float) -> None:
        """Called before each tick's messages; `now_s` is from the scenario's beginning."""

    def catalogue(self) -> Catalogue: ...


class _CachedCatalogue:
    """A catalogue that is rebuilt when its rules or the carriers' costs change."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._changes = np.any(np.diff(world.truth.cost_micro, axis=0) != 0, axis=(1, 2)).tolist()
        self._minute = -1
        self._catalogue: Catalogue | None = None

    def get(self, rules: Callable[[], Sequence[RouteRule]], minute: int, is_changed: bool) -> Catalogue:
        minute = min(minute, len(self._changes))
        if self._catalogue is None or is_changed or any(self._changes[self._minute : minute]):
            self._catalogue = catalogue(self._world, rules(), minute)
        self._minute = minute
        return self._catalogue


class FixedRouter:
    """Static priority, least cost and round robin: the real strategies, without learning."""

    listens: bool = False

    def __init__(self, world: World, strategy: Strategy) -> None:
        self._cached = _CachedCatalogue(world)
        self._rules = single_rule(world, strategy)
        self._minute = 0

    def observe(self, deltas: Sequence[Delta]) -> None:
        pass

    def update(self, now_s: float) -> None:
        self._minute = int(now_s // 60)

    def catalogue(self) -> Catalogue:
        return self._cached.get(lambda: self._rules, self._minute, False)


class DeliveryRateRouter:
    """Of a network's messages, nine in ten go to the carrier with the highest delivery rate of the last hour, by its
    receipts, and one in ten to the others. Messages of the last two minutes do not count; of equal carriers the
    cheapest is taken.
    """

    listens: bool = True
    WINDOW_MIN: Final = 60
    YOUNG_MIN: Final = 2
    BEST: Final = 0.9

    def __init__(self, world: World) -> None:
        self._world = world
        self._cached = _CachedCatalogue(world)
        self._sent: MinuteCounts = MinuteCounts()
        self._delivered: MinuteCounts = MinuteCounts()
        self._shares: dict[str, Sequence[float]] = {}
        self._minute = -1
        self._is_changed = True

    def observe(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            self._sent.add(delta, delta.sent)
            self._delivered.add(delta, delta.delivered)

    def update(self, now_s: float) -> None:
        minute = int(now_s // 60)
        if minute == self._minute:
            return
        self._minute = minute
        now = START_MINUTE + minute
        carriers = range(1, len(self._world.scenario.carriers) + 1)
        table = self._world.truth.cost_micro  # known to policies: carriers have price lists
        costs = table[min(minute, len(table) - 1)]
        for destination in self._world.destinations:
            sent = self._sent.window(destination.network, now - self.WINDOW_MIN, now - self.YOUNG_MIN)
            delivered = self._delivered.window(destination.network, now - self.WINDOW_MIN, now - self.YOUNG_MIN)
            rates = [(delivered.get(k, 0) + 1) / (sent.get(k, 0) + 1) for k in carriers]
            best = max(carriers, key=lambda k: (round(rates[k - 1], 3), -costs[destination.country_index, k - 1]))
            shares = _favouring(len(rates), best - 1, self.BEST)
            if self._shares.get(destination.network) != shares:
                self._shares[destination.network] = shares
                self._is_changed = True
        self._sent.forget(now - self.WINDOW_MIN)
        self._delivered.forget(now - self.WINDOW_MIN)

    def catalogue(self) -> Catalogue:
        changed, self._is_changed = self._is_changed, False
        equal = [1 / len(self._world.scenario.carriers)] * len(self._world.scenario.carriers)
        return self._cached.get(lambda: rules_by_network(self._world, self._shares, equal), self._minute, changed)


class GovernmentRouter:
    """The published rule of a government sender, for any number of carriers. Shares begin equal. A carrier is slow when
    at least 15 % of its messages of the last 15 minutes had no "delivered" within 5 minutes. While some are slow and
    some are not, each slow one passes 10 points to the others, at most every 5 minutes; otherwise shares drift back to
    equal, 10 points in 15 minutes. Messages younger than 5 minutes do not count.
    """

    listens: bool = True
    SLOW_SHARE: Final = 0.15
    SLOW_MIN: Final = 5
    WINDOW_MIN: Final = 15
    POINTS: Final = 0.10
    PAUSE_MIN: Final = 5
    MESSAGES_MIN: Final = 20

    def __init__(self, world: World) -> None:
        self._world = world
        self._cached = _CachedCatalogue(world)
        count = len(world.scenario.carriers)
        self._equal = 1 / count
        self._shares = [self._equal] * count
        self._sent = MinuteCounts()
        self._in_time = MinuteCounts()
        self._minute = -1
        self._moved_at = self._drifted_at = -self.WINDOW_MIN
        self._is_changed = True
        self._now_minute = START_MINUTE

    def observe(self, deltas: Sequence[Delta]) -> None:
        for delta in deltas:
            self._sent.add(delta, delta.sent)
            if self._now_minute - delta.minute <= self.SLOW_MIN:
                self._in_time.add(delta, delta.delivered)

    def update(self, now_s: float) -> None:
        minute = int(now_s // 60)
        if minute == self._minute:
            return
        self._minute, self._now_minute = minute, START_MINUTE + minute
        since, until = self._now_minute - self.WINDOW_MIN, self._now_minute - self.SLOW_MIN
        sent, in_time = self._sent.window(None, since, until), self._in_time.window(None, since, until)
        slow = [
            sent.get(k, 0) >= self.MESSAGES_MIN and 1 - in_time.get(k, 0) / sent[k] >= self.SLOW_SHARE
            for k in range(1, len(self._shares) + 1)
        ]
        if any(slow) and not all(slow):
            if minute - self._moved_at >= self.PAUSE_MIN:
                self._move(slow)
                self._moved_at = self._drifted_at = minute
        elif minute - max(self._moved_at, self._drifted_at) >= self.WINDOW_MIN:
            self._drift()
            self._drifted_at = minute
        self._sent.forget(since)
        self._in_time.forget(since)

    def _move(self, slow: Sequence[bool]) -> None:
        for k, is_slow in enumerate(slow):
            if is_slow:
                points = min(self.POINTS, self._shares[k])
                self._shares[k] -= points
                for other, other_slow in enumerate(slow):
                    if not other_slow:
                        self._shares[other] += points / slow.count(False)
        self._is_changed = True

    def _drift(self) -> None:
        distance_max = max(abs(share - self._equal) for share in self._shares)
        if distance_max > 0:
            part = min(1.0, self.POINTS / distance_max)
            self._shares = [share + (self._equal - share) * part for share in self._shares]
            self._is_changed = True

    def catalogue(self) -> Catalogue:
        changed, self._is_changed = self._is_changed, False
        return self._cached.get(
            lambda: single_rule(self._world, Strategy.WEIGHTED, self._shares), self._minute, changed
        )


class OracleRouter:
    """Knows every carrier's true rates at each minute, and takes the best one by the objective: of the carriers whose
    conversion rate is at least `quality_floor` of the best rate, the lowest cost per conversion; with a worth, the
    highest worth x rate - cost. A carrier that must not have too much gets a little less than that, and the second
    best the rest. What second messages do to the rates is left out.
    """

    LOAD_MARGIN: Final = 0.9
    """Of the share above which a carrier is overloaded, what it gets: the shares of five minutes vary."""

    listens: bool = False

    def __init__(self, world: World) -> None:
        self._world = world
        self._cached = _CachedCatalogue(world)
        self._best, self._second = best_carriers(world)
        self._changes = np.any(np.diff(self._best, axis=0) != 0, axis=1).tolist()
        self._load_share_max = [
            carrier.load_share_max if carrier.load_factor < 1 else 1.0 for carrier in world.scenario.carriers
        ]
        self._minute = -1
        self._is_changed = True

    def observe(self, deltas: Sequence[Delta]) -> None:
        pass

    def update(self, now_s: float) -> None:
        minute = min(int(now_s // 60), len(self._changes))
        self._is_changed |= self._minute < 0 or any(self._changes[self._minute : minute])
        self._minute = minute

    def catalogue(self) -> Catalogue:
        changed, self._is_changed = self._is_changed, False
        return self._cached.get(self._rules, self._minute, changed)

    def _rules(self) -> Sequence[RouteRule]:
        count = len(self._world.scenario.carriers)
        shares: dict[str, Sequence[float]] = {}
        chosen = zip(
            self._world.destinations,
            self._best[self._minute].tolist(),
            self._second[self._minute].tolist(),
            strict=False,  # attacks find new destinations, which have no best carrier
        )
        for destination, best, second in chosen:
            load = self._load_share_max[best]
            of_best = 1.0 if load == 1 else load * self.LOAD_MARGIN
            of_all = [0.0] * count
            of_all[second] += 1 - of_best
            of_all[best] += of_best
            shares[destination.network] = of_all
        return rules_by_network(self._world, shares, [1 / count] * count)


def best_carriers(world: World) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[minute, destination]: the indexes of the best and the second best carrier by the objective. Reads the truth."""
    truth, scenario = world.truth, world.scenario
    sigma = np.array([carrier.latency_s_sigma for carrier in scenario.carriers])
    in_time = _normal((np.log(scenario.people.code_valid_s) - np.log(truth.latency_s_median)) / np.maximum(sigma, 1e-9))
    shares = np.array([app.share for app in scenario.apps])
    conversion = float((np.array([app.conversion for app in scenario.apps]) * shares).sum() / shares.sum())
    country = [destination.country_index for destination in world.destinations]
    first = np.array([carrier.first_factor for carrier in scenario.carriers])
    rate = (truth.delivered * in_time * conversion * first)[:, country] * world.prefix_factors()
    cost = truth.cost_micro[:, country].astype(np.float64)
    too_expensive = cost > truth.price_micro[country][None, :, None]
    worth = worth_micro(scenario)
    if worth is not None:
        loss = np.where(too_expensive, np.inf, cost - worth * rate)
    else:
        usable_rate = np.where(too_expensive, 0.0, rate)
        floor = scenario.quality_floor * usable_rate.max(axis=2, keepdims=True)
        loss = np.where(~too_expensive & (usable_rate >= floor), cost / np.maximum(rate, 1e-12), np.inf)
    best: NDArray[np.int64] = np.argmin(loss, axis=2)
    np.put_along_axis(loss, best[:, :, None], np.inf, axis=2)
    second: NDArray[np.int64] = np.argmin(loss, axis=2)
    return best, second


class MinuteCounts:
    """Counts by network, minute of submit and carrier."""

    def __init__(self) -> None:
        self._by_network: defaultdict[str, defaultdict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, delta: Delta, count: int) -> None:
        if count:
            counts = self._by_network[delta.network][delta.minute]
            counts[delta.carrier_id] = counts.get(delta.carrier_id, 0) + count

    def window(self, network: str | None, since: int, until: int) -> Mapping[int, int]:
        """Counts by carrier of the minutes in [since, until), of one network or of all."""
        total: dict[int, int] = {}
        networks: Iterable[str] = [*self._by_network] if network is None else [network]
        for name in networks:
            for minute, counts in self._by_network[name].items():
                if since <= minute < until:
                    for carrier, count in counts.items():
                        total[carrier] = total.get(carrier, 0) + count
        return total

    def forget(self, before: int) -> None:
        for minutes in self._by_network.values():
            for minute in [minute for minute in minutes if minute < before]:
                del minutes[minute]


def _favouring(count: int, best: int, share: float) -> tuple[float, ...]:
    """`share` for the best of `count` carriers, the rest in equal parts for the others."""
    rest = (1 - share) / (count - 1) if count > 1 else 0.0
    return tuple(1.0 if count == 1 else share if k == best else rest for k in range(count))


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard normal distribution function (Abramowitz and Stegun 26.2.17; error below 1e-7)."""
    t = 1 / (1 + 0.2316419 * np.abs(values))
    poly = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-(values**2) / 2) / np.sqrt(2 * np.pi) * poly
    whole: NDArray[np.float64] = np.where(values >= 0, 1 - tail, tail)
    return whole
