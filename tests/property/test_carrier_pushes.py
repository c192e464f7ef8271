"""Whatever a vendor sends, a listener reads it or says that it cannot, and what it reads can be stored."""

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.carriers import kinds
from homing.carriers.base import MalformedReport, WebhookParser, WebhookRequest
from homing.intake.intake import utc_now
from homing.model import CarrierInbound, CarrierReceipt, LateAnswer
from homing.states import MessageState

FIELDS = {
    "ref": {"at": "message_id"},
    "state": {"at": "DLRStatus"},
    "states": {"Delivered": "delivered"},
    "otherwise": "unknown",
    "number": {"pattern": "PhoneNumber\\W+(\\d+)"},
    "error_code": {"at": "ErrorCode"},
    "time": {"value": {"at": "timestamp"}, "form": "epoch_ms"},
}
INBOUND = {"number": {"at": "mobile"}, "recipient": {"at": "sendid"}, "text": {"at": "content"}}
RULES = {"rules": [{"outcome": "accepted", "status": [200]}]}
SETTINGS: dict[str, dict[str, Any]] = {
    "laaffic": {"key": "k", "secret": "s", "app_id": "a"},
    "lia": {"api_id": "a", "api_password": "p"},
    "http": {"url": "http://a/", "reply": RULES, "receipt": FIELDS, "inbound": INBOUND},
}
NAMES = (
    *("message_id", "msgid", "uid", "orderId", "appId", "mobile", "PhoneNumber", "status", "DLRStatus", "reason"),
    *("timestamp", "mcc", "mnc", "pricedetail", "ClientCost", "ErrorCode", "content", "sendid", "reply_time", "pay"),
    "chargeCnt",
)

words = st.sampled_from(
    ["0", "1", "-1", "Delivered", "DND", "999", "1795325652008", "999999999999", "0001-01-01 00:00:00+14:00", "\0"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | words
members = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), scalars, max_size=12),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), scalars | inner | st.lists(inner, max_size=3), max_size=12),
    max_leaves=20,
)
bodies = (
    st.binary(max_size=200)
    | members.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode(),
        st.lists(st.tuples(st.sampled_from(NAMES), words | st.text(st.characters(codec="utf-8"), max_size=10))),
    )
)


@pytest.fixture(scope="module", params=SETTINGS)
def listener(request: pytest.FixtureRequest) -> WebhookParser:
    made = kinds.listener(request.param, json.dumps(SETTINGS[request.param]), utc_now)
    assert made
    return made


content_types = st.sampled_from(
    ["", "application/json", "text/plain; charset=latin-1", "a/b;charset=utf-16", "multipart/form-data; boundary=x"]
) | st.text(max_size=40)


@given(
    st.sampled_from(["report", "inbound", "", "other"]), st.sampled_from(["GET", "POST"]), bodies, bodies, content_types
)
def test_a_push_is_read_or_refused(
    listener: WebhookParser, path: str, method: str, query: bytes, body: bytes, content_type: str
) -> None:
    try:
        heard = listener.read(WebhookRequest(method, path, query, content_type, body))
    except MalformedReport:
        return
    assert heard.status == 200
    for one in heard.reports:
        assert not isinstance(one, LateAnswer)
        assert one.received_at.tzinfo is not None
        assert one.received_at.astimezone(UTC).year >= 1970
        if isinstance(one, CarrierReceipt):
            assert one.carrier_ref
            assert one.state in set(MessageState)
        else:
            assert isinstance(one, CarrierInbound)
            assert one.number
