"""What becomes of every parameter that is accepted: it reaches the carrier or comes back, it is refused, or the
reference says that it is not looked at. A parameter, option or setting that is new and in no table here fails.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from homing.accounts.profile import Profile
from homing.api.smpp import message_text
from homing.api.smpp.statuses import RequestRejected, VendorStatus
from homing.api.smpp.submit import read_submit
from homing.carriers.http_template import NAMES
from homing.carriers.kinds import KINDS
from homing.carriers.smpp.encoding import SubmitEncoder
from homing.carriers.smpp.settings import SmppSettings
from homing.dialects.laaffic.otp_parameters import (
    OtpApp,
    OtpFlow,
    OtpFlowStep,
    OtpLimit,
    OtpOrder,
    OtpRate,
    OtpResend,
    OtpSend,
    OtpTemplate,
    OtpVerify,
)
from homing.dialects.laaffic.parameters import Backfill, Batch, Group, RecordMo, Span
from homing.intake.submission import Submission
from homing.model import App, Options, Outbound, Traffic
from homing.smpp import concatenation, tlvs
from homing.smpp.fields import field_layouts
from homing.smpp.pdus import DataSm, SmeAddress, SubmitMulti, SubmitSm
from homing.smpp.statuses import CommandStatus
from homing.text.segments import count
from homing_clients import laaffic as laaffic_client
from homing_clients import lia as lia_client
from homing_clients.laaffic_calls import LaafficCalls
from homing_clients.lia_calls import LiaCalls

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "smpp.md").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SENDERS = frozenset({"ACME", "447700900000"})
ACCOUNT = Profile(7, "acme", False, (), 20, False, "ACME", SENDERS, {"a": App("a", "a", None, None)}, ())
CENTRE = SubmitEncoder(SmppSettings(host="smsc.example", system_id="us"))


class Carried(NamedTuple):
    """It is in the message that is stored, or in what the carrier is sent."""

    given: Any
    reaches: Callable[[Submission, SubmitSm], Any]
    wanted: Any


class Refused(NamedTuple):
    given: Any
    status: int


class Ignored(NamedTuple):
    """The reference says so, and names it."""

    given: Any


def through(pdu: SubmitSm | SubmitMulti | DataSm) -> tuple[Submission, SubmitSm]:
    """A customer's submit as it is stored, and the first submit_sm that a carrier gets of it."""
    asked = read_submit(ACCOUNT, pdu, NOW)
    submission = asked.submission(ACCOUNT, "a", "r", message_text.decode(asked.octets, asked.data_coding))
    (group,) = submission.groups
    whole = count(group.text, group.encoding)
    message = Outbound(
        7,
        1,
        1,
        group.recipients[0].number,
        group.sender,
        group.text,
        int(whole.encoding),
        whole.parts,
        NOW + timedelta(seconds=submission.validity_s),
        submission.traffic,
        group.options,
    )
    return submission, CENTRE.submits(message, 7, NOW)[0]


def submit(**more: Any) -> SubmitSm:
    return SubmitSm(**{"source_addr": "ACME", "destination_addr": "447700900123", "short_message": b"hello", **more})


HEADED = concatenation.build_header(7, 1, 1) + b"hello"
FIELDS: dict[str, list[Carried | Refused | Ignored]] = {
    "service_type": [
        Carried("PROMO", lambda stored, _sent: stored.traffic, Traffic.PROMOTIONAL),
        Carried("OTP", lambda stored, _sent: stored.groups[0].notes, {"service_type": "OTP"}),
        Refused("USSD", CommandStatus.RINVSERTYP),
    ],
    "source_addr_ton": [Ignored(5)],
    "source_addr_npi": [Ignored(1)],
    "source_addr": [
        Carried("447700900000", lambda _stored, sent: sent.source_addr, "447700900000"),
        Refused("OTHER", CommandStatus.RINVSRCADR),
    ],
    "dest_addr_ton": [Ignored(5)],
    "dest_addr_npi": [Ignored(8)],
    "destination_addr": [
        Carried("+447700900124", lambda _stored, sent: sent.destination_addr, "447700900124"),
        Refused("somebody", CommandStatus.RINVDSTADR),
    ],
    "esm_class": [Ignored(0x03), Refused(0x04, CommandStatus.RINVESMCLASS)],
    "protocol_id": [
        Ignored(0x20),
        Refused(0x40, VendorStatus.UNSUPPORTED_CONTENT),
        Refused(0x7F, VendorStatus.UNSUPPORTED_CONTENT),
    ],
    "priority_flag": [Ignored(3), Refused(4, CommandStatus.RINVPRTFLG)],
    "schedule_delivery_time": [Refused("000001000000000R", CommandStatus.RINVSCHED)],
    "validity_period": [
        Carried("000000010000000R", lambda stored, _sent: stored.validity_s, 3600),
        Carried("000000010000000R", lambda _stored, sent: sent.validity_period, "000000010000000R"),
        Refused("soon", CommandStatus.RINVEXPIRY),
    ],
    "registered_delivery": [
        Carried(0x11, lambda stored, _sent: stored.registered, 0x11),
        Refused(3, CommandStatus.RINVREGDLVFLG),
        Ignored(0x0C),
    ],
    "replace_if_present_flag": [Refused(1, CommandStatus.RINVREPFLAG)],
    "data_coding": [
        Carried(0x10, lambda _stored, sent: sent.data_coding, 0x10),
        Ignored(0x11),
        Refused(0x04, VendorStatus.UNSUPPORTED_CONTENT),
    ],
    "sm_default_msg_id": [Refused(1, CommandStatus.RINVDFTMSGID)],
    "short_message": [
        Carried(b"another", lambda _stored, sent: sent.short_message, b"another"),
        Refused(b"", CommandStatus.RINVMSGLEN),
    ],
    "dest_addresses": [
        Carried((SmeAddress(1, 1, "447700900125"),), lambda _stored, sent: sent.destination_addr, "447700900125"),
        Refused((), CommandStatus.RINVNUMDESTS),
    ],
}
FLASH: Callable[[Submission, SubmitSm], Any] = lambda _stored, sent: sent.data_coding  # noqa: E731
PARAMETERS: dict[str, list[Carried | Refused | Ignored]] = {
    "dest_addr_subunit": [Carried(b"\x01", FLASH, 0x10), Ignored(b"\x02")],
    "qos_time_to_live": [],  # of data_sm: below
    "payload_type": [Refused(b"\x01", VendorStatus.UNSUPPORTED_CONTENT)],
    "source_port": [Refused(b"\x0b\x84", VendorStatus.UNSUPPORTED_CONTENT), Ignored(b"\0\0")],
    "destination_port": [Refused(b"\x23\xf0", VendorStatus.UNSUPPORTED_CONTENT), Ignored(b"\0\0")],
    "ussd_service_op": [Refused(b"\0", VendorStatus.UNSUPPORTED_CONTENT)],
    "user_message_reference": [
        Carried(b"\x02\x01", lambda stored, _sent: stored.groups[0].recipients[0].reference, "513")
    ],
    "sar_msg_ref_num": [],  # of parts: test_smpp_submit.py, test_smpp_long.py
    "sar_total_segments": [],
    "sar_segment_seqnum": [],
    "message_payload": [Refused(b"twice", CommandStatus.ROPTPARNOTALLWD)],
    "pe_id": [
        Carried(b"1101", lambda _stored, sent: sent.tlvs, ((0x1400, b"1101"),)),
        Refused(b"1" * 65, CommandStatus.RINVOPTPARAMVAL),
        Refused(b"\x01", CommandStatus.RINVOPTPARAMVAL),
    ],
    "template_id": [
        Carried(b"1107\0", lambda _stored, sent: sent.tlvs, ((0x1401, b"1107"),)),
        Refused(b"\xe9", CommandStatus.RINVOPTPARAMVAL),
    ],
    **{
        name: [Ignored(b"\x01")]
        for name in (
            "alert_on_message_delivery",
            "callback_num",
            "callback_num_atag",
            "callback_num_pres_ind",
            "dest_bearer_type",
            "dest_network_type",
            "dest_subaddress",
            "dest_telematics_id",
            "display_time",
            "its_reply_type",
            "its_session_info",
            "language_indicator",
            "more_messages_to_send",
            "ms_msg_wait_facilities",
            "ms_validity",
            "number_of_messages",
            "privacy_indicator",
            "set_dpf",
            "sms_signal",
            "source_addr_subunit",
            "source_bearer_type",
            "source_network_type",
            "source_subaddress",
            "source_telematics_id",
            "user_response_code",
        )
    },
}
OF_ANSWERS_AND_RECEIPTS = {
    "additional_status_info_text",
    "receipted_message_id",
    "sc_interface_version",
    "dpf_result",
    "ms_availability_status",
    "network_error_code",
    "delivery_failure_reason",
    "message_state",
}
"""Parameters that no submit has (sections 4.4.1, 4.5.1, 4.7.1)."""
TAGS = {one.name: one.tag for one in (*tlvs.PARAMETERS.values(), tlvs.DLT_PE_ID, tlvs.DLT_TEMPLATE_ID)}


def test_every_field_of_a_submit_and_every_parameter_of_smpp_has_a_fate() -> None:
    fields = {name for kind in (SubmitSm, SubmitMulti, DataSm) for name, _mark in field_layouts(kind)}
    assert set(FIELDS) == fields
    assert set(PARAMETERS) | OF_ANSWERS_AND_RECEIPTS == set(TAGS)


def flat(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, fate) for name, fates in table.items() for fate in fates]


def meets(made: Callable[[], SubmitSm | SubmitMulti | DataSm], fate: Carried | Refused | Ignored, name: str) -> None:
    match fate:
        case Refused(_, status):
            with pytest.raises(RequestRejected) as refused:
                through(made())
            assert refused.value.status == status
        case Carried(_, reaches, wanted):
            assert reaches(*through(made())) == wanted
        case Ignored(_):
            stored, sent = through(made())
            plain, plainly_sent = through(submit())
            assert sent == plainly_sent
            assert msgspec.structs.replace(stored, groups=()) == msgspec.structs.replace(plain, groups=())
            assert stored.groups == plain.groups
            assert name in PAGE


@pytest.mark.parametrize(("name", "fate"), flat(FIELDS))
def test_a_field_is_carried_or_refused_or_said_not_to_be_looked_at(name: str, fate: Any) -> None:
    if name == "dest_addresses":
        meets(lambda: SubmitMulti(source_addr="ACME", dest_addresses=fate.given, short_message=b"hello"), fate, name)
    else:
        meets(lambda: submit(**{name: fate.given}), fate, name)


@pytest.mark.parametrize(("name", "fate"), flat(PARAMETERS))
def test_a_parameter_is_carried_or_refused_or_said_not_to_be_looked_at(name: str, fate: Any) -> None:
    meets(lambda: submit(tlvs=((TAGS[name], fate.given),)), fate, name)


def test_data_sm_carries_the_same_by_its_parameters() -> None:
    pdu = DataSm(
        source_addr="ACME",
        destination_addr="447700900123",
        data_coding=0x10,
        tlvs=(
            tlvs.MESSAGE_PAYLOAD.make(b"hello"),
            tlvs.QOS_TIME_TO_LIVE.make(3600),
            (0x1400, b"1101"),
            (0x1401, b"1107"),
        ),
    )
    stored, sent = through(pdu)
    assert (stored.validity_s, sent.data_coding, sent.short_message) == (3600, 0x10, b"hello")
    assert sent.tlvs == ((0x1400, b"1101"), (0x1401, b"1107"))


# ---- The HTTP dialects: what a send's parameters become is in test_asked_options.py

READS = re.compile(r"""\(parameters, "(\w+)"|parameters(?:\.get\(|\[)"(\w+)"|"(\w+)" in parameters""")
LAAFFIC_SHAPES = (
    *(Group, Batch, Span, RecordMo, Backfill, OtpApp, OtpLimit, OtpTemplate, OtpFlow, OtpFlowStep),
    *(OtpSend, OtpResend, OtpVerify, OtpOrder, OtpRate),
)
LAAFFIC_MEMBERS = {name for shape in LAAFFIC_SHAPES for name in shape.__struct_fields__}


@pytest.mark.parametrize(("dialect", "further"), [("lia", set()), ("laaffic", LAAFFIC_MEMBERS)])
def test_whatever_a_dialect_reads_is_in_its_reference(dialect: str, further: set[str]) -> None:
    reference = (ROOT / "docs" / "reference" / f"{dialect}.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src/homing/dialects" / dialect).glob("*.py")]
    found = {name for source in sources for names in READS.findall(source) for name in names if name} | further
    assert len(found) > 5
    assert {name for name in found if f"`{name}`" not in reference and f'"{name}"' not in reference} == set()


# ---- Within Homing, and out of it

OPTIONS: dict[str, Any] = {"flash": True, "pe_id": "1101", "template_id": "1107"}
SHARED = {"account_id", "attempt", "expires_at", "options"}
"""Of `Outbound`: what is told by another name (`reference`, `validity_s`), and what is not for carriers."""


def test_every_option_is_kept_with_the_message_and_every_template_can_name_it() -> None:
    assert set(OPTIONS) == set(Options.__struct_fields__)
    assert Options(**OPTIONS).as_notes() == OPTIONS
    assert set(OPTIONS) <= set(NAMES)
    assert set(Outbound.__struct_fields__) - SHARED <= set(NAMES)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in KINDS[kind].settings.__struct_fields__]
)
def test_every_setting_of_a_carrier_is_read_where_it_works(kind: str, name: str) -> None:
    """`push_token`: where the carrier's pushes are looked up."""
    carriers = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/homing/carriers").rglob("*.py"))
    pushes = (ROOT / "src/homing/api/http/carrier_webhooks.py").read_text(encoding="utf-8")
    assert re.search(rf"\.{name}\b", carriers) or f'"{name}"' in pushes, f"{kind}: {name}"


# ---- The typed clients


def test_every_field_of_the_lia_clients_message_is_sent() -> None:
    values: dict[str, Any] = {
        "sender": "a sender",
        "text": "a text",
        "transactional": False,
        "encoding": lia_client.Encoding.UNICODE_FLASH,
        "uid": "a uid",
        "callback_url": "https://example.com/c",
        "template": "a template",
        "variables": ("v1", "v2", "v3", "v4", "v5"),
        "validity_s": 90,
        "pe_id": "1101",
        "template_id": "1107",
    }
    assert set(values) == set(lia_client.Message.__struct_fields__)
    sent = (
        LiaCalls("id", "password", "http://127.0.0.1/api").send("447700900123", lia_client.Message(**values)).parameters
    )
    wanted = {
        *(str(value) for value in values.values() if isinstance(value, str | int) and not isinstance(value, bool)),
        *values["variables"],
        "P",
        "447700900123",
    }
    assert {str(value) for value in sent.values()} == wanted


def test_every_field_of_the_laaffic_clients_message_is_sent() -> None:
    values: dict[str, Any] = {"numbers": ("447700900123",), "text": "a text", "sender": "a sender", "order_ids": ("o",)}
    assert set(values) == set(laaffic_client.Message.__struct_fields__)
    calls = LaafficCalls(key="key", secret="secret", app_id="app", base_url="http://127.0.0.1")
    groups: Any = calls.send_batch([laaffic_client.Message(**values)]).parameters["array"]
    (group,) = groups
    assert group == {"numbers": "447700900123", "content": "a text", "senderId": "a sender", "orderId": "o"}
    assert calls.send(**values).parameters == {"appId": "app", **group}
