"""Whether a carrier has changed: what came lately against what the memory before it leads to expect. Pure."""

from collections.abc import Iterable, Sequence
from math import copysign, log
from typing import Final

import msgspec

from homing.learning.memory import CHANNELS, WINDOWS_MIN, CarrierMemory

NOTHING: Final = 0.25  # expected successes below which a window is not looked at
KNOWN_MAX: Final = 200.0  # an expectation is off by some percent in any case: times and rates wander


class ChangeSample(msgspec.Struct, gc=False):
    """One carrier of one cell in one of WINDOWS_MIN: `came` of `expected`, which may be as few as `least` and as many
    as `most`. `known`: the successes on which the expectation rests. `cell`: what came and was expected of all the
    cell's carriers together.
    """

    came: float
    expected: float
    known: float
    least: float
    most: float
    cell: list[float]


class ChangeWindow(msgspec.Struct, gc=False):
    """The sum of some parts: `came` of `expected` at one carrier, beside those of its peers in the same cells."""

    came: float = 0.0
    expected: float = 0.0
    peers_came: float = 0.0
    peers_expected: float = 0.0
    known: float = 0.0
    least: float = 0.0  # that `expected` may be
    most: float = 0.0

    def add(self, part: ChangeSample) -> None:
        came, expected = part.cell
        self.came += part.came
        self.expected += part.expected
        self.peers_came += max(0.0, came - part.came)
        self.peers_expected += max(0.0, expected - part.expected)
        self.known += part.known
        self.least += part.least
        self.most += part.most

    def evidence(self, drift_strength: float) -> float:
        """The signed log likelihood ratio of a change of this carrier alone: below zero for a fall.

        The smaller of two: against its own memory, and against its peers, conditional on what came in all. Where the
        rate moves for everybody the second says nothing; where a peer has moved the first does not. That the rate moves
        for everybody is held against by `drift_strength` expected successes of a peer that never changes. An
        expectation that rests on little counts for little.
        """
        came = self.came
        expected = self.least if came < self.least else self.most if came > self.most else 0.0
        if expected <= 0.0:
            return 0.0
        alone = (came * log(came / expected) if came > 0 else 0.0) - came + expected
        peers_came, peers_expected = self.peers_came + drift_strength, self.peers_expected + drift_strength
        total = self.came + peers_came
        due = total * expected / (expected + peers_expected)
        ratio = (self.came * log(self.came / due) if self.came > 0 else 0.0) + peers_came * log(
            peers_came / (total - due)
        )
        if (came - due) * (came - expected) <= 0:
            return 0.0
        ratio *= self.known / (self.known + expected)
        known = min(self.known, KNOWN_MAX)
        return copysign(min(ratio, alone * known / (known + expected)), came - due)

    def factor(self, drift_strength: float) -> float:
        """By how much the carrier's rate has changed beside its peers'."""
        drift = (self.peers_came + drift_strength) / (self.peers_expected + drift_strength)
        return (self.came + 2.0) / (self.expected * drift + 2.0)


class CarrierChange(msgspec.Struct, frozen=True):
    """What a window showed: since which minute, by which factor, how surely."""

    from_minute: int
    length: int  # index in WINDOWS_MIN
    factor: float
    evidence: float


def windows_of(arms: list[tuple[CarrierMemory, float, float]], channel: int) -> list[list[ChangeSample] | None]:
    """For each carrier of a cell (with its prior's mean and strength) its part of each window; None for one without
    traffic in them.
    """
    assert channel in CHANNELS
    listed: list[list[ChangeSample] | None] = []
    cells = [[0.0, 0.0] for _length in WINDOWS_MIN]
    for arm, prior, prior_strength in arms:
        sums = arm.sums[channel]
        if not sums.windows or (sums.windows[-1][0] <= 0 and sums.windows[-1][1] <= 0):
            listed.append(None)
            continue
        parts = []
        successes_all, trials_all, prior_successes = sums.successes, sums.trials, prior * prior_strength
        for (came, trials, least, most), cell in zip(sums.windows, cells, strict=True):
            known = prior_successes + (successes_all - came if successes_all > came else 0.0)
            rate = known / (prior_strength + (trials_all - trials if trials_all > trials else 0.0))
            if rate > 1.0:
                rate = 1.0
            if came < 0.0:
                came = 0.0
            expected = trials * rate
            cell[0] += came
            cell[1] += expected
            parts.append(ChangeSample(came, max(expected, 1e-9), max(known, 1e-9), least * rate, most * rate, cell))
        listed.append(parts)
    return listed


def strongest(
    members: Sequence[list[ChangeSample]], now_minute: int, since_minute: int, drift_strength: float, limit: float
) -> CarrierChange | None:
    """The window since a minute in which a carrier's parts, those of one cell or of several together, speak loudest;
    None when none has evidence of `limit` or more.
    """
    best: CarrierChange | None = None
    for at, length in enumerate(WINDOWS_MIN):
        from_minute = now_minute - length + 1
        if from_minute <= since_minute:
            break
        came = least = most = 0.0
        for parts in members:
            part = parts[at]
            came += part.came
            least += part.least
            most += part.most
        expected = least if came < least else most
        # The evidence of x where m was expected is at most x ln(x/m) - x + m, and that at most (x - m)^2 / m.
        if least <= came <= most or (came - expected) ** 2 < limit * expected:
            continue
        window = window_of(parts[at] for parts in members)
        if window.expected < NOTHING and window.came < 1.0:
            continue
        evidence = window.evidence(drift_strength)
        if abs(evidence) >= limit and (best is None or abs(evidence) > abs(best.evidence)):
            best = CarrierChange(from_minute, at, window.factor(drift_strength), evidence)
    return best


def window_of(parts: Iterable[ChangeSample]) -> ChangeWindow:
    window = ChangeWindow()
    for part in parts:
        window.add(part)
    return window
