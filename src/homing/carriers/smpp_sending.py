"""What a carrier has been given and has not answered for: spread over its links, window by window, within its rate."""

import asyncio
import random
from bisect import insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from homing import limits
from homing.carriers.base import Answered, Clock, Leaving
from homing.carriers.smpp_answers import AnswerReader, PartOutcome, PartResult, combine
from homing.carriers.smpp_binds import CarrierLink
from homing.carriers.smpp_encoding import SubmitEncoder
from homing.carriers.smpp_settings import SmppSettings
from homing.carriers.verdicts import NO_FLASH
from homing.kit.buckets import TokenBucket
from homing.model import Answer, LateAnswer, Outbound, Outcome
from homing.smpp import session
from homing.smpp.codec import UnencodablePdu
from homing.smpp.pdus import SubmitSm
from homing.smpp.session import RequestFailure

PARTS_WEIGHT: Final = 0.1
"""Of the latest batch in the mean of parts a message, by which room in parts becomes room in messages."""
POLLS_PER_TOKEN: Final = 10

NO_ROOM: Final = PartResult(PartOutcome.NOT_SENT, words="no link took it in time")
NO_LINK: Final = PartResult(PartOutcome.NOT_SENT, words="no link is up")
GIVEN_UP: Final = PartResult(PartOutcome.UNKNOWN, words="no answer in time")


class SubmitBatch:
    """Messages that were handed over together: how many are still to be answered."""

    __slots__ = ("all_answered", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.all_answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one_answered(self) -> None:
        self.left -= 1
        if not self.left and not self.all_answered.done():
            self.all_answered.set_result(None)


class OutgoingMessage:
    """A message on its way out: which of its parts wait, and what became of the others."""

    __slots__ = (
        "answered",
        "batch",
        "has_failed",
        "in_flight",
        "is_done",
        "last",
        "leaving",
        "message",
        "parts",
        "place",
        "told",
        "tries",
        "waiting",
        "write_by_s",
    )

    def __init__(
        self,
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
        self.told: list[PartResult | None] = [None] * len(parts)
        self.tries = [0] * len(parts)
        self.last: PartResult | None = None
        self.in_flight = 0
        self.place: deque[OutgoingMessage] | None = None
        self.has_failed = False
        self.is_done = False

    @property
    def has_begun(self) -> bool:
        """Whether a part of it is, or may be, at the carrier."""
        return self.in_flight > 0 or any(self.told)


class PendingSubmit:
    """A submit_sm on the wire: called with its answer."""

    __slots__ = ("_sender", "bind", "part", "sending", "sent_s")

    def __init__(
        self, sender: "SubmitScheduler", sending: OutgoingMessage, part: int, bind: CarrierLink, sent_s: float
    ) -> None:
        self._sender = sender
        self.sending = sending
        self.part = part
        self.bind = bind
        self.sent_s = sent_s

    def __call__(self, answer: session.ResponseOrFailure) -> None:
        self._sender.heard(self, answer)

    def late(self, answer: session.ResponseOrFailure) -> None:
        """Called with an answer that comes when none was expected any more."""
        self._sender.heard_late(self, answer)


class SubmitScheduler:
    """Gives each message to the link that has least under way; all its parts go by that one, in order.

    Nothing here waits for a message alone: answers come by callback, and what the loop does for one is a few calls.
    """

    def __init__(
        self,
        settings: SmppSettings,
        binds: Sequence[CarrierLink],
        chance: random.Random,
        tell_late: Callable[[LateAnswer], None],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._tell_late = tell_late
        self._late: list[LateAnswer] = []
        self._late_before: list[LateAnswer] = []
        self._loop = asyncio.get_running_loop()
        self._binds = binds
        self._encoder = SubmitEncoder(settings)
        self._carries_flash = settings.carries_flash
        self._reader = AnswerReader(settings)
        # From here a submit still has its whole time for an answer, before whoever waits for the batch gives up.
        self._patience_s = limits.CARRIER_SUBMIT_TIMEOUT_S - limits.SMPP_CARRIER_SPARE_S - settings.response_timeout_s
        self._rate_per_s = settings.rate_per_s
        self._bucket = _bucket(settings.rate_per_s, self._loop.time())
        self._pacing: asyncio.TimerHandle | None = None
        self._reference = chance.randrange(1 << 16)
        self._queue: deque[OutgoingMessage] = deque()
        self._begun: dict[CarrierLink, deque[OutgoingMessage]] = {bind: deque() for bind in binds}
        self._parts_waiting = 0
        self._parts_each = 1.0
        self._down_since_s: float | None = self._loop.time()
        self._freed = asyncio.Event()

    # ---- Room

    @property
    def waiting(self) -> int:
        """Submits that no link has taken yet."""
        return self._parts_waiting

    def room(self) -> int:
        """Messages that can be taken: what the links' windows hold, and as much again, so that a link never waits for
        the next claim; of that, what the rate lets out within a second.
        """
        sending = [bind for bind in self._binds if bind.sends]
        if not sending:
            return 0
        free = sum(2 * bind.ramp.allowed - bind.in_flight for bind in sending) - self._parts_waiting
        if self._rate_per_s is not None:
            ahead = max(1, int(self._rate_per_s * limits.SMPP_CARRIER_AHEAD_S))
            free = min(free, ahead - self._parts_waiting)
        return max(1, int(free / self._parts_each)) if free > 0 else 0

    async def until_room(self) -> None:
        while not self.room():
            self._freed.clear()
            await self._freed.wait()

    # ---- In

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        """Returns when every message of the batch has had its answer."""
        now_s, now = self._loop.time(), self._clock()
        under_way = SubmitBatch(len(batch))
        sendings = []
        for message in batch:
            if message.options.flash and not self._carries_flash:
                answered(message, NO_FLASH)
                under_way.one_answered()
                continue
            self._reference += 1
            try:
                parts = self._encoder.submits(message, self._reference, now)
            except ValueError as fault:  # what cannot be said in SMPP
                answered(message, Answer(Outcome.REFUSED, error_text=str(fault)))
                under_way.one_answered()
                continue
            sending = OutgoingMessage(message, parts, answered, leaving, under_way, now_s + self._patience_s)
            sending.place = self._queue
            self._queue.append(sending)
            self._parts_waiting += len(parts)
            sendings.append(sending)
        if sendings:
            parts_each = sum(len(sending.parts) for sending in sendings) / len(sendings)
            self._parts_each += PARTS_WEIGHT * (parts_each - self._parts_each)
        self.pump()
        try:
            await under_way.all_answered
        finally:
            for sending in sendings:
                self._abandon(sending)

    # ---- Out

    def pump(self) -> None:
        """Writes what there is room for. Called whenever there may be some."""
        self._freed.set()
        if self._pacing is not None:
            return
        queue = self._queue
        for bind, mine in self._begun.items():
            # A probe is a message of its own where there is one: the one that was throttled may be to a full mailbox.
            if mine and not (queue and bind.ramp.is_probing):
                self._go_on(bind, mine)
        while queue and self._pacing is None:
            chosen = self._freest()
            if chosen is None:
                return
            sending = queue.popleft()
            sending.place = None
            if sending.is_done:
                continue
            self._write(sending, chosen)
            if sending.waiting:
                self._keep(sending, self._begun[chosen] if sending.has_begun else queue, is_first=True)

    def _go_on(self, bind: CarrierLink, mine: deque[OutgoingMessage]) -> None:
        while mine and bind.room > 0 and self._pacing is None:
            sending = mine[0]
            if not sending.is_done:
                self._write(sending, bind)
            if sending.is_done or not sending.waiting:
                mine.popleft()
                sending.place = None

    def _freest(self) -> CarrierLink | None:
        """The link with room that has least under way."""
        if len(self._binds) == 1:
            return self._binds[0] if self._binds[0].room > 0 else None
        return min((bind for bind in self._binds if bind.room > 0), key=lambda bind: bind.in_flight, default=None)

    def _write(self, sending: OutgoingMessage, bind: CarrierLink) -> None:
        """Writes its waiting parts, as many as the link has room and the bucket tokens for."""
        connection, room = bind.connection, bind.room
        while sending.waiting and room > 0 and connection is not None:
            room -= 1
            now_s = self._loop.time()
            if self._bucket is not None and not self._bucket.take(now_s):
                self._pace()
                return
            if len(sending.waiting) == len(sending.parts):
                sending.leaving((sending.message,))
            part = sending.waiting.pop(0)
            self._parts_waiting -= 1
            try:
                connection.send(sending.parts[part], PendingSubmit(self, sending, part, bind, now_s))
            except UnencodablePdu as fault:
                self._tell(sending, part, PartResult(PartOutcome.REFUSED, words=str(fault)))
                self._settle(sending)
                return
            sending.in_flight += 1
            bind.in_flight += 1
            bind.submitted += 1

    def _keep(self, sending: OutgoingMessage, place: deque[OutgoingMessage], is_first: bool = False) -> None:
        if sending.place is None:
            sending.place = place
            if is_first:
                place.appendleft(sending)
            else:
                place.append(sending)

    def _pace(self) -> None:
        """Comes again a little before or after the next token is there."""
        assert self._rate_per_s is not None, "only a rate is waited for"
        pause_s = max(limits.SMPP_CARRIER_PACE_S_MIN, 1 / self._rate_per_s / POLLS_PER_TOKEN)
        self._pacing = self._loop.call_later(pause_s, self._paced)

    def _paced(self) -> None:
        self._pacing = None
        self.pump()

    # ---- What became of it

    def heard(self, flight: PendingSubmit, answer: session.ResponseOrFailure) -> None:
        """An answer to one submit_sm, or why there is none."""
        bind, sending, part = flight.bind, flight.sending, flight.part
        bind.in_flight -= 1
        sending.in_flight -= 1
        told = self._reader.read(answer)
        match told.fate:
            case PartOutcome.ACCEPTED:
                bind.answered(self._loop.time() - flight.sent_s)
            case PartOutcome.THROTTLED:
                # Of many that are throttled together the first is to blame: one to a full mailbox always is.
                sending.tries[part] += bind.throttled(told.words)
                sending.last = told
            case PartOutcome.UNKNOWN:
                if answer is RequestFailure.NO_ANSWER:
                    bind.doubt()
            case PartOutcome.REFUSED | PartOutcome.PUT_OFF:
                bind.refused(told.words)
        if not sending.is_done:
            if self._goes_again(sending, part, told):
                insort(sending.waiting, part)
                self._parts_waiting += 1
                self._keep(sending, self._begun[bind])
            else:
                self._tell(sending, part, told)
            self._settle(sending)
        self.pump()

    def heard_late(self, flight: PendingSubmit, answer: session.ResponseOrFailure) -> None:
        """An answer to a submit_sm whose message was said to be unknown: with it, all of the message may be taken."""
        sending, told = flight.sending, self._reader.read(answer)
        if told.fate is not PartOutcome.ACCEPTED or not sending.is_done:
            return
        sending.told[flight.part] = told
        whole, message = combine(sending.told), sending.message
        if whole.outcome is Outcome.ACCEPTED and whole.carrier_ref:
            late = LateAnswer(
                message.account_id, message.message_id, message.attempt, whole.carrier_ref, whole.part_refs
            )
            self._late.append(late)

    def _goes_again(self, sending: OutgoingMessage, part: int, told: PartResult) -> bool:
        """Whether a part that certainly did not go is tried again here."""
        if told.fate not in (PartOutcome.NOT_SENT, PartOutcome.THROTTLED) or sending.has_failed:
            return False
        return (
            sending.tries[part] < limits.SMPP_CARRIER_THROTTLED_ATTEMPTS_MAX and self._loop.time() < sending.write_by_s
        )

    def _tell(self, sending: OutgoingMessage, part: int, told: PartResult) -> None:
        sending.told[part] = told
        if told.fate is not PartOutcome.ACCEPTED:
            sending.has_failed = True

    def _settle(self, sending: OutgoingMessage) -> None:
        """Answers for a message of which nothing more is to come. Once a part has failed, no other is sent."""
        if sending.has_failed and sending.waiting:
            self._parts_waiting -= len(sending.waiting)
            sending.waiting.clear()
        if not sending.in_flight and not sending.waiting and not sending.is_done:
            self._answer(sending)

    def _answer(self, sending: OutgoingMessage) -> None:
        sending.is_done = True
        sending.answered(sending.message, combine(sending.told))
        sending.batch.one_answered()

    def _give_back(self, sending: OutgoingMessage, told: PartResult) -> None:
        """The parts that wait will not go from here."""
        for part in sending.waiting:
            self._tell(sending, part, sending.last or told)
        self._settle(sending)

    def _abandon(self, sending: OutgoingMessage) -> None:
        """Nobody waits for it any more: what was written may have gone."""
        if sending.is_done:
            return
        at_carrier = {part for part, told in enumerate(sending.told) if told is None} - set(sending.waiting)
        for part in at_carrier:
            self._tell(sending, part, GIVEN_UP)
        for part in sending.waiting:
            self._tell(sending, part, NO_ROOM)
        self._parts_waiting -= len(sending.waiting)
        sending.waiting.clear()
        self._answer(sending)

    # ---- Links and time

    def lost(self, bind: CarrierLink) -> None:
        """A link is gone: what it had begun goes on by the others, before all else."""
        mine = self._begun[bind]
        for sending in reversed(mine):
            sending.place = self._queue
            self._queue.appendleft(sending)
        mine.clear()
        self.pump()

    def tick(self) -> None:
        """Once a second: gives back what has waited for too long, and what no link is there for."""
        now_s = self._loop.time()
        for late in self._late_before:  # a second after: what it is to be added to is being stored until then
            self._tell_late(late)
        self._late_before, self._late = self._late, []
        if any(bind.is_up and bind.carries_out for bind in self._binds):
            self._down_since_s = None
        elif self._down_since_s is None:
            self._down_since_s = now_s
        is_down = self._down_since_s is not None and now_s - self._down_since_s >= limits.SMPP_CARRIER_DOWN_S
        for place in (self._queue, *self._begun.values()):
            if not place:
                continue
            for sending in list(place):
                if sending.write_by_s <= now_s:
                    self._give_back(sending, NO_ROOM)
                elif is_down and not sending.has_begun:
                    self._give_back(sending, NO_LINK)
            for sending in place:
                if sending.is_done or not sending.waiting:
                    sending.place = None
            kept = [sending for sending in place if sending.place is place]
            place.clear()
            place.extend(kept)

    def stop(self) -> None:
        if self._pacing is not None:
            self._pacing.cancel()


def _bucket(rate_per_s: float | None, now_s: float) -> TokenBucket | None:
    """Two tokens at least, so that one that comes while nobody looks is not lost."""
    if rate_per_s is None:
        return None
    return TokenBucket(rate_per_s, max(2.0, rate_per_s * limits.SMPP_CARRIER_BURST_S), now_s)
