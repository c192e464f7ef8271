"""Rate-limited log of failed calls."""

import time
from collections.abc import Callable

import structlog

from homing import errors
from homing.observe.logs import describe

log = structlog.get_logger()


class FailureLog:
    """At most one line a second for each endpoint, with how many more calls failed since the last; a database that is
    away is told once, by the database.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._quiet_until_s: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def tell(self, request_id: str, endpoint: str, error: Exception) -> None:
        if isinstance(error, errors.DatabaseUnavailable):
            return
        now_s = self._clock_s()
        if now_s < self._quiet_until_s.get(endpoint, 0.0):
            self._suppressed[endpoint] = self._suppressed.get(endpoint, 0) + 1
            return
        self._quiet_until_s[endpoint] = now_s + 1.0
        event = "platform_failure" if isinstance(error, errors.PlatformFailure) else "request_failed"
        more = self._suppressed.pop(endpoint, 0)
        log.error(event, request_id=request_id, endpoint=endpoint, more=more, **describe(error))
