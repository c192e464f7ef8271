"""What a carrier's links have brought and Homing has not stored yet. Only what is stored is answered."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import structlog

from homing import limits
from homing.carriers.base import Clock, Report
from homing.carriers.smpp_inbound import DeliveryReader, InboundPart, ReassemblyKey, ReassemblyTable
from homing.carriers.smpp_settings import SmppSettings
from homing.model import CarrierReceipt
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import DataSm, DeliverSm
from homing.smpp.statuses import CommandStatus

log = structlog.get_logger()


class PendingResponse(msgspec.Struct, frozen=True):
    """An answer that a request still waits for."""

    connection: SmppConnection
    sequence: int
    since_s: float

    def give(self, status: CommandStatus = CommandStatus.ROK) -> None:
        """Too late is no harm: the link is gone, and the carrier repeats what it has no answer to."""
        self.connection.respond(self.sequence, status)


class QueuedReport(msgspec.Struct, frozen=True):
    """A report, and the answers that its being stored sets free."""

    report: Report
    owed: Sequence[PendingResponse] = ()


class ReportQueue:
    """Bounded by the links' windows: requests without an answer stop the reading.

    A part of a long message is answered when the message is stored, as everything else is, unless the others do not
    come at once: then it is answered before, because there are carriers that send the next part only after that. What
    waits for its last part so is lost if the process dies.
    """

    def __init__(self, settings: SmppSettings, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._reader = DeliveryReader(settings)
        self._puzzles = ReassemblyTable()
        self._owed: dict[ReassemblyKey, list[PendingResponse]] = {}
        self._waiting: list[QueuedReport] = []
        self._handed: list[QueuedReport] = []
        self._news = asyncio.Event()
        self._told_nameless = 0
        self.nameless = 0
        """Receipts that name no message."""
        self.received = 0
        """Receipts and messages, the parts of long ones counted."""

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._handed)

    # ---- In

    def take(self, connection: SmppConnection, sequence: int, request: DeliverSm | DataSm) -> None:
        """What came by a link."""
        self.received += 1
        said = self._reader.read(request, self._clock())
        owed = PendingResponse(connection, sequence, self._loop.time())
        if isinstance(said, InboundPart):
            self._add_fragment(said, owed)
            return
        if isinstance(said, CarrierReceipt) and not said.carrier_ref:
            self.nameless += 1
        self._put(QueuedReport(said, (owed,)))

    def tell(self, report: Report) -> None:
        """What was found out in another way."""
        self._put(QueuedReport(report))

    def _add_fragment(self, fragment: InboundPart, owed: PendingResponse) -> None:
        key = self._puzzles.key(fragment)
        self._owed.setdefault(key, []).append(owed)
        parts = self._puzzles.add(fragment, owed.since_s)
        if parts is not None:
            self._finish(key, parts)

    def _finish(self, key: ReassemblyKey, parts: list[InboundPart]) -> None:
        self._put(QueuedReport(self._reader.whole(parts, self._clock()), self._owed.pop(key, ())))

    def _put(self, waiting: QueuedReport) -> None:
        self._waiting.append(waiting)
        self._news.set()

    # ---- Out

    async def stream(self) -> AsyncIterator[Sequence[Report]]:
        """Batches of what waits. Asking for the next one says that the last one is stored."""
        while True:
            while not self._handed:
                self._handed = self._waiting[: limits.SMPP_CARRIER_REPORTS_BATCH_MAX]
                del self._waiting[: len(self._handed)]
                if not self._handed:
                    self._news.clear()
                    await self._news.wait()
            # Kept until they are stored, so that a reader who fails and comes again gets them again.
            yield [one.report for one in self._handed]
            stored, self._handed = self._handed, []
            for one in stored:
                for owed in one.owed:
                    owed.give()

    # ---- Time

    def tick(self) -> None:
        """Once a second: answers parts that wait for others, and passes on what does not become whole."""
        now_s = self._loop.time()
        for parts in self._puzzles.overdue(now_s):
            self._finish(self._puzzles.key(parts[0]), parts)
        for key, owed in list(self._owed.items()):
            late = [one for one in owed if now_s - one.since_s >= limits.SMPP_CARRIER_FRAGMENT_HOLD_S]
            for one in late:
                one.give()
            self._owed[key] = [one for one in owed if one not in late]
            if not self._owed[key]:
                del self._owed[key]
        if self.nameless > self._told_nameless:
            log.warning("receipts_without_id", count=self.nameless - self._told_nameless)
            self._told_nameless = self.nameless

    def refuse(self) -> None:
        """Nothing more will be stored: the carrier is to come again with what has no answer."""
        left = [owed for one in (*self._handed, *self._waiting) for owed in one.owed]
        for owed in (*left, *(one for several in self._owed.values() for one in several)):
            owed.give(CommandStatus.RX_T_APPN)
        self._owed.clear()
