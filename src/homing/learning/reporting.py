"""Whether an app's customer reports conversions: never, still, or no longer. Pure.

Where one has stopped, silence says nothing: exposures are counted up to the last conversion that was heard.
"""

from typing import Final

from homing.learning.delays import DelayCurve
from homing.learning.memory import LEARN_FINE_MINUTES
from homing.learning.policy import LearningPolicy

REPORTING: Final = "reporting"
SILENT: Final = "silent"
UNKNOWN: Final = "unknown"
BULK_S: Final = 600.0
BULK_FACTOR: Final = 3.0  # so many times the silence before it


class AppReporting:
    """One app's reports. `declared`: what the app's settings say; None: to be found out."""

    def __init__(self, policy: LearningPolicy, declared: bool | None = None) -> None:
        self._policy = policy
        self.declared = declared
        self._sent: dict[int, int] = {}  # by minute, the latest
        self._began_s = 0.0  # the first message
        self._heard_now = False
        self.heard_s: float | None = None  # when a conversion was last heard
        self.stopped = False
        self.in_bulk_until_s = 0.0  # what came after a silence came for many minutes at once: it tells no changes
        self.word = UNKNOWN

    def hear(self, minute: int, sent: int, converted: int) -> None:
        if sent:
            self._began_s = self._began_s or minute * 60.0
            self._sent[minute] = self._sent.get(minute, 0) + sent
        if converted > 0:
            self._heard_now = True

    def recall(self, heard_s: float, now_s: float) -> None:
        """When conversions were last reported, before this process began."""
        self.heard_s = heard_s
        self.stopped = now_s - heard_s >= self._policy.stopped_s

    def think(self, now_s: float, rate: float, curve: DelayCurve) -> None:
        """`rate`: the app's conversion rate as last known."""
        oldest = int(now_s // 60) - LEARN_FINE_MINUTES
        self._sent = {minute: sent for minute, sent in self._sent.items() if minute > oldest}
        if self._heard_now or self.heard_s is None:
            if self._heard_now:
                since_s = now_s - (self.heard_s or self._began_s or now_s)
                if (self.stopped or self.heard_s is None) and since_s >= BULK_S:
                    self.in_bulk_until_s = now_s + BULK_FACTOR * since_s
                self.heard_s = now_s
                self.stopped = False
            self._heard_now = False
            return
        if self.word == REPORTING and not self.stopped:
            due = rate * self._exposed(curve, self.heard_s, now_s)
            self.stopped = due >= self._policy.stopped_expected

    def _exposed(self, curve: DelayCurve, heard_s: float, now_s: float) -> float:
        """Messages whose conversions should have come since the last that did."""
        total = 0.0
        for minute, sent in self._sent.items():
            start_s = minute * 60.0
            since = curve.between(now_s - start_s - 60.0, now_s - start_s)
            before = curve.between(heard_s - start_s - 60.0, heard_s - start_s)
            total += sent * max(0.0, since - before)
        return total

    def until_s(self, now_s: float) -> float:
        """Up to when conversions have been heard."""
        return self.heard_s if self.stopped and self.heard_s is not None else now_s

    def judge(self, now_s: float, conversions: float, mature: float) -> None:
        """`conversions` of `mature` messages, as remembered."""
        policy = self._policy
        seen = conversions >= policy.reporting_min and conversions >= policy.reporting_share * mature
        silent_s = now_s - self.heard_s if self.stopped and self.heard_s is not None else 0.0
        if self.declared is False or silent_s >= policy.stopped_s:
            self.word = SILENT
        elif seen:
            self.word = REPORTING
        elif mature >= policy.silent_after:
            self.word = SILENT
        else:
            self.word = REPORTING if self.declared else UNKNOWN
