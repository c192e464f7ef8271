"""The true rates, latencies and costs of carriers by minute. Of the policies only the oracle may read them."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from homing.lab.scenario import HOURS, Receipts, Scenario, ScenarioCarrier, ScenarioChange, micro

RECEIPTS: tuple[Receipts, ...] = ("honest", "fake", "none")
MARGIN = 1.5
"""A country's price over its most expensive carrier, where the scenario gives no price."""


class TrueRates(msgspec.Struct, frozen=True):
    """Arrays by minute from the beginning, index of the country, and index of the carrier."""

    delivered: NDArray[np.float64]  # [minute, country, carrier] probability that a message reaches its person
    latency_s_median: NDArray[np.float64]  # [minute, country, carrier]
    receipts: NDArray[np.int8]  # [minute, country, carrier] index into RECEIPTS
    cost_micro: NDArray[np.int64]  # [minute, country, carrier] micro-units per segment
    price_micro: NDArray[np.int64]  # [country] the customer's price per segment

    def minute(self, at_s: float) -> int:
        return min(int(at_s // 60), len(self.delivered) - 1)


def build(scenario: Scenario, generator: np.random.Generator) -> TrueRates:
    """The tables of one seed; only the drift is random."""
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
            delivered_share = np.full(minutes, carrier.delivered_in.get(country.code, carrier.delivered))
            if carrier.hour_factors:
                delivered_share *= np.array(carrier.hour_factors)[hours.astype(np.int64) % HOURS]
            latency[:, c, k] = carrier.latency_s_median
            receipts[:, c, k] = RECEIPTS.index(carrier.receipts)
            cost[:, c, k] = micro(carrier.prices.get(country.code, carrier.price))
            for change in carrier.changes:
                if not change.countries or country.code in change.countries:
                    extent = _extent(change, hours)
                    delivered_share = _changed(delivered_share, change, extent)
                    is_active = extent > 0
                    if change.latency_s_median is not None:
                        latency[:, c, k] += extent * (change.latency_s_median - latency[:, c, k])
                    if change.receipts is not None:
                        receipts[is_active, c, k] = RECEIPTS.index(change.receipts)
                    if change.price is not None:
                        cost[is_active, c, k] = micro(change.price)
            delivered[:, c, k] = _drifted(delivered_share, walk)
    prices = [
        int(cost[:, c].max() * MARGIN) if country.price is None else micro(country.price)
        for c, country in enumerate(scenario.countries)
    ]
    return TrueRates(delivered, latency, receipts, cost, np.array(prices, np.int64))


def _extent(change: ScenarioChange, hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """The extent to which a change applies at each time, 0..1."""
    progress = (hours - change.from_h) / change.ramp_h if change.ramp_h else np.where(hours >= change.from_h, 1.0, 0.0)
    extent = np.clip(progress, 0.0, 1.0)
    if change.until_h is not None:
        extent[hours >= change.until_h] = 0.0
    return extent


def _changed(
    delivered_share: NDArray[np.float64], change: ScenarioChange, extent: NDArray[np.float64]
) -> NDArray[np.float64]:
    if change.delivered is not None:
        return delivered_share + extent * (change.delivered - delivered_share)
    if change.delivered_factor is not None:
        return delivered_share * (1 - extent * (1 - change.delivered_factor))
    return delivered_share


def _walk(carrier: ScenarioCarrier, minutes: int, generator: np.random.Generator) -> NDArray[np.float64]:
    steps = generator.standard_normal(
        minutes
    )  # drawn for every carrier, so that a carrier's drift does not change the draws of others
    walk: NDArray[np.float64] = np.cumsum(steps) * (carrier.drift / np.sqrt(24 * 60))
    return walk


def _drifted(delivered_share: NDArray[np.float64], walk: NDArray[np.float64]) -> NDArray[np.float64]:
    if not walk.any():
        return delivered_share
    clipped = np.clip(delivered_share, 1e-6, 1 - 1e-6)
    moved = 1 / (1 + np.exp(-(np.log(clipped / (1 - clipped)) + walk)))
    drifted: NDArray[np.float64] = np.where((delivered_share <= 0) | (delivered_share >= 1), delivered_share, moved)
    return drifted
