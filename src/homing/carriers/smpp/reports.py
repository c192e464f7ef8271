"""Receipts and inbound messages from a carrier's links that are not stored yet. A request is answered once it is
stored.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec
import structlog

from homing.carriers.base import CarrierReport, Clock
from homing.carriers.smpp.inbound import DeliveryReader, InboundPart, ReassemblyKey, ReassemblyTable
from homing.carriers.smpp.settings import SmppSettings
from homing.model import CarrierReceipt
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import DataSm, DeliverSm
from homing.smpp.statuses import CommandStatus

SMPP_CARRIER_REPORTS_BATCH_MAX: Final = 500
SMPP_CARRIER_FRAGMENT_HOLD_S: Final = 1.0  # an inbound part waits so long for the others before it is answered
log = structlog.get_logger()


class PendingResponse(msgspec.Struct, frozen=True):
    """A request that has no response yet. `since_s`: the loop's time when it came."""

    connection: SmppConnection
    sequence: int
    since_s: float

    def respond(self, status: CommandStatus = CommandStatus.ROK) -> None:
        """Without effect when the link is gone: the carrier then repeats the request."""
        self.connection.respond(self.sequence, status)


class QueuedReport(msgspec.Struct, frozen=True):
    """A report, and the requests to answer once it is stored."""

    report: CarrierReport
    pending: Sequence[PendingResponse] = ()


class ReportQueue:
    """Bounded by the links' windows: requests without a response pause the reading.

    A part of a multipart message is answered when the message is stored, as other requests are, unless the other parts
    do not come at once: then it is answered before, because some carriers send the next part only after that. Such
    parts are lost if the process dies.
    """

    def __init__(self, settings: SmppSettings, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._reader = DeliveryReader(settings)
        self._reassembly = ReassemblyTable()
        self._pending: dict[ReassemblyKey, list[PendingResponse]] = {}
        self._queued: list[QueuedReport] = []
        self._in_hand: list[QueuedReport] = []
        self._has_new = asyncio.Event()
        self._logged_without_id = 0
        self.without_id = 0
        """Receipts that name no message."""
        self.received = 0
        """Receipts and messages; each part of a multipart message counts."""

    @property
    def queued(self) -> int:
        return len(self._queued) + len(self._in_hand)

    # ---- In

    def take(self, connection: SmppConnection, sequence: int, request: DeliverSm | DataSm) -> None:
        """Takes a request from a link."""
        self.received += 1
        delivery = self._reader.read(request, self._clock())
        pending = PendingResponse(connection, sequence, self._loop.time())
        if isinstance(delivery, InboundPart):
            self._add_part(delivery, pending)
            return
        if isinstance(delivery, CarrierReceipt) and not delivery.carrier_ref:
            self.without_id += 1
        self._put(QueuedReport(delivery, (pending,)))

    def add(self, report: CarrierReport) -> None:
        """Adds a report from another source, such as query_sm."""
        self._put(QueuedReport(report))

    def _add_part(self, part: InboundPart, pending: PendingResponse) -> None:
        key = self._reassembly.key(part)
        self._pending.setdefault(key, []).append(pending)
        parts = self._reassembly.add(part, pending.since_s)
        if parts is not None:
            self._finish(key, parts)

    def _finish(self, key: ReassemblyKey, parts: list[InboundPart]) -> None:
        self._put(QueuedReport(self._reader.whole(parts, self._clock()), self._pending.pop(key, ())))

    def _put(self, queued: QueuedReport) -> None:
        self._queued.append(queued)
        self._has_new.set()

    # ---- Out

    async def stream(self) -> AsyncIterator[Sequence[CarrierReport]]:
        """Batches of reports. Asking for the next batch confirms that the last one is stored."""
        while True:
            while not self._in_hand:
                self._in_hand = self._queued[:SMPP_CARRIER_REPORTS_BATCH_MAX]
                del self._queued[: len(self._in_hand)]
                if not self._in_hand:
                    self._has_new.clear()
                    await self._has_new.wait()
            # Kept until they are stored: a caller that fails and streams again gets them again.
            yield [queued.report for queued in self._in_hand]
            finished, self._in_hand = self._in_hand, []
            for queued in finished:
                for pending in queued.pending:
                    pending.respond()

    # ---- Time

    def tick(self) -> None:
        """Once a second: answers parts that wait for others, and passes on messages that stay incomplete."""
        now_s = self._loop.time()
        for parts in self._reassembly.overdue(now_s):
            self._finish(self._reassembly.key(parts[0]), parts)
        for key, pending in list(self._pending.items()):
            overdue = [part for part in pending if now_s - part.since_s >= SMPP_CARRIER_FRAGMENT_HOLD_S]
            for part in overdue:
                part.respond()
            self._pending[key] = [part for part in pending if part not in overdue]
            if not self._pending[key]:
                del self._pending[key]
        if self.without_id > self._logged_without_id:
            log.warning("receipts_without_id", count=self.without_id - self._logged_without_id)
            self._logged_without_id = self.without_id

    def refuse(self) -> None:
        """Nothing more will be stored: refuses all open requests, so that the carrier repeats them later."""
        of_reports = [pending for queued in (*self._in_hand, *self._queued) for pending in queued.pending]
        of_parts = [pending for parts in self._pending.values() for pending in parts]
        for pending in (*of_reports, *of_parts):
            pending.respond(CommandStatus.RX_T_APPN)
        self._pending.clear()
