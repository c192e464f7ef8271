"""Connections over real sockets: both ends ours, in plain TCP and TLS. Time is told to the timer wheel."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from homing.smpp import pdus
from homing.smpp.codec import UnencodablePdu, encode
from homing.smpp.connection import SmppConnection, connect, serve
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.session import SMPP_PDUS_A_TURN_MAX, IncomingRequest, SessionEnd
from homing.smpp.states import SessionState
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers
from tests.support.tls import contexts
from tests.support.waiting import until

SUBMIT = pdus.SubmitSm(source_addr="HOMING", destination_addr="447700900123", short_message=b"hello")
DELIVER = pdus.DeliverSm(source_addr="447700900123", destination_addr="HOMING", short_message=b"yes")
TIMERS = SessionTimers(session_init_s=10, enquire_link_s=30, inactivity_s=600, response_s=20)


class Clock:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Party:
    """An owner that keeps what it is told. Binds and messages are answered unless `holds`."""

    def __init__(self, holds: bool = False) -> None:
        self.holds = holds
        self.connections: list[SmppConnection] = []
        self.batches: list[list[IncomingRequest]] = []
        self.ends: list[SessionEnd] = []
        self.rooms = 0

    def accept(self, connection: SmppConnection) -> "Party":
        self.connections.append(connection)
        return self

    def has_requests(self, count: int) -> bool:
        return len(self.requests) == count

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        self.batches.append(batch)
        for sequence, request in batch:
            if type(request) in pdus.RESPONSE_OF and not self.holds:
                connection.respond(sequence, CommandStatus.ROK)

    def on_room(self, connection: SmppConnection) -> None:
        self.rooms += 1

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self.ends.append(end)

    async def until(self, condition: Callable[[], object]) -> None:
        await until(condition)

    @property
    def requests(self) -> list[pdus.RequestPdu]:
        return [request for batch in self.batches for _sequence, request in batch]


class Link:
    """Both ends of a bound link, and the timer wheel of both."""

    def __init__(
        self, client: Party, server: Party, connection: SmppConnection, timer_wheel: TimerWheel, clock: Clock
    ) -> None:
        self.client, self.server, self.connection = client, server, connection
        self.timer_wheel, self.clock = timer_wheel, clock

    @property
    def far(self) -> SmppConnection:
        return self.server.connections[0]

    def pass_time(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.timer_wheel.sweep()


@asynccontextmanager
async def linked(
    window_out: int = 100,
    window_in: int = 1000,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    bind: type[pdus.BindTransceiver | pdus.BindTransmitter | pdus.BindReceiver] = pdus.BindTransceiver,
) -> AsyncIterator[Link]:
    clock = Clock()
    timer_wheel = TimerWheel(clock)
    client, server = Party(), Party()
    listening = await serve(
        "127.0.0.1", 0, server.accept, timer_wheel, timers=TIMERS, window_in=window_in, tls=tls and tls[0]
    )
    port = listening.sockets[0].getsockname()[1]
    connection = await connect(
        "127.0.0.1", port, client, timer_wheel, timers=TIMERS, window_out=window_out, tls=tls and tls[1]
    )
    assert isinstance(await connection.request(bind("homing", "secret")), pdus.ResponsePdu)
    assert connection.is_bound
    try:
        yield Link(client, server, connection, timer_wheel, clock)
    finally:
        connection.close()
        await client.until(lambda: client.ends)
        await server.until(lambda: server.ends)
        listening.close()
        timer_wheel.stop()
        assert len(timer_wheel) == 0


async def test_messages_and_receipts_pass_both_ways() -> None:
    async with linked() as link:
        assert await link.connection.request(SUBMIT) == pdus.SubmitSmResp()
        assert await link.far.request(DELIVER) == pdus.DeliverSmResp()
        assert link.server.requests == [pdus.BindTransceiver("homing", "secret"), SUBMIT]
        assert link.client.requests == [DELIVER]
        assert link.far.peer[0] == "127.0.0.1"


async def test_what_is_sent_in_one_turn_arrives_as_one_batch() -> None:
    async with linked() as link:
        answers: list[ResponseOrFailure] = []
        for _ in range(50):
            link.connection.send(SUBMIT, answers.append)
        assert answers == []
        await link.server.until(lambda: len(link.server.requests) == 51)
        assert [len(batch) for batch in link.server.batches] == [1, 50]
        assert await link.connection.request(SUBMIT) == pdus.SubmitSmResp()
        assert answers == [pdus.SubmitSmResp()] * 50


async def test_answers_may_be_given_later_and_in_any_order() -> None:
    async with linked() as link:
        link.server.holds = True
        given: list[str] = []

        def keep(name: str) -> Callable[[ResponseOrFailure], None]:
            return lambda answer: given.append(f"{name} {getattr(answer, 'message_id', '')}")

        for name in "abc":
            link.connection.send(SUBMIT, keep(name))
        await link.server.until(lambda: len(link.server.requests) == 4)
        sequences = [sequence for sequence, _request in link.server.batches[-1]]
        for at in (2, 0, 1):
            assert link.far.respond(sequences[at], pdus.SubmitSmResp(str(at)))
        link.server.holds = False
        await link.connection.request(SUBMIT)
        assert given == ["c 2", "a 0", "b 1"]


async def test_beyond_the_window_a_send_is_told_so_later_and_then_that_there_is_room() -> None:
    async with linked(window_out=2) as link:
        answers: list[ResponseOrFailure] = []
        for _ in range(3):
            link.connection.send(SUBMIT, answers.append)
        assert link.connection.room == 0
        assert answers == []
        await link.client.until(lambda: link.client.rooms)
        assert answers.count(RequestFailure.NOT_SENT) == 1
        assert answers.count(pdus.SubmitSmResp()) == 2
        assert link.connection.room == 2


async def test_a_request_that_cannot_be_encoded_raises_and_takes_no_room() -> None:
    async with linked(window_out=1) as link:
        with pytest.raises(UnencodablePdu):
            link.connection.send(pdus.SubmitSm(source_addr="x" * 21), lambda _answer: None)
        assert link.connection.room == 1


async def test_a_full_window_of_requests_stops_reading_until_they_are_answered() -> None:
    async with linked(window_out=100, window_in=10) as link:
        link.server.holds = True
        answers: list[ResponseOrFailure] = []
        for _ in range(10):
            link.connection.send(SUBMIT, answers.append)
        await link.server.until(lambda: len(link.server.requests) == 11)
        for _ in range(10):
            link.connection.send(SUBMIT, answers.append)
        await asyncio.sleep(0.05)  # time in which the second ten would come if they were read
        assert len(link.server.requests) == 11
        link.server.holds = False
        for sequence, _request in link.server.batches[-1]:
            link.far.respond(sequence, CommandStatus.ROK)
        await link.server.until(lambda: len(link.server.requests) == 21)
        await link.connection.request(SUBMIT)
        assert answers == [pdus.SubmitSmResp()] * 20


async def test_a_request_behind_a_bind_is_taken_once_the_bind_is_answered() -> None:
    timer_wheel = TimerWheel(Clock())
    server = Party(holds=True)
    listening = await serve("127.0.0.1", 0, server.accept, timer_wheel, timers=TIMERS)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer.write(encode(pdus.BindTransceiver(), 1) + encode(SUBMIT, 2))
    await server.until(lambda: server.requests)
    server.connections[0].respond(1, CommandStatus.ROK)
    await server.until(lambda: len(server.requests) == 2)
    assert server.requests[1] == SUBMIT
    writer.close()
    await server.until(lambda: server.ends)
    assert server.ends == [SessionEnd.LOST]
    listening.close()
    del reader


async def test_unbinding_waits_for_the_answers_under_way() -> None:
    async with linked() as link:
        answers: list[ResponseOrFailure] = []
        for _ in range(5):
            link.connection.send(SUBMIT, answers.append)
        link.connection.unbind()
        assert link.connection.state is SessionState.UNBINDING
        await link.client.until(lambda: link.client.ends)
        assert answers == [pdus.SubmitSmResp()] * 5
        assert link.client.ends == [SessionEnd.UNBOUND]
        await link.server.until(lambda: link.server.ends)
        assert link.server.ends == [SessionEnd.PEER_UNBOUND]


async def test_a_lost_link_tells_what_was_written_from_what_was_not() -> None:
    async with linked() as link:
        link.server.holds = True
        written: list[ResponseOrFailure] = []
        kept: list[ResponseOrFailure] = []
        link.connection.send(SUBMIT, written.append)
        await link.server.until(lambda: len(link.server.requests) == 2)
        link.connection.send(SUBMIT, kept.append)
        link.connection._transport.abort()  # type: ignore[union-attr] # the cable is pulled
        await link.client.until(lambda: link.client.ends)
        assert (written, kept) == ([RequestFailure.LINK_LOST], [RequestFailure.NOT_SENT])


async def test_a_peer_that_never_answers_leaves_the_fate_unknown() -> None:
    async with linked() as link:
        link.server.holds = True
        answers: list[ResponseOrFailure] = []
        link.connection.send(SUBMIT, answers.append)
        await link.server.until(lambda: len(link.server.requests) == 2)
        link.pass_time(20)
        assert answers == [RequestFailure.NO_ANSWER]
        assert link.connection.is_bound


async def test_after_the_end_a_send_is_told_not_sent_and_an_answer_is_not_taken() -> None:
    async with linked() as link:
        link.server.holds = True
        link.connection.send(SUBMIT, lambda _answer: None)
        await link.server.until(lambda: len(link.server.requests) == 2)
        link.connection.close()
        await link.server.until(lambda: link.server.ends)
        assert await link.connection.request(SUBMIT) is RequestFailure.NOT_SENT
        assert not link.far.respond(link.server.batches[-1][0][0], CommandStatus.ROK)


async def test_an_owner_that_fails_is_reported_and_the_link_lives() -> None:
    def fail(_answer: ResponseOrFailure) -> None:
        raise KeyError("missing")

    async with linked() as link:
        reported: list[dict[str, object]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: reported.append(context))
        try:
            link.connection.send(SUBMIT, fail)
            assert await link.connection.request(SUBMIT) == pdus.SubmitSmResp()
        finally:
            loop.set_exception_handler(None)
        assert [type(context["exception"]) for context in reported] == [KeyError]


async def test_a_connection_that_nobody_wants_is_closed_without_a_word() -> None:
    timer_wheel = TimerWheel(Clock())
    listening = await serve("127.0.0.1", 0, lambda _connection: None, timer_wheel)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    assert len(timer_wheel) == 0
    writer.close()
    listening.close()


async def test_a_link_over_tls_is_a_link(tmp_path: Path) -> None:
    async with linked(tls=contexts(tmp_path)) as link:
        answers: list[ResponseOrFailure] = []
        for _ in range(100):
            link.connection.send(SUBMIT, answers.append)
        await link.server.until(lambda: len(link.server.requests) == 101)
        link.connection.unbind()
        await link.client.until(lambda: link.client.ends)
        assert answers == [pdus.SubmitSmResp()] * 100


async def test_a_peer_that_sends_more_than_a_turn_takes_stops_no_clock_of_ours() -> None:
    """What waits for its next turn is not what we have no room for: an answer that never comes is given up in time."""
    count = 2 * SMPP_PDUS_A_TURN_MAX
    async with linked() as link:
        link.server.holds = True
        link.far.session.window_out = count
        answers: list[ResponseOrFailure] = []
        link.connection.send(SUBMIT, answers.append)
        await link.server.until(lambda: SUBMIT in link.server.requests)
        for round_ in range(1, 4):
            link.pass_time(TIMERS.response_s / 2)
            for _ in range(count):
                link.far.send(DELIVER, lambda _answer: None)
            await link.client.until(partial(link.client.has_requests, round_ * count))
            await until(lambda: link.far.session.outstanding == 0)
        assert answers == [RequestFailure.NO_ANSWER]
