"""Signatures of pushes, checked by the published library of Standard Webhooks."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from homing import errors
from homing.admin.signing_secrets import make_signing_secret, signing_key
from homing.delivery.signing import SigningKey, UnreadableSecret, signed_headers

BODY = '{"event":"report","text":"验证码 – ok","cost":"0.0550"}'


def key_of(secret: str, expires_at: datetime | None = None) -> SigningKey:
    return SigningKey(signing_key(secret), expires_at)


def test_the_published_library_accepts_a_push_and_no_changed_one() -> None:
    secret = make_signing_secret()
    headers = signed_headers([key_of(secret)], "push_17", datetime.now(UTC), BODY)
    webhook = Webhook(secret)
    assert webhook.verify(BODY, headers) == json.loads(BODY)
    for changed in (
        {**headers, "webhook-id": "push_18"},
        {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            webhook.verify(BODY, changed)
    with pytest.raises(WebhookVerificationError):
        webhook.verify(BODY + " ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(make_signing_secret()).verify(BODY, headers)


def test_a_known_signature_of_the_standard() -> None:
    """The example of the specification's test suite: its secret, id, time and body."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers([key_of(secret)], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_during_a_rotation_until_the_older_ones_end() -> None:
    now = datetime.now(UTC)
    current, previous = make_signing_secret(), make_signing_secret()
    keys = [key_of(current), key_of(previous, now + timedelta(seconds=10))]
    both = signed_headers(keys, "push_1", now, BODY)
    assert len(both["webhook-signature"].split(" ")) == 2
    for secret in (current, previous):
        Webhook(secret).verify(BODY, both)
    later = signed_headers(keys, "push_1", now + timedelta(seconds=11), BODY)
    Webhook(current).verify(BODY, later)
    with pytest.raises(WebhookVerificationError):
        Webhook(previous).verify(BODY, later)


def test_nothing_is_signed_without_a_key() -> None:
    with pytest.raises(UnreadableSecret):
        signed_headers([], "push_1", datetime.now(UTC), BODY)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_ones_own_has_24_to_64_bytes(size: int) -> None:
    assert len(signing_key("whsec_" + base64.b64encode(bytes(size)).decode())) == size


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        base64.b64encode(bytes(32)).decode(),
        "whsec_not base64 at all, but long enough for one",
    ],
)
def test_what_is_no_secret_of_the_standard_is_refused(secret: str) -> None:
    with pytest.raises(errors.InvalidInput):
        signing_key(secret)
