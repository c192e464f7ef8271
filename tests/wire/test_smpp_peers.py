"""Peers that do not play by the rules, over real sockets. Raw sockets on one side, ours on the other."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from homing.smpp import pdus
from homing.smpp.codec import PduDecoder, PduFault, encode
from homing.smpp.connection import SmppConnection, connect, serve
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import Pdu
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers
from tests.support.waiting import in_time, until

SUBMIT = pdus.SubmitSm(source_addr="HOMING", destination_addr="447700900123", short_message=b"hello")
TIMERS = SessionTimers(session_init_s=10, enquire_link_s=30, inactivity_s=600, response_s=20)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Keeper:
    """An owner that says yes to everything and remembers."""

    def __init__(self) -> None:
        self.requests: list[pdus.RequestPdu] = []
        self.connection: SmppConnection | None = None
        self.end: asyncio.Future[SessionEnd] = asyncio.get_running_loop().create_future()

    def accept(self, connection: SmppConnection) -> "Keeper":
        self.connection = connection
        return self

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        for sequence, request in batch:
            self.requests.append(request)
            connection.respond(sequence, CommandStatus.ROK)

    def on_room(self, connection: SmppConnection) -> None:
        """Nobody here waits for room."""

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self.end.set_result(end)


class Peer:
    """The other end, octet by octet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._decoder = PduDecoder()
        self._read: list[tuple[int, Pdu | PduFault]] = []

    async def next(self) -> tuple[int, Pdu | PduFault]:
        async with in_time():
            while not self._read:
                data = await self.reader.read(65536)
                if not data:
                    raise ConnectionResetError("closed")
                self._read += self._decoder.feed(data)
        return self._read.pop(0)

    async def closes(self) -> bool:
        """Whether nothing follows but the end."""
        async with in_time():
            try:
                return not self._read and await self.reader.read() == b""
            except ConnectionResetError:
                return True

    def say(self, pdu: Pdu, sequence: int) -> None:
        self.writer.write(encode(pdu, sequence))


class Place:
    """A server of ours that a raw peer has connected to."""

    def __init__(self, keeper: Keeper, peer: Peer, clock: Clock, timer_wheel: TimerWheel) -> None:
        self.keeper, self.peer, self.clock, self.timer_wheel = keeper, peer, clock, timer_wheel

    async def bind(self) -> None:
        self.peer.say(pdus.BindTransceiver("homing", "secret"), 1)
        assert await self.peer.next() == (1, pdus.BindTransceiverResp())

    def pass_time(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.timer_wheel.sweep()


@asynccontextmanager
async def served() -> AsyncIterator[Place]:
    clock = Clock()
    timer_wheel, keeper = TimerWheel(clock), Keeper()
    listening = await serve("127.0.0.1", 0, keeper.accept, timer_wheel, timers=TIMERS)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        yield Place(keeper, Peer(reader, writer), clock, timer_wheel)
    finally:
        writer.close()
        async with in_time():
            await keeper.end
        listening.close()
        assert len(timer_wheel) == 0


class Called:
    """A client of ours that has called a raw peer and is bound to it."""

    def __init__(
        self, keeper: Keeper, connection: SmppConnection, peer: Peer, clock: Clock, timer_wheel: TimerWheel
    ) -> None:
        self.keeper, self.connection, self.peer = keeper, connection, peer
        self.clock, self.timer_wheel = clock, timer_wheel

    def pass_time(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.timer_wheel.sweep()


@asynccontextmanager
async def called() -> AsyncIterator[Called]:
    clock = Clock()
    timer_wheel, keeper = TimerWheel(clock), Keeper()
    arrived: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
    listening = await asyncio.start_server(
        lambda reader, writer: arrived.set_result(Peer(reader, writer)), "127.0.0.1", 0
    )
    port = listening.sockets[0].getsockname()[1]
    connection = await connect("127.0.0.1", port, keeper, timer_wheel, timers=TIMERS)
    binding = asyncio.ensure_future(connection.request(pdus.BindTransceiver("homing", "secret")))
    peer = await arrived
    sequence, _bind = await peer.next()
    peer.say(pdus.BindTransceiverResp("peer"), sequence)
    assert await binding == pdus.BindTransceiverResp("peer")
    try:
        yield Called(keeper, connection, peer, clock, timer_wheel)
    finally:
        peer.writer.close()
        async with in_time():
            await keeper.end
        listening.close()
        assert len(timer_wheel) == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        struct.pack(">IIII", 15, 2, 0, 1),
        bytes(range(256)) * 100,
    ],
)
async def test_garbage_on_the_port_is_nacked_and_the_connection_closed(garbage: bytes) -> None:
    async with served() as place:
        place.peer.writer.write(garbage)
        assert await place.peer.next() == (0, pdus.GenericNack(status=CommandStatus.RINVCMDLEN))
        assert await place.peer.closes()
        assert await place.keeper.end is SessionEnd.GARBAGE
        assert place.keeper.requests == []


async def test_garbage_on_a_bound_link_ends_it_too() -> None:
    async with served() as place:
        await place.bind()
        place.peer.writer.write(b"\0\0\0\x03")
        assert await place.peer.next() == (0, pdus.GenericNack(status=CommandStatus.RINVCMDLEN))
        assert await place.keeper.end is SessionEnd.GARBAGE


async def test_a_stream_that_comes_octet_by_octet_is_understood() -> None:
    async with served() as place:
        stream = encode(pdus.BindTransceiver("homing", "secret"), 1) + encode(SUBMIT, 2) + encode(pdus.EnquireLink(), 3)
        for octet in stream:
            place.peer.writer.write(bytes([octet]))
            await place.peer.writer.drain()
        replies = dict([await place.peer.next() for _ in range(3)])
        assert replies == {1: pdus.BindTransceiverResp(), 2: pdus.SubmitSmResp(), 3: pdus.EnquireLinkResp()}
        assert place.keeper.requests == [pdus.BindTransceiver("homing", "secret"), SUBMIT]


async def test_a_peer_that_never_binds_is_closed() -> None:
    async with served() as place:
        place.peer.say(pdus.EnquireLink(), 1)
        await until(lambda: place.keeper.connection and place.keeper.connection.session.counters.faults == 1)
        place.pass_time(10)
        assert await place.peer.closes()
        assert await place.keeper.end is SessionEnd.NOT_BOUND


async def test_a_half_open_peer_is_found_and_closed() -> None:
    async with served() as place:
        await place.bind()
        place.pass_time(30)
        _sequence, inquiry = await place.peer.next()
        assert inquiry == pdus.EnquireLink()
        place.pass_time(20)
        assert await place.peer.closes()
        assert await place.keeper.end is SessionEnd.SILENT


async def test_half_closed_is_closed() -> None:
    async with served() as place:
        await place.bind()
        place.peer.writer.write_eof()
        assert await place.keeper.end is SessionEnd.LOST


async def test_a_peer_that_never_answers_has_its_requests_given_up_one_by_one() -> None:
    async with called() as there:
        answers: list[ResponseOrFailure] = []
        for _ in range(3):
            there.connection.send(SUBMIT, answers.append)
        for _ in range(3):
            await there.peer.next()
        there.pass_time(19)
        assert answers == []
        there.pass_time(1)
        assert answers == [RequestFailure.NO_ANSWER] * 3
        assert there.connection.room > 0


async def test_a_peer_that_answers_twice_is_heard_once() -> None:
    async with called() as there:
        answers: list[ResponseOrFailure] = []
        there.connection.send(SUBMIT, answers.append)
        sequence, _submit = await there.peer.next()
        there.peer.say(pdus.SubmitSmResp("one"), sequence)
        there.peer.say(pdus.SubmitSmResp("two"), sequence)
        there.peer.say(pdus.SubmitSmResp("three"), sequence + 1000)
        there.peer.say(pdus.EnquireLink(), 1)
        await there.peer.next()
        assert answers == [pdus.SubmitSmResp("one")]
        assert there.connection.session.counters.unexpected_responses == 2


async def test_a_peer_that_vanishes_leaves_the_fate_of_what_was_written_unknown() -> None:
    async with called() as there:
        answers: list[ResponseOrFailure] = []
        there.connection.send(SUBMIT, answers.append)
        await there.peer.next()
        there.peer.writer.transport.abort()
        assert await there.keeper.end is SessionEnd.LOST
        assert answers == [RequestFailure.LINK_LOST]


async def test_a_peer_that_closes_before_its_bind_response_answers_the_bind_so() -> None:
    listening = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    keeper = Keeper()
    connection = await connect("127.0.0.1", listening.sockets[0].getsockname()[1], keeper, TimerWheel(Clock()))
    async with in_time():
        assert await connection.request(pdus.BindTransceiver()) in (RequestFailure.LINK_LOST, RequestFailure.NOT_SENT)
        assert await keeper.end is SessionEnd.LOST
    listening.close()


async def test_a_peer_that_sends_but_never_reads_is_closed_in_bounded_memory() -> None:
    async with served() as place:
        await place.bind()
        transport = place.peer.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        assert place.keeper.connection is not None
        session = place.keeper.connection.session
        flood = b"".join(encode(SUBMIT, sequence) for sequence in range(1, 20_000))
        writer = place.peer.writer
        async with in_time():
            while not session.is_stalled:
                if not writer.transport.get_write_buffer_size():
                    writer.write(flood)
                await asyncio.sleep(0)
        assert session.is_stalled
        assert len(session._out) < 50_000
        place.pass_time(20)
        place.pass_time(5)
        place.pass_time(5)
        assert await place.keeper.end is SessionEnd.STALLED


async def test_requests_that_are_no_messages_do_not_disturb_a_link() -> None:
    async with served() as place:
        await place.bind()
        place.peer.writer.write(struct.pack(">IIII", 16, 0x0000FFFF, 0, 5))
        place.peer.writer.write(struct.pack(">IIII", 20, 0x00000004, 0, 6) + b"xxxx")
        place.peer.writer.write(struct.pack(">IIII", 16, 0x80000004, 0, 0xFFFFFFFF))
        place.peer.say(SUBMIT, 7)
        assert [await place.peer.next() for _ in range(3)] == [
            (5, pdus.GenericNack(status=CommandStatus.RINVCMDID)),
            (6, pdus.SubmitSmResp(status=CommandStatus.RINVCMDLEN)),
            (7, pdus.SubmitSmResp()),
        ]


async def test_an_answer_for_a_connection_that_is_being_closed_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as place:
        await place.bind()
        assert place.keeper.connection is not None
        taken: list[int] = []

        def take(_connection: SmppConnection, batch: list[tuple[int, pdus.RequestPdu]]) -> None:
            taken.extend(number for number, _request in batch)

        monkeypatch.setattr(place.keeper, "on_requests", take)
        place.peer.writer.write(encode(SUBMIT, 5) + b"\0\0\0\0")
        assert await place.peer.next() == (0, pdus.GenericNack(status=CommandStatus.RINVCMDLEN))
        assert taken == [5]
        assert not place.keeper.connection.respond(5, CommandStatus.ROK)
        assert await place.keeper.end is SessionEnd.GARBAGE
        assert place.keeper.connection.peer[0] == "127.0.0.1"
