"""The circuit breaker of a carrier: after many failures in a row it opens, then one message probes the carrier."""

from typing import Final

from homing.model import Outcome

BREAKER_FAILURES: Final = 10  # unanswered or deferred in a row, then the carrier rests
BREAKER_REFUSALS: Final = 100  # refused in a row: a wrong password refuses everything
BREAKER_REST_S: Final = 5.0  # the first rest, then doubling
BREAKER_REST_S_MAX: Final = 60.0


class CarrierBreaker:
    """Pure; the clock is passed in, in seconds.

    Closed, it lets everything through. Open, nothing until its rest is over; then (half open) one message at a time,
    and the first that the carrier accepts closes it. The rest doubles each time. Refusals count too, but it takes many
    more: most are about one number.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._refusals = 0
        self._trips = 0
        self._open_until_s: float | None = None

    @property
    def is_closed(self) -> bool:
        return self._open_until_s is None

    def room(self, now_s: float, under_way: int) -> int | None:
        """How many messages may be claimed; None: as many as the carrier takes."""
        if self._open_until_s is None:
            return None
        return 1 if now_s >= self._open_until_s and under_way == 0 else 0

    def rest_s(self, now_s: float) -> float:
        """How long until the next try."""
        return max(0.0, (self._open_until_s or now_s) - now_s)

    def heard(self, outcome: Outcome, now_s: float) -> bool:
        """Counts an answer; whether that opened or closed the breaker."""
        was_closed = self.is_closed
        if outcome is Outcome.ACCEPTED:
            self._failures = self._refusals = self._trips = 0
        elif outcome is Outcome.REFUSED:
            self._failures = 0  # it answers
            self._refusals += 1
        else:
            self._failures += 1
        if self._open_until_s is not None and now_s < self._open_until_s and self._failures:
            return False  # the rest of what was under way when it opened
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
