"""Whether a carrier has changed: what came lately against what the memory before it leads to expect. Pure."""

from math import copysign, log
from typing import Final

import msgspec

from homing.routing.memory import CHANNELS, WINDOWS_MIN, Arm

NOTHING: Final = 0.25  # expected successes below which a window is not looked at
KNOWN_MAX: Final = 200.0  # an expectation is off by some percent in any case: times and rates wander


class Window(msgspec.Struct):
    """`came` of `expected` at one carrier, beside those of its peers in the same cells, in one of WINDOWS_MIN.
    `known`: the successes on which the expectation rests.
    """

    came: float = 0.0
    expected: float = 0.0
    peers_came: float = 0.0
    peers_expected: float = 0.0
    known: float = 0.0
    least: float = 0.0  # that `expected` may be
    most: float = 0.0

    def add(self, other: "Window") -> None:
        self.came += other.came
        self.expected += other.expected
        self.peers_came += other.peers_came
        self.peers_expected += other.peers_expected
        self.known += other.known
        self.least += other.least
        self.most += other.most

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


class Change(msgspec.Struct, frozen=True):
    """What a window showed: since which minute, by which factor, how surely."""

    from_minute: int
    length: int  # index in WINDOWS_MIN
    factor: float
    evidence: float


def windows_of(arms: list[tuple[Arm, float, float]], channel: int) -> list[list[Window] | None]:
    """For each carrier of a cell (with its prior's mean and strength) its windows; None for one without traffic in
    them.
    """
    assert channel in CHANNELS
    listed: list[list[Window] | None] = []
    totals = [[0.0, 0.0] for _length in WINDOWS_MIN]
    for arm, prior, prior_strength in arms:
        sums = arm.sums[channel]
        if not sums.windows or (sums.windows[-1][0] <= 0 and sums.windows[-1][1] <= 0):
            listed.append(None)
            continue
        windows = []
        for at, (came, trials, least, most) in enumerate(sums.windows):
            known = prior * prior_strength + max(0.0, sums.successes - came)
            rate = min(1.0, known / (prior_strength + max(0.0, sums.trials - trials)))
            came, expected = max(0.0, came), trials * rate
            least, most = least * rate, most * rate
            windows.append(Window(came, max(expected, 1e-9), known=max(known, 1e-9), least=least, most=most))
            totals[at][0] += came
            totals[at][1] += expected
        listed.append(windows)
    for windows_or_none in listed:
        for window, (came, expected) in zip(windows_or_none or (), totals, strict=False):
            window.peers_came = max(0.0, came - window.came)
            window.peers_expected = max(0.0, expected - window.expected)
    return listed


def strongest(windows: list[Window], now_minute: int, since_minute: int, drift_strength: float) -> Change | None:
    """The window since a minute that speaks loudest, None when none has anything to say."""
    best: Change | None = None
    for at, window in enumerate(windows):
        if window.expected < NOTHING and window.came < 1.0:
            continue
        from_minute = now_minute - WINDOWS_MIN[at] + 1
        if from_minute <= since_minute:
            break
        evidence = window.evidence(drift_strength)
        if best is None or abs(evidence) > abs(best.evidence):
            best = Change(from_minute, at, window.factor(drift_strength), evidence)
    return best
