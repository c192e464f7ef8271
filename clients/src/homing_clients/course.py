"""Retries: whether and when a call is repeated after a failure, and which error its caller gets.

A call is retried if that may help (`soon`) and is safe: either nothing was done (`in_doubt` is false), or the call is
idempotent (`repeatable`). Retries end at the call's deadline, so a timeout is never followed by another attempt.
"""

import random
from typing import Generic, TypeVar

from homing_clients import limits
from homing_clients.call import CallTerms, ClientCall, ClientReply
from homing_clients.errors import BadAnswer, ClientError, FateUnknown
from homing_clients.reading import Unreadable

T = TypeVar("T")


class RetryState(Generic[T]):
    def __init__(self, *, call: ClientCall[T], terms: CallTerms, now_s: float, rng: random.Random) -> None:
        """`now_s` and all other times are of one monotonic clock."""
        self._call = call
        self._attempts_left = terms.attempts
        self._deadline_s = now_s + terms.timeout_s
        self._rng = rng
        self._failures = 0
        self._in_doubt = False

    def left_s(self, now_s: float) -> float:
        return max(0.0, self._deadline_s - now_s)

    def read(self, reply: ClientReply) -> T:
        """The result. Raises a `ClientError`."""
        try:
            return self._call.read(reply, self._in_doubt)
        except Unreadable as error:
            raise BadAnswer(str(error), http_status=reply.status, in_doubt=True) from None

    def pause_s(self, error: ClientError, now_s: float) -> float:
        """Seconds to wait before the next attempt. Raises the caller's error when there is none."""
        error.endpoint, error.parameters = self._call.endpoint.name, self._call.parameters
        error.idempotency_key = self._call.idempotency_key
        self._failures += 1
        self._in_doubt = self._in_doubt or error.in_doubt
        wait_s = min(limits.RETRY_S_MAX, limits.RETRY_FIRST_S * 2.0 ** min(self._failures - 1, 32)) * self._rng.uniform(
            0.8, 1.2
        )
        wait_s = max(wait_s, error.retry_after_s or 0.0)
        unsafe = error.in_doubt and not self._call.repeatable
        if unsafe:
            self._raise_unknown(error)
        if not error.soon or self._failures >= self._attempts_left or wait_s >= self.left_s(now_s):
            raise error
        return wait_s

    def _raise_unknown(self, error: ClientError) -> None:
        unknown = FateUnknown(
            f"{type(error).__name__}: {error.words}", code=error.code, http_status=error.http_status, in_doubt=True
        )
        unknown.endpoint, unknown.parameters = error.endpoint, error.parameters
        raise unknown from error
