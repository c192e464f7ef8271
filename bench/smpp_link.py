"""One SMPP link with both ends in Python: codec, session and connection over a real socket, two processes.

    smpp-session   how many submit_sm a second are answered at a window of 500
    smpp-rtt       whether a link with a round trip of 50 ms is kept full at windows of 10, 50 and 200

Each submit_sm is a new struct with its own number, is decoded to a struct and answered with its own message id.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import msgspec
import uvloop

from bench.machine import cpu_seconds
from bench.report import Row
from homing.smpp.connection import SmppConnection, connect, serve
from homing.smpp.open_requests import ResponseOrFailure
from homing.smpp.pdus import BindTransceiver, BindTransceiverResp, ResponsePdu, SubmitSm, SubmitSmResp
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.timer_wheel import TimerWheel

WINDOW: Final = 500
WARMUP_S: Final = 0.5
TARGET_PER_S: Final = 25_000
RTT_S: Final = 0.05
RTT_WINDOWS: Final = (10, 50, 200)
RTT_SHARE: Final = 0.9
TEXT: Final = b"Your code is 482913. It is valid for 5 minutes. Do not share"


class Centre:
    """The answering end: an id of its own for every message, at once or after a while."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._ids = itertools.count(1)
        self._loop = asyncio.get_running_loop()

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        if isinstance(batch[0][1], BindTransceiver):
            connection.respond(batch[0][0], BindTransceiverResp("bench"))
        elif self._delay_s:
            self._loop.call_later(self._delay_s, self._answer, connection, batch)
        else:
            self._answer(connection, batch)

    def _answer(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            assert isinstance(request, SubmitSm), request
            connection.respond(sequence, SubmitSmResp(f"{next(self._ids):016d}"))

    def on_room(self, connection: SmppConnection) -> None:
        raise AssertionError("it sends nothing")

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        asyncio.get_running_loop().stop()


class Sender:
    """The submitting end: keeps the window full."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.faults: list[ResponseOrFailure] = []
        self._numbers = itertools.count(447700900000)
        self._connection: SmppConnection | None = None

    def start(self, connection: SmppConnection) -> None:
        self._connection = connection
        while connection.room:
            self._send(connection)

    def _send(self, connection: SmppConnection) -> None:
        connection.send(
            SubmitSm(
                source_addr_ton=5,
                source_addr="HOMING",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=str(next(self._numbers)),
                registered_delivery=1,
                short_message=TEXT,
            ),
            self._on_answer,
        )

    def _on_answer(self, answer: ResponseOrFailure) -> None:
        if isinstance(answer, SubmitSmResp) and not answer.status:
            self.ids.append(answer.message_id)
        else:
            self.faults.append(answer)
        if self._connection is not None:
            self._send(self._connection)

    def stop(self) -> None:
        self._connection = None

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        raise AssertionError("nothing was asked for")

    def on_room(self, connection: SmppConnection) -> None:
        """The window is filled by its answers."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        """The run is over."""


class Result(msgspec.Struct, frozen=True):
    """One run: answers a second, CPU of each end in µs a message, and what went wrong."""

    rate: float
    sender_us: float
    centre_us: float
    fault: str


async def measure(window: int, seconds: float, delay_s: float = 0.0) -> Result:
    """Runs one link. `delay_s`: how long the answering end takes."""
    with _centre(delay_s) as (pid, port):
        sender, timer_wheel = Sender(), TimerWheel()
        connection = await connect("127.0.0.1", port, sender, timer_wheel, window_out=window)
        bound = await connection.request(BindTransceiver("bench", "secret"))
        assert isinstance(bound, ResponsePdu), bound
        sender.start(connection)
        await asyncio.sleep(WARMUP_S)
        count, own_s, centre_s, began_s = len(sender.ids), time.process_time(), cpu_seconds([pid]), time.monotonic()
        await asyncio.sleep(seconds)
        lasted_s = time.monotonic() - began_s
        count = len(sender.ids) - count
        own_us = (time.process_time() - own_s) * 1e6 / max(1, count)
        centre_us = (cpu_seconds([pid]) - centre_s) * 1e6 / max(1, count)
        sender.stop()
        connection.unbind()
        while not connection.session.end:
            await asyncio.sleep(0.05)
        timer_wheel.stop()
    fault = f"{len(sender.faults)} unanswered: {sender.faults[0]}" if sender.faults else ""
    if len(set(sender.ids)) != len(sender.ids):
        fault = "an id was given twice"
    return Result(count / lasted_s, own_us, centre_us, fault)


@contextlib.contextmanager
def _centre(delay_s: float) -> Iterator[tuple[int, int]]:
    """The answering end as a process of its own: its id and its port."""
    command = [sys.executable, "-m", "bench.smpp_link", "--delay", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


async def run_session(rounds: int, seconds: float) -> list[Row]:
    """The row of `smpp-session`."""
    results = [await measure(WINDOW, seconds) for _round in range(rounds)]
    rate = statistics.median(result.rate for result in results)
    fault = next((result.fault for result in results if result.fault), "")
    sender_us = statistics.median(result.sender_us for result in results)
    centre_us = statistics.median(result.centre_us for result in results)
    return [
        Row(
            f"SMPP, one link, window {WINDOW}",
            f"≥ {TARGET_PER_S:,}/s",
            f"{rate:,.0f}/s",
            rate >= TARGET_PER_S and not fault,
            f"CPU {sender_us:.1f} µs the sender, {centre_us:.1f} µs the answering end; "
            f"runs: {', '.join(f'{result.rate:,.0f}' for result in results)}{fault and '; ' + fault}",
        )
    ]


async def run_rtt(seconds: float) -> list[Row]:
    """The rows of `smpp-rtt`."""
    rows = []
    for window in RTT_WINDOWS:
        result = await measure(window, seconds, RTT_S)
        ideal = window / RTT_S
        rows.append(
            Row(
                f"SMPP, round trip {RTT_S * 1000:.0f} ms, window {window}",
                f"≥ {RTT_SHARE * ideal:,.0f}/s",
                f"{result.rate:,.0f}/s",
                result.rate >= RTT_SHARE * ideal and not result.fault,
                f"{result.rate / ideal:.2f} × window / round trip{result.fault and '; ' + result.fault}",
            )
        )
    return rows


async def _answer(delay_s: float) -> None:
    centre = Centre(delay_s)
    server = await serve("127.0.0.1", 0, lambda _connection: centre, TimerWheel())
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="The answering end, for the bench to start.")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    delay_s: float = parser.parse_args().delay
    with contextlib.suppress(KeyboardInterrupt, RuntimeError):
        uvloop.run(_answer(delay_s))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
