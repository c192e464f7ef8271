"""Whether a carrier has changed: recent successes against those that its memory predicts. Pure."""

from collections.abc import Iterable, Sequence
from math import copysign, log
from typing import Final

import msgspec

from homing.learning.memory import CHANNELS, WINDOWS_MIN, CarrierMemory

EXPECTED_MIN: Final = 0.25  # expected successes below which a window is not examined
SUPPORT_MAX: Final = 200.0  # no expectation is more exact: delays and rates vary by some percent


class ChangeSample(msgspec.Struct, gc=False):
    """One carrier of one cell in one of WINDOWS_MIN: observed and expected successes, with the bounds of the latter.

    `support`: the successes that the expectation is based on. `cell`: observed and expected successes of all the cell's
    carriers; samples of a cell and window share the list.
    """

    observed: float
    expected: float
    support: float
    expected_min: float
    expected_max: float
    cell: list[float]


class ChangeWindow(msgspec.Struct, gc=False):
    """A sum of samples of one carrier, beside its peers in the same cells."""

    observed: float = 0.0
    expected: float = 0.0
    peers_observed: float = 0.0
    peers_expected: float = 0.0
    support: float = 0.0
    expected_min: float = 0.0
    expected_max: float = 0.0

    def add(self, sample: ChangeSample) -> None:
        observed, expected = sample.cell
        self.observed += sample.observed
        self.expected += sample.expected
        self.peers_observed += max(0.0, observed - sample.observed)
        self.peers_expected += max(0.0, expected - sample.expected)
        self.support += sample.support
        self.expected_min += sample.expected_min
        self.expected_max += sample.expected_max

    def evidence(self, drift_strength: float) -> float:
        """The signed log likelihood ratio of a change of this carrier alone; negative for a fall.

        The smaller of two ratios: against the carrier's own memory, and against its peers given the sum of successes.
        Where the rate changes for all carriers the second is near zero; where a peer has changed, the first. As a prior
        against a change of the whole cell's rate, a peer with `drift_strength` expected successes that never changes is
        added. An expectation with little support counts for little.
        """
        observed = self.observed
        if observed < self.expected_min:
            expected = self.expected_min
        else:
            expected = self.expected_max if observed > self.expected_max else 0.0
        if expected <= 0.0:
            return 0.0
        own_ratio = (observed * log(observed / expected) if observed > 0 else 0.0) - observed + expected
        peers_observed, peers_expected = self.peers_observed + drift_strength, self.peers_expected + drift_strength
        total = self.observed + peers_observed
        due = total * expected / (expected + peers_expected)
        peers_ratio = (self.observed * log(self.observed / due) if self.observed > 0 else 0.0) + peers_observed * log(
            peers_observed / (total - due)
        )
        if (observed - due) * (observed - expected) <= 0:
            return 0.0
        peers_ratio *= self.support / (self.support + expected)
        support = min(self.support, SUPPORT_MAX)
        return copysign(min(peers_ratio, own_ratio * support / (support + expected)), observed - due)

    def factor(self, drift_strength: float) -> float:
        """The change of the carrier's rate relative to its peers'."""
        drift = (self.peers_observed + drift_strength) / (self.peers_expected + drift_strength)
        return (self.observed + 2.0) / (self.expected * drift + 2.0)


class CarrierChange(msgspec.Struct, frozen=True):
    """A change that a window shows: since which minute, by which factor, with which evidence."""

    from_minute: int
    window: int  # index in WINDOWS_MIN
    factor: float
    evidence: float


def samples_of(carriers: list[tuple[CarrierMemory, float, float]], channel: int) -> list[list[ChangeSample] | None]:
    """For each carrier of a cell (memory, prior mean, prior strength) its samples by window; None for a carrier without
    traffic in them.
    """
    assert channel in CHANNELS
    samples_by_carrier: list[list[ChangeSample] | None] = []
    cells = [[0.0, 0.0] for _length in WINDOWS_MIN]
    for memory, prior_mean, prior_strength in carriers:
        sums = memory.sums[channel]
        if not sums.windows or (sums.windows[-1][0] <= 0 and sums.windows[-1][1] <= 0):
            samples_by_carrier.append(None)
            continue
        samples = []
        successes_all, trials_all, prior_successes = sums.successes, sums.trials, prior_mean * prior_strength
        for (observed, trials, trials_min, trials_max), cell in zip(sums.windows, cells, strict=True):
            support = prior_successes + (successes_all - observed if successes_all > observed else 0.0)
            rate = support / (prior_strength + (trials_all - trials if trials_all > trials else 0.0))
            if rate > 1.0:
                rate = 1.0
            if observed < 0.0:
                observed = 0.0
            expected = trials * rate
            cell[0] += observed
            cell[1] += expected
            samples.append(
                ChangeSample(
                    observed, max(expected, 1e-9), max(support, 1e-9), trials_min * rate, trials_max * rate, cell
                )
            )
        samples_by_carrier.append(samples)
    return samples_by_carrier


def strongest(
    members: Sequence[list[ChangeSample]], now_minute: int, since_minute: int, drift_strength: float, limit: float
) -> CarrierChange | None:
    """The change with the most evidence over all windows that begin after a minute. `members`: a carrier's samples by
    window, in one cell or in several together. None when no window has evidence of `limit` or more.
    """
    best: CarrierChange | None = None
    for n, length in enumerate(WINDOWS_MIN):
        from_minute = now_minute - length + 1
        if from_minute <= since_minute:
            break
        observed = expected_min = expected_max = 0.0
        for samples in members:
            sample = samples[n]
            observed += sample.observed
            expected_min += sample.expected_min
            expected_max += sample.expected_max
        expected = expected_min if observed < expected_min else expected_max
        # The evidence of x where m was expected is at most x ln(x/m) - x + m, and that at most (x - m)^2 / m.
        if expected_min <= observed <= expected_max or (observed - expected) ** 2 < limit * expected:
            continue
        window = window_of(samples[n] for samples in members)
        if window.expected < EXPECTED_MIN and window.observed < 1.0:
            continue
        evidence = window.evidence(drift_strength)
        if abs(evidence) >= limit and (best is None or abs(evidence) > abs(best.evidence)):
            best = CarrierChange(from_minute, n, window.factor(drift_strength), evidence)
    return best


def window_of(samples: Iterable[ChangeSample]) -> ChangeWindow:
    window = ChangeWindow()
    for sample in samples:
        window.add(sample)
    return window
