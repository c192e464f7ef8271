"""The circuit breaker of a carrier: after many failures in a row it opens, then one message probes the carrier."""

from typing import Final

from homing.model import Outcome

BREAKER_FAILURES: Final = 10  # unanswered or deferred in a row, then the carrier rests
BREAKER_REFUSALS: Final = 100  # refused in a row: a wrong password refuses everything
BREAKER_REST_S: Final = 5.0  # the first rest, then doubling
BREAKER_REST_S_MAX: Final = 60.0


class CarrierBreaker:
    """Pure: times are passed in, in seconds of any monotonic clock.

    While it is closed, messages are claimed without limit. When it is open, none are until its time is over; then (half
    open) one at a time, and the first that the carrier accepts closes it. The open time doubles each time. Refusals
    open it too, but only after many more: most concern a single number.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._refusals = 0
        self._trips = 0
        self._open_until_s: float | None = None

    @property
    def is_closed(self) -> bool:
        return self._open_until_s is None

    def claimable(self, now_s: float, submitting: int) -> int | None:
        """How many messages may be claimed while `submitting` are in flight; None: no limit by the breaker."""
        if self._open_until_s is None:
            return None
        return 1 if now_s >= self._open_until_s and submitting == 0 else 0

    def open_for_s(self, now_s: float) -> float:
        """Seconds until a message may be claimed."""
        return max(0.0, (self._open_until_s or now_s) - now_s)

    def count_answer(self, outcome: Outcome, now_s: float) -> bool:
        """Counts an answer. Returns whether that opened or closed the breaker."""
        was_closed = self.is_closed
        if outcome is Outcome.ACCEPTED:
            self._failures = self._refusals = self._trips = 0
        elif outcome is Outcome.REFUSED:
            self._failures = 0  # it answers
            self._refusals += 1
        else:
            self._failures += 1
        if self._open_until_s is not None and now_s < self._open_until_s and self._failures:
            return False  # of a message that was in flight when it opened
        if (
            self._failures < BREAKER_FAILURES
            and self._refusals < BREAKER_REFUSALS
            and (was_closed or not self._failures)
        ):
            self._open_until_s = None
            return not was_closed
        self._open_until_s = now_s + min(BREAKER_REST_S_MAX, BREAKER_REST_S * 2.0**self._trips)
        self._trips += 1
        return was_closed
