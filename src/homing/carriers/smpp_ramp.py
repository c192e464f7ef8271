"""How a link slows down when it is throttled: not at all for a pause, then one submit, then ever more. Pure."""

from homing import limits


class CongestionWindow:
    """How many submits a link may have under way. Whoever holds it minds the clock: `throttled` gives the pause,
    `resume` ends it.

    After a pause one submit probes. From there each that is taken allows one more, which doubles them every round
    trip, up to half of what was too much; from there one more every round trip, so that a limit is approached and
    not run into.
    """

    __slots__ = ("_first_pause_s", "_half", "_pauses", "_taken", "allowed", "window")

    def __init__(self, window: int, first_pause_s: float) -> None:
        self.window = window
        self.allowed = window
        self._first_pause_s = first_pause_s
        self._half = window
        self._taken = 0
        self._pauses = 0

    @property
    def is_paused(self) -> bool:
        return self.allowed == 0

    @property
    def is_limited(self) -> bool:
        """Whether it was throttled and is not yet back at its window."""
        return self.allowed < self.window

    @property
    def is_probing(self) -> bool:
        """Whether one submit is to find out if the pause was long enough."""
        return self.allowed == 1 and self._pauses > 0

    def throttled(self) -> float | None:
        """How long to pause from now; None for the rest of those that were under way when a pause began."""
        if self.is_paused:
            return None
        if not self.is_probing:
            self._half = max(1, self.allowed // 2)
        self.allowed = 0
        pause_s = min(limits.SMPP_CARRIER_THROTTLE_PAUSE_S_MAX, self._first_pause_s * 2.0 ** min(self._pauses, 16))
        self._pauses += 1
        return pause_s

    def resume(self) -> None:
        """The pause is over: one may go."""
        if self.is_paused:
            self.allowed = 1
            self._taken = 0

    def taken(self) -> None:
        """A submit was accepted."""
        if not 0 < self.allowed < self.window:
            if self.allowed:
                self._pauses = 0
            return
        self._taken += 1
        if self.allowed < self._half or self._taken >= self.allowed:
            self.allowed += 1
            self._taken = 0
        if self.allowed >= self._half:
            self._pauses = 0
