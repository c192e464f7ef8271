"""The requests of one end of a session that have no response yet, and those whose response can still come late. Pure.

Times are seconds of a monotonic clock.
"""

import enum
from typing import Final, Generic, TypeAlias, TypeVar

from homing.smpp.pdus import ResponsePdu

SEQUENCE_MAX: Final = 0x7FFF_FFFF
"""Section 3.2: sequence numbers run from 1 to this, then from 1 again."""
SMPP_GIVEN_UP_MAX: Final = 1_000  # requests of a link whose answer is still known when it comes late
T = TypeVar("T")


class RequestFailure(enum.Enum):
    """Why a request has no response."""

    NOT_SENT = "not sent"
    """It was never written: sending it elsewhere cannot duplicate it."""
    NO_ANSWER = "no answer"
    """It was written, and the response timer ran out."""
    LINK_LOST = "link lost"
    """It was written, and the session ended before the response."""

    @property
    def may_have_arrived(self) -> bool:
        """Whether the other end may have received it."""
        return self is not RequestFailure.NOT_SENT


ResponseOrFailure: TypeAlias = ResponsePdu | RequestFailure


class OpenRequests(Generic[T]):
    """By sequence number, in the order in which they were sent. `T` is the type of the caller's tokens."""

    __slots__ = ("_forgotten", "_given_up", "_sequence", "late", "unwritten", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[int, tuple[T, type[ResponsePdu], float]] = {}
        """Token, type of the response, and when it was sent; whoever has the response removes it."""
        self.unwritten = 0
        """The latest of them, which the transport has not been given."""
        self.late: list[tuple[T, ResponsePdu]] = []
        """Responses to requests that had timed out; the caller removes them."""
        self._given_up: dict[int, tuple[T, type[ResponsePdu]]] = {}
        self._forgotten = 0
        """Requests that timed out, whose sequence numbers are no longer known and whose responses may still come."""
        self._sequence = 1

    def next_sequence(self) -> int:
        """One that no open request has."""
        sequence = self._sequence
        while sequence in self.waiting:
            sequence = sequence + 1 if sequence < SEQUENCE_MAX else 1
        self._sequence = sequence + 1 if sequence < SEQUENCE_MAX else 1
        return sequence

    def add(self, sequence: int, token: T, response: type[ResponsePdu], now_s: float) -> None:
        self.waiting[sequence] = (token, response, now_s)
        self.unwritten += 1

    def take_late(self, sequence: int) -> bool:
        """Whether a response under a number that nothing waits under may be a late one. Of requests that are no longer
        known, one less is outstanding then.
        """
        if sequence in self._given_up:
            return True
        if self._forgotten:
            self._forgotten -= 1
            return True
        return False

    def note_late(self, sequence: int, response: ResponsePdu) -> None:
        """Keeps a response in `late` if it is one to a request that had timed out."""
        given_up = self._given_up.pop(sequence, None)
        if given_up is not None and type(response) is given_up[1]:
            self.late.append((given_up[0], response))

    def expire(self, since_s: float) -> list[tuple[T, ResponseOrFailure]]:
        """Ends written requests that were sent at `since_s` or before. The first are the oldest."""
        written = len(self.waiting) - self.unwritten
        expired: list[int] = []
        for sequence, (_token, _response, sent_s) in self.waiting.items():
            if sent_s > since_s or len(expired) >= written:
                break
            expired.append(sequence)
        answers: list[tuple[T, ResponseOrFailure]] = []
        for sequence in expired:
            token, response, _sent_s = self.waiting.pop(sequence)
            answers.append((token, RequestFailure.NO_ANSWER))
            self._given_up[sequence] = token, response
        while len(self._given_up) > SMPP_GIVEN_UP_MAX:
            del self._given_up[next(iter(self._given_up))]
            self._forgotten += 1
        return answers

    def close(self) -> list[tuple[T, ResponseOrFailure]]:
        """Ends all: the session is over."""
        written = len(self.waiting) - self.unwritten
        answers: list[tuple[T, ResponseOrFailure]] = [
            (token, RequestFailure.LINK_LOST if place < written else RequestFailure.NOT_SENT)
            for place, (token, _response, _sent_s) in enumerate(self.waiting.values())
        ]
        self.waiting.clear()
        self.unwritten = 0
        return answers
