"""A customer over SMPP, for tests: our own client session, and what came over it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from homing.smpp import pdus, timers
from homing.smpp.connection import SmppConnection
from homing.smpp.open_requests import ResponseOrFailure
from homing.smpp.pdus import DeliverSm, ResponsePdu, SubmitSm
from homing.smpp.receipt_text import TYPE_MASK
from homing.smpp.session import IncomingRequest, SessionEnd, SmppSession
from homing.smpp.states import SessionRole
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.tlvs import Tlvs
from tests.support.waiting import WAIT_S, in_time, until

RECEIPT = re.compile(
    r"id:(?P<id>\d+) sub:001 dlvrd:00(?P<dlvrd>[01]) submit date:\d{10} done date:\d{10}"
    r" stat:(?P<stat>[A-Z]+) err:(?P<err>\w{3}) text:(?P<text>.*)",
    re.DOTALL,
)


class Receipt:
    """A deliver_sm that is a receipt or a notice."""

    def __init__(self, pdu: DeliverSm) -> None:
        match = RECEIPT.fullmatch(pdu.short_message.decode("ascii"))
        assert match, pdu
        self.pdu = pdu
        self.id, self.stat, self.text, self.err = match["id"], match["stat"], match["text"], match["err"]


class Esme:
    """A bound customer. `deliver`: how it answers a deliver_sm; None: not at all."""

    def __init__(self, deliver: Callable[[DeliverSm], int | None] = lambda _pdu: 0) -> None:
        self.deliver = deliver
        self.arrived: list[DeliverSm] = []
        self.at_s: list[float] = []
        self.end: SessionEnd | None = None
        self.connection: SmppConnection
        self._news = asyncio.Event()

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            assert isinstance(request, DeliverSm), request
            status = self.deliver(request)
            self.arrived.append(request)
            self.at_s.append(time.monotonic())
            if status is not None:
                connection.respond(sequence, status)
        self._news.set()

    def on_room(self, connection: SmppConnection) -> None:
        """Nobody here waits for room."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self.end = end
        self._news.set()

    async def until(self, condition: Callable[[Self], object], within_s: float = WAIT_S) -> None:
        await until(lambda: condition(self), within_s=within_s, describe=lambda: self.arrived)

    async def ask(self, request: pdus.RequestPdu) -> ResponseOrFailure:
        async with in_time():
            return await self.connection.request(request)

    async def status_of(self, request: pdus.RequestPdu) -> int:
        """Of the answer."""
        answer = await self.ask(request)
        assert isinstance(answer, ResponsePdu), answer
        return answer.status

    async def submit(self, number: str, text: bytes = b"Your code is 1234", **more: Any) -> ResponsePdu:
        answer = await self.ask(submit(number, text, **more))
        assert isinstance(answer, ResponsePdu), answer
        return answer

    async def sent(self, number: str, text: bytes = b"Your code is 1234", **more: Any) -> str:
        """The message id."""
        answer = await self.submit(number, text, **more)
        assert answer.status == 0, hex(answer.status)
        assert isinstance(answer, pdus.SubmitSmResp)
        assert answer.message_id.isdigit()
        return answer.message_id

    @property
    def receipts(self) -> list[Receipt]:
        return [Receipt(pdu) for pdu in self.arrived if pdu.esm_class & TYPE_MASK]

    @property
    def inbound(self) -> list[DeliverSm]:
        return [pdu for pdu in self.arrived if not pdu.esm_class & TYPE_MASK]

    async def receipt(self, message_id: str, within_s: float = WAIT_S) -> Receipt:
        """The first receipt of a message."""
        await self.until(lambda _self: any(one.id == message_id for one in self.receipts), within_s)
        return next(one for one in self.receipts if one.id == message_id)


def submit(number: str, text: bytes = b"Your code is 1234", *, tlvs: Tlvs = (), **more: Any) -> SubmitSm:
    values: dict[str, Any] = {
        "source_addr_ton": 5,
        "source_addr": "HOMING",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "registered_delivery": 1,
        **more,
    }
    return SubmitSm(destination_addr=number, short_message=text, tlvs=tlvs, **values)


async def call(
    address: str, esme: Esme, timer_wheel: TimerWheel, window_out: int = 100, source: str | None = None
) -> SmppConnection:
    """`source`: our own address; all of 127.0.0.0/8 is ours."""
    host, _colon, port = address.rpartition(":")

    def make() -> SmppConnection:
        return SmppConnection(
            lambda _made: esme,
            SmppSession(role=SessionRole.ESME, now_s=time.monotonic(), timers=timers.DEFAULT, window_out=window_out),
            timer_wheel,
        )

    loop = asyncio.get_running_loop()
    _transport, esme.connection = await loop.create_connection(
        make, host, int(port), local_addr=(source, 0) if source else None
    )
    return esme.connection


@asynccontextmanager
async def bound(
    address: str,
    system_id: str,
    password: str,
    kind: type[pdus.BindRequest] = pdus.BindTransceiver,
    *,
    deliver: Callable[[DeliverSm], int | None] = lambda _pdu: 0,
    window: int = 200,
    source: str | None = None,
    **more: Any,
) -> AsyncIterator[Esme]:
    """Binds, and unbinds at the end unless the link has ended before."""
    timer_wheel, esme = TimerWheel(), Esme(deliver)
    await call(address, esme, timer_wheel, window, source)
    try:
        answer = await esme.ask(kind(system_id, password, **more))
        assert isinstance(answer, ResponsePdu), answer
        assert answer.status == 0, hex(answer.status)
        yield esme
        if esme.end is None:
            esme.connection.unbind()
            await esme.until(lambda one: one.end is not None)
    finally:
        esme.connection.close()
        timer_wheel.stop()


async def refused(
    address: str,
    system_id: str,
    password: str,
    kind: type[pdus.BindRequest] = pdus.BindTransceiver,
    source: str | None = None,
) -> int:
    """The status with which a bind is refused."""
    timer_wheel, esme = TimerWheel(), Esme()
    await call(address, esme, timer_wheel, source=source)
    answer = await esme.ask(kind(system_id, password))
    assert isinstance(answer, ResponsePdu), answer
    assert answer.status != CommandStatus.ROK
    await esme.until(lambda one: one.end is not None)
    timer_wheel.stop()
    return answer.status
