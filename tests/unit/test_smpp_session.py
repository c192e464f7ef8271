"""The session's rules, at both ends, with a clock that is told the time."""

from collections.abc import Callable

import pytest

from homing.smpp import open_requests, pdus
from homing.smpp.codec import PduDecoder, PduFault, encode
from homing.smpp.open_requests import SMPP_GIVEN_UP_MAX, RequestFailure, ResponseOrFailure
from homing.smpp.pdus import Pdu, RequestPdu
from homing.smpp.session import (
    SMPP_FAULTS_UNBOUND_MAX,
    SMPP_FIRST_OCTET_S,
    SMPP_FREE_BURST,
    SMPP_FREE_PER_S,
    SMPP_PDUS_A_TURN_MAX,
    IncomingRequest,
    SessionEnd,
    SmppSession,
)
from homing.smpp.states import SessionRole, SessionState, may_send
from homing.smpp.statuses import CommandStatus
from homing.smpp.timers import SessionTimers

TIMERS = SessionTimers(session_init_s=10, enquire_link_s=30, inactivity_s=600, response_s=20)
SUBMIT = pdus.SubmitSm(source_addr="HOMING", destination_addr="447700900123", short_message=b"hello")
DELIVER = pdus.DeliverSm(source_addr="447700900123", destination_addr="HOMING", short_message=b"yes")
BINDS = [
    (pdus.BindTransmitter, pdus.BindTransmitterResp, SessionState.BOUND_TX),
    (pdus.BindReceiver, pdus.BindReceiverResp, SessionState.BOUND_RX),
    (pdus.BindTransceiver, pdus.BindTransceiverResp, SessionState.BOUND_TRX),
]


def written(session: SmppSession[str]) -> list[tuple[int, Pdu | PduFault]]:
    """What the session has to write, as its peer reads it."""
    return PduDecoder().feed(session.take())


def hears(
    session: SmppSession[str], *pdus_: tuple[int, Pdu], at_s: float = 0.0
) -> tuple[list[IncomingRequest], list[tuple[str, ResponseOrFailure]]]:
    requests, answers = session.receive(b"".join(encode(pdu, sequence) for sequence, pdu in pdus_), at_s)
    return list(requests), list(answers)


def bound_esme(bind: type[RequestPdu] = pdus.BindTransceiver, window: int = 3) -> SmppSession[str]:
    session: SmppSession[str] = SmppSession(
        role=SessionRole.ESME, now_s=0.0, timers=TIMERS, window_out=window, window_in=window
    )
    assert session.send(bind(), "bind", 0.0) == 1
    session.take()
    _requests, answers = hears(session, (1, pdus.RESPONSE_OF[bind]()))
    assert [token for token, _answer in answers] == ["bind"]
    return session


def bound_smsc(bind: type[RequestPdu] = pdus.BindTransceiver, window: int = 3) -> SmppSession[str]:
    session: SmppSession[str] = SmppSession(
        role=SessionRole.SMSC, now_s=0.0, timers=TIMERS, window_out=window, window_in=window
    )
    assert hears(session, (1, bind())) == ([(1, bind())], [])
    assert session.respond(1, CommandStatus.ROK)
    session.take()
    return session


# ---- Binds and states


@pytest.mark.parametrize(("bind", "response", "state"), BINDS)
def test_a_bind_that_is_accepted_binds_both_ends(
    bind: type[RequestPdu], response: type[pdus.ResponsePdu], state: SessionState
) -> None:
    assert bound_esme(bind).state is state
    assert bound_smsc(bind).state is state


def test_a_bind_that_is_refused_leaves_both_ends_open() -> None:
    esme: SmppSession[str] = SmppSession(role=SessionRole.ESME, now_s=0.0, timers=TIMERS)
    smsc: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    esme.send(pdus.BindTransceiver("x", "wrong"), "bind", 0.0)
    [(sequence, _bind)], _ = smsc.receive(esme.take(), 0.0)
    smsc.respond(sequence, CommandStatus.RINVPASWD)
    _, answers = esme.receive(smsc.take(), 0.0)
    assert answers == [("bind", pdus.BindTransceiverResp(status=CommandStatus.RINVPASWD))]
    assert (esme.state, smsc.state) == (SessionState.OPEN, SessionState.OPEN)
    assert esme.send(pdus.BindTransceiver("x", "right"), "again", 0.0) is not None


def test_an_outbind_asks_for_a_bind() -> None:
    smsc: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    esme: SmppSession[str] = SmppSession(role=SessionRole.ESME, now_s=0.0, timers=TIMERS)
    assert smsc.notify(pdus.Outbind("SMSC", "secret"))
    requests, _ = esme.receive(smsc.take(), 0.0)
    assert [request for _sequence, request in requests] == [pdus.Outbind("SMSC", "secret")]
    assert (smsc.state, esme.state) == (SessionState.OUTBOUND, SessionState.OUTBOUND)
    esme.send(pdus.BindReceiver(), "bind", 0.0)
    [(sequence, _bind)], _ = smsc.receive(esme.take(), 0.0)
    smsc.respond(sequence, pdus.BindReceiverResp("SMSC"))
    assert smsc.state is SessionState.BOUND_RX


@pytest.mark.parametrize(
    ("make", "request_", "status"),
    [
        (lambda: bound_smsc(pdus.BindReceiver), SUBMIT, CommandStatus.RINVBNDSTS),
        (lambda: bound_smsc(pdus.BindTransmitter), pdus.BindTransmitter(), CommandStatus.RALYBND),
        (lambda: bound_smsc(), DELIVER, CommandStatus.RINVBNDSTS),
        (lambda: bound_esme(pdus.BindTransmitter), DELIVER, CommandStatus.RINVBNDSTS),
        (lambda: bound_esme(), SUBMIT, CommandStatus.RINVBNDSTS),
    ],
)
def test_what_the_state_does_not_allow_is_refused(
    make: Callable[[], SmppSession[str]], request_: RequestPdu, status: CommandStatus
) -> None:
    session = make()
    before = session.state
    assert hears(session, (9, request_)) == ([], [])
    assert written(session) == [(9, pdus.refuse(type(request_), status))]
    assert session.state is before
    assert session.end is None


def test_what_the_state_does_not_allow_is_not_sent_either() -> None:
    assert bound_esme(pdus.BindReceiver).send(SUBMIT, "m", 0.0) is None
    assert bound_smsc(pdus.BindTransmitter).send(DELIVER, "m", 0.0) is None
    assert bound_esme().send(DELIVER, "m", 0.0) is None
    assert not bound_esme().notify(pdus.Outbind())


@pytest.mark.parametrize("state", [SessionState.UNBINDING, SessionState.CLOSED])
@pytest.mark.parametrize("role", list(SessionRole))
def test_a_session_on_its_way_out_sends_no_request(role: SessionRole, state: SessionState) -> None:
    assert may_send(role, state) == frozenset()


def test_what_comes_behind_a_bind_waits_for_its_answer() -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    assert hears(session, (1, pdus.BindTransceiver()), (2, SUBMIT)) == ([(1, pdus.BindTransceiver())], [])
    assert hears(session, (3, SUBMIT)) == ([], [])
    assert not session.may_read
    session.respond(1, CommandStatus.ROK)
    assert session.has_deferred
    assert hears(session) == ([(2, SUBMIT), (3, SUBMIT)], [])
    assert session.may_read


@pytest.mark.parametrize(
    "pdu", [SUBMIT, pdus.EnquireLink(), pdus.Unbind(), pdus.EnquireLinkResp(), pdus.SubmitSmResp("1")]
)
def test_before_a_bind_nothing_but_a_bind_is_answered_and_the_third_ends_the_connection(pdu: pdus.Pdu) -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    for number in range(1, SMPP_FAULTS_UNBOUND_MAX):
        assert hears(session, (number, pdu)) == ([], [])
        assert session.end is None
    again: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    assert hears(again, (1, pdu), (2, pdu), (3, pdus.BindTransceiver())) == ([(3, pdus.BindTransceiver())], [])
    assert hears(session, (9, pdu), (10, pdus.BindTransceiver())) == ([], [])
    assert written(session) == []
    assert session.end is SessionEnd.GARBAGE


def test_a_turn_takes_so_many_pdus_and_the_rest_waits_with_reading_paused() -> None:
    session = bound_smsc(window=10 * SMPP_PDUS_A_TURN_MAX)
    flood = b"".join(encode(SUBMIT, number) for number in range(1, 3 * SMPP_PDUS_A_TURN_MAX + 6))
    taken = []
    requests, _ = session.receive(flood + encode(SUBMIT, 9_999)[:20], 0.0)
    taken.append(len(requests))
    while session.has_deferred:
        assert not session.may_read
        requests, _ = session.receive(b"", 0.0)
        taken.append(len(requests))
    assert taken == [SMPP_PDUS_A_TURN_MAX] * 3 + [5]
    assert session.may_read
    requests, _ = session.receive(encode(SUBMIT, 9_999)[20:], 0.0)
    assert [number for number, _request in requests] == [9_999]


@pytest.mark.parametrize("pdu", [pdus.EnquireLink(), pdus.SubmitSmResp("1"), DELIVER])
def test_what_costs_a_peer_nothing_may_come_at_a_pace_and_not_without_end(pdu: pdus.Pdu) -> None:
    session = bound_smsc()
    seconds = 100
    for second in range(seconds):
        octets = b"".join(encode(pdu, number) for number in range(1, int(SMPP_FREE_PER_S) + 1))
        session.receive(octets, float(second))
    assert session.end is None, "so many a second are nobody's harm"
    for _ in range(int(SMPP_FREE_BURST) + 1):
        session.receive(encode(pdu, 7), float(seconds))
    assert session.end is SessionEnd.FLOOD


def test_a_peer_that_says_nothing_is_let_go_before_one_that_takes_its_time_to_bind() -> None:
    mute: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    slow: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    slow.receive(encode(pdus.BindTransceiver(), 1)[:10], 1.0)
    for session in (mute, slow):
        session.tick(SMPP_FIRST_OCTET_S)
    assert (mute.end, slow.end) == (SessionEnd.NOT_BOUND, None)
    slow.tick(TIMERS.session_init_s)
    assert slow.end is SessionEnd.NOT_BOUND


def test_what_comes_behind_a_bind_that_is_refused_is_not_answered() -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    hears(session, (1, pdus.BindTransceiver()), (2, SUBMIT))
    session.respond(1, CommandStatus.RINVPASWD)
    session.take()
    assert hears(session) == ([], [])
    assert written(session) == []


def test_a_message_behind_a_bind_response_in_one_segment_is_taken() -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.ESME, now_s=0.0, timers=TIMERS)
    session.send(pdus.BindTransceiver(), "bind", 0.0)
    requests, answers = hears(session, (1, pdus.BindTransceiverResp("S")), (1, DELIVER))
    assert requests == [(1, DELIVER)]
    assert answers == [("bind", pdus.BindTransceiverResp("S"))]


# ---- Windows, numbers, answers


def test_answers_in_any_order_find_their_requests() -> None:
    session = bound_esme()
    numbers = [session.send(SUBMIT, token, 0.0) for token in "abc"]
    _, answers = hears(session, *((numbers[at] or 0, pdus.SubmitSmResp(str(at))) for at in (2, 0, 1)))
    assert answers == [
        ("c", pdus.SubmitSmResp("2")),
        ("a", pdus.SubmitSmResp("0")),
        ("b", pdus.SubmitSmResp("1")),
    ]
    assert session.outstanding == 0


def test_a_full_window_takes_nothing_until_an_answer_comes() -> None:
    session = bound_esme(window=2)
    first = session.send(SUBMIT, "a", 0.0)
    assert session.room == 1
    session.send(SUBMIT, "b", 0.0)
    assert session.room == 0
    assert session.send(SUBMIT, "c", 0.0) is None
    hears(session, (first or 0, pdus.SubmitSmResp("1")))
    assert session.room == 1
    assert session.send(SUBMIT, "c", 0.0) is not None


def test_a_generic_nack_is_an_answer() -> None:
    session = bound_esme()
    number = session.send(SUBMIT, "a", 0.0)
    nack = pdus.GenericNack(status=CommandStatus.RINVCMDID)
    assert hears(session, (number or 0, nack)) == ([], [("a", nack)])


def test_second_foreign_and_mistaken_answers_are_counted_and_change_nothing() -> None:
    session = bound_esme()
    number = session.send(SUBMIT, "a", 0.0) or 0
    strays = [(number, pdus.QuerySmResp("1")), (number + 1, pdus.SubmitSmResp("1")), (0, pdus.GenericNack())]
    assert hears(session, *strays) == ([], [])
    assert hears(session, (number, pdus.SubmitSmResp("1")), (number, pdus.SubmitSmResp("2"))) == (
        [],
        [("a", pdus.SubmitSmResp("1"))],
    )
    assert session.counters.unexpected_responses == 4
    assert session.end is None


def test_numbers_run_to_their_greatest_then_from_one_past_those_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_requests, "SEQUENCE_MAX", 6)
    session = bound_esme(window=5)
    assert session.send(SUBMIT, "old", 0.0) == 2
    for number in (3, 4, 5):
        assert session.send(SUBMIT, "answered", 0.0) == number
        hears(session, (number, pdus.SubmitSmResp("1")))
    assert [session.send(SUBMIT, token, 0.0) for token in "abc"] == [6, 1, 3]


def test_requests_are_answered_in_any_order_and_once() -> None:
    session = bound_smsc()
    assert hears(session, (5, SUBMIT), (6, SUBMIT)) == ([(5, SUBMIT), (6, SUBMIT)], [])
    assert session.respond(6, pdus.SubmitSmResp("six"))
    assert session.respond(5, CommandStatus.RTHROTTLED)
    assert not session.respond(5, pdus.SubmitSmResp("five"))
    assert not session.respond(99, CommandStatus.ROK)
    assert written(session) == [(6, pdus.SubmitSmResp("six")), (5, pdus.SubmitSmResp(status=CommandStatus.RTHROTTLED))]


def test_the_response_of_another_command_is_not_taken_and_the_request_still_waits() -> None:
    session = bound_smsc()
    hears(session, (5, SUBMIT))
    with pytest.raises(TypeError):
        session.respond(5, pdus.DeliverSmResp())
    with pytest.raises(ValueError):
        session.respond(5, pdus.SubmitSmResp("x" * 65))
    assert session.respond(5, pdus.SubmitSmResp("x"))


def test_requests_beyond_the_window_are_throttled_and_reading_stops() -> None:
    session = bound_smsc(window=4)
    requests, _ = hears(session, *((number, SUBMIT) for number in range(10, 16)))
    assert [number for number, _ in requests] == [10, 11, 12, 13]
    throttled = pdus.SubmitSmResp(status=CommandStatus.RTHROTTLED)
    assert written(session) == [(14, throttled), (15, throttled)]
    assert session.counters.throttled == 2
    assert not session.may_read
    session.respond(10, CommandStatus.ROK)
    assert session.may_read


def test_requests_under_a_number_that_waits_have_their_turn_one_after_the_other() -> None:
    """As of clients that give all parts of a long message one number: each is answered."""
    session = bound_smsc(window=10)
    other = pdus.SubmitSm(short_message=b"other")
    assert hears(session, (5, SUBMIT), (5, other), (6, SUBMIT), (5, SUBMIT)) == ([(5, SUBMIT), (6, SUBMIT)], [])
    assert session.counters.repeated_sequences == 2
    for request in (other, SUBMIT):
        assert not session.has_deferred
        session.respond(5, CommandStatus.ROK)
        assert session.has_deferred
        assert hears(session) == ([(5, request)], [])
    session.respond(5, CommandStatus.ROK)
    assert not session.has_deferred
    assert len(written(session)) == 3


def test_requests_that_still_wait_for_their_number_when_the_peer_unbinds_are_refused_after_the_first() -> None:
    session = bound_smsc(window=10)
    hears(session, (5, SUBMIT), (5, SUBMIT), (5, DELIVER), (5, SUBMIT), (6, pdus.Unbind()))
    session.take()
    session.respond(5, CommandStatus.ROK)
    refused = pdus.SubmitSmResp(status=CommandStatus.RINVBNDSTS)
    assert written(session) == [(5, pdus.SubmitSmResp()), (5, refused), (5, refused), (6, pdus.UnbindResp())]
    assert session.end is SessionEnd.PEER_UNBOUND


def test_requests_under_one_number_fill_the_window_like_others() -> None:
    session = bound_smsc(window=4)
    requests, _ = hears(session, *((5, SUBMIT) for _ in range(6)))
    assert requests == [(5, SUBMIT)]
    assert session.counters.throttled == 2


def test_an_enquire_link_is_answered_by_the_session_before_and_after_the_bind() -> None:
    for session in (
        SmppSession[str](role=SessionRole.ESME, now_s=0.0, timers=TIMERS),
        bound_smsc(),
        bound_esme(pdus.BindTransmitter),
    ):
        assert hears(session, (77, pdus.EnquireLink())) == ([], [])
        assert written(session) == [(77, pdus.EnquireLinkResp())]


def test_an_alert_comes_without_an_answer_to_give() -> None:
    session = bound_esme()
    assert hears(session, (5, pdus.AlertNotification())) == ([(5, pdus.AlertNotification())], [])
    assert not session.respond(5, CommandStatus.ROK)
    assert session.unanswered == 0


# ---- Time


def test_who_does_not_bind_in_time_is_closed() -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    session.receive(encode(pdus.BindTransceiver(), 1)[:10], 0.5)
    assert session.tick(9.9) == []
    assert session.end is None
    session.tick(10.0)
    assert session.end is SessionEnd.NOT_BOUND


def test_a_bind_that_we_are_slow_to_answer_is_not_held_against_its_sender() -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    hears(session, (1, pdus.BindTransceiver()))
    session.tick(60.0)
    assert session.end is None


def test_a_request_without_an_answer_is_given_up_after_the_response_time() -> None:
    session = bound_esme()
    early = session.send(SUBMIT, "early", 1.0)
    session.send(SUBMIT, "late", 10.0)
    session.take()
    assert session.tick(20.9) == []
    assert session.tick(21.0) == [("early", RequestFailure.NO_ANSWER)]
    assert session.outstanding == 1
    assert hears(session, (early or 0, pdus.SubmitSmResp("1")), at_s=22.0) == ([], [])
    assert session.counters.unexpected_responses == 1
    assert session.take_late() == [("early", pdus.SubmitSmResp("1"))]
    assert RequestFailure.NO_ANSWER.may_have_arrived


def test_a_late_answer_is_heard_once_and_only_if_it_is_of_the_request() -> None:
    session = bound_esme()
    first, second = session.send(SUBMIT, "first", 1.0) or 0, session.send(SUBMIT, "second", 1.0) or 0
    session.take()
    session.tick(21.0)
    hears(session, (first, pdus.DataSmResp("1")), (second, pdus.SubmitSmResp("2")), (second, pdus.SubmitSmResp("3")))
    assert session.take_late() == [("second", pdus.SubmitSmResp("2"))]
    assert session.counters.unexpected_responses == 3


def test_late_answers_are_no_flood_even_of_requests_that_are_no_longer_known() -> None:
    """As of a message centre that stood still for some windows, and then answers all of them at once."""
    session = bound_esme(window=SMPP_GIVEN_UP_MAX)
    sent = []
    for began_s in (1.0, 21.0, 41.0):
        sent += [session.send(SUBMIT, "x", began_s) or 0 for _n in range(SMPP_GIVEN_UP_MAX)]
        hears(session, (1, pdus.EnquireLink()), at_s=began_s + 10)
        session.take()
        session.tick(began_s + 20)
    hears(session, *((number, pdus.SubmitSmResp("1")) for number in sent), at_s=61.0)
    while session.has_deferred:
        session.receive(b"", 61.0)
    assert session.end is None
    assert len(session.take_late()) == SMPP_GIVEN_UP_MAX
    for _n in range(int(SMPP_FREE_BURST) + 1):
        hears(session, (sent[0], pdus.SubmitSmResp("1")), at_s=61.0)
    assert session.end is SessionEnd.FLOOD, "each is answered late once"


def test_of_answers_that_never_come_a_bounded_number_is_waited_for() -> None:
    session = bound_esme(window=SMPP_GIVEN_UP_MAX + 1)
    sent = [session.send(SUBMIT, "x", 1.0) or 0 for _n in range(SMPP_GIVEN_UP_MAX + 1)]
    session.take()
    assert len(session.tick(21.0)) == len(sent)
    hears(session, (sent[0], pdus.SubmitSmResp("1")), (sent[1], pdus.SubmitSmResp("2")))
    assert session.take_late() == [("x", pdus.SubmitSmResp("2"))]


def test_a_silent_peer_is_asked_and_its_answer_keeps_the_link() -> None:
    session = bound_esme()
    session.tick(29.0)
    assert not session.has_output
    session.tick(30.0)
    [(number, inquiry)] = written(session)
    assert inquiry == pdus.EnquireLink()
    assert hears(session, (number, pdus.EnquireLinkResp()), at_s=31.0) == ([], [])
    session.tick(51.0)
    assert session.end is None
    assert session.counters.unexpected_responses == 0
    session.tick(61.0)
    assert len(written(session)) == 1


def test_a_half_open_link_is_found_by_the_answer_that_does_not_come() -> None:
    session = bound_esme()
    session.tick(30.0)
    session.tick(49.9)
    assert session.end is None
    session.tick(50.0)
    assert session.end is SessionEnd.SILENT


def test_a_peer_that_talks_without_answering_enquire_link_is_alive() -> None:
    session = bound_smsc()
    session.tick(30.0)
    hears(session, (5, SUBMIT), at_s=40.0)
    session.tick(50.0)
    assert session.end is None


def test_a_link_without_traffic_is_unbound_though_enquire_links_pass() -> None:
    timers = SessionTimers(session_init_s=10, enquire_link_s=30, inactivity_s=100, response_s=20)
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=timers)
    hears(session, (1, pdus.BindReceiver()))
    session.respond(1, CommandStatus.ROK)
    hears(session, (2, pdus.EnquireLink()), at_s=99.0)
    session.take()
    session.tick(100.0)
    [(number, unbind)] = written(session)
    assert unbind == pdus.Unbind()
    hears(session, (number, pdus.UnbindResp()), at_s=101.0)
    assert session.end is SessionEnd.UNBOUND


def test_timers_that_are_off_never_run_out() -> None:
    session: SmppSession[str] = SmppSession(
        role=SessionRole.ESME, now_s=0.0, timers=SessionTimers(enquire_link_s=None, inactivity_s=None)
    )
    session.send(pdus.BindTransceiver(), "bind", 0.0)
    hears(session, (1, pdus.BindTransceiverResp()))
    session.take()
    session.tick(1e9)
    assert not session.has_output
    assert session.end is None


def test_a_peer_that_does_not_read_is_closed() -> None:
    session = bound_esme()
    session.stall(5.0)
    assert session.send(SUBMIT, "a", 5.0) is None
    assert session.room == 0
    session.tick(24.0)
    assert session.end is None
    session.tick(25.0)
    assert session.end is SessionEnd.STALLED


def test_a_stall_that_passes_leaves_nothing_behind() -> None:
    session = bound_esme()
    session.stall(5.0)
    session.unstall()
    session.tick(25.0)
    assert session.end is None
    assert session.send(SUBMIT, "a", 25.0) is not None


def test_answers_that_lie_unread_while_we_do_not_read_are_waited_for() -> None:
    session = bound_smsc(window=2)
    session.send(DELIVER, "receipt", 0.0)
    session.take()
    hears(session, (5, SUBMIT), (6, SUBMIT))
    assert not session.may_read
    assert session.tick(1000.0) == []
    session.respond(5, CommandStatus.ROK)
    assert session.may_read
    session.resume(1000.0)
    assert session.tick(1019.0) == []
    assert session.tick(1020.0) == [("receipt", RequestFailure.NO_ANSWER)]


# ---- The end


def test_what_was_not_written_is_known_from_what_was() -> None:
    session = bound_esme()
    session.send(SUBMIT, "written", 0.0)
    session.take()
    session.send(SUBMIT, "kept", 0.0)
    assert session.close() == [("written", RequestFailure.LINK_LOST), ("kept", RequestFailure.NOT_SENT)]
    assert session.end is SessionEnd.LOST
    assert session.state is SessionState.CLOSED
    assert session.send(SUBMIT, "later", 0.0) is None
    assert session.receive(encode(DELIVER, 1), 0.0) == ([], [])
    assert not RequestFailure.NOT_SENT.may_have_arrived


def test_an_unbind_waits_for_what_is_under_way_at_both_sides() -> None:
    session = bound_esme()
    number = session.send(SUBMIT, "a", 0.0) or 0
    hears(session, (50, DELIVER))
    session.take()
    session.unbind(1.0)
    assert session.send(SUBMIT, "b", 1.0) is None
    assert hears(session, (51, DELIVER), (number, pdus.SubmitSmResp("1")))[0] == [(51, DELIVER)]
    session.respond(50, CommandStatus.ROK)
    assert pdus.Unbind() not in [pdu for _number, pdu in written(session)]
    session.respond(51, CommandStatus.ROK)
    (_, _), (unbind, last) = written(session)
    assert last == pdus.Unbind()
    hears(session, (unbind, pdus.UnbindResp()))
    assert session.end is SessionEnd.UNBOUND


def test_an_unbind_that_nobody_answers_ends_after_the_response_time() -> None:
    session = bound_esme()
    session.unbind(0.0)
    session.tick(19.0)
    assert session.end is None
    session.tick(20.0)
    assert session.end is SessionEnd.UNBOUND


def test_an_unbind_with_an_answer_outstanding_for_ever_still_ends() -> None:
    session = bound_esme()
    session.send(SUBMIT, "a", 0.0)
    session.take()
    session.unbind(0.0)
    assert session.tick(20.0) == [("a", RequestFailure.NO_ANSWER)]
    assert [pdu for _number, pdu in written(session)] == [pdus.Unbind()]
    session.tick(40.0)
    assert session.end is SessionEnd.UNBOUND


def test_a_peers_unbind_is_answered_after_its_requests() -> None:
    session = bound_smsc()
    assert hears(session, (5, SUBMIT), (6, pdus.Unbind()), (7, SUBMIT)) == ([(5, SUBMIT)], [])
    assert session.end is None
    session.respond(5, pdus.SubmitSmResp("5"))
    assert written(session) == [
        (7, pdus.SubmitSmResp(status=CommandStatus.RINVBNDSTS)),
        (5, pdus.SubmitSmResp("5")),
        (6, pdus.UnbindResp()),
    ]
    assert session.end is SessionEnd.PEER_UNBOUND


def test_both_ends_may_unbind_at_once() -> None:
    esme, smsc = bound_esme(), bound_smsc()
    esme.unbind(0.0)
    smsc.unbind(0.0)
    from_esme, from_smsc = esme.take(), smsc.take()
    esme.receive(from_smsc, 0.0)
    smsc.receive(from_esme, 0.0)
    assert (esme.end, smsc.end) == (SessionEnd.PEER_UNBOUND, SessionEnd.PEER_UNBOUND)


# ---- Bad input


def test_a_fatal_fault_is_answered_and_ends_the_session() -> None:
    session = bound_smsc()
    assert session.receive(b"\0\0\0\0" + encode(SUBMIT, 1), 0.0) == ([], [])
    assert written(session) == [(0, pdus.GenericNack(status=CommandStatus.RINVCMDLEN))]
    assert session.end is SessionEnd.GARBAGE


def test_what_came_before_a_fatal_fault_in_its_segment_still_counts() -> None:
    session = bound_smsc()
    requests, _ = session.receive(encode(SUBMIT, 5) + b"\xff\xff\xff\xff", 0.0)
    assert requests == [(5, SUBMIT)]
    assert session.end is SessionEnd.GARBAGE


def test_a_bound_session_outlives_pdus_that_it_cannot_read() -> None:
    session = bound_smsc()
    for number in range(20):
        session.receive(b"\0\0\0\x10\0\0\x0f\xff\0\0\0\0" + number.to_bytes(4, "big"), 0.0)
    assert [pdu for _number, pdu in written(session)] == [pdus.GenericNack(status=CommandStatus.RINVCMDID)] * 20
    assert session.counters.faults == 20
    assert session.end is None


def test_an_unbound_session_does_not_outlive_many() -> None:
    session: SmppSession[str] = SmppSession(role=SessionRole.SMSC, now_s=0.0, timers=TIMERS)
    for _ in range(SMPP_FAULTS_UNBOUND_MAX):
        assert session.end is None
        session.receive(b"\0\0\0\x10\0\0\x0f\xff\0\0\0\0\0\0\0\x01", 0.0)
    assert session.end is SessionEnd.GARBAGE
