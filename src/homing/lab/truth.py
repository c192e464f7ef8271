"""What is true of carriers at each minute: the tables that the world draws from, and that the oracle alone may read."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.scenario import Receipts, Scenario, ScenarioCarrier, ScenarioChange, micro

RECEIPTS: tuple[Receipts, ...] = ("honest", "fake", "none")
MARGIN = 1.5
"""Of a country's price over its dearest carrier, where the scenario names none."""


class TrueRates(msgspec.Struct, frozen=True):
    """By minute from the beginning, country (as listed) and carrier (as listed)."""

    delivered: NDArray[np.float64]  # [minute, country, carrier] chance that a message reaches its person
    latency_s_median: NDArray[np.float64]  # [minute, country, carrier]
    receipts: NDArray[np.int8]  # [minute, country, carrier] index into RECEIPTS
    cost_micro: NDArray[np.int64]  # [minute, country, carrier] a segment
    price_micro: NDArray[np.int64]  # [country] what the customer pays a segment

    def minute(self, at_s: float) -> int:
        return min(int(at_s // 60), len(self.delivered) - 1)


def build(scenario: Scenario, generator: np.random.Generator) -> TrueRates:
    """The tables of one seed: drift is the only thing in them that is drawn."""
    minutes = int(np.ceil(scenario.hours * 60)) + 1
    hours = np.arange(minutes) / 60
    shape = (minutes, len(scenario.countries), len(scenario.carriers))
    delivered = np.empty(shape)
    latency = np.empty(shape)
    receipts = np.empty(shape, np.int8)
    cost = np.empty(shape, np.int64)
    for k, carrier in enumerate(scenario.carriers):
        walk = _walk(carrier, minutes, generator)
        for c, country in enumerate(scenario.countries):
            chance = np.full(minutes, carrier.delivered_in.get(country.code, carrier.delivered))
            latency[:, c, k] = carrier.latency_s_median
            receipts[:, c, k] = RECEIPTS.index(carrier.receipts)
            cost[:, c, k] = micro(carrier.prices.get(country.code, carrier.price))
            for change in carrier.changes:
                if not change.countries or country.code in change.countries:
                    part = _part(change, hours)
                    chance = _changed(chance, change, part)
                    on = part > 0
                    if change.latency_s_median is not None:
                        latency[:, c, k] += part * (change.latency_s_median - latency[:, c, k])
                    if change.receipts is not None:
                        receipts[on, c, k] = RECEIPTS.index(change.receipts)
                    if change.price is not None:
                        cost[on, c, k] = micro(change.price)
            delivered[:, c, k] = _drifted(chance, walk)
    prices = [
        int(cost[:, c].max() * MARGIN) if country.price is None else micro(country.price)
        for c, country in enumerate(scenario.countries)
    ]
    return TrueRates(delivered, latency, receipts, cost, np.array(prices, np.int64))


def _part(change: ScenarioChange, hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of a change holds at each time, 0..1."""
    risen = (hours - change.from_h) / change.ramp_h if change.ramp_h else np.where(hours >= change.from_h, 1.0, 0.0)
    part = np.clip(risen, 0.0, 1.0)
    if change.until_h is not None:
        part[hours >= change.until_h] = 0.0
    return part


def _changed(chance: NDArray[np.float64], change: ScenarioChange, part: NDArray[np.float64]) -> NDArray[np.float64]:
    if change.delivered is not None:
        return chance + part * (change.delivered - chance)
    if change.delivered_factor is not None:
        return chance * (1 - part * (1 - change.delivered_factor))
    return chance


def _walk(carrier: ScenarioCarrier, minutes: int, generator: np.random.Generator) -> NDArray[np.float64]:
    steps = generator.standard_normal(minutes)  # drawn for every carrier, so that one's drift leaves the others' alone
    walk: NDArray[np.float64] = np.cumsum(steps) * (carrier.drift / np.sqrt(24 * 60))
    return walk


def _drifted(chance: NDArray[np.float64], walk: NDArray[np.float64]) -> NDArray[np.float64]:
    if not walk.any():
        return chance
    inside = np.clip(chance, 1e-6, 1 - 1e-6)
    moved = 1 / (1 + np.exp(-(np.log(inside / (1 - inside)) + walk)))
    walked: NDArray[np.float64] = np.where((chance <= 0) | (chance >= 1), chance, moved)
    return walked
