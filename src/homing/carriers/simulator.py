"""The simulated carrier: a seeded stand-in for a real one, for the demo, the tests and the benches.

What becomes of a message is a pure function of the seed, the carrier's reference and the number, so that a restarted
process tells the same story about messages submitted before. A recipient's last four digits can force an outcome:
0001 delivered at once, 0002 undeliverable, 0003 refused at submit, 0004 expired, 0005 never reported,
0006 reported delivered though the person never got it. Everything else follows the odds in the settings.
"""

import asyncio
import functools
import heapq
import itertools
import math
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from homing.carriers.base import Answered, CarrierHealth, CarrierReport, Clock, Leaving
from homing.carriers.call_outcomes import NO_FLASH
from homing.common.mixing import mix64
from homing.model import Answer, CarrierInbound, CarrierReceipt, Outbound, Outcome, Outstanding
from homing.smpp.statuses import INVALID_DESTINATION, CommandStatus, error_code
from homing.states import MessageState

CARRIER_WINDOW_DEFAULT: Final = 2_000  # messages under way at a carrier
GATHER_S: Final = 0.02  # receipts due within this time leave together, as carriers' links bunch them
REPORT_BATCH_MAX: Final = 500


Odds = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=86_400_000)]


class SimulatedDestination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a destination behaves; odds are between 0 and 1, times in milliseconds."""

    submit_ms: Milliseconds = 5.0
    receipt_ms_mean: Milliseconds = 800.0
    refused: Odds = 0.0
    deferred: Odds = 0.0  # put off: comes again, or goes by another carrier
    unanswered: Odds = 0.0  # taken, and the answer is lost; its receipt comes all the same
    lost: Odds = 0.0  # of the accepted ones: never reported
    undeliverable: Odds = 0.03
    expired: Odds = 0.01
    fake: Odds = 0.0  # of the lost and undeliverable ones: reported delivered all the same
    converted: Odds = 0.6  # of those whom it reached
    replied: Odds = 0.0  # of those whom it reached


class SimulatorSettings(SimulatedDestination, frozen=True, forbid_unknown_fields=True):
    """The general behaviour, and that of prefixes which differ. `flash`: whether it takes messages of class 0."""

    seed: int = 1
    is_down: bool = False
    window: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = CARRIER_WINDOW_DEFAULT
    prefixes: dict[str, SimulatedDestination] = {}
    flash: bool = True

    @property
    def carries_flash(self) -> bool:
        return self.flash


class SimulatedOutcome(msgspec.Struct, frozen=True):
    """What becomes of a message: the state that is reported (None: never), whether the person got it and came back."""

    refused: bool
    reported: MessageState | None
    reached: bool
    converted: bool
    replied: bool
    receipt_ms: float


MAGIC: Final[dict[str, SimulatedOutcome]] = {
    "0001": SimulatedOutcome(False, MessageState.DELIVERED, True, True, False, 0.0),
    "0002": SimulatedOutcome(False, MessageState.UNDELIVERABLE, False, False, False, 0.0),
    "0003": SimulatedOutcome(True, None, False, False, False, 0.0),
    "0004": SimulatedOutcome(False, MessageState.EXPIRED, False, False, False, 0.0),
    "0005": SimulatedOutcome(False, None, False, False, False, 0.0),
    "0006": SimulatedOutcome(False, MessageState.DELIVERED, False, False, False, 0.0),
}
WRONG_NUMBER: Final = Answer(Outcome.REFUSED, None, INVALID_DESTINATION, "Invalid destination address")
SUBMIT_FAILED: Final = Answer(Outcome.REFUSED, None, error_code(CommandStatus.RSUBMITFAIL), "Submit failed")
RECEIPT_WORDS: Final = {
    MessageState.DELIVERED: ("DELIVRD", "000"),
    MessageState.UNDELIVERABLE: ("UNDELIV", "001"),
    MessageState.EXPIRED: ("EXPIRED", "003"),
}


def outcome_of(settings: SimulatorSettings, carrier_ref: str, number: str) -> SimulatedOutcome:
    """Pure: the same arguments always give the same fate."""
    forced = MAGIC.get(number[-4:])
    if forced is not None:
        return forced
    destination = _destination(settings, number)
    draw = RandomDraws(mix64(settings.seed) ^ int(carrier_ref, 16) ^ mix64(int(number)))
    if draw.next() < destination.refused:
        return MAGIC["0003"]
    receipt_ms = -math.log(1.0 - draw.next()) * destination.receipt_ms_mean
    truth = _truth(destination, draw.next())
    reached = truth is MessageState.DELIVERED
    faked = not reached and draw.next() < destination.fake
    return SimulatedOutcome(
        False,
        MessageState.DELIVERED if faked else truth,
        reached,
        reached and draw.next() < destination.converted,
        reached and draw.next() < destination.replied,
        receipt_ms,
    )


def _truth(destination: SimulatedDestination, draw: float) -> MessageState | None:
    """What really happens to an accepted message; None: nobody ever hears of it."""
    if draw < destination.lost:
        return None
    if draw < destination.lost + destination.undeliverable:
        return MessageState.UNDELIVERABLE
    if draw < destination.lost + destination.undeliverable + destination.expired:
        return MessageState.EXPIRED
    return MessageState.DELIVERED


def _failure(settings: SimulatorSettings, carrier_ref: str, number: str) -> Answer | None:
    """What befalls a submit before the carrier has looked at the message; a forced outcome is spared."""
    destination = _destination(settings, number)
    if not (destination.deferred or destination.unanswered) or number[-4:] in MAGIC:
        return None
    draw = RandomDraws(mix64(settings.seed + 1) ^ int(carrier_ref, 16) ^ mix64(int(number))).next()
    if draw < destination.deferred:
        return Answer(Outcome.DEFERRED, None, "88", "Throttled")
    if draw < destination.deferred + destination.unanswered:
        return Answer(Outcome.UNKNOWN, None, None, "no answer")
    return None


class RandomDraws:
    """Numbers from 0 up to 1 from a seed (splitmix64). Seeding the library's generator costs more than a whole fate."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed

    def next(self) -> float:
        self._state = (self._state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        return (mix64(self._state) >> 11) * 2.0**-53


def _destination(settings: SimulatorSettings, number: str) -> SimulatedDestination:
    if settings.prefixes:
        for length in range(min(len(number), 15), 0, -1):
            destination = settings.prefixes.get(number[:length])
            if destination is not None:
                return destination
    return settings


@functools.lru_cache(maxsize=1024)
def _minute(minutes: int) -> str:
    """A receipt's ten-digit date, of minutes since 1970."""
    return f"{datetime.fromtimestamp(minutes * 60, UTC):%y%m%d%H%M}"


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


class SimulatorCarrier:
    """See the module. References are 20 hex digits: the submit time in ms, a mark of this instance, and a count.

    Without the mark two processes that submit in the same millisecond give two messages one reference.
    """

    def __init__(self, settings: SimulatorSettings, clock: Clock, mark: int | None = None) -> None:
        self._settings = settings
        self._mark = secrets.randbits(16) if mark is None else mark
        self._clock = clock
        self._count = itertools.count()
        self._due: list[tuple[float, int, CarrierReceipt | CarrierInbound]] = []
        self._order = itertools.count()
        self._woken = asyncio.Event()
        self._under_way = 0
        self._freed = asyncio.Event()

    async def open(self) -> None:
        """Nothing to connect."""

    async def close(self) -> None:
        """Nothing to close."""

    def health(self) -> CarrierHealth:
        return CarrierHealth(
            not self._settings.is_down, {"under_way": self._under_way, "window": self._settings.window}
        )

    def room(self) -> int:
        return 0 if self._settings.is_down else max(0, self._settings.window - self._under_way)

    async def until_room(self) -> None:
        while not self.room():
            self._freed.clear()
            await self._freed.wait()

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        """Takes as long as its slowest destination's submit."""
        leaving(batch)
        self._under_way += len(batch)
        try:
            await asyncio.sleep(max(_destination(self._settings, m.number).submit_ms for m in batch) / 1000)
            self._answer(batch, answered)
        finally:
            self._under_way -= len(batch)
            self._freed.set()

    def _answer(self, batch: Sequence[Outbound], answered: Answered) -> None:
        now_ms = _ms(self._clock())
        for message in batch:
            if message.options.flash and not self._settings.flash:
                answered(message, NO_FLASH)
                continue
            carrier_ref = f"{now_ms:011x}{self._mark:04x}{next(self._count) & 0xFFFFF:05x}"
            outcome = outcome_of(self._settings, carrier_ref, message.number)
            failure = _failure(self._settings, carrier_ref, message.number)
            if failure is not None:
                answered(message, failure)
                if failure.outcome is Outcome.UNKNOWN:
                    self._schedule(carrier_ref, message.number, message.sender, outcome, now_ms)
            elif outcome.refused:
                answered(message, WRONG_NUMBER if message.number[-4:] in MAGIC else SUBMIT_FAILED)
            else:
                answered(message, Answer(Outcome.ACCEPTED, carrier_ref))
                self._schedule(carrier_ref, message.number, message.sender, outcome, now_ms)

    async def resume(self, outstanding: Sequence[Outstanding]) -> None:
        """The receipts that were still to come are scheduled again, overdue ones for now."""
        for message in outstanding:
            outcome = outcome_of(self._settings, message.carrier_ref, message.number)
            self._schedule(
                message.carrier_ref, message.number, message.sender, outcome, int(message.carrier_ref[:11], 16)
            )

    async def reports(self) -> AsyncIterator[Sequence[CarrierReport]]:
        while True:
            batch = self._take_due()
            if batch:
                yield batch
                continue
            self._woken.clear()
            wait_s = (self._due[0][0] - _ms(self._clock())) / 1000 if self._due else None
            if wait_s is not None and wait_s <= GATHER_S:
                await asyncio.sleep(GATHER_S)
                continue
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _schedule(
        self, carrier_ref: str, number: str, sender: str, outcome: SimulatedOutcome, submitted_ms: int
    ) -> None:
        if outcome.reported is None:
            return
        due_ms = submitted_ms + outcome.receipt_ms
        state_word, error = RECEIPT_WORDS[outcome.reported]
        at = datetime.fromtimestamp(due_ms / 1000, UTC)
        raw = (
            f"id:{carrier_ref} sub:001 dlvrd:{1 if outcome.reported is MessageState.DELIVERED else 0:03d}"
            f" submit date:{_minute(submitted_ms // 60_000)}"
            f" done date:{_minute(int(due_ms) // 60_000)} stat:{state_word} err:{error}"
        )
        self._push(due_ms, CarrierReceipt(carrier_ref, outcome.reported, at, error, raw, number))
        if outcome.replied:
            self._push(due_ms + 1_000, CarrierInbound(number, sender, "OK", at))

    def _push(self, due_ms: float, report: CarrierReceipt | CarrierInbound) -> None:
        heapq.heappush(self._due, (due_ms, next(self._order), report))
        if self._due[0][2] is report:
            self._woken.set()

    def _take_due(self) -> list[CarrierReport]:
        now_ms = _ms(self._clock())
        batch: list[CarrierReport] = []
        while self._due and self._due[0][0] <= now_ms and len(batch) < REPORT_BATCH_MAX:
            batch.append(heapq.heappop(self._due)[2])
        return batch
