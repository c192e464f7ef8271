"""A token bucket: so many a second, and a burst."""


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate_per_s`; the clock is passed in, in seconds."""

    __slots__ = ("_at_s", "_tokens", "burst", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: float, now_s: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, now_s: float, tokens: float = 1.0) -> bool:
        """Takes the tokens if they are there; False leaves the bucket as it was."""
        if now_s > self._at_s:
            self._tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.rate_per_s)
            self._at_s = now_s
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def owe(self, tokens: float) -> None:
        """Takes tokens that may not be there yet: nothing more is given until they are."""
        self._tokens -= tokens
