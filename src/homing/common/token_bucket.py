"""Token buckets: a rate and a burst, for one thing or for each key."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate_per_s`; the clock is passed in, in seconds."""

    __slots__ = ("_at_s", "_tokens", "burst", "rate_per_s")

    def __init__(self, rate_per_s: float, burst: float, now_s: float) -> None:
        self.rate_per_s = rate_per_s
        self.burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, now_s: float, tokens: float = 1.0) -> bool:
        """Takes the tokens if there are enough; False leaves the bucket unchanged."""
        if now_s > self._at_s:
            self._tokens = min(self.burst, self._tokens + (now_s - self._at_s) * self.rate_per_s)
            self._at_s = now_s
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def left(self) -> int:
        """Whole tokens that were left by the latest `take`."""
        return max(0, int(self._tokens))

    def owe(self, tokens: float) -> None:
        """Takes tokens even if there are not enough; `take` fails until they are replaced."""
        self._tokens -= tokens


class TokenBuckets(Generic[K]):
    """A bucket for each key, full at first. Beyond `keys_max` the oldest is dropped."""

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._buckets: dict[K, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def bucket(self, key: K, rate_per_s: float, burst: float, now_s: float) -> TokenBucket:
        """The key's bucket; a new one where its rate or its burst has changed."""
        bucket = self._buckets.get(key)
        if bucket is None or bucket.rate_per_s != rate_per_s or bucket.burst != burst:
            if bucket is None and len(self._buckets) >= self._keys_max:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[key] = TokenBucket(rate_per_s, burst, now_s)
        return bucket
