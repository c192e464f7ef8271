"""Submits messages to a carrier: spreads them over its links within their windows and the carrier's rate."""

import asyncio
import random
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from homing import limits
from homing.carriers.base import Answered, Clock, Leaving
from homing.carriers.call_outcomes import NO_FLASH
from homing.carriers.smpp.answers import AnswerReader, PartOutcome, PartResult, combine
from homing.carriers.smpp.encoding import SubmitEncoder
from homing.carriers.smpp.link import CarrierLink
from homing.carriers.smpp.settings import SmppSettings
from homing.common.token_bucket import TokenBucket
from homing.model import Answer, LateAnswer, Outbound, Outcome
from homing.smpp.codec import UnencodablePdu
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import SubmitSm

SMPP_CARRIER_AHEAD_S: Final = 1.0  # of what the rate allows, waiting in the carrier
SMPP_CARRIER_BURST_S: Final = 0.1  # of what the rate allows, in one go
SMPP_CARRIER_PACE_S_MIN: Final = 0.005
SMPP_CARRIER_THROTTLED_ATTEMPTS_MAX: Final = 4  # of a message at one stay: a full mailbox must not hold up a link
SMPP_CARRIER_DOWN_S: Final = 3.0  # without any link, then what waits in the carrier is given back
PARTS_MEAN_WEIGHT: Final = 0.1
"""Weight of the latest batch in the mean number of parts of a message, which converts room in parts to messages."""
POLLS_PER_TOKEN: Final = 10

NO_ROOM: Final = PartResult(PartOutcome.NOT_SENT, description="no link took it in time")
NO_LINK: Final = PartResult(PartOutcome.NOT_SENT, description="no link is up")
GIVEN_UP: Final = PartResult(PartOutcome.UNKNOWN, description="no answer in time")


class SubmitBatch:
    """Messages that were handed over together. `remaining`: how many have no answer yet."""

    __slots__ = ("all_answered", "remaining")

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.all_answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def count_answer(self) -> None:
        self.remaining -= 1
        if not self.remaining and not self.all_answered.done():
            self.all_answered.set_result(None)


class OutgoingMessage:
    """A message on its way out: the indexes of the parts that wait, and the results of the others.

    write_by_s: after this time of the loop no part is written any more. queue: the queue that it stands in.
    """

    __slots__ = (
        "answered",
        "attempts",
        "batch",
        "has_failed",
        "in_flight",
        "is_done",
        "last_result",
        "leaving",
        "message",
        "parts",
        "queue",
        "results",
        "waiting",
        "write_by_s",
    )

    def __init__(
        self,
        *,
        message: Outbound,
        parts: Sequence[SubmitSm],
        answered: Answered,
        leaving: Leaving,
        batch: SubmitBatch,
        write_by_s: float,
    ) -> None:
        self.message = message
        self.parts = parts
        self.answered = answered
        self.leaving = leaving
        self.batch = batch
        self.write_by_s = write_by_s
        self.waiting = list(range(len(parts)))
        self.results: list[PartResult | None] = [None] * len(parts)
        self.attempts = [0] * len(parts)
        self.last_result: PartResult | None = None
        self.in_flight = 0
        self.queue: deque[OutgoingMessage] | None = None
        self.has_failed = False
        self.is_done = False

    @property
    def has_begun(self) -> bool:
        """Whether a part of it is, or may be, at the carrier."""
        return self.in_flight > 0 or any(self.results)


class PendingSubmit:
    """A submit_sm on the wire. It is the callback for its response."""

    __slots__ = ("_scheduler", "link", "outgoing", "part", "sent_s")

    def __init__(
        self, *, scheduler: "SubmitScheduler", outgoing: OutgoingMessage, part: int, link: CarrierLink, sent_s: float
    ) -> None:
        self._scheduler = scheduler
        self.outgoing = outgoing
        self.part = part
        self.link = link
        self.sent_s = sent_s

    def __call__(self, answer: ResponseOrFailure) -> None:
        self._scheduler.on_answer(self, answer)

    def late(self, answer: ResponseOrFailure) -> None:
        """Called with a response that comes after the timeout."""
        self._scheduler.on_late_answer(self, answer)


class SubmitScheduler:
    """Gives each message to the link with the fewest submits in flight; all its parts go by that link, in order.

    No task waits for a single message: responses come by callback, and each costs the loop a few calls.
    """

    def __init__(
        self,
        *,
        settings: SmppSettings,
        links: Sequence[CarrierLink],
        rng: random.Random,
        report_late: Callable[[LateAnswer], None],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._report_late = report_late
        self._late: list[LateAnswer] = []
        self._late_due: list[LateAnswer] = []
        self._loop = asyncio.get_running_loop()
        self._links = links
        self._encoder = SubmitEncoder(settings)
        self._carries_flash = settings.carries_flash
        self._reader = AnswerReader(settings)
        # A submit that is written within it has its full response time before the caller of `submit` gives up.
        self._write_within_s = (
            limits.CARRIER_SUBMIT_TIMEOUT_S - limits.SMPP_CARRIER_SPARE_S - settings.response_timeout_s
        )
        self._rate_per_s = settings.rate_per_s
        self._bucket = _bucket(settings.rate_per_s, self._loop.time())
        self._pacing: asyncio.TimerHandle | None = None
        self._reference = rng.randrange(1 << 16)
        self._queue: deque[OutgoingMessage] = deque()
        self._begun: dict[CarrierLink, deque[OutgoingMessage]] = {link: deque() for link in links}
        self._parts_waiting = 0
        self._parts_per_message = 1.0
        self._down_since_s: float | None = self._loop.time()
        self._room_changed = asyncio.Event()

    # ---- Room

    @property
    def waiting(self) -> int:
        """Submits that were not written to a link yet."""
        return self._parts_waiting

    def room(self) -> int:
        """Messages that can be taken: twice the links' windows, so that a link never waits for the next claim, but no
        more than the rate lets out within a second.
        """
        sending = [link for link in self._links if link.sends]
        if not sending:
            return 0
        free = sum(2 * link.congestion.allowed - link.in_flight for link in sending) - self._parts_waiting
        if self._rate_per_s is not None:
            ahead = max(1, int(self._rate_per_s * SMPP_CARRIER_AHEAD_S))
            free = min(free, ahead - self._parts_waiting)
        return max(1, int(free / self._parts_per_message)) if free > 0 else 0

    async def until_room(self) -> None:
        while not self.room():
            self._room_changed.clear()
            await self._room_changed.wait()

    # ---- In

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        """Returns when every message of the batch has its answer."""
        now_s, now = self._loop.time(), self._clock()
        submit_batch = SubmitBatch(len(batch))
        messages = []
        for message in batch:
            if message.options.flash and not self._carries_flash:
                answered(message, NO_FLASH)
                submit_batch.count_answer()
                continue
            self._reference += 1
            try:
                parts = self._encoder.submits(message, self._reference, now)
            except ValueError as fault:  # it cannot be encoded
                answered(message, Answer(Outcome.REFUSED, error_text=str(fault)))
                submit_batch.count_answer()
                continue
            outgoing = OutgoingMessage(
                message=message,
                parts=parts,
                answered=answered,
                leaving=leaving,
                batch=submit_batch,
                write_by_s=now_s + self._write_within_s,
            )
            outgoing.queue = self._queue
            self._queue.append(outgoing)
            self._parts_waiting += len(parts)
            messages.append(outgoing)
        if messages:
            parts_per_message = sum(len(outgoing.parts) for outgoing in messages) / len(messages)
            self._parts_per_message += PARTS_MEAN_WEIGHT * (parts_per_message - self._parts_per_message)
        self.pump()
        try:
            await submit_batch.all_answered
        finally:
            for outgoing in messages:
                self._abandon(outgoing)

    # ---- Out

    def pump(self) -> None:
        """Writes as many parts as there is room for. Called whenever there may be room."""
        self._room_changed.set()
        if self._pacing is not None:
            return
        queue = self._queue
        for link, begun in self._begun.items():
            # A probe is another message where there is one: the throttled one may be to a full mailbox.
            if begun and not (queue and link.congestion.is_probing):
                self._continue_begun(link, begun)
        while queue and self._pacing is None:
            chosen = self._least_busy_link()
            if chosen is None:
                return
            outgoing = queue.popleft()
            outgoing.queue = None
            if outgoing.is_done:
                continue
            self._write(outgoing, chosen)
            if outgoing.waiting:
                self._enqueue(outgoing, self._begun[chosen] if outgoing.has_begun else queue, is_first=True)

    def _continue_begun(self, link: CarrierLink, begun: deque[OutgoingMessage]) -> None:
        while begun and link.room > 0 and self._pacing is None:
            outgoing = begun[0]
            if not outgoing.is_done:
                self._write(outgoing, link)
            if outgoing.is_done or not outgoing.waiting:
                begun.popleft()
                outgoing.queue = None

    def _least_busy_link(self) -> CarrierLink | None:
        """The link with room that has the fewest submits in flight."""
        if len(self._links) == 1:
            return self._links[0] if self._links[0].room > 0 else None
        return min((link for link in self._links if link.room > 0), key=lambda link: link.in_flight, default=None)

    def _write(self, outgoing: OutgoingMessage, link: CarrierLink) -> None:
        """Writes its waiting parts, as many as the link has room and the bucket tokens for."""
        connection, room = link.connection, link.room
        while outgoing.waiting and room > 0 and connection is not None:
            room -= 1
            now_s = self._loop.time()
            if self._bucket is not None and not self._bucket.take(now_s):
                self._schedule_pump()
                return
            if len(outgoing.waiting) == len(outgoing.parts):
                outgoing.leaving((outgoing.message,))
            part = outgoing.waiting.pop(0)
            self._parts_waiting -= 1
            try:
                connection.send(
                    outgoing.parts[part],
                    PendingSubmit(scheduler=self, outgoing=outgoing, part=part, link=link, sent_s=now_s),
                )
            except UnencodablePdu as fault:
                self._set_result(outgoing, part, PartResult(PartOutcome.REFUSED, description=str(fault)))
                self._finish_if_done(outgoing)
                return
            outgoing.in_flight += 1
            link.in_flight += 1
            link.submitted += 1

    def _enqueue(self, outgoing: OutgoingMessage, queue: deque[OutgoingMessage], is_first: bool = False) -> None:
        if outgoing.queue is None:
            outgoing.queue = queue
            if is_first:
                queue.appendleft(outgoing)
            else:
                queue.append(outgoing)

    def _schedule_pump(self) -> None:
        """Pumps again at about the time of the next token."""
        assert self._rate_per_s is not None, "without a rate there is no bucket"
        pause_s = max(SMPP_CARRIER_PACE_S_MIN, 1 / self._rate_per_s / POLLS_PER_TOKEN)
        self._pacing = self._loop.call_later(pause_s, self._pump_after_pause)

    def _pump_after_pause(self) -> None:
        self._pacing = None
        self.pump()

    # ---- Responses

    def on_answer(self, pending: PendingSubmit, answer: ResponseOrFailure) -> None:
        """Takes the response to a submit_sm, or the reason why there is none."""
        link, outgoing, part = pending.link, pending.outgoing, pending.part
        link.in_flight -= 1
        outgoing.in_flight -= 1
        result = self._reader.read(answer)
        match result.outcome:
            case PartOutcome.ACCEPTED:
                link.accepted(self._loop.time() - pending.sent_s)
            case PartOutcome.THROTTLED:
                # Of several throttled together only the first counts an attempt: a full mailbox always throttles.
                outgoing.attempts[part] += link.throttled(result.description)
                outgoing.last_result = result
            case PartOutcome.UNKNOWN:
                if answer is RequestFailure.NO_ANSWER:
                    link.suspect()
            case PartOutcome.REFUSED | PartOutcome.DEFERRED:
                link.refused(result.description)
        if not outgoing.is_done:
            if self._is_retried(outgoing, part, result):
                insort(outgoing.waiting, part)
                self._parts_waiting += 1
                self._enqueue(outgoing, self._begun[link])
            else:
                self._set_result(outgoing, part, result)
            self._finish_if_done(outgoing)
        self.pump()

    def on_late_answer(self, pending: PendingSubmit, answer: ResponseOrFailure) -> None:
        """Takes a late response to a submit_sm whose message was answered as unknown: all of it may now be accepted."""
        outgoing, result = pending.outgoing, self._reader.read(answer)
        if result.outcome is not PartOutcome.ACCEPTED or not outgoing.is_done:
            return
        outgoing.results[pending.part] = result
        combined, message = combine(outgoing.results), outgoing.message
        if combined.outcome is Outcome.ACCEPTED and combined.carrier_ref:
            late = LateAnswer(
                message.account_id, message.message_id, message.attempt, combined.carrier_ref, combined.part_refs
            )
            self._late.append(late)

    def _is_retried(self, outgoing: OutgoingMessage, part: int, result: PartResult) -> bool:
        """Whether a part that the carrier certainly did not accept is submitted again."""
        if result.outcome not in (PartOutcome.NOT_SENT, PartOutcome.THROTTLED) or outgoing.has_failed:
            return False
        return outgoing.attempts[part] < SMPP_CARRIER_THROTTLED_ATTEMPTS_MAX and self._loop.time() < outgoing.write_by_s

    def _set_result(self, outgoing: OutgoingMessage, part: int, result: PartResult) -> None:
        outgoing.results[part] = result
        if result.outcome is not PartOutcome.ACCEPTED:
            outgoing.has_failed = True

    def _finish_if_done(self, outgoing: OutgoingMessage) -> None:
        """Answers for a message once all its parts have results. After a part has failed no other is sent."""
        if outgoing.has_failed and outgoing.waiting:
            self._parts_waiting -= len(outgoing.waiting)
            outgoing.waiting.clear()
        if not outgoing.in_flight and not outgoing.waiting and not outgoing.is_done:
            self._answer(outgoing)

    def _answer(self, outgoing: OutgoingMessage) -> None:
        outgoing.is_done = True
        outgoing.answered(outgoing.message, combine(outgoing.results))
        outgoing.batch.count_answer()

    def _fail_waiting(self, outgoing: OutgoingMessage, result: PartResult) -> None:
        """Gives the waiting parts this result, or that of their last attempt."""
        for part in outgoing.waiting:
            self._set_result(outgoing, part, outgoing.last_result or result)
        self._finish_if_done(outgoing)

    def _abandon(self, outgoing: OutgoingMessage) -> None:
        """The caller has given up: parts that were written may have been accepted."""
        if outgoing.is_done:
            return
        at_carrier = {part for part, result in enumerate(outgoing.results) if result is None} - set(outgoing.waiting)
        for part in at_carrier:
            self._set_result(outgoing, part, GIVEN_UP)
        for part in outgoing.waiting:
            self._set_result(outgoing, part, NO_ROOM)
        self._parts_waiting -= len(outgoing.waiting)
        outgoing.waiting.clear()
        self._answer(outgoing)

    # ---- Links and time

    def link_down(self, link: CarrierLink) -> None:
        """A link is gone: the other links continue its messages first."""
        begun = self._begun[link]
        for outgoing in reversed(begun):
            outgoing.queue = self._queue
            self._queue.appendleft(outgoing)
        begun.clear()
        self.pump()

    def tick(self) -> None:
        """Once a second: fails messages that have waited for too long, or that no link can take."""
        now_s = self._loop.time()
        for late in self._late_due:  # a second later, when the answer that it corrects has been stored
            self._report_late(late)
        self._late_due, self._late = self._late, []
        if any(link.is_up and link.carries_out for link in self._links):
            self._down_since_s = None
        elif self._down_since_s is None:
            self._down_since_s = now_s
        is_down = self._down_since_s is not None and now_s - self._down_since_s >= SMPP_CARRIER_DOWN_S
        for queue in (self._queue, *self._begun.values()):
            if not queue:
                continue
            for outgoing in list(queue):
                if outgoing.write_by_s <= now_s:
                    self._fail_waiting(outgoing, NO_ROOM)
                elif is_down and not outgoing.has_begun:
                    self._fail_waiting(outgoing, NO_LINK)
            for outgoing in queue:
                if outgoing.is_done or not outgoing.waiting:
                    outgoing.queue = None
            still_queued = [outgoing for outgoing in queue if outgoing.queue is queue]
            queue.clear()
            queue.extend(still_queued)

    def stop(self) -> None:
        if self._pacing is not None:
            self._pacing.cancel()


def _bucket(rate_per_s: float | None, now_s: float) -> TokenBucket | None:
    """At least two tokens, so that one that comes between two pumps is not lost."""
    if rate_per_s is None:
        return None
    return TokenBucket(rate_per_s, max(2.0, rate_per_s * SMPP_CARRIER_BURST_S), now_s)
