"""What a belief is about, and what it says: an app's messages to a network, and a carrier's chances with them."""

import msgspec


class CellKey(msgspec.Struct, frozen=True):
    """An app's messages to a network. `network` '' stands for a country, `country` '' for everywhere."""

    account_id: int
    app_id: str
    country: str
    network: str


class Posterior(msgspec.Struct, frozen=True):
    """One carrier in one cell, at one moment. Rates are of conversions given that it took the message.

    `trials` are messages as far as their silence counts. Beta(`alpha`, `beta`) is what is drawn from, [`low`, `high`]
    its middle 95 %. `source`: "conversions", "receipts" (the app does not report conversions), or "prior" (nothing of
    its own).
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
