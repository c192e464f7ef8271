"""One SMPP session as a state machine, for either end (SMPP 3.4, section 2). Pure: no I/O, and told the time.

Octets go in by `receive`, requests by `send`, answers by `respond`, time by `tick`; octets come out by `take`. A
session keeps nothing but what is under way, so that thousands can be idle in one process. Times are seconds of
any clock that does not go back.

What a caller has sent is known by a token of its own, which comes back once, together with what became of it: in
what `receive`, `tick` or `close` returns.
"""

import enum
from typing import Final, Generic, TypeAlias, TypeVar

from homing import limits
from homing.kit.buckets import TokenBucket
from homing.smpp import timers as defaults
from homing.smpp.codec import DecodedPdu, PduDecoder, PduFault, encode
from homing.smpp.pdus import (
    RESPONSE_OF,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Pdu,
    RequestPdu,
    ResponsePdu,
    Unbind,
    UnbindResp,
    refuse,
)
from homing.smpp.states import BINDS, BOUND, SessionRole, SessionState, may_send
from homing.smpp.statuses import CommandStatus
from homing.smpp.timers import SessionTimers

T = TypeVar("T")

SEQUENCE_MAX: Final = 0x7FFF_FFFF
"""Section 3.2: sequence numbers run from 1 to this, then from 1 again."""


class RequestFailure(enum.Enum):
    """Why a request has no answer."""

    NOT_SENT = "not sent"
    """It never left: sending it elsewhere cannot make two of it."""
    NO_ANSWER = "no answer"
    """It was written, and the response timer ran out."""
    LINK_LOST = "link lost"
    """It was written, and the session ended before the answer."""

    @property
    def fate_unknown(self) -> bool:
        """Whether the other end may have it all the same."""
        return self is not RequestFailure.NOT_SENT


class SessionEnd(enum.Enum):
    """Why a session is over."""

    CLOSED = "closed by this end"
    LOST = "the connection was lost"
    UNBOUND = "unbound by this end"
    PEER_UNBOUND = "unbound by the other end"
    NOT_BOUND = "no bind in time"
    SILENT = "no answer to enquire_link"
    STALLED = "the other end does not read"
    GARBAGE = "what came is not SMPP"
    FLOOD = "asked and answered too much for nothing"


ResponseOrFailure: TypeAlias = ResponsePdu | RequestFailure
IncomingRequest: TypeAlias = tuple[int, RequestPdu]
"""A request and the sequence number under which to answer it."""


class SessionCounters:
    """What a peer did that is not in order, and was passed over."""

    __slots__ = ("faults", "foreign", "repeated", "throttled")

    def __init__(self) -> None:
        self.faults = 0
        """PDUs that could not be read, and before a bind those that were none."""
        self.foreign = 0
        """Responses to nothing: second ones, late ones, of another command, under a number never used."""
        self.repeated = 0
        """Requests under the number of one that waited for its answer; they waited for that."""
        self.throttled = 0
        """Requests beyond the window."""


class SmppSession(Generic[T]):
    """A link from connecting to closing. `T` is the type of the caller's tokens."""

    __slots__ = (
        "_bind_sequence",
        "_decoder",
        "_forgotten",
        "_free",
        "_fresh",
        "_given_up",
        "_heard_s",
        "_held",
        "_inquiry",
        "_is_full",
        "_may_send",
        "_opened_s",
        "_out",
        "_outstanding",
        "_passes",
        "_peer_unbind",
        "_repeats",
        "_repeats_count",
        "_resumed_s",
        "_sequence",
        "_stalled_s",
        "_transacted_s",
        "_unanswered",
        "_unbind_sequence",
        "_unbinding_s",
        "counters",
        "end",
        "late",
        "role",
        "state",
        "timers",
        "window_in",
        "window_out",
    )

    def __init__(
        self,
        role: SessionRole,
        now_s: float,
        timers: SessionTimers = defaults.DEFAULT,
        window_out: int = limits.SMPP_WINDOW_OUT_DEFAULT,
        window_in: int = limits.SMPP_WINDOW_IN_DEFAULT,
    ) -> None:
        """`window_out`: requests that may wait for the other end's answer. `window_in`: for ours."""
        self.role = role
        self.timers = timers
        self.window_out = window_out
        self.window_in = window_in
        self.counters = SessionCounters()
        self.end: SessionEnd | None = None
        """Set when the session is over: what `take` gives is to be written, then the connection closed."""
        # Nothing long comes before a bind: until then, what looks long is garbage and need not be waited for.
        is_smsc = role is SessionRole.SMSC
        self._decoder = PduDecoder(limits.SMPP_PDU_UNBOUND_BYTES_MAX if is_smsc else limits.SMPP_PDU_BYTES_MAX)
        self._free = TokenBucket(limits.SMPP_FREE_PER_S, limits.SMPP_FREE_BURST, now_s)
        self._out: list[bytes] = []
        self._fresh = 0
        self._sequence = 1
        self._outstanding: dict[int, tuple[T, type[ResponsePdu], float]] = {}
        self._given_up: dict[int, tuple[T, type[ResponsePdu]]] = {}
        self._forgotten = 0
        """Requests that were given up, whose numbers are no longer known and whose answers may still come."""
        self.late: list[tuple[T, ResponsePdu]] = []
        """Answers to requests that were told to have none, for whoever can still use them; to be taken out."""
        self._unanswered: dict[int, type[RequestPdu]] = {}
        self._bind_sequence: int | None = None
        self._held: list[DecodedPdu] = []
        self._repeats: dict[int, list[Pdu | PduFault]] = {}
        self._repeats_count = 0
        self._is_full = False
        self._inquiry: tuple[int, float] | None = None
        self._unbind_sequence: int | None = None
        self._unbinding_s = 0.0
        self._peer_unbind: int | None = None
        self._opened_s = self._heard_s = self._transacted_s = self._resumed_s = now_s
        self._stalled_s: float | None = None
        self._enter(SessionState.OPEN)

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self._may_send = may_send(self.role, state)
        if state is not SessionState.UNBINDING:
            # What was on its way when we began to leave is still taken, so that no receipt is refused for it.
            self._passes = may_send(self.role.other, state) & _ANSWERED_BY_OWNER

    # ---- What may be done

    @property
    def is_bound(self) -> bool:
        return self.state in BOUND

    @property
    def room(self) -> int:
        """How many requests the window has room for; none where nothing can be sent."""
        if self._stalled_s is not None or not self._may_send:
            return 0
        return max(0, self.window_out - len(self._outstanding))

    @property
    def outstanding(self) -> int:
        """Requests that wait for the other end's answer."""
        return len(self._outstanding)

    @property
    def unanswered(self) -> int:
        """Requests that wait for ours."""
        return len(self._unanswered)

    @property
    def has_held(self) -> bool:
        """Whether there is more of what came, and room for it: `receive(b"")` brings it. It waited behind a bind, or
        was more than one turn may take.
        """
        return (bool(self._held) or self._decoder.has_more) and self.has_room_in

    @property
    def may_read(self) -> bool:
        """Whether there is room for more to come in; asked after `receive` and `respond`."""
        return self.has_room_in and not self._held and not self._decoder.has_more

    @property
    def has_room_in(self) -> bool:
        """Whether requests can be taken. Once full, none can until a quarter of the window is free, so that reading
        does not begin and end with every answer.
        """
        if self.end is not None or self._bind_sequence is not None or len(self._out) >= limits.SMPP_UNSENT_PDUS_MAX:
            return False
        if self._is_full:
            self._is_full = len(self._unanswered) > self.window_in * 3 // 4
        return not self._is_full

    # ---- Out

    def send(self, request: RequestPdu, token: T, now_s: float) -> int | None:
        """Sends a request that has a response; its sequence number, or None when it cannot be sent now.

        None: the window is full, the transport takes nothing, or the state does not allow it; the token is then
        not kept. Raises UnencodablePdu.
        """
        kind = type(request)
        outstanding = self._outstanding
        if len(outstanding) >= self.window_out or kind not in self._may_send or self._stalled_s is not None:
            return None
        response = RESPONSE_OF[kind]
        sequence = self._next()
        self._out.append(encode(request, sequence))
        outstanding[sequence] = (token, response, now_s)
        self._fresh += 1
        self._transacted_s = now_s
        return sequence

    def tell(self, request: RequestPdu) -> bool:
        """Sends outbind or alert_notification, which have no response. False when the state does not allow it."""
        if type(request) not in self._may_send:
            return False
        self._out.append(encode(request, self._next()))
        if type(request) is Outbind:
            self._enter(SessionState.OUTBOUND)
        return True

    def respond(self, sequence: int, answer: ResponsePdu | int) -> bool:
        """Answers a request that `receive` brought, in any order. An integer is the status of a bare response.

        False when nothing waits for an answer under this number, as after the end. Raises UnencodablePdu, and
        TypeError for a response of another command: the request then still waits.
        """
        kind = self._unanswered.get(sequence)
        if kind is None:
            return False
        if isinstance(answer, int):
            answer = refuse(kind, answer)
        elif type(answer) is not RESPONSE_OF[kind] and type(answer) is not GenericNack:
            raise TypeError(f"{type(answer).__name__} is no answer to {kind.__name__}")
        self._out.append(encode(answer, sequence))
        del self._unanswered[sequence]
        if sequence in self._repeats:
            self._take_repeat(sequence)
        if sequence == self._bind_sequence:
            self._bind_sequence = None
            if answer.status == CommandStatus.ROK and self.state in (SessionState.OPEN, SessionState.OUTBOUND):
                self._decoder.bytes_max = limits.SMPP_PDU_BYTES_MAX
                self._enter(BINDS[kind])
        if self.state is SessionState.UNBINDING:
            self._leave()
        return True

    def _take_repeat(self, sequence: int) -> None:
        """A request that came under the number of one which has now been answered: its turn has come. That the number
        was open is the peer's mistake, but each of its requests gets an answer, in the order in which they came.
        """
        waiting = self._repeats[sequence]
        if self._peer_unbind is not None:
            # Nothing more is served: the peer waits for the answer to its unbind.
            for request in self._repeats.pop(sequence):
                self._put(refuse(type(request), CommandStatus.RINVBNDSTS), sequence)  # type: ignore[arg-type]
            self._repeats_count -= len(waiting)
            return
        self._held.append((sequence, waiting.pop(0)))
        self._repeats_count -= 1
        if not waiting:
            del self._repeats[sequence]

    def take(self) -> bytes:
        """All that is to be written, which from now on counts as written."""
        octets = b"".join(self._out)
        self._out.clear()
        self._fresh = 0
        return octets

    @property
    def is_stalled(self) -> bool:
        """Whether the transport takes nothing."""
        return self._stalled_s is not None

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    def _next(self) -> int:
        sequence = self._sequence
        while sequence in self._outstanding:
            sequence = sequence + 1 if sequence < SEQUENCE_MAX else 1
        self._sequence = sequence + 1 if sequence < SEQUENCE_MAX else 1
        return sequence

    def _put(self, response: ResponsePdu, sequence: int) -> None:
        self._out.append(encode(response, sequence))

    # ---- In

    def receive(self, data: bytes, now_s: float) -> tuple[list[IncomingRequest], list[tuple[T, ResponseOrFailure]]]:
        """What came: the requests for the owner to answer, and the answers to what it has sent. No more than a turn of
        the loop may take (`limits.SMPP_PDUS_A_TURN_MAX`); `has_held` tells of the rest.

        Never raises, whatever `data` holds: what is wrong with it is answered here.
        """
        requests: list[IncomingRequest] = []
        answers: list[tuple[T, ResponseOrFailure]] = []
        if self.end is not None:
            return requests, answers
        self._heard_s = now_s
        decoded = self._decoder.feed(data, limits.SMPP_PDUS_A_TURN_MAX - len(self._held))
        if self._held:
            decoded, self._held = self._held + decoded, []
        if self._bind_sequence is not None:
            self._held = decoded
            return requests, answers
        outstanding, unanswered, window_in = self._outstanding, self._unanswered, self.window_in
        for place, (sequence, body) in enumerate(decoded):
            kind = type(body)
            if kind in self._passes:
                if len(unanswered) + self._repeats_count >= window_in:
                    self.counters.throttled += 1
                    self._put(refuse(kind, CommandStatus.RTHROTTLED), sequence)
                elif sequence in unanswered:
                    self.counters.repeated += 1
                    self._repeats_count += 1
                    self._repeats.setdefault(sequence, []).append(body)
                else:
                    unanswered[sequence] = kind
                    requests.append((sequence, body))  # type: ignore[arg-type]
                    if kind in BINDS:
                        self._bind_sequence = sequence
                        self._held = decoded[place + 1 :]
                        break
            elif sequence in outstanding and (kind is outstanding[sequence][1] or kind is GenericNack):
                answers.append((outstanding.pop(sequence)[0], body))  # type: ignore[arg-type]
                if kind in _BIND_RESPONSES and body.status == CommandStatus.ROK and not self.is_bound:  # type: ignore[union-attr]
                    self._enter(_BIND_RESPONSES[kind])
            else:
                self._other(sequence, body, requests, now_s)
                if self.end is not None:
                    break
        if requests or answers:
            self._transacted_s = now_s
            if len(unanswered) >= window_in:
                self._is_full = True
        if self.state is SessionState.UNBINDING:
            self._leave()
        return requests, answers

    def _other(self, sequence: int, body: Pdu | PduFault, requests: list[IncomingRequest], now_s: float) -> None:
        """What the session sees to itself. None of it costs the peer anything, so it may not come without end; and
        before a bind nothing is answered but that: three PDUs that are none, and a message centre ends the connection.
        """
        if (
            self.role is SessionRole.SMSC
            and self.state in (SessionState.OPEN, SessionState.OUTBOUND)
            and not isinstance(body, PduFault)
        ):
            self.counters.faults += 1
            if self.counters.faults >= limits.SMPP_FAULTS_UNBOUND_MAX:
                self.end = SessionEnd.GARBAGE
            return
        if not self._is_late(sequence, body) and not self._free.take(now_s):
            self.end = SessionEnd.FLOOD
            return
        if isinstance(body, PduFault):
            self._fault(sequence, body)
        elif isinstance(body, EnquireLink):
            self._put(EnquireLinkResp(), sequence)
        elif isinstance(body, ResponsePdu):
            self._stray(sequence, body)
        elif isinstance(body, Unbind) and self.is_bound | (self.state is SessionState.UNBINDING):
            self._peer_unbind = sequence
            self._unbinding_s = now_s
            self._enter(SessionState.UNBINDING)
            self._passes = frozenset()
            self._leave()
        elif isinstance(body, RequestPdu):
            kind = type(body)
            if kind in may_send(self.role.other, self.state):
                requests.append((sequence, body))
                if kind is Outbind:
                    self._enter(SessionState.OUTBOUND)
                return
            again = kind in BINDS and self.is_bound
            self._put(refuse(kind, CommandStatus.RALYBND if again else CommandStatus.RINVBNDSTS), sequence)

    def _is_late(self, sequence: int, body: Pdu | PduFault) -> bool:
        """Whether it may be a late answer to what we asked: that it comes is our doing, also when we no longer know
        the request.
        """
        if not isinstance(body, ResponsePdu):
            return False
        if sequence in self._given_up:
            return True
        if self._forgotten:
            self._forgotten -= 1
            return True
        return False

    def _fault(self, sequence: int, fault: PduFault) -> None:
        self.counters.faults += 1
        if fault.answer is not None:
            self._put(fault.answer, sequence)
        is_unbound = self.state in (SessionState.OPEN, SessionState.OUTBOUND)
        if fault.fatal or (is_unbound and self.counters.faults >= limits.SMPP_FAULTS_UNBOUND_MAX):
            self.end = SessionEnd.GARBAGE

    def _stray(self, sequence: int, response: ResponsePdu) -> None:
        """A response to none of the caller's requests."""
        kind = type(response)
        if self._inquiry is not None and sequence == self._inquiry[0] and kind in (EnquireLinkResp, GenericNack):
            self._inquiry = None
        elif sequence == self._unbind_sequence and kind in (UnbindResp, GenericNack):
            self.end = self.end or SessionEnd.UNBOUND
        else:
            self.counters.foreign += 1
            given_up = self._given_up.pop(sequence, None)
            if given_up is not None and kind is given_up[1]:
                self.late.append((given_up[0], response))

    # ---- Time

    def tick(self, now_s: float) -> list[tuple[T, ResponseOrFailure]]:
        """Lets time pass: asks a silent peer, gives up on what is overdue. Returns what has no answer.

        Cheap, and made to be called for every session about once a second.
        """
        timers = self.timers
        if self.end is not None:
            return []
        if self._stalled_s is not None and now_s - self._stalled_s >= timers.response_s:
            self.end = SessionEnd.STALLED
            return []
        if self.state is SessionState.UNBINDING:
            self._leave_late(now_s)
        elif not self.has_room_in:
            # Answers may lie unread: their time runs from when there is room again. What waits for its next turn alone
            # stops no clock, or a peer could stop it by sending more than a turn takes.
            return []
        elif self.is_bound:
            self._watch(now_s)
        elif now_s - self._opened_s >= timers.session_init_s or self._is_mute(now_s):
            self.end = SessionEnd.NOT_BOUND
        return self._overdue(now_s) if self._outstanding else []

    def _is_mute(self, now_s: float) -> bool:
        """Whether an ESME has connected to us and said nothing at all."""
        return (
            self.role is SessionRole.SMSC
            and self._heard_s == self._opened_s
            and now_s - self._opened_s >= min(self.timers.session_init_s, limits.SMPP_FIRST_OCTET_S)
        )

    def _watch(self, now_s: float) -> None:
        timers = self.timers
        if self._inquiry is not None:
            asked_s = max(self._inquiry[1], self._resumed_s)
            if now_s - asked_s >= timers.response_s:
                if self._heard_s < self._inquiry[1]:
                    self.end = SessionEnd.SILENT
                # A peer that does not answer, but talks, is alive.
                self._inquiry = None
        elif timers.enquire_link_s is not None and now_s - self._heard_s >= timers.enquire_link_s:
            sequence = self._next()
            self._out.append(encode(EnquireLink(), sequence))
            self._inquiry = (sequence, now_s)
        if timers.inactivity_s is not None and now_s - self._transacted_s >= timers.inactivity_s:
            self.unbind(now_s)

    def _overdue(self, now_s: float) -> list[tuple[T, ResponseOrFailure]]:
        """Outstanding requests are in the order in which they were sent, so the first are the oldest."""
        if now_s - self._resumed_s < self.timers.response_s:
            return []
        since_s = now_s - self.timers.response_s
        written = len(self._outstanding) - self._fresh
        late: list[int] = []
        for sequence, (_token, _response, sent_s) in self._outstanding.items():
            if sent_s > since_s or len(late) >= written:
                break
            late.append(sequence)
        answers: list[tuple[T, ResponseOrFailure]] = []
        for sequence in late:
            token, response, _sent_s = self._outstanding.pop(sequence)
            answers.append((token, RequestFailure.NO_ANSWER))
            self._given_up[sequence] = token, response
        while len(self._given_up) > limits.SMPP_GIVEN_UP_MAX:
            del self._given_up[next(iter(self._given_up))]
            self._forgotten += 1
        if self.state is SessionState.UNBINDING:
            self._leave()
        return answers

    def stall(self, now_s: float) -> None:
        """The transport takes nothing for now."""
        self._stalled_s = now_s

    def flow(self) -> None:
        """The transport takes something again."""
        self._stalled_s = None

    def resume(self, now_s: float) -> None:
        """There is room again after there was none: what is awaited gets its full time from now."""
        self._resumed_s = self._heard_s = now_s

    # ---- The end

    def unbind(self, now_s: float) -> None:
        """Ends the session in good order: what is under way is answered first, nothing new is sent.

        Each of these steps takes no longer than the response timer. A session that is not bound ends at once.
        """
        if self.is_bound:
            self._unbinding_s = now_s
            self._enter(SessionState.UNBINDING)
            self._leave()
        elif self.state is not SessionState.UNBINDING:
            self.end = self.end or SessionEnd.CLOSED

    def _leave(self) -> None:
        """Takes the next step out, if nothing is in its way."""
        if self.end is not None:
            return
        if self._peer_unbind is not None:
            if not self._unanswered:
                self._put(UnbindResp(), self._peer_unbind)
                self.end = SessionEnd.PEER_UNBOUND
        elif self._unbind_sequence is None and not self._outstanding and not self._unanswered:
            self._ask_to_leave()

    def _ask_to_leave(self) -> None:
        self._unbind_sequence = self._next()
        self._out.append(encode(Unbind(), self._unbind_sequence))

    def _leave_late(self, now_s: float) -> None:
        if now_s - self._unbinding_s < self.timers.response_s:
            return
        self._unbinding_s = now_s
        if self._peer_unbind is not None:
            self._put(UnbindResp(), self._peer_unbind)
            self.end = SessionEnd.PEER_UNBOUND
        elif self._unbind_sequence is None:
            self._ask_to_leave()
        else:
            self.end = SessionEnd.UNBOUND

    def close(self, end: SessionEnd = SessionEnd.LOST) -> list[tuple[T, ResponseOrFailure]]:
        """The connection is gone, for `end` unless the session knew why before. Returns what has no answer."""
        self.end = self.end or end
        self._enter(SessionState.CLOSED)
        written = len(self._outstanding) - self._fresh
        answers: list[tuple[T, ResponseOrFailure]] = [
            (token, RequestFailure.LINK_LOST if place < written else RequestFailure.NOT_SENT)
            for place, (token, _response, _sent_s) in enumerate(self._outstanding.values())
        ]
        self._outstanding.clear()
        self._unanswered.clear()
        self._held.clear()
        self._repeats.clear()
        self._out.clear()
        self._fresh = 0
        return answers


_ANSWERED_BY_OWNER: Final = frozenset(RESPONSE_OF) - {EnquireLink, Unbind}
_BIND_RESPONSES: Final[dict[type, SessionState]] = {RESPONSE_OF[bind]: state for bind, state in BINDS.items()}
