"""An SMSC in a process of its own, for benches: it accepts any bind and any message, and reports each one delivered.

`with Smsc() as smsc` starts it. Answers leave at once, receipts after a while, in the text of SMPP 3.4, Appendix B, and
as TLVs, within the window that the other end's answers leave. `smsc.counts()` tells what it did.
"""

import argparse
import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections import deque
from functools import partial
from http.client import HTTPConnection
from types import TracebackType
from typing import Final, Self

import msgspec
import uvloop

from homing.smpp.connection import SmppConnection, serve
from homing.smpp.open_requests import ResponseOrFailure
from homing.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DeliverSm,
    SubmitSm,
    SubmitSmResp,
)
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel

WINDOW_IN: Final = 1_000
WINDOW_OUT: Final = 400  # receipts that wait for their answer
AGAIN_S: Final = 1.0  # after a receipt that was not taken
TICK_S: Final = 0.01


class Counts(msgspec.Struct):
    """What the SMSC has seen so far; `cpu_s` is its process's."""

    submitted: int = 0
    reported: int = 0
    refused: int = 0  # receipts that the other end did not take; they come again
    cpu_s: float = 0.0


class Smsc:
    """The SMSC as a bench sees it: start, ask, stop."""

    def __init__(self, receipt_ms: float = 100.0) -> None:
        self._receipt_ms = receipt_ms
        self._process: subprocess.Popen[str]
        self.port = self._control = 0

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.smsc", "--receipt-ms", str(self._receipt_ms)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port, self._control = map(int, self._process.stdout.readline().split())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)

    def counts(self) -> Counts:
        connection = HTTPConnection("127.0.0.1", self._control, timeout=30)
        try:
            connection.request("GET", "/")
            return msgspec.json.decode(connection.getresponse().read(), type=Counts)
        finally:
            connection.close()


class _Centre:
    """All links of one SMSC: what is submitted on one is reported on the same."""

    def __init__(self, receipt_s: float) -> None:
        self._receipt_s = receipt_s
        self._ids = itertools.count(1)
        self._due: deque[tuple[float, SmppConnection, DeliverSm]] = deque()
        self.counts = Counts()

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        due_s = time.monotonic() + self._receipt_s
        minute = time.strftime("%y%m%d%H%M", time.gmtime())
        for sequence, request in batch:
            match request:
                case SubmitSm():
                    message_id = f"{next(self._ids):010d}"
                    connection.respond(sequence, SubmitSmResp(message_id))
                    self.counts.submitted += 1
                    if request.registered_delivery:
                        self._due.append((due_s, connection, _receipt(request, message_id, minute)))
                case BindTransceiver():
                    connection.respond(sequence, BindTransceiverResp("bench"))
                case BindTransmitter():
                    connection.respond(sequence, BindTransmitterResp("bench"))
                case BindReceiver():
                    connection.respond(sequence, BindReceiverResp("bench"))
                case _:
                    connection.respond(sequence, int(CommandStatus.RINVCMDID))

    def on_room(self, connection: SmppConnection) -> None:
        """The ticks look for room."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self._due = deque(due for due in self._due if due[1] is not connection)

    async def report(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            while self._due and self._due[0][0] <= now_s and self._due[0][1].room:
                _due_s, connection, receipt = self._due.popleft()
                connection.send(receipt, partial(self._answered, connection, receipt))

    def _answered(self, connection: SmppConnection, receipt: DeliverSm, answer: ResponseOrFailure) -> None:
        if getattr(answer, "status", None) == 0:
            self.counts.reported += 1
        else:
            self.counts.refused += 1
            self._due.append((time.monotonic() + AGAIN_S, connection, receipt))


def _receipt(request: SubmitSm, message_id: str, minute: str) -> DeliverSm:
    text = (
        f"id:{message_id} sub:001 dlvrd:001 submit date:{minute} done date:{minute} stat:DELIVRD err:000 text:".encode()
        + request.short_message[:20]
    )
    return DeliverSm(
        source_addr_ton=request.dest_addr_ton,
        source_addr_npi=request.dest_addr_npi,
        source_addr=request.destination_addr,
        dest_addr_ton=request.source_addr_ton,
        dest_addr_npi=request.source_addr_npi,
        destination_addr=request.source_addr,
        esm_class=0x04,
        short_message=text,
    )


async def _control(centre: _Centre) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            centre.counts.cpu_s = time.process_time()
            body = msgspec.json.encode(centre.counts)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def _serve(receipt_s: float) -> None:
    centre = _Centre(receipt_s)
    server = await serve(
        "127.0.0.1", 0, lambda _connection: centre, TimerWheel(), window_in=WINDOW_IN, window_out=WINDOW_OUT
    )
    control = await _control(centre)
    print(server.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1], flush=True)
    await centre.report()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipt-ms", type=float, default=100.0)
    uvloop.run(_serve(parser.parse_args().receipt_ms / 1000))
