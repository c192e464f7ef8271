"""The rate limit of an account's queries."""

import time
from collections.abc import Callable
from typing import Final

from homing import errors, limits
from homing.accounts.profile import Profile
from homing.common.token_bucket import TokenBucket, TokenBuckets

QUERIES_BURST_FACTOR: Final = 2
CHANGES_PER_QUERY: Final = 1 / 20
CHANGES_BURST_S: Final = 3
"""How often an account may change its settings, by its queries a second: after each change every process reads its own
anew.
"""


class QueryBudget:
    """The rate limits of accounts for each kind of query, in this process."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._buckets: TokenBuckets[tuple[int, str]] = TokenBuckets(limits.PROFILES_MAX)

    def spend(self, account: Profile, query: str) -> None:
        """Raises `QueryTooFrequent`."""
        rate_per_s = account.queries_per_s
        self.take(account.account_id, query, rate_per_s, rate_per_s * QUERIES_BURST_FACTOR)

    def spend_change(self, account: Profile) -> None:
        """Of a change of settings, by whichever dialect. Raises `QueryTooFrequent`."""
        rate_per_s = account.queries_per_s
        self.take(account.account_id, "settings", rate_per_s * CHANGES_PER_QUERY, rate_per_s * CHANGES_BURST_S)

    def take(self, account_id: int, kind: str, rate_per_s: float, burst: float) -> TokenBucket:
        """Takes a token of the account's bucket of a kind, and gives the bucket. Raises `QueryTooFrequent` when it is
        empty.
        """
        now_s = self._clock_s()
        bucket = self._buckets.bucket((account_id, kind), rate_per_s, burst, now_s)
        if not bucket.take(now_s):
            raise errors.QueryTooFrequent
        return bucket
