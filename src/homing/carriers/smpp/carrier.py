"""A carrier that is reached by SMPP 3.4: Homing binds to its message centre as an ESME, over any number of links.

The modules: `settings`; `link` (a link and its reconnecting); `throttle` (slowing down); `encoding` (a message as
submit_sm); `submitting` (windows, rate, responses); `answers` (the meaning of responses); `inbound` and `reports`
(receipts and inbound messages); `queries` (query_sm).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Final

from homing import limits
from homing.carriers.base import Answered, CarrierHealth, CarrierReport, Clock, Leaving
from homing.carriers.smpp.link import CarrierLink, LinkDirection
from homing.carriers.smpp.queries import SMPP_CARRIER_QUERY_PAUSE_S, query_all
from homing.carriers.smpp.reports import ReportQueue
from homing.carriers.smpp.settings import SmppSettings
from homing.carriers.smpp.submitting import SubmitScheduler
from homing.common.host_lookup import HostLookup
from homing.model import Outbound, Outstanding
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import DataSm, DeliverSm
from homing.smpp.session import IncomingRequest
from homing.smpp.timer_wheel import TimerWheel

DIRECTIONS: Final = {"transceiver": (LinkDirection.BOTH,), "pair": (LinkDirection.OUT, LinkDirection.IN)}


class SmppCarrier:
    """See the module, and `Carrier` for the methods. Made in a running loop."""

    def __init__(self, settings: SmppSettings, rng: random.Random, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._timer_wheel = TimerWheel()
        names = HostLookup(limits.CARRIER_NAMES_THREADS)
        self._links = [
            CarrierLink(
                number=number,
                direction=direction,
                settings=settings,
                timer_wheel=self._timer_wheel,
                rng=rng,
                observer=self,
                names=names,
            )
            for number in range(1, settings.binds + 1)
            for direction in DIRECTIONS[settings.bind]
        ]
        self._reports = ReportQueue(settings, clock)
        self._scheduler = SubmitScheduler(
            settings=settings, links=self._links, rng=rng, report_late=self._reports.add, clock=clock
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._submitted_before = 0
        self._ticked_s = 0.0
        self._submitted_per_s = 0.0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticked_s = loop.time()
        self._timer_wheel.add(self)
        self._timer_wheel.run()
        self._tasks = [loop.create_task(link.run()) for link in self._links]

    async def close(self) -> None:
        """Unbinds all links, within a bounded time."""
        self._reports.refuse()
        endings = [asyncio.ensure_future(link.end()) for link in self._links]
        await asyncio.wait(endings, timeout=limits.SMPP_CARRIER_CLOSE_S)
        for task in (*self._tasks, *endings):
            task.cancel()
        await asyncio.gather(*self._tasks, *endings, return_exceptions=True)
        self._scheduler.stop()
        self._timer_wheel.discard(self)

    # ---- Out

    def room(self) -> int:
        return self._scheduler.room()

    async def until_room(self) -> None:
        await self._scheduler.until_room()

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        await self._scheduler.submit(batch, answered, leaving)

    # ---- In

    def reports(self) -> AsyncIterator[Sequence[CarrierReport]]:
        return self._reports.stream()

    async def resume(self, outstanding: Sequence[Outstanding]) -> None:
        """Queries the carrier in the background, where the settings say so."""
        if self._settings.query:
            querying = query_all(outstanding, self._settings, self._link_with_room, self._reports.add, self._clock)
            self._tasks.append(asyncio.get_running_loop().create_task(querying))

    async def _link_with_room(self) -> SmppConnection:
        while True:
            await self._scheduler.until_room()
            for link in self._links:
                if link.connection is not None and link.room > 0:
                    return link.connection
            await asyncio.sleep(SMPP_CARRIER_QUERY_PAUSE_S)

    # ---- For the links

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            if isinstance(request, DeliverSm | DataSm):
                self._reports.take(connection, sequence, request)
            # outbind is ignored: we bind anyway; so is alert_notification, which we do not request

    def on_room(self) -> None:
        self._scheduler.pump()

    def on_down(self, link: CarrierLink) -> None:
        self._scheduler.link_down(link)

    # ---- Time and health

    def tick(self, now_s: float) -> None:
        """Called by the timer wheel about once a second."""
        self._scheduler.tick()
        self._reports.tick()
        at_s, submitted = asyncio.get_running_loop().time(), sum(link.submitted for link in self._links)
        self._submitted_per_s = (submitted - self._submitted_before) / max(at_s - self._ticked_s, 1e-3)
        self._submitted_before, self._ticked_s = submitted, at_s

    def health(self) -> CarrierHealth:
        """Up: at least one link for submits is bound and not throttled."""
        sending = [link for link in self._links if link.is_up and link.carries_out]
        is_throttled = bool(sending) and all(link.congestion.is_paused for link in sending)
        return CarrierHealth(
            bool(sending) and not is_throttled,
            {
                "throttled": is_throttled,
                "submitted_per_s": round(self._submitted_per_s, 1),
                "waiting_for_room": self._scheduler.waiting,
                "waiting_to_be_stored": self._reports.queued,
                "received": self._reports.received,
                "receipts_without_id": self._reports.without_id,
                "binds": [link.health() for link in self._links],
            },
        )
