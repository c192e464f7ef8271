"""Whether an app's customer reports conversions: never, still, or no longer. Pure.

While a customer has stopped reporting, a missing conversion is no evidence: exposures are counted up to the last
conversion that was reported.
"""

from typing import Final

from homing.learning.delays import DelayCurve
from homing.learning.memory import LEARN_FINE_MINUTES
from homing.learning.policy import LearningPolicy

REPORTING: Final = "reporting"
SILENT: Final = "silent"
UNKNOWN: Final = "unknown"
BULK_S: Final = 600.0
BULK_FACTOR: Final = 3.0  # how many times the silence before it a bulk report is disregarded in the search for changes


class AppReporting:
    """The reporting of one app. `declared`: as the app's settings say; None: decided by its traffic."""

    def __init__(self, policy: LearningPolicy, declared: bool | None = None) -> None:
        self._policy = policy
        self.declared = declared
        self._sent: dict[int, int] = {}  # messages by minute, of the latest minutes
        self._first_s = 0.0  # the first message
        self._has_new_report = False
        self.reported_s: float | None = None  # the last report of a conversion
        self.stopped = False
        self.in_bulk_until_s = 0.0  # a report that ends a silence is of many minutes: it shows no changes of carriers
        self.status = UNKNOWN

    def observe(self, minute: int, sent: int, converted: int) -> None:
        if sent:
            self._first_s = self._first_s or minute * 60.0
            self._sent[minute] = self._sent.get(minute, 0) + sent
        if converted > 0:
            self._has_new_report = True

    def restore(self, reported_s: float, now_s: float) -> None:
        """Sets the last report before this process started."""
        self.reported_s = reported_s
        self.stopped = now_s - reported_s >= self._policy.stopped_s

    def update(self, now_s: float, rate: float, curve: DelayCurve) -> None:
        """Decides whether the app has stopped reporting. `rate`: its last known conversion rate; `curve`: of its delays
        to the conversion.
        """
        oldest = int(now_s // 60) - LEARN_FINE_MINUTES
        self._sent = {minute: sent for minute, sent in self._sent.items() if minute > oldest}
        if self._has_new_report or self.reported_s is None:
            if self._has_new_report:
                silence_s = now_s - (self.reported_s or self._first_s or now_s)
                if (self.stopped or self.reported_s is None) and silence_s >= BULK_S:
                    self.in_bulk_until_s = now_s + BULK_FACTOR * silence_s
                self.reported_s = now_s
                self.stopped = False
            self._has_new_report = False
            return
        if self.status == REPORTING and not self.stopped:
            expected = rate * self._exposure_since(curve, self.reported_s, now_s)
            self.stopped = expected >= self._policy.stopped_expected

    def _exposure_since(self, curve: DelayCurve, reported_s: float, now_s: float) -> float:
        """The exposure of all messages that has been added since the last report."""
        total = 0.0
        for minute, sent in self._sent.items():
            start_s = minute * 60.0
            now = curve.mean_between(now_s - start_s - 60.0, now_s - start_s)
            before = curve.mean_between(reported_s - start_s - 60.0, reported_s - start_s)
            total += sent * max(0.0, now - before)
        return total

    def complete_until_s(self, now_s: float) -> float:
        """The time up to which conversions have been reported."""
        return self.reported_s if self.stopped and self.reported_s is not None else now_s

    def classify(self, now_s: float, conversions: float, mature: float) -> None:
        """Sets `status` from the conversions of `mature` messages, as remembered."""
        policy = self._policy
        is_reporting = conversions >= policy.reporting_min and conversions >= policy.reporting_share * mature
        silence_s = now_s - self.reported_s if self.stopped and self.reported_s is not None else 0.0
        if self.declared is False or silence_s >= policy.stopped_s:
            self.status = SILENT
        elif is_reporting:
            self.status = REPORTING
        elif mature >= policy.silent_after:
            self.status = SILENT
        else:
            self.status = REPORTING if self.declared else UNKNOWN
