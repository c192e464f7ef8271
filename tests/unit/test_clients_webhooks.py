"""Signed pushes: which are accepted, and which are not."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from homing_clients.errors import BadPush, BadSignature
from homing_clients.webhooks import TOLERANCE_S, SignedWebhook, WebhookVerifier

OLD, NEW, STRANGE = ("whsec_" + letter * 32 for letter in "ABC")
AT = datetime(2026, 11, 29, 21, 30, tzinfo=UTC)
NOW_S = AT.timestamp()
BODY = b'{"id": 1}'


def signed(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    signatures = [Webhook(secret).sign("push_1", AT, body.decode()) for secret in secrets]
    return {
        "Webhook-Id": "push_1",
        "webhook-timestamp": str(int(NOW_S)),
        "WEBHOOK-SIGNATURE": " ".join(signatures),
    }


@pytest.mark.parametrize("signers", [(OLD,), (NEW,), (NEW, OLD), (STRANGE, OLD)])
def test_one_of_the_signatures_is_of_one_of_the_secrets(signers: tuple[str, ...]) -> None:
    verified = WebhookVerifier(NEW, OLD).verify(BODY, signed(*signers), now_s=NOW_S)
    assert verified == SignedWebhook("push_1", AT)


def test_a_body_a_secret_or_an_id_of_another_push_is_refused() -> None:
    verifier = WebhookVerifier(NEW, OLD)
    good = signed(NEW)
    for body, headers in (
        (BODY + b" ", good),
        (BODY, signed(STRANGE)),
        (BODY, {**good, "Webhook-Id": "push_2"}),
        (BODY, {**good, "webhook-timestamp": str(int(NOW_S) + 1)}),
        (BODY, {**good, "WEBHOOK-SIGNATURE": good["WEBHOOK-SIGNATURE"].replace("v1,", "v2,")}),
        (BODY, {**good, "WEBHOOK-SIGNATURE": good["WEBHOOK-SIGNATURE"][:-4]}),
        (BODY, {**good, "WEBHOOK-SIGNATURE": "v1, \udcff é"}),
    ):
        with pytest.raises(BadSignature, match="known secret"):
            verifier.verify(body, headers, now_s=NOW_S)


@pytest.mark.parametrize("late_s", [-TOLERANCE_S, TOLERANCE_S])
def test_a_time_is_good_for_five_minutes_either_way(late_s: int) -> None:
    verifier = WebhookVerifier(NEW)
    verifier.verify(BODY, signed(NEW), now_s=NOW_S + late_s)
    with pytest.raises(BadSignature, match="too long ago"):
        verifier.verify(BODY, signed(NEW), now_s=NOW_S + late_s * 1.01)


@pytest.mark.parametrize("name", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_a_push_without_a_header_is_refused(name: str) -> None:
    headers = {other: value for other, value in signed(NEW).items() if other != name}
    with pytest.raises(BadPush, match=name.lower()):
        WebhookVerifier(NEW).verify(BODY, headers, now_s=NOW_S)


@pytest.mark.parametrize("timestamp", ["", "-1", "1e3", "+5", "٣", "9" * 30])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    with pytest.raises(BadSignature, match="webhook-timestamp"):
        WebhookVerifier(NEW).verify(BODY, {**signed(NEW), "webhook-timestamp": timestamp}, now_s=NOW_S)


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("whsec_!",), (NEW, "whsec_abc")])
def test_a_secret_that_is_none_is_refused(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="secret"):
        WebhookVerifier(*secrets)
