"""Carriers whose receipts are not to be believed, from figures alone. Pure.

Three signs: what they call delivered converts incredibly seldom beside their peers in the same cells; their receipts
come faster than a handset can answer; or they come all at the same time after the submit, while the peers' do not.
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
RATIO_MAX: Final = 0.6  # of what peers yield: above it a carrier is worse, not a liar
PROMISED_MIN: Final = 20.0  # conversions that the receipts promise
PEERS_MIN: Final = 20.0  # conversions on which that rests
RECEIPTS_MIN: Final = 300.0
FAST_SHARE: Final = 0.5  # of receipts within the first bucket, a second
REGULAR_SHARE: Final = 0.98  # of receipts in one bucket
PEER_SHARE_MAX: Final = 0.9
DELIVERED_MIN: Final = 0.8  # who admits losses is no liar


class ReceiptYield(msgspec.Struct, frozen=True):
    """What is remembered of a carrier: `converted` messages of those that its receipts call delivered, and how many the
    yield of its peers in the same cells would have made of them (`promised`), which rests on `peers` conversions.
    `times`: its receipts by bucket (common/histogram.py).
    """

    carrier_id: int
    delivered_rate: float
    converted: float
    promised: float
    peers: float
    times: Sequence[float]


class FakeReceiptSign(msgspec.Struct, frozen=True):
    """A sign that a carrier's receipts are made up, with what it rests on."""

    carrier_id: int
    kind: str
    reason: Reason


def find_fakes(yields: Sequence[ReceiptYield]) -> list[FakeReceiptSign]:
    """The carriers to be asked. A finding is a reason to look at messages, not a proof."""
    found = []
    for one in yields:
        others = [other for other in yields if other.carrier_id != one.carrier_id and sum(other.times) >= RECEIPTS_MIN]
        found += [sign for sign in (_unconverted(one), _fast(one, others), _regular(one, others)) if sign is not None]
    return found


def bayes_factor(converted: float, promised: float, peers: float) -> float:
    """How much better a carrier that lies (a true ratio anywhere below RATIO_MAX) explains what came than an honest
    one, whose ratio is 1 give or take a tenth, and what the peers' own count leaves open.
    """
    spread = (0.01 + 1.0 / max(1.0, peers)) ** 0.5

    def likelihood(ratio: float) -> float:
        return converted * log(ratio) - promised * ratio

    lying = [likelihood(RATIO_MAX * (step + 0.5) / 30) for step in range(30)]
    honest_ratios = [1.0 + spread * (step - 10) / 5 for step in range(21)]
    honest = [
        (likelihood(ratio), exp(-0.5 * ((ratio - 1.0) / spread) ** 2))
        for ratio in honest_ratios
        if ratio > RATIO_MAX / 2
    ]
    top = max(*lying, *(value for value, _weight in honest))
    lies = sum(exp(value - top) for value in lying) / len(lying)
    truth = sum(exp(value - top) * weight for value, weight in honest) / sum(weight for _value, weight in honest)
    return min(1e12, lies / max(truth, 1e-300))


def _unconverted(one: ReceiptYield) -> FakeReceiptSign | None:
    if one.promised < PROMISED_MIN or one.peers < PEERS_MIN or one.delivered_rate < DELIVERED_MIN:
        return None
    ratio = one.converted / one.promised
    factor = bayes_factor(one.converted, one.promised, one.peers)
    if ratio > RATIO_MAX or factor < BAYES_FACTOR_MIN:
        return None
    return FakeReceiptSign(
        one.carrier_id,
        UNCONVERTED,
        Reason.of(
            ReasonCode.RECEIPTS_UNCONVERTED,
            conversions=round(one.converted, 1),
            expected=round(one.promised, 1),
            ratio_ppm=ppm(ratio),
            bayes_factor=rounded(factor),
            delivered_ppm=ppm(one.delivered_rate),
            peers_conversions=round(one.peers, 1),
        ),
    )


def _shares(times: Sequence[float]) -> list[float]:
    total = sum(times)
    return [count / total for count in times]


def _fast(one: ReceiptYield, others: Sequence[ReceiptYield]) -> FakeReceiptSign | None:
    if sum(one.times) < RECEIPTS_MIN or one.delivered_rate < DELIVERED_MIN or not others:
        return None
    share = _shares(one.times)[0]
    peer = max(_shares(other.times)[0] for other in others)
    if share < FAST_SHARE or peer > FAST_SHARE / 2:
        return None
    return FakeReceiptSign(
        one.carrier_id,
        FAST,
        Reason.of(
            ReasonCode.RECEIPTS_TOO_FAST,
            share_ppm=ppm(share),
            receipts=round(sum(one.times)),
            peers_share_max_ppm=ppm(peer),
        ),
    )


def _regular(one: ReceiptYield, others: Sequence[ReceiptYield]) -> FakeReceiptSign | None:
    if sum(one.times) < RECEIPTS_MIN or one.delivered_rate < DELIVERED_MIN or not others:
        return None
    share = max(_shares(one.times)[:12])  # up to half an hour: the later buckets are too wide to tell
    peer = max(max(_shares(other.times)) for other in others)
    if share < REGULAR_SHARE or peer > PEER_SHARE_MAX:
        return None
    return FakeReceiptSign(
        one.carrier_id,
        REGULAR,
        Reason.of(
            ReasonCode.RECEIPTS_TOO_EVEN,
            share_ppm=ppm(share),
            receipts=round(sum(one.times)),
            peers_share_max_ppm=ppm(peer),
        ),
    )
