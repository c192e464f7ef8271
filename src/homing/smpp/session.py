"""One SMPP session as a state machine, for either end (SMPP 3.4, section 2). Pure: no I/O; the time is passed in.

Octets go in by `receive`, requests by `send`, responses by `respond`, time by `tick`; octets come out by `take`. A
session keeps only its open requests, so that thousands can be idle in one process. Times are seconds of a monotonic
clock.

The caller gives a token with each request that it sends. The token is returned once, with the response or the reason
why there is none, by `receive`, `tick` or `close`.
"""

import enum
from typing import Any, Final, Generic, TypeAlias, TypeVar

from homing import limits
from homing.common.token_bucket import TokenBucket
from homing.smpp import timers as defaults
from homing.smpp.codec import DecodedPdu, PduDecoder, PduFault, encode
from homing.smpp.open_requests import OpenRequests, ResponseOrFailure
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

SMPP_PDU_UNBOUND_BYTES_MAX: Final = 4 * 1024  # before a bind
SMPP_WINDOW_OUT_DEFAULT: Final = 100  # requests that wait for the other end's answer
SMPP_WINDOW_IN_DEFAULT: Final = 1_000  # requests that wait for ours; beyond it they are told to slow down
SMPP_FAULTS_UNBOUND_MAX: Final = 3  # PDUs before a bind that are none, then the connection ends
SMPP_PDUS_A_TURN_MAX: Final = 200  # of one connection in one turn of the loop: others have theirs between
SMPP_FREE_PER_S: Final = 50.0  # PDUs of a peer that cost it nothing and us an answer or a look: enquire_link, strays
SMPP_FREE_BURST: Final = 200.0  # of such at once; beyond it the connection ends
SMPP_FIRST_OCTET_S: Final = 3.0  # from connecting to anything at all
T = TypeVar("T")


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


IncomingRequest: TypeAlias = tuple[int, RequestPdu]
"""A request, and the sequence number to respond under."""


class SessionCounters:
    """Irregularities of a peer that were tolerated."""

    __slots__ = ("faults", "repeated_sequences", "throttled", "unexpected_responses")

    def __init__(self) -> None:
        self.faults = 0
        """PDUs that could not be decoded, and PDUs before a bind that were none."""
        self.unexpected_responses = 0
        """Responses without an open request: second or late ones, of another command, under a number never used."""
        self.repeated_sequences = 0
        """Requests under the sequence number of an open one; they waited for its response."""
        self.throttled = 0
        """Requests beyond the window."""


class SmppSession(Generic[T]):
    """A session from connecting to closing. `T` is the type of the caller's tokens."""

    __slots__ = (
        "_bind_sequence",
        "_decoder",
        "_deferred",
        "_enquiry",
        "_is_full",
        "_may_send",
        "_opened_s",
        "_out",
        "_overhead_budget",
        "_owner_commands",
        "_peer_unbind_sequence",
        "_received_s",
        "_repeats",
        "_repeats_count",
        "_requests",
        "_resumed_s",
        "_stalled_s",
        "_transaction_s",
        "_unanswered",
        "_unbind_sequence",
        "_unbinding_s",
        "counters",
        "end",
        "role",
        "state",
        "timers",
        "window_in",
        "window_out",
    )

    def __init__(
        self,
        *,
        role: SessionRole,
        now_s: float,
        timers: SessionTimers = defaults.DEFAULT,
        window_out: int = SMPP_WINDOW_OUT_DEFAULT,
        window_in: int = SMPP_WINDOW_IN_DEFAULT,
    ) -> None:
        """`window_out`: how many requests may wait for the other end's response; `window_in`: for ours."""
        self.role = role
        self.timers = timers
        self.window_out = window_out
        self.window_in = window_in
        self.counters = SessionCounters()
        self.end: SessionEnd | None = None
        """Set when the session is over: write what `take` returns, then close the connection."""
        # No long PDU comes before a bind: until then a large length is garbage, and its octets are not awaited.
        is_smsc = role is SessionRole.SMSC
        self._decoder = PduDecoder(SMPP_PDU_UNBOUND_BYTES_MAX if is_smsc else limits.SMPP_PDU_BYTES_MAX)
        self._overhead_budget = TokenBucket(SMPP_FREE_PER_S, SMPP_FREE_BURST, now_s)
        self._out: list[bytes] = []
        self._requests: OpenRequests[T] = OpenRequests()
        self._unanswered: dict[int, type[RequestPdu]] = {}
        self._bind_sequence: int | None = None
        self._deferred: list[DecodedPdu] = []
        self._repeats: dict[int, list[Pdu | PduFault]] = {}
        self._repeats_count = 0
        self._is_full = False
        self._enquiry: tuple[int, float] | None = None
        self._unbind_sequence: int | None = None
        self._unbinding_s = 0.0
        self._peer_unbind_sequence: int | None = None
        self._opened_s = self._received_s = self._transaction_s = self._resumed_s = now_s
        self._stalled_s: float | None = None
        self._enter(SessionState.OPEN)

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self._may_send = may_send(self.role, state)
        if state is not SessionState.UNBINDING:
            # Requests that were on their way when we began to unbind are still taken: no receipt is refused for it.
            self._owner_commands = may_send(self.role.other, state) & _OWNER_COMMANDS

    # ---- State

    @property
    def is_bound(self) -> bool:
        return self.state in BOUND

    @property
    def room(self) -> int:
        """How many requests can be sent now: what is free of the window, 0 where nothing may be sent."""
        if self._stalled_s is not None or not self._may_send:
            return 0
        return max(0, self.window_out - len(self._requests.waiting))

    @property
    def outstanding(self) -> int:
        """Requests that wait for the other end's response."""
        return len(self._requests.waiting)

    def take_late(self) -> list[tuple[T, ResponsePdu]]:
        """Responses that have come to requests which were reported as `RequestFailure.NO_ANSWER`; each once."""
        late, self._requests.late = self._requests.late, []
        return late

    @property
    def has_late(self) -> bool:
        return bool(self._requests.late)

    @property
    def unanswered(self) -> int:
        """Requests that wait for our response."""
        return len(self._unanswered)

    @property
    def has_deferred(self) -> bool:
        """Whether there are deferred PDUs and room for them: `receive(b"")` returns them. PDUs are deferred behind a
        bind that is not answered yet, and beyond what one turn of the loop may take.
        """
        return (bool(self._deferred) or self._decoder.has_more) and self.has_room_in

    @property
    def may_read(self) -> bool:
        """Whether to read from the transport; to be checked after `receive` and `respond`."""
        return self.has_room_in and not self._deferred and not self._decoder.has_more

    @property
    def has_room_in(self) -> bool:
        """Whether requests can be taken. Once the window is full, none can until a quarter of it is free, so that
        reading is not paused and resumed with every response.
        """
        if self.end is not None or self._bind_sequence is not None or len(self._out) >= limits.SMPP_UNSENT_PDUS_MAX:
            return False
        if self._is_full:
            self._is_full = len(self._unanswered) > self.window_in * 3 // 4
        return not self._is_full

    # ---- Out

    def send(self, request: RequestPdu, token: T, now_s: float) -> int | None:
        """Sends a request that has a response. Returns its sequence number.

        None: the window is full, the transport accepts nothing, or the state does not allow it; the token is then not
        kept. Raises UnencodablePdu.
        """
        kind, requests = type(request), self._requests
        if len(requests.waiting) >= self.window_out or kind not in self._may_send or self._stalled_s is not None:
            return None
        response = RESPONSE_OF[kind]
        sequence = requests.next_sequence()
        self._out.append(encode(request, sequence))
        requests.add(sequence, token, response, now_s)
        self._transaction_s = now_s
        return sequence

    def notify(self, request: RequestPdu) -> bool:
        """Sends outbind or alert_notification, which have no response. False when the state does not allow it."""
        if type(request) not in self._may_send:
            return False
        self._out.append(encode(request, self._requests.next_sequence()))
        if type(request) is Outbind:
            self._enter(SessionState.OUTBOUND)
        return True

    def respond(self, sequence: int, answer: ResponsePdu | int) -> bool:
        """Responds to a request that `receive` returned, in any order. An integer is the status of a bare response.

        False when no request is open under this number, as after the end. Raises UnencodablePdu, and TypeError for a
        response of another command: the request then stays open.
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
            self._release_repeat(sequence)
        if sequence == self._bind_sequence:
            self._bind_sequence = None
            if answer.status == CommandStatus.ROK and self.state in (SessionState.OPEN, SessionState.OUTBOUND):
                self._decoder.bytes_max = limits.SMPP_PDU_BYTES_MAX
                self._enter(BINDS[kind])
        if self.state is SessionState.UNBINDING:
            self._continue_unbind()
        return True

    def _release_repeat(self, sequence: int) -> None:
        """Serves a request that came under the sequence number of the one just answered. That the number was open is
        the peer's mistake, but each of its requests gets a response, in the order of arrival.
        """
        waiting = self._repeats[sequence]
        if self._peer_unbind_sequence is not None:
            # Nothing more is served: the peer waits for the response to its unbind.
            for request in self._repeats.pop(sequence):
                self._write_response(refuse(type(request), CommandStatus.RINVBNDSTS), sequence)  # type: ignore[arg-type]
            self._repeats_count -= len(waiting)
            return
        self._deferred.append((sequence, waiting.pop(0)))
        self._repeats_count -= 1
        if not waiting:
            del self._repeats[sequence]

    def take(self) -> bytes:
        """The output, which from now on counts as written."""
        octets = b"".join(self._out)
        self._out.clear()
        self._requests.unwritten = 0
        return octets

    @property
    def is_stalled(self) -> bool:
        """Whether the transport accepts nothing."""
        return self._stalled_s is not None

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    def _write_response(self, response: ResponsePdu, sequence: int) -> None:
        self._out.append(encode(response, sequence))

    # ---- In

    def receive(self, data: bytes, now_s: float) -> tuple[list[IncomingRequest], list[tuple[T, ResponseOrFailure]]]:
        """Decodes octets: the requests for the owner to respond to, and the responses to its own, at most
        `SMPP_PDUS_A_TURN_MAX` together; `has_deferred` is set when there are more.

        Never raises, whatever `data` holds: errors are answered here.
        """
        requests: list[IncomingRequest] = []
        answers: list[tuple[T, ResponseOrFailure]] = []
        if self.end is not None:
            return requests, answers
        self._received_s = now_s
        decoded = self._decoder.feed(data, SMPP_PDUS_A_TURN_MAX - len(self._deferred))
        if self._deferred:
            decoded, self._deferred = self._deferred + decoded, []
        if self._bind_sequence is not None:
            self._deferred = decoded
            return requests, answers
        waiting, unanswered, window_in = self._requests.waiting, self._unanswered, self.window_in
        body: Any  # narrowed by its exact type, which a checker does not follow
        for place, (sequence, body) in enumerate(decoded):
            kind = type(body)
            if kind in self._owner_commands:
                if len(unanswered) + self._repeats_count >= window_in:
                    self.counters.throttled += 1
                    self._write_response(refuse(kind, CommandStatus.RTHROTTLED), sequence)
                elif sequence in unanswered:
                    self.counters.repeated_sequences += 1
                    self._repeats_count += 1
                    self._repeats.setdefault(sequence, []).append(body)
                else:
                    unanswered[sequence] = kind
                    requests.append((sequence, body))
                    if kind in BINDS:
                        self._bind_sequence = sequence
                        self._deferred = decoded[place + 1 :]
                        break
            elif sequence in waiting and (kind is waiting[sequence][1] or kind is GenericNack):
                answers.append((waiting.pop(sequence)[0], body))
                if kind in _BIND_RESPONSES and body.status == CommandStatus.ROK and not self.is_bound:
                    self._enter(_BIND_RESPONSES[kind])
            else:
                self._handle_here(sequence, body, requests, now_s)
                if self.end is not None:
                    break
        if requests or answers:
            self._transaction_s = now_s
            if len(unanswered) >= window_in:
                self._is_full = True
        if self.state is SessionState.UNBINDING:
            self._continue_unbind()
        return requests, answers

    def _handle_here(self, sequence: int, body: Pdu | PduFault, requests: list[IncomingRequest], now_s: float) -> None:
        """Handles PDUs that do not concern the owner. They cost the peer nothing, so their rate is limited. Before a
        bind a message centre answers nothing else, and after three other PDUs it ends the connection.
        """
        if (
            self.role is SessionRole.SMSC
            and self.state in (SessionState.OPEN, SessionState.OUTBOUND)
            and not isinstance(body, PduFault)
        ):
            self.counters.faults += 1
            if self.counters.faults >= SMPP_FAULTS_UNBOUND_MAX:
                self.end = SessionEnd.GARBAGE
            return
        if not self._is_late(sequence, body) and not self._overhead_budget.take(now_s):
            self.end = SessionEnd.FLOOD
            return
        if isinstance(body, PduFault):
            self._fault(sequence, body)
        elif isinstance(body, EnquireLink):
            self._write_response(EnquireLinkResp(), sequence)
        elif isinstance(body, ResponsePdu):
            self._handle_unexpected(sequence, body)
        elif isinstance(body, Unbind) and self.is_bound | (self.state is SessionState.UNBINDING):
            self._peer_unbind_sequence = sequence
            self._unbinding_s = now_s
            self._enter(SessionState.UNBINDING)
            self._owner_commands = frozenset()
            self._continue_unbind()
        elif isinstance(body, RequestPdu):
            kind = type(body)
            if kind in may_send(self.role.other, self.state):
                requests.append((sequence, body))
                if kind is Outbind:
                    self._enter(SessionState.OUTBOUND)
                return
            again = kind in BINDS and self.is_bound
            self._write_response(refuse(kind, CommandStatus.RALYBND if again else CommandStatus.RINVBNDSTS), sequence)

    def _is_late(self, sequence: int, body: Pdu | PduFault) -> bool:
        """Whether it may be a late response: that is not the peer's flood, also when the request is no longer known."""
        return isinstance(body, ResponsePdu) and self._requests.take_late(sequence)

    def _fault(self, sequence: int, fault: PduFault) -> None:
        self.counters.faults += 1
        if fault.answer is not None:
            self._write_response(fault.answer, sequence)
        is_unbound = self.state in (SessionState.OPEN, SessionState.OUTBOUND)
        if fault.fatal or (is_unbound and self.counters.faults >= SMPP_FAULTS_UNBOUND_MAX):
            self.end = SessionEnd.GARBAGE

    def _handle_unexpected(self, sequence: int, response: ResponsePdu) -> None:
        """Handles a response to none of the caller's open requests."""
        kind = type(response)
        if self._enquiry is not None and sequence == self._enquiry[0] and kind in (EnquireLinkResp, GenericNack):
            self._enquiry = None
        elif sequence == self._unbind_sequence and kind in (UnbindResp, GenericNack):
            self.end = self.end or SessionEnd.UNBOUND
        else:
            self.counters.unexpected_responses += 1
            self._requests.note_late(sequence, response)

    # ---- Time

    def tick(self, now_s: float) -> list[tuple[T, ResponseOrFailure]]:
        """Runs the timers: sends enquire_link to a silent peer, ends what has timed out. Returns the tokens of requests
        that have timed out.

        Cheap, and made to be called for every session about once a second.
        """
        timers = self.timers
        if self.end is not None:
            return []
        if self._stalled_s is not None and now_s - self._stalled_s >= timers.response_s:
            self.end = SessionEnd.STALLED
            return []
        if self.state is SessionState.UNBINDING:
            self._check_unbind_timeout(now_s)
        elif not self.has_room_in:
            # Responses may lie unread: their time runs from when there is room again. PDUs deferred to the next turn
            # stop no timer, or a peer could stop them by sending more than one turn takes.
            return []
        elif self.is_bound:
            self._check_link(now_s)
        elif now_s - self._opened_s >= timers.session_init_s or self._is_silent(now_s):
            self.end = SessionEnd.NOT_BOUND
        return self._expire(now_s) if self._requests.waiting else []

    def _is_silent(self, now_s: float) -> bool:
        """Whether an ESME has connected to us and sent nothing at all."""
        return (
            self.role is SessionRole.SMSC
            and self._received_s == self._opened_s
            and now_s - self._opened_s >= min(self.timers.session_init_s, SMPP_FIRST_OCTET_S)
        )

    def _check_link(self, now_s: float) -> None:
        timers = self.timers
        if self._enquiry is not None:
            sent_s = max(self._enquiry[1], self._resumed_s)
            if now_s - sent_s >= timers.response_s:
                if self._received_s < self._enquiry[1]:
                    self.end = SessionEnd.SILENT
                # A peer that sends other PDUs is alive.
                self._enquiry = None
        elif timers.enquire_link_s is not None and now_s - self._received_s >= timers.enquire_link_s:
            sequence = self._requests.next_sequence()
            self._out.append(encode(EnquireLink(), sequence))
            self._enquiry = (sequence, now_s)
        if timers.inactivity_s is not None and now_s - self._transaction_s >= timers.inactivity_s:
            self.unbind(now_s)

    def _expire(self, now_s: float) -> list[tuple[T, ResponseOrFailure]]:
        response_s = self.timers.response_s
        if now_s - self._resumed_s < response_s:
            return []
        answers = self._requests.expire(now_s - response_s)
        if self.state is SessionState.UNBINDING:
            self._continue_unbind()
        return answers

    def stall(self, now_s: float) -> None:
        """The transport accepts nothing for now."""
        self._stalled_s = now_s

    def unstall(self) -> None:
        """The transport accepts output again."""
        self._stalled_s = None

    def resume(self, now_s: float) -> None:
        """There is room again after there was none: restarts the response timers."""
        self._resumed_s = self._received_s = now_s

    # ---- The end

    def unbind(self, now_s: float) -> None:
        """Ends the session in order: open requests get their responses first, no new ones are sent.

        Each of these steps takes no longer than the response timer. A session that is not bound ends at once.
        """
        if self.is_bound:
            self._unbinding_s = now_s
            self._enter(SessionState.UNBINDING)
            self._continue_unbind()
        elif self.state is not SessionState.UNBINDING:
            self.end = self.end or SessionEnd.CLOSED

    def _continue_unbind(self) -> None:
        """Takes the next step of unbinding once nothing is open any more."""
        if self.end is not None:
            return
        if self._peer_unbind_sequence is not None:
            if not self._unanswered:
                self._write_response(UnbindResp(), self._peer_unbind_sequence)
                self.end = SessionEnd.PEER_UNBOUND
        elif self._unbind_sequence is None and not self._requests.waiting and not self._unanswered:
            self._send_unbind()

    def _send_unbind(self) -> None:
        self._unbind_sequence = self._requests.next_sequence()
        self._out.append(encode(Unbind(), self._unbind_sequence))

    def _check_unbind_timeout(self, now_s: float) -> None:
        if now_s - self._unbinding_s < self.timers.response_s:
            return
        self._unbinding_s = now_s
        if self._peer_unbind_sequence is not None:
            self._write_response(UnbindResp(), self._peer_unbind_sequence)
            self.end = SessionEnd.PEER_UNBOUND
        elif self._unbind_sequence is None:
            self._send_unbind()
        else:
            self.end = SessionEnd.UNBOUND

    def close(self, end: SessionEnd = SessionEnd.LOST) -> list[tuple[T, ResponseOrFailure]]:
        """The connection is gone, because of `end` unless a reason was known. Returns the open requests' tokens."""
        self.end = self.end or end
        self._enter(SessionState.CLOSED)
        answers = self._requests.close()
        self._unanswered.clear()
        self._deferred.clear()
        self._repeats.clear()
        self._out.clear()
        return answers


_OWNER_COMMANDS: Final = frozenset(RESPONSE_OF) - {EnquireLink, Unbind}
_BIND_RESPONSES: Final[dict[type, SessionState]] = {RESPONSE_OF[bind]: state for bind, state in BINDS.items()}
