"""The estimate of a carrier's conversion rate in one cell."""

from math import exp, log, sqrt

import msgspec

from homing.common.confidence import Z_95


class Posterior(msgspec.Struct, frozen=True):
    """One carrier in one cell at one moment. Rates are conversions per message that the carrier accepted, 0..1.

    `trials` is the exposure: messages, each counted by the share of conversions that comes by its age. The posterior is
    Beta(`alpha`, `beta`) with the given `mean`; [`low`, `high`] is its central 95 % interval. `source`: "conversions",
    "repeats" or "receipts" (the app does not report conversions), or "prior" (the cell has no data of its own).
    """

    carrier_id: int
    trials: float
    conversions: float
    mean: float
    low: float
    high: float
    alpha: float
    beta: float
    delivered_rate: float | None
    source: str


def interval(alpha: float, beta: float) -> tuple[float, float]:
    """The central 95 % of Beta(alpha, beta), approximated by a normal on the logit."""
    middle = log(alpha / beta)
    spread = Z_95 * sqrt(1.0 / alpha + 1.0 / beta)
    return 1.0 / (1.0 + exp(spread - middle)), 1.0 / (1.0 + exp(-spread - middle))
