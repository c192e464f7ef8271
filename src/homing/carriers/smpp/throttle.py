"""How a link slows down when the carrier throttles it: a pause, a probe, then slow start. Pure."""

from homing import limits


class CongestionWindow:
    """How many submits a link may have in flight (`allowed`). The caller keeps the time: `throttled` returns the pause,
    `resume` ends it.

    After a pause one submit probes. Then, as in TCP, each accepted submit allows one more, which doubles it every
    round trip, up to half of where it was throttled (the threshold); from there one more every round trip.
    """

    __slots__ = ("_accepted_count", "_first_pause_s", "_pauses", "_threshold", "allowed", "window")

    def __init__(self, window: int, first_pause_s: float) -> None:
        self.window = window
        self.allowed = window
        self._first_pause_s = first_pause_s
        self._threshold = window
        self._accepted_count = 0
        self._pauses = 0

    @property
    def is_paused(self) -> bool:
        return self.allowed == 0

    @property
    def is_limited(self) -> bool:
        """Whether it was throttled and is not back at its full window yet."""
        return self.allowed < self.window

    @property
    def is_probing(self) -> bool:
        """Whether the one submit in flight is a probe."""
        return self.allowed == 1 and self._pauses > 0

    def throttled(self) -> float | None:
        """How long to pause from now, in seconds; None during a pause, for the rest of the submits in flight."""
        if self.is_paused:
            return None
        if not self.is_probing:
            self._threshold = max(1, self.allowed // 2)
        self.allowed = 0
        pause_s = min(limits.SMPP_CARRIER_THROTTLE_PAUSE_S_MAX, self._first_pause_s * 2.0 ** min(self._pauses, 16))
        self._pauses += 1
        return pause_s

    def resume(self) -> None:
        """The pause is over: one submit may go."""
        if self.is_paused:
            self.allowed = 1
            self._accepted_count = 0

    def accepted(self) -> None:
        """A submit was accepted."""
        if not 0 < self.allowed < self.window:
            if self.allowed:
                self._pauses = 0
            return
        self._accepted_count += 1
        if self.allowed < self._threshold or self._accepted_count >= self.allowed:
            self.allowed += 1
            self._accepted_count = 0
        if self.allowed >= self._threshold:
            self._pauses = 0
