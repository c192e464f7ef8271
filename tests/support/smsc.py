"""A message centre under a test's control: a real SMPP server that does to each submit what it is told.

    async with Smsc() as smsc:
        smsc.deeds = in_turn(Deed(status=0x58), Deed())
        ...  # bind to 127.0.0.1, smsc.port as smsc.system_id with smsc.password
        assert smsc.texts == [("447700900123", "hello")]

It also runs by itself, to be killed, or for benches and documents: `python -m tests.support.smsc --port 2776`.
"""

import argparse
import asyncio
import itertools
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from homing.common.token_bucket import TokenBucket
from homing.smpp import concatenation, udh
from homing.smpp.codec import encode
from homing.smpp.concatenation import PartPosition
from homing.smpp.connection import SmppConnection, serve
from homing.smpp.open_requests import RequestFailure, ResponseOrFailure
from homing.smpp.pdus import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    Outbind,
    QuerySm,
    QuerySmResp,
    RequestPdu,
    ResponsePdu,
    SubmitSm,
    SubmitSmResp,
    refuse,
)
from homing.smpp.session import IncomingRequest, SessionEnd
from homing.smpp.states import SessionState
from homing.smpp.statuses import CommandStatus
from homing.smpp.timer_wheel import TimerWheel
from homing.smpp.timers import SessionTimers
from homing.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPTED_MESSAGE_ID,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    Tlv,
)
from homing.text import gsm7
from tests.support.waiting import WAIT_S, until

SYSTEM_ID = "homing"
PASSWORD = "secret"
BINDS = (BindTransceiver, BindTransmitter, BindReceiver)
STATES = {
    "ENROUTE": 1,
    "DELIVRD": 2,
    "EXPIRED": 3,
    "DELETED": 4,
    "UNDELIV": 5,
    "ACCEPTD": 6,
    "UNKNOWN": 7,
    "REJECTD": 8,
}
HEARING = (SessionState.BOUND_RX, SessionState.BOUND_TRX)
RECEIPT_CLASS = 0x04
AGAIN = (CommandStatus.RTHROTTLED, CommandStatus.RMSGQFUL, CommandStatus.RX_T_APPN)
"""What the other end says when it wants a delivery again, later."""
AGAIN_S = 0.05


@dataclass(frozen=True)
class Deed:
    """What is done to one submit_sm, and what is reported of it later."""

    status: int = CommandStatus.ROK
    answers: int = 1
    """How many times it is answered; 0: never."""
    late_s: float = 0.0
    """It is answered so much later."""
    message_id: str | None = None
    """None: the next id."""
    drops: bool = False
    """The link is cut instead of an answer, though the message was taken."""
    receipt: str | None = "DELIVRD"
    """None: never reported."""
    receipt_first: bool = False
    """Before the answer."""
    receipts: int = 1
    error: str = "000"


Deeds = Callable[[SubmitSm], Deed]


def in_turn(*deeds: Deed) -> Deeds:
    """One after the other, the last one for ever."""
    left = list(deeds)
    return lambda _submit: left.pop(0) if len(left) > 1 else left[0]


def decimal(number: int) -> str:
    return str(number)


def hexadecimal(number: int) -> str:
    return f"{number:x}"


def padded(number: int) -> str:
    return f"{number:010d}"


@dataclass
class Accepted:
    """A submit that was taken, and its id."""

    message_id: str
    number: int
    submit: SubmitSm
    link: "Link"


class Link:
    """The owner of one connection to the centre."""

    def __init__(self, smsc: "Smsc", connection: SmppConnection) -> None:
        self.connection = connection
        self.submits: list[SubmitSm] = []
        self.ended: SessionEnd | None = None
        self._smsc = smsc

    @property
    def hears(self) -> bool:
        return self.connection.state in HEARING

    def on_requests(self, connection: SmppConnection, batch: list[IncomingRequest]) -> None:
        smsc = self._smsc
        if smsc.rtt_s and not isinstance(batch[0][1], BINDS):
            asyncio.get_running_loop().call_later(smsc.rtt_s, self._answer, batch)
        else:
            self._answer(batch)

    def on_room(self, connection: SmppConnection) -> None:
        self._smsc.flush()

    def on_closed(self, connection: SmppConnection, end: SessionEnd) -> None:
        self.ended = end
        self._smsc.left(self)

    def _answer(self, batch: Sequence[IncomingRequest]) -> None:
        for sequence, request in batch:
            self._smsc.answer(self, sequence, request)
        self._smsc.flush()

    def cut(self) -> None:
        """As when a cable is pulled and the other end is told."""
        if self.connection._transport is not None:
            self.connection._transport.abort()

    def write(self, octets: bytes) -> None:
        """Past the session: what a peer that breaks the rules says."""
        assert self.connection._transport
        self.connection._transport.write(octets)


@dataclass
class Smsc:
    """Serves on 127.0.0.1. Its fields may be changed at any time."""

    system_id: str = SYSTEM_ID
    password: str = PASSWORD
    port: int = 0
    tls: ssl.SSLContext | None = None
    deeds: Deeds = field(default=lambda _submit: Deed())
    submit_id: Callable[[int], str] = decimal
    """How an answer writes an id."""
    receipt_id: Callable[[int], str] = decimal
    """How a receipt writes it."""
    first_id: int = 1
    rtt_s: float = 0.0
    receipt_after_s: float = 0.0
    receipt_tlvs: bool = False
    receipt_text: bool = True
    receipts_cross: bool = False
    """By another link than the submit came by, where there is one."""
    rate_per_s: float | None = None
    """Beyond it submits are throttled."""
    bind_status: int = CommandStatus.ROK
    """Anything else refuses every bind."""
    answers_binds: bool = True
    outbinds: bool = False
    """Whether it asks for a bind as soon as there is a connection."""
    charset: str = "gsm7"
    """What data_coding 0 means: gsm7, gsm7-packed or one of Python's names."""
    keeps: bool = True
    """Whether submits are kept to be looked at; a bench has no use for them."""

    def __post_init__(self) -> None:
        self.links: list[Link] = []
        self.past: list[Link] = []
        self.binds: list[RequestPdu] = []
        self.submits: list[SubmitSm] = []
        self.taken: list[Accepted] = []
        self.by_id: dict[str, Accepted] = {}
        self.texts: list[tuple[str, str]] = []
        """(recipient, text) of every message that has arrived whole."""
        self.delivered: list[tuple[DeliverSm, ResponseOrFailure]] = []
        """What the other end has answered, and how."""
        self.unsent: deque[tuple[Link | None, DeliverSm]] = deque()
        self.final_states: dict[str, int] = {}
        """message_state by id, for query_sm."""
        self.queries: list[QuerySm] = []
        self.throttled = 0
        self.ids: Iterator[int] = itertools.count(self.first_id)
        self._bucket: TokenBucket | None = None
        self._parts: dict[tuple[str, int, int], dict[int, bytes]] = {}
        self._timer_wheel = TimerWheel()
        self._server: asyncio.Server | None = None
        self._is_frozen = False
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---- Its life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self._timer_wheel.stop()

    async def start(self) -> None:
        """Listens, on the same port as before if it did."""
        self._loop = asyncio.get_running_loop()
        self._server = await serve(
            "127.0.0.1",
            self.port,
            self._accept,
            self._timer_wheel,
            timers=SessionTimers(enquire_link_s=None, response_s=20),
            window_out=500,
            window_in=20_000,
            tls=self.tls,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As when its process is killed."""
        self.stop_listening()
        self.cut()
        while self.links:
            await asyncio.sleep(0)

    def stop_listening(self) -> None:
        """No new links; those that there are stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Every link."""
        for link in list(self.links):
            link.cut()

    def unbind(self) -> None:
        """Asks every link to leave."""
        for link in self.links:
            link.connection.unbind()

    def freeze(self) -> None:
        """Half-open: what is sent to it vanishes, and it says nothing."""
        self._is_frozen = True
        for link in self.links:
            if link.connection._transport is not None:
                link.connection._transport.pause_reading()

    def thaw(self) -> None:
        self._is_frozen = False
        self.cut()

    async def until(self, condition: Callable[[], object], within_s: float = WAIT_S) -> None:
        """Returns as soon as it is so."""
        await until(condition, within_s=within_s)

    async def bound(self, count: int = 1) -> None:
        await self.until(lambda: sum(link.connection.is_bound for link in self.links) == count)

    def _accept(self, connection: SmppConnection) -> Link:
        link = Link(self, connection)
        self.links.append(link)
        if self.outbinds:
            connection.notify(Outbind(system_id="smsc"))
        return link

    def left(self, link: Link) -> None:
        self.links.remove(link)
        self.past.append(link)

    # ---- What it answers

    def answer(self, link: Link, sequence: int, request: RequestPdu) -> None:
        if self._is_frozen:
            return
        if isinstance(request, BINDS):
            self._bind(link, sequence, request)
        elif isinstance(request, SubmitSm):
            self._submit(link, sequence, request)
        elif isinstance(request, QuerySm):
            self.queries.append(request)
            state = self.final_states.get(request.message_id)
            found = QuerySmResp(request.message_id, "", state, 0) if state else CommandStatus.RQUERYFAIL
            link.connection.respond(sequence, found)
        else:
            link.connection.respond(sequence, CommandStatus.ROK)

    def _bind(self, link: Link, sequence: int, request: Any) -> None:
        self.binds.append(request)
        if not self.answers_binds:
            return
        status = self.bind_status
        if not status and request.system_id != self.system_id:
            status = CommandStatus.RINVSYSID
        if not status and request.password != self.password:
            status = CommandStatus.RINVPASWD
        link.connection.respond(sequence, status)
        if not status:
            self.flush()

    def _submit(self, link: Link, sequence: int, submit: SubmitSm) -> None:
        if self.keeps:
            link.submits.append(submit)
            self.submits.append(submit)
        if self._is_too_fast():
            self.throttled += 1
            link.connection.respond(sequence, CommandStatus.RTHROTTLED)
            return
        deed = self.deeds(submit)
        if deed.status:
            link.connection.respond(sequence, deed.status)
            return
        number = next(self.ids)
        message_id = self.submit_id(number) if deed.message_id is None else deed.message_id
        accepted = Accepted(message_id, number, submit, link)
        if self.keeps:
            self.taken.append(accepted)
            self.by_id[message_id] = accepted
            self._read(submit)
        if deed.receipt and deed.receipt_first:
            self.report(accepted, deed.receipt, deed.error)
            self.flush()
        if deed.drops:
            link.cut()
        elif deed.late_s:
            assert self._loop
            self._loop.call_later(deed.late_s, link.connection.respond, sequence, SubmitSmResp(message_id))
        elif deed.answers:
            link.connection.respond(sequence, SubmitSmResp(message_id))
            for _again in range(deed.answers - 1):
                link.write(encode(SubmitSmResp(message_id), sequence))
        if deed.receipt and not deed.receipt_first and submit.registered_delivery & 3:
            for _again in range(deed.receipts):
                self._report_later(accepted, deed)

    def _is_too_fast(self) -> bool:
        if self.rate_per_s is None:
            return False
        now_s = time.monotonic()
        if self._bucket is None or self._bucket.rate_per_s != self.rate_per_s:
            self._bucket = TokenBucket(self.rate_per_s, max(1.0, self.rate_per_s / 10), now_s)
        return not self._bucket.take(now_s)

    # ---- What it sends

    def _report_later(self, accepted: Accepted, deed: Deed) -> None:
        assert self._loop
        assert deed.receipt
        if self.receipt_after_s:
            self._loop.call_later(self.receipt_after_s, self._report_now, accepted, deed.receipt, deed.error)
        else:
            self.report(accepted, deed.receipt, deed.error)

    def _report_now(self, accepted: Accepted, state: str, error: str) -> None:
        self.report(accepted, state, error)
        self.flush()

    def report(self, accepted: Accepted, state: str, error: str = "000") -> None:
        """Queues a receipt in Appendix B's text, in TLVs, or both; `flush` sends it."""
        ref = self.receipt_id(accepted.number)
        now = datetime.now(UTC)
        submit = accepted.submit
        text = (
            f"id:{ref} sub:001 dlvrd:{1 if state == 'DELIVRD' else 0:03d} submit date:{now:%y%m%d%H%M}"
            f" done date:{now:%y%m%d%H%M} stat:{state} err:{error}"
            f" text:{''.join(chr(octet) for octet in submit.short_message[:20] if 32 <= octet < 127)}"
        )
        tlvs: tuple[Tlv, ...] = ()
        if self.receipt_tlvs:
            tlvs = (RECEIPTED_MESSAGE_ID.make(ref), MESSAGE_STATE.make(STATES[state]))
            if int(error):
                tlvs = (*tlvs, NETWORK_ERROR_CODE.make(b"\x03" + int(error).to_bytes(2, "big")))
        receipt = DeliverSm(
            source_addr_ton=submit.dest_addr_ton,
            source_addr_npi=submit.dest_addr_npi,
            source_addr=submit.destination_addr,
            dest_addr_ton=submit.source_addr_ton,
            dest_addr_npi=submit.source_addr_npi,
            destination_addr=submit.source_addr,
            esm_class=RECEIPT_CLASS,
            short_message=text.encode("latin-1") if self.receipt_text else b"",
            tlvs=tlvs,
        )
        self.unsent.append((accepted.link, receipt))

    def deliver(self, deliver: DeliverSm) -> None:
        """Sends anything, by whatever link hears."""
        self.unsent.append((None, deliver))
        self.flush()

    def write_text(self, source: str, target: str, text: str, data_coding: int = 0, long: str = "udh8") -> None:
        """A person writes; a text that does not fit goes in parts of 60 characters."""
        octets = self._encode(text, data_coding)
        sender = DeliverSm(source_addr=source, destination_addr=target, data_coding=data_coding)
        if len(octets) <= 140:
            self.deliver(replaced(sender, short_message=octets))
            return
        if long == "payload":
            self.deliver(replaced(sender, tlvs=(MESSAGE_PAYLOAD.make(octets),)))
            return
        for part in self.parts(sender, octets, long):
            self.deliver(part)

    def parts(self, sender: DeliverSm, octets: bytes, long: str, reference: int = 77) -> list[DeliverSm]:
        """A long text's deliver_sm, 60 octets each."""
        cut = [octets[at : at + 60] for at in range(0, len(octets), 60)]
        made = []
        for number, piece in enumerate(cut, 1):
            if long == "sar":
                sar = concatenation.build_tlvs(reference, len(cut), number)
                made.append(replaced(sender, short_message=piece, tlvs=sar))
            else:
                header = concatenation.build_header(reference, len(cut), number, long == "udh16")
                made.append(replaced(sender, esm_class=udh.UDHI, short_message=header + piece))
        return made

    def flush(self) -> None:
        """Sends what there is room for. What is not answered, because the link went, is sent again."""
        for _one in range(len(self.unsent)):
            origin, deliver = self.unsent.popleft()
            link = self._way(origin)
            if link is None:
                self.unsent.append((origin, deliver))
                continue
            link.connection.send(deliver, self._delivered(origin, deliver))

    @property
    def delivery_statuses(self) -> list[int]:
        """Of the answers to all that was delivered."""
        return [status_of(answer) for _deliver, answer in self.delivered]

    def _delivered(self, origin: Link | None, deliver: DeliverSm) -> Callable[[ResponseOrFailure], None]:
        def keep(answer: ResponseOrFailure) -> None:
            if isinstance(answer, RequestFailure):
                self.unsent.append((origin, deliver))
                return
            if answer.status in AGAIN:
                self.unsent.append((origin, deliver))
                asyncio.get_running_loop().call_later(AGAIN_S, self.flush)
            if self.keeps or answer.status:
                self.delivered.append((deliver, answer))

        return keep

    def _way(self, origin: Link | None) -> Link | None:
        hearing = [link for link in self.links if link.hears and link.connection.room > 0]
        if self.receipts_cross and len(hearing) > 1:
            hearing = [link for link in hearing if link is not origin]
        if origin in hearing:
            return origin
        return hearing[0] if hearing else None

    # ---- What it reads

    def _read(self, submit: SubmitSm) -> None:
        """Puts a message together as a message centre does."""
        octets = submit.short_message or MESSAGE_PAYLOAD.of(submit.tlvs) or b""
        header, body = udh.split(octets, submit.esm_class)
        body = self._septets(submit, body, len(header))
        place = concatenation.header_position(header)
        if place is None and SAR_TOTAL_SEGMENTS.of(submit.tlvs):
            tlvs = submit.tlvs
            reference, total, part = (
                parameter.of(tlvs) or 0 for parameter in (SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM)
            )
            place = PartPosition(reference, total, part)
        if place is not None:
            key = submit.destination_addr, place.reference, place.total
            parts = self._parts.setdefault(key, {})
            parts[place.part] = body
            if len(parts) < place.total:
                return
            body = b"".join(parts[number] for number in sorted(self._parts.pop(key)))
        self.texts.append((submit.destination_addr, self._decode(submit.data_coding, body)))

    def _septets(self, submit: SubmitSm, body: bytes, header_octets: int) -> bytes:
        if self.charset != "gsm7-packed" or submit.data_coding != 0:
            return body
        fill = gsm7.fill_bits(header_octets)
        count = (len(body) * 8 - fill) // 7
        septets = gsm7.unpack(body, count, fill)
        return septets[:-1] if (fill + 7 * count) % 8 == 0 and septets.endswith(b"\r") else septets

    def _decode(self, data_coding: int, octets: bytes) -> str:
        if data_coding in (0x08, 0x18):
            return octets.decode("utf-16-be")
        return gsm7.decode(octets) if self.charset.startswith("gsm7") else octets.decode(self.charset)

    def _encode(self, text: str, data_coding: int) -> bytes:
        if data_coding == 8:
            return text.encode("utf-16-be")
        if data_coding == 3:
            return text.encode("latin-1")
        return gsm7.encode(text) if self.charset.startswith("gsm7") else text.encode(self.charset)


def replaced(deliver: DeliverSm, **changes: Any) -> DeliverSm:
    fields = {name: getattr(deliver, name) for name in deliver.__struct_fields__}
    return DeliverSm(**{**fields, **changes})


def status_of(answer: ResponseOrFailure) -> int:
    """Of an answer that came."""
    assert isinstance(answer, ResponsePdu), answer
    return answer.status


def refused(request: type[RequestPdu], status: int, sequence: int) -> bytes:
    """A refusal as it travels."""
    return encode(refuse(request, status), sequence)


async def run(port: int, system_id: str, password: str, rtt_ms: float, receipt_ms: float) -> None:
    """Until it is killed. The ids go on from where another process's may have ended."""
    smsc = Smsc(
        system_id,
        password,
        port,
        first_id=time.time_ns() // 1_000_000,
        rtt_s=rtt_ms / 1000,
        receipt_after_s=receipt_ms / 1000,
        keeps=False,
    )
    await smsc.start()
    sys.stdout.write(f"ready on 127.0.0.1:{smsc.port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    wanted = argparse.ArgumentParser(description="A message centre that takes and delivers everything.")
    wanted.add_argument("--port", type=int, default=2776)
    wanted.add_argument("--system-id", default=SYSTEM_ID)
    wanted.add_argument("--password", default=PASSWORD)
    wanted.add_argument("--rtt-ms", type=float, default=0.0)
    wanted.add_argument("--receipt-ms", type=float, default=50.0)
    given = wanted.parse_args()
    asyncio.run(run(given.port, given.system_id, given.password, given.rtt_ms, given.receipt_ms))
