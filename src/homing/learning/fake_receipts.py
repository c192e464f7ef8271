"""Carriers whose receipts may be fake, from figures alone. Pure.

Three signs: messages reported as delivered convert far less often than those of peers in the same cells; receipts come
faster than a handset can answer; or all receipts come at the same delay while those of peers do not.
"""

from collections.abc import Sequence
from math import exp, log
from typing import Final

import msgspec

from homing.reasons import Reason, ReasonCode, ppm, rounded

UNCONVERTED: Final = "unconverted"
FAST: Final = "fast"
REGULAR: Final = "regular"

BAYES_FACTOR_MIN: Final = 1_000.0
RATIO_MAX: Final = 0.6  # conversions relative to peers: above it a carrier is worse, not dishonest
EXPECTED_MIN: Final = 20.0  # conversions expected of the delivered messages
PEERS_MIN: Final = 20.0  # conversions of peers that the expectation is based on
RECEIPTS_MIN: Final = 300.0
FAST_SHARE: Final = 0.5  # of receipts in the first bucket, a second
REGULAR_SHARE: Final = 0.98  # of receipts in one bucket
PEER_SHARE_MAX: Final = 0.9
DELIVERED_MIN: Final = 0.8  # a carrier that reports losses is not faking


class ReceiptYield(msgspec.Struct, frozen=True):
    """A carrier's conversions of messages that its receipts report as delivered.

    `expected`: the conversions of as many delivered messages of its peers in the same cells, which had
    `peer_conversions`. `delays`: receipts by bucket (common/histogram.py).
    """

    carrier_id: int
    delivered_rate: float
    conversions: float
    expected: float
    peer_conversions: float
    delays: Sequence[float]


class FakeReceiptSign(msgspec.Struct, frozen=True):
    """A sign that a carrier's receipts are fake. `kind`: UNCONVERTED, FAST or REGULAR."""

    carrier_id: int
    kind: str
    reason: Reason


def find_fakes(yields: Sequence[ReceiptYield]) -> list[FakeReceiptSign]:
    """The signs of all carriers. A sign is a reason to examine messages, not a proof."""
    signs: list[FakeReceiptSign] = []
    for carrier in yields:
        peers = [peer for peer in yields if peer.carrier_id != carrier.carrier_id and sum(peer.delays) >= RECEIPTS_MIN]
        checked = (_unconverted(carrier), _fast(carrier, peers), _regular(carrier, peers))
        signs += [sign for sign in checked if sign is not None]
    return signs


def bayes_factor(conversions: float, expected: float, peer_conversions: float) -> float:
    """How much better fake receipts explain the conversions than honest ones.

    Fake: a true ratio of conversions to expected ones anywhere below RATIO_MAX. Honest: a ratio of 1, with a standard
    deviation of a tenth and the uncertainty of the peers' count.
    """
    spread = (0.01 + 1.0 / max(1.0, peer_conversions)) ** 0.5

    def log_likelihood(ratio: float) -> float:
        return conversions * log(ratio) - expected * ratio

    fake = [log_likelihood(RATIO_MAX * (step + 0.5) / 30) for step in range(30)]
    honest_ratios = [1.0 + spread * (step - 10) / 5 for step in range(21)]
    honest = [
        (log_likelihood(ratio), exp(-0.5 * ((ratio - 1.0) / spread) ** 2))
        for ratio in honest_ratios
        if ratio > RATIO_MAX / 2
    ]
    top = max(*fake, *(value for value, _weight in honest))
    fake_mean = sum(exp(value - top) for value in fake) / len(fake)
    honest_mean = sum(exp(value - top) * weight for value, weight in honest) / sum(weight for _value, weight in honest)
    return min(1e12, fake_mean / max(honest_mean, 1e-300))


def _unconverted(carrier: ReceiptYield) -> FakeReceiptSign | None:
    if (
        carrier.expected < EXPECTED_MIN
        or carrier.peer_conversions < PEERS_MIN
        or carrier.delivered_rate < DELIVERED_MIN
    ):
        return None
    ratio = carrier.conversions / carrier.expected
    factor = bayes_factor(carrier.conversions, carrier.expected, carrier.peer_conversions)
    if ratio > RATIO_MAX or factor < BAYES_FACTOR_MIN:
        return None
    return FakeReceiptSign(
        carrier.carrier_id,
        UNCONVERTED,
        Reason.of(
            ReasonCode.RECEIPTS_UNCONVERTED,
            conversions=round(carrier.conversions, 1),
            expected=round(carrier.expected, 1),
            ratio_ppm=ppm(ratio),
            bayes_factor=rounded(factor),
            delivered_ppm=ppm(carrier.delivered_rate),
            peers_conversions=round(carrier.peer_conversions, 1),
        ),
    )


def _shares(delays: Sequence[float]) -> list[float]:
    total = sum(delays)
    return [count / total for count in delays]


def _fast(carrier: ReceiptYield, peers: Sequence[ReceiptYield]) -> FakeReceiptSign | None:
    if sum(carrier.delays) < RECEIPTS_MIN or carrier.delivered_rate < DELIVERED_MIN or not peers:
        return None
    share = _shares(carrier.delays)[0]
    peer_max = max(_shares(peer.delays)[0] for peer in peers)
    if share < FAST_SHARE or peer_max > FAST_SHARE / 2:
        return None
    return FakeReceiptSign(
        carrier.carrier_id,
        FAST,
        Reason.of(
            ReasonCode.RECEIPTS_TOO_FAST,
            share_ppm=ppm(share),
            receipts=round(sum(carrier.delays)),
            peers_share_max_ppm=ppm(peer_max),
        ),
    )


def _regular(carrier: ReceiptYield, peers: Sequence[ReceiptYield]) -> FakeReceiptSign | None:
    if sum(carrier.delays) < RECEIPTS_MIN or carrier.delivered_rate < DELIVERED_MIN or not peers:
        return None
    share = max(_shares(carrier.delays)[:12])  # up to half an hour: later buckets are too wide to show regularity
    peer_max = max(max(_shares(peer.delays)) for peer in peers)
    if share < REGULAR_SHARE or peer_max > PEER_SHARE_MAX:
        return None
    return FakeReceiptSign(
        carrier.carrier_id,
        REGULAR,
        Reason.of(
            ReasonCode.RECEIPTS_TOO_EVEN,
            share_ppm=ppm(share),
            receipts=round(sum(carrier.delays)),
            peers_share_max_ppm=ppm(peer_max),
        ),
    )
