"""A carrier that is reached by SMPP 3.4: Homing binds to its message centre as an ESME, over any number of links.

The parts: smpp_settings.py (the settings), smpp_binds.py (a link and its reconnecting), smpp_ramp.py (slowing down),
smpp_encoding.py (a message as submit_sm), smpp_sending.py (windows, rate, answers), smpp_answers.py (what they mean),
smpp_inbound.py and smpp_reports.py (receipts and messages from people), smpp_queries.py (asking).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Final

from homing import limits
from homing.carriers.base import Answered, Clock, Health, Leaving, Report
from homing.carriers.smpp_binds import CarrierLink, LinkDirection
from homing.carriers.smpp_queries import query_all
from homing.carriers.smpp_reports import ReportQueue
from homing.carriers.smpp_sending import SubmitScheduler
from homing.carriers.smpp_settings import SmppSettings
from homing.kit.names import Names
from homing.model import Outbound, Outstanding
from homing.smpp.connection import SmppConnection
from homing.smpp.pdus import DataSm, DeliverSm
from homing.smpp.session import IncomingRequest
from homing.smpp.timer_wheel import TimerWheel

DIRECTIONS: Final = {"transceiver": (LinkDirection.BOTH,), "pair": (LinkDirection.OUT, LinkDirection.IN)}


class SmppCarrier:
    """See the module, and `Carrier` for what each of these does. Made in a running loop."""

    def __init__(self, settings: SmppSettings, chance: random.Random, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._timer_wheel = TimerWheel()
        names = Names(limits.CARRIER_NAMES_THREADS)
        self._binds = [
            CarrierLink(number, direction, settings, self._timer_wheel, chance, self, names)
            for number in range(1, settings.binds + 1)
            for direction in DIRECTIONS[settings.bind]
        ]
        self._reports = ReportQueue(settings, clock)
        self._sender = SubmitScheduler(settings, self._binds, chance, self._reports.tell, clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._submitted_before = 0
        self._ticked_s = 0.0
        self._submitted_per_s = 0.0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._ticked_s = loop.time()
        self._timer_wheel.add(self)
        self._timer_wheel.run()
        self._tasks = [loop.create_task(bind.run()) for bind in self._binds]

    async def close(self) -> None:
        """Ends the links in good order, for which they have a bounded time."""
        self._reports.refuse()
        ends = [asyncio.ensure_future(bind.end()) for bind in self._binds]
        await asyncio.wait(ends, timeout=limits.SMPP_CARRIER_CLOSE_S)
        for task in (*self._tasks, *ends):
            task.cancel()
        await asyncio.gather(*self._tasks, *ends, return_exceptions=True)
        self._sender.stop()
        self._timer_wheel.discard(self)

    # ---- Out

    def room(self) -> int:
        return self._sender.room()

    async def until_room(self) -> None:
        await self._sender.until_room()

    async def submit(self, batch: Sequence[Outbound], answered: Answered, leaving: Leaving) -> None:
        await self._sender.submit(batch, answered, leaving)

    # ---- In

    def reports(self) -> AsyncIterator[Sequence[Report]]:
        return self._reports.stream()

    async def resume(self, outstanding: Sequence[Outstanding]) -> None:
        """Asks in the background, where the settings say so."""
        if self._settings.query:
            asking = query_all(outstanding, self._settings, self._link_with_room, self._reports.tell, self._clock)
            self._tasks.append(asyncio.get_running_loop().create_task(asking))

    async def _link_with_room(self) -> SmppConnection:
        while True:
            await self._sender.until_room()
            for bind in self._binds:
                if bind.connection is not None and bind.room > 0:
                    return bind.connection
            await asyncio.sleep(limits.SMPP_CARRIER_QUERY_PAUSE_S)

    # ---- The links' switchboard

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            if isinstance(request, DeliverSm | DataSm):
                self._reports.take(connection, sequence, request)
            # outbind asks for the bind that we make anyway; alert_notification tells nothing that we asked for

    def on_room(self) -> None:
        self._sender.pump()

    def on_down(self, bind: CarrierLink) -> None:
        self._sender.lost(bind)

    # ---- Time, and what people see

    def tick(self, now_s: float) -> None:
        """Called by the timer wheel about once a second."""
        self._sender.tick()
        self._reports.tick()
        at_s, submitted = asyncio.get_running_loop().time(), sum(bind.submitted for bind in self._binds)
        self._submitted_per_s = (submitted - self._submitted_before) / max(at_s - self._ticked_s, 1e-3)
        self._submitted_before, self._ticked_s = submitted, at_s

    def health(self) -> Health:
        """Up: a link is bound that carries submits, and not all of those are throttled."""
        sending = [bind for bind in self._binds if bind.is_up and bind.carries_out]
        is_throttled = bool(sending) and all(bind.ramp.is_paused for bind in sending)
        return Health(
            bool(sending) and not is_throttled,
            {
                "throttled": is_throttled,
                "submitted_per_s": round(self._submitted_per_s, 1),
                "waiting_for_room": self._sender.waiting,
                "waiting_to_be_stored": self._reports.waiting,
                "received": self._reports.received,
                "receipts_without_id": self._reports.nameless,
                "binds": [bind.shown() for bind in self._binds],
            },
        )
