"""Hosts that fail rest for a while."""

from typing import Final
from urllib.parse import urlsplit

from homing import limits
from homing.delivery.push_places import Recipient

PUSH_BREAKER_FAILURES: Final = 10  # in a row, then the host rests
PUSH_BREAKER_REST_S: Final = 30.0


class HostBreaker:
    """A circuit breaker for each host and port of a recipient: after some failures in a row nothing is posted there for
    a fixed time, so that a dead host does not take the places of others. What a host answers to one recipient rests no
    other: many customers' endpoints can be at one host. Pure: times are passed in.
    """

    def __init__(self) -> None:
        self._failures: dict[tuple[Recipient, str], int] = {}
        self._open_until_s: dict[tuple[Recipient, str], float] = {}

    def open_for_s(self, recipient: Recipient, url: str, now_s: float) -> float:
        """Seconds until the host of `url` may be tried; 0: now."""
        return max(0.0, self._open_until_s.get((recipient, host_of(url)), 0.0) - now_s)

    def count(self, recipient: Recipient, url: str, acknowledged: bool, now_s: float) -> None:
        place = recipient, host_of(url)
        if acknowledged:
            self._failures.pop(place, None)
            self._open_until_s.pop(place, None)
            return
        count = self._failures[place] = self._failures.get(place, 0) + 1
        if count >= PUSH_BREAKER_FAILURES:
            self._open_until_s[place] = now_s + PUSH_BREAKER_REST_S
        if len(self._failures) > limits.PROFILES_MAX:
            self._failures.clear()
            self._open_until_s.clear()


def host_of(url: str) -> str:
    """Host and port of a URL, in lower case; the URL itself if it cannot be parsed."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url
