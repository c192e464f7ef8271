"""Calls as they are written and answers as they are read, in both dialects, without a socket."""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from homing import errors as own_errors
from homing.dialects.laaffic import codes as laaffic_codes
from homing.dialects.lia import endpoints as lia_door
from homing.dialects.lia import words as lia_words
from homing.states import MessageState
from homing_clients import errors, laaffic, lia
from homing_clients.call import ClientReply, parse_base
from homing_clients.laaffic_calls import LaafficCalls
from homing_clients.laaffic_envelope import CODES
from homing_clients.lia_calls import REMARKS, TRACK, LiaCalls, refusal_of, status_of
from homing_clients.reading import Unreadable

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SEEDS = Path(__file__).parents[2].parent / "shared" / "seeds"
AT = datetime(2026, 11, 22, 8, 30, tzinfo=timezone(timedelta(hours=8)))

own = LaafficCalls(key="bDqJFiq9", secret="7bz1lzh9", app_id="app", base_url="http://vendor.test/v3")
theirs = LiaCalls("API4623444906", "password@123", "http://vendor.test/api")


def said(body: object, status: int = 200) -> ClientReply:
    return ClientReply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


# ---- Writing


def test_a_laaffic_call_is_signed_as_the_vendor_prints_it() -> None:
    request = own.render(own.balance(), 1630468800.9)
    assert request.headers["Sign"] == "05d7a50893e22a5c4bb3216ae3396c7c"
    assert request.headers["Timestamp"] == "1630468800"
    assert request.headers["Api-Key"] == "bDqJFiq9"
    assert request.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert (request.method, request.target, request.body) == ("GET", "/v3/getBalance", None)


def test_the_headers_are_those_of_the_vendors_document() -> None:
    page = SEEDS / "002_5278225a3246fa86.txt"
    if not page.exists():
        pytest.skip("the vendors' documents are not here")
    printed = dict(re.findall(r"^    ([\w-]+): (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE))
    request = own.render(own.balance(), int(printed["Timestamp"]))
    assert {name: request.headers[name] for name in printed} == printed


def test_every_try_is_signed_anew() -> None:
    call = own.balance()
    signs = {own.render(call, at).headers["Sign"] for at in (1, 2)}
    assert signs == {hashlib.md5(f"bDqJFiq97bz1lzh9{at}".encode()).hexdigest() for at in (1, 2)}


def test_laaffic_times_keep_their_offset_through_a_query() -> None:
    target = own.render(own.sent_records(AT, AT), 1).target
    assert "startTime=2026-11-22T08%3A30%3A00%2B08%3A00" in target


def test_a_span_is_widened_to_whole_seconds() -> None:
    end = AT + timedelta(microseconds=1)
    assert own.inbound(AT, end).parameters["params"] == {
        "strTime": "2026-11-22T08:30:00+08:00",
        "endTime": "2026-11-22T08:30:01+08:00",
    }


def test_what_is_not_given_is_not_written() -> None:
    assert dict(own.send("86", "hi").parameters) == {"appId": "app", "numbers": "86", "content": "hi"}
    assert dict(theirs.send("86", lia.Message("S", "hi")).parameters) == {
        "sms_type": "T",
        "sender_id": "S",
        "textmessage": "hi",
        "phonenumber": "86",
    }


def test_every_lia_parameter_has_its_name() -> None:
    message = lia.Message(
        "S", "", False, lia.Encoding.UNICODE_FLASH, "u", "http://c", "t", ("1", "2"), 60, "pe", "template"
    )
    body = theirs.render(theirs.send_many(["1", "2"], message), 0).body
    assert body is not None
    assert json.loads(body) == {
        "api_id": "API4623444906",
        "api_password": "password@123",
        "sms_type": "P",
        "encoding": "UFS",
        "sender_id": "S",
        "uid": "u",
        "callback_url": "http://c",
        "templateid": "t",
        "V1": "1",
        "V2": "2",
        "ValidityPeriodInSeconds": 60,
        "pe_id": "pe",
        "template_id": "template",
        "phonenumber": "1,2",
    }


def test_calls_that_could_only_be_misread_are_not_built() -> None:
    naive = AT.replace(tzinfo=None)
    for build in (
        lambda: own.send(["1", "2"], "hi", order_ids=["a"]),
        lambda: own.send(["1"], "hi", order_ids=["a,b"]),
        lambda: own.inbound(naive, AT),
        lambda: own.report_conversion("1", naive),
        lambda: theirs.send_many([], lia.Message("S", "hi")),
        lambda: theirs.send_many(["1,2"], lia.Message("S", "hi")),
        lambda: theirs.status(),
    ):
        with pytest.raises(ValueError):
            build()


@pytest.mark.parametrize(
    "url",
    ["vendor.test/v3", "ftp://vendor.test", "http://", "http://a:b@vendor.test", "http://v.test/?a=1", "http://v\n"],
)
def test_a_base_url_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_base(url)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "ключ"])
def test_a_key_that_would_break_out_of_its_header_is_refused(key: str) -> None:
    with pytest.raises(ValueError):
        LaafficCalls(key=key, secret="s", app_id="", base_url="http://vendor.test")


def test_a_base_url_knows_its_port_and_host() -> None:
    assert parse_base("https://vendor.test/v3/").authority == "vendor.test"
    assert parse_base("https://vendor.test:8443").origin == "https://vendor.test:8443"
    assert parse_base("http://[::1]:80/x").origin == "http://[::1]"


# ---- Reading, laaffic


def test_laaffic_money_is_exact() -> None:
    reply = said({"status": "0", "reason": "success", "balance": "99.990000", "gift": 50.1, "credit": 0})
    assert own.balance().read(reply, False) == laaffic.Balance(Decimal("99.990000"), Decimal("50.1"), Decimal(0))


def test_each_number_of_a_send_has_its_result_though_the_vendor_lists_the_accepted_alone() -> None:
    call = own.send(["+86 1", "12", "86 2", "861"], "hi", order_ids=["a", "b", "c", "d"])
    rows = [
        {"msgId": "3", "number": "861", "orderId": "d"},
        {"msgId": 1, "number": "+86 1", "orderId": "a"},
        {"msgId": "2", "number": "862", "orderId": None},
    ]
    sending = call.read(said({"status": "0", "success": "3", "fail": "1", "array": rows}), False)
    assert [result.message_id for result in sending.results] == ["1", None, "2", "3"]
    assert (sending.accepted, sending.refused) == (3, 1)
    assert [result.number for result in sending.results] == ["+86 1", "12", "86 2", "861"]


def test_a_refused_number_has_the_vendors_reason_where_there_is_one() -> None:
    failed = [{"msgId": "", "number": "+12", "reason": "The number is not valid"}]
    body = {"status": "0", "success": "1", "fail": "1", "array": [{"msgId": "7", "number": "8613", "orderId": None}]}
    call = own.send(["8613", "+12"], "x")
    assert [one.reason for one in call.read(said({**body, "failArray": failed}), False).results] == [
        "",
        "The number is not valid",
    ]
    for odd in (None, "x", [1]):
        assert [one.reason for one in call.read(said({**body, "failArray": odd}), False).results] == ["", ""]


def test_a_failed_send_is_its_error_whatever_it_lists_besides() -> None:
    lists = {"success": "0", "fail": "1", "array": [], "failArray": [{"msgId": "", "number": "1", "reason": "r"}]}
    with pytest.raises(errors.NumbersInvalid, match="DST_MCCMNC_LIMIT"):
        own.send("1", "x").read(said({"status": "-9", "reason": "DST_MCCMNC_LIMIT", **lists}), False)


def test_a_number_given_twice_gets_two_ids() -> None:
    rows = [{"msgId": "1", "number": "86", "orderId": None}, {"msgId": "2", "number": "86", "orderId": None}]
    sending = own.send("86,86", "hi").read(said({"status": "0", "array": rows}), False)
    assert [result.message_id for result in sending.results] == ["1", "2"]


def test_a_batch_is_read_over_all_its_groups() -> None:
    groups = [laaffic.Message("1,2", "x"), laaffic.Message(("3", "1"), "y", "S", ("o3", "o1"))]
    rows = [
        {"msgId": i, "number": n, "orderId": o} for i, n, o in (("7", "1", None), ("8", "3", "o3"), ("9", "1", "o1"))
    ]
    sending = own.send_batch(groups).read(said({"status": "0", "array": rows}), False)
    assert [result.message_id for result in sending.results] == ["7", None, "8", "9"]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "0"},
        {"status": "0", "array": [{"number": "86"}]},
        {"status": "0", "array": [{"msgId": "1", "number": "44"}]},
        {"status": "0", "array": "none"},
        {"reason": "ok"},
    ],
)
def test_a_send_whose_answer_names_no_messages_of_ours_cannot_be_read(body: object) -> None:
    with pytest.raises(Unreadable):
        own.send("86", "hi").read(said(body), False)


def test_laaffic_reports_are_read() -> None:
    price = {"pay": "0.062", "chargeCnt": 2, "currency": "USD", "price": "0.031"}
    at = "2026-11-22T05:32:24+08:00"
    rows = [
        {"msgId": "1", "number": "86", "receiveTime": at, "status": "0", "pricedetail": price},
        {"msgId": "2", "number": "87", "receiveTime": None, "status": -1},
        {"msgId": "3", "number": "88", "receiveTime": "yesterday", "status": "1"},
    ]
    reports = own.reports(["1"]).read(said({"status": "0", "nofound": "1", "array": rows}), False)
    assert (reports.delivered, reports.failed, reports.sending, reports.not_found) == (1, 1, 1, 1)
    assert reports.messages[0].received_at == datetime(2026, 11, 21, 21, 32, 24, tzinfo=UTC)
    assert reports.messages[0].price == laaffic.Price(Decimal("0.062"), 2, Decimal("0.031"), "USD")
    assert [one.received_at for one in reports.messages[1:]] == [None, None]


def test_laaffic_records_and_inbound_pages_are_read() -> None:
    rows = [{"msgId": "1", "number": "86", "receiveTime": None, "status": "2"}]
    (record,) = own.sent_records(AT, AT).read(said({"status": "0", "array": rows}), False)
    assert record.status is laaffic.Status.FAILED
    data = {"total": 1, "size": "10", "current": 1, "pages": 1, "records": [{"number": "49", "content": "OK"}]}
    page = own.inbound(AT, AT).read(said({"status": "0", "data": data}), False)
    assert (page.size, page.messages[0].text, page.messages[0].price) == (10, "OK", None)


@pytest.mark.parametrize(("mcc", "mnc"), [(515, -1), ("515", "-1")])
def test_network_codes_are_read_as_integers_and_as_text(mcc: object, mnc: object) -> None:
    row = {"number": "49", "content": "OK", "mcc": mcc, "mnc": mnc}
    data = {"total": 1, "size": 1, "current": 1, "pages": 1, "records": [row]}
    (message,) = own.inbound(AT, AT).read(said({"status": "0", "data": data}), False).messages
    pushed = laaffic.parse_inbound_push(json.dumps({"msgid": "1", "mobile": "49", "mcc": mcc, "mnc": mnc}).encode())
    assert (message.mcc, message.mnc) == (pushed.mcc, pushed.mnc) == ("515", "-1")


def test_a_check_of_a_code_is_an_answer_and_a_parameter_that_is_wrong_is_an_error() -> None:
    call = own.check_code("22000000000000000001", "1234")
    assert call.parameters == {"verificationId": "22000000000000000001", "code": "1234"}
    assert not call.repeatable, "a code is right once: after a lost answer it would be said to be used"
    right = {"status": "0", "reason": "success", "data": {"verificationId": "v", "matched": 0}}
    assert call.read(said(right), False) == laaffic.VerificationCheck("v", True, "")
    wrong = {"status": "-22", "reason": "code is wrong", "data": {"verificationId": "v", "matched": -1}}
    assert call.read(said(wrong), False) == laaffic.VerificationCheck("v", False, "code is wrong")
    with pytest.raises(errors.BadParameter):
        call.read(said({"status": "-22", "reason": "code has 1 to 10 characters"}), False)
    with pytest.raises(errors.ClockOff):
        call.read(said({"status": "-16", "reason": "Timestamp expired", "data": {}}), False)


def test_a_code_is_sent_with_what_is_given_alone() -> None:
    assert own.send_code("447700900123", 7).parameters == {"appId": "app", "to": "447700900123", "templateId": 7}
    call = own.send_own_code("447700900123", "aB9", order_id="o", flow_id=3, app_id="other")
    given = {"appId": "other", "to": "447700900123", "orderId": "o", "flowId": 3, "code": "aB9"}
    assert call.parameters == given
    answer = {
        "status": "0",
        "reason": "success",
        "data": {"verificationId": 12, "to": "447700900123", "channel": "sms"},
    }
    assert call.read(said(answer), False) == laaffic.VerificationSent("12", "447700900123", "sms")
    for text in ("null", "{}", "[]", '{"to":"1"}'):
        with pytest.raises(Unreadable):
            call.read(said({"status": "0", "reason": "success", "data": json.loads(text)}), False)


def test_every_laaffic_code_of_the_reference_has_its_own_error() -> None:
    listed = re.findall(r"^\| (-\d+) \|", (REFERENCE / "laaffic.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(CODES)
    assert len(set(CODES.values())) == len(CODES)
    for code, kind in CODES.items():
        with pytest.raises(kind) as told:
            own.balance().read(said({"status": code, "reason": "why"}), False)
        assert (told.value.code, told.value.words) == (code, "why")


def test_the_dialects_words_go_before_the_http_status() -> None:
    with pytest.raises(errors.NotAuthenticated):
        own.balance().read(said({"status": "-1", "reason": "x"}, 401), False)
    with pytest.raises(errors.BadAnswer):
        own.balance().read(said({"status": 500, "error": "Internal Server Error"}, 500), False)
    with pytest.raises(errors.BadAnswer):
        own.balance().read(said({"status": "0", "balance": "1"}, 500), False)


# ---- Reading, lia


def test_a_lia_send_is_read_and_its_refusal_raised() -> None:
    call = theirs.send("86", lia.Message("S", "hi"))
    sent = call.read(said({"message_id": "4134", "status": "S", "remarks": "ok", "uid": "u"}), False)
    assert sent == lia.Sent("86", 4134, "u", "ok")
    assert call.read(said([{"message_id": 7, "status": "S"}]), False).message_id == 7
    with pytest.raises(errors.InsufficientBalance):
        call.read(said({"message_id": 0, "status": "F", "remarks": "Insufficient balance"}), False)
    unreadable: tuple[object, ...] = ({"message_id": 0, "status": "S"}, {"remarks": "?"}, [])
    for body in unreadable:
        with pytest.raises(Unreadable):
            call.read(said(body), False)


def test_each_number_of_a_lia_send_has_its_own_result() -> None:
    call = theirs.send_many(["1", "2"], lia.Message("S", "hi"))
    rows = [{"message_id": 5, "status": "S"}, {"message_id": 0, "status": "F", "remarks": "Invalid phonenumber"}]
    first, second = call.read(said(rows), False)
    assert (first.number, first.message_id, first.refusal) == ("1", 5, None)
    assert (second.number, second.message_id) == ("2", None)
    assert isinstance(second.refusal, errors.NumbersInvalid)
    with pytest.raises(errors.BadParameter, match="Invalid sms_type"):
        call.read(said([{"message_id": 0, "status": "F", "remarks": "Invalid sms_type"}]), False)
    with pytest.raises(Unreadable):
        call.read(said([*rows, *rows]), False)


def test_with_one_number_only_what_is_wrong_with_the_account_is_raised() -> None:
    call = theirs.send_many(["1"], lia.Message("S", "hi"))
    (sent,) = call.read(said([{"message_id": 0, "status": "F", "remarks": "Invalid phonenumber"}]), False)
    assert isinstance(sent.refusal, errors.NumbersInvalid)
    with pytest.raises(errors.NotAuthenticated):
        call.read(said([{"message_id": 0, "status": "F", "remarks": "Invalid api_id"}]), False)


def test_one_object_is_the_failure_of_the_whole_call() -> None:
    failure = {"message_id": 0, "status": "F", "remarks": "Invalid phonenumber: a national number", "uid": ""}
    for numbers in (["1"], ["1", "2"]):
        with pytest.raises(errors.NumbersInvalid):
            theirs.send_many(numbers, lia.Message("S", "hi")).read(said(failure), False)


def test_every_code_of_ctrack_has_its_error() -> None:
    assert {1000, *TRACK} == set(lia_door.TRACK)
    for code, kind in TRACK.items():
        with pytest.raises(kind) as told:
            theirs.report_conversion(1).read(said({"ErrorCode": code, "ErrorDescription": "why"}), False)
        assert told.value.code == str(code)
    assert theirs.report_conversion(1).read(said({"ErrorCode": "1000"}), False) is None


def test_remarks_are_known_in_any_letter_case_and_those_of_the_reference_are_all_understood() -> None:
    assert isinstance(refusal_of(" IP NOT whitelisted "), errors.AddressNotAllowed)
    page = (REFERENCE / "lia.md").read_text(encoding="utf-8").lower()
    assert [remark for remark in REMARKS if not re.search(rf'[`"]{re.escape(remark)}[`"]', page)] == []
    assert type(refusal_of("Invalid sender_id")) is errors.BadParameter
    assert type(refusal_of("pe_id not specified")) is errors.BadParameter
    assert type(refusal_of("Moon in the wrong quarter")) is errors.Refused


def test_every_status_word_of_the_dialect_is_known() -> None:
    for state in MessageState:
        assert status_of(lia_words.STATE_WORDS[state]).value == lia_words.STATE_WORDS[state]
    assert {status for status in lia.Status if status.is_final} == {
        *map(lia.Status, ("Delivered", "Undeliverable", "Expired", "Rejected", "Failed", "DND"))
    }
    assert status_of("DELIVERED") is lia.Status.DELIVERED
    assert status_of("Teleported") is lia.Status.UNKNOWN


# ---- Pushes


def test_a_laaffic_report_push_is_read() -> None:
    body = (
        b'{"appId":"4luaKsL2","orderId":"o2","msgid":"244269268868993","mobile":"8613800130003","status":1,'
        b'"reason":"Invalid destination address","timestamp":1795325652242,"mcc":"999","mnc":"-1",'
        b'"pricedetail":{"pay":"0","chargeCnt":1,"currency":"USD","price":"0.031"}}'
    )
    push = laaffic.parse_report_push(body)
    assert (push.message_id, push.order_id, push.app_id, push.number) == (
        "244269268868993",
        "o2",
        "4luaKsL2",
        "8613800130003",
    )
    assert push.status is laaffic.Status.FAILED
    assert push.reason == "Invalid destination address"
    assert push.wrong_number
    assert push.reported_at == datetime(2026, 11, 22, 5, 34, 12, 242000, tzinfo=UTC)
    delivered = laaffic.parse_report_push(b'{"msgid":1,"status":"0","reason":"0","timestamp":"1795325652"}')
    assert (delivered.status, delivered.reason, delivered.wrong_number) == (laaffic.Status.DELIVERED, "", False)
    assert delivered.reported_at == datetime(2026, 11, 22, 5, 34, 12, tzinfo=UTC)


def test_a_laaffic_inbound_push_is_read_in_its_vendors_zone() -> None:
    said = '"reply_time":"2026-11-22 05:34:12","content":"好","sendid":"S","mcc":"262"'
    body = f'{{"msgid":"2","mobile":"49",{said}}}'.encode()
    assert laaffic.parse_inbound_push(body).received_at == datetime(2026, 11, 22, 5, 34, 12, tzinfo=UTC)
    china = timezone(timedelta(hours=8))
    push = laaffic.parse_inbound_push(body, china)
    assert push.received_at == datetime(2026, 11, 22, 5, 34, 12, tzinfo=china)
    assert (push.number, push.sender, push.text, push.mcc, push.mnc) == ("49", "S", "好", "262", "")


def test_a_lia_report_push_is_read_as_json_and_as_a_form() -> None:
    body = (
        b'{"message_id":244269268524928,"uid":"order-7","PhoneNumber":"8613800130002","DLRStatus":"Undeliverable",'
        b'"SMSID":"1a20","ClientCost":0.031,"ErrorCode":"001","ErrorDescription":"Undeliverable","Remarks":""}'
    )
    push = lia.parse_report_push(b"\xef\xbb\xbf" + body)
    assert (push.message_id, push.uid, push.number) == (244269268524928, "order-7", "8613800130002")
    assert (push.status, push.error_code, push.cost) == (lia.Status.UNDELIVERABLE, "001", Decimal("0.031"))
    form = lia.parse_report_push(b"message_id=17&DLRStatus=DELIVERED&uid=a%20b&uid=second")
    assert (form.message_id, form.status, form.word, form.uid) == (17, lia.Status.DELIVERED, "DELIVERED", "a b")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"{", b"\xff\xfe", b"hello", b'{"msgid":{},"message_id":[]}', b'{"msgid":1,"message_id":1}'],
)
def test_what_is_no_push_is_said_to_be_none(body: bytes) -> None:
    for parse in (laaffic.parse_report_push, laaffic.parse_inbound_push, lia.parse_report_push):
        with pytest.raises(errors.BadPush):
            parse(body)


def refusals(kind: type[own_errors.Refusal] = own_errors.Refusal) -> Iterator[type[own_errors.Refusal]]:
    for one in kind.__subclasses__():
        yield one
        yield from refusals(one)


@pytest.mark.parametrize(
    "kind", [kind for kind in refusals() if lia_words.REMARKS.of(kind) != lia_words.INVALID_REQUEST]
)
def test_a_refusal_is_the_same_error_in_both_dialects(kind: type[own_errors.Refusal]) -> None:
    assert type(refusal_of(lia_words.REMARKS.of(kind))) is CODES[laaffic_codes.CODES.of(kind)]


@pytest.mark.parametrize("huge", [b"1e999999999", b'"1e999999999"', b"9" * 5000, b'"NaN"'])
def test_numbers_beyond_reason_are_refused_without_being_worked_out(huge: bytes) -> None:
    with pytest.raises(errors.BadPush):
        lia.parse_report_push(b'{"message_id":%s,"DLRStatus":"Delivered"}' % huge)


@pytest.mark.parametrize("huge", [b"9" * 5000, b'"NaN"', b'"-Infinity"', b'"1,5"'])
def test_what_is_no_amount_is_not_taken_for_one(huge: bytes) -> None:
    with pytest.raises(errors.BadPush):
        lia.parse_report_push(b'{"message_id":1,"DLRStatus":"Delivered","ClientCost":%s}' % huge)
