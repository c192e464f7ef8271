"""Signatures of hooks: the published library signs, in the forms in which the products do."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from homing.dialects.hooks import signatures
from homing.dialects.hooks.dialect import SECRET_CHARS

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"user":{"phone":"+1333363128"},"sms":{"otp":"561166"}}'
AT_S = 1_764_450_000
NOW_S = (float(AT_S), float(AT_S))


class CallHeaders:
    """Headers as the server has them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, key: str, default: str | None = None) -> str | None:
        return self._values.get(key, default)

    def __contains__(self, key: str) -> bool:
        return key in self._values


def is_signed_by_standard(secret: str, headers: Mapping[str, str], body: bytes, now_s: Sequence[float]) -> bool:
    return signatures.is_signed_by_standard(secret, CallHeaders(headers), body, now_s)


def is_signed_by_zitadel(secret: str, headers: Mapping[str, str], body: bytes, now_s: Sequence[float]) -> bool:
    return signatures.is_signed_by_zitadel(secret, CallHeaders(headers), body, now_s)


def has_token(secret: str, headers: Mapping[str, str]) -> bool:
    return signatures.has_token(secret, CallHeaders(headers), b"", ())


def is_signed_or_has_token(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    return signatures.is_signed_or_has_token(secret, CallHeaders(headers), body, NOW_S)


def standard(secret: str = SECRET, at_s: int = AT_S, webhook_id: str = "msg_1") -> dict[str, str]:
    signature = Webhook(secret).sign(webhook_id, datetime.fromtimestamp(at_s, UTC), BODY.decode())
    return {"webhook-id": webhook_id, "webhook-timestamp": str(at_s), "webhook-signature": signature}


def zitadel(secret: str = SECRET, at_s: int = AT_S) -> dict[str, str]:
    signature = hmac.digest(secret.encode(), f"{at_s}.".encode() + BODY, "sha256").hex()
    return {"zitadel-signature": f"t={at_s},v1={signature}"}


@pytest.mark.parametrize("secret", [SECRET, f"whsec_{SECRET}", f"v1,whsec_{SECRET}"])
def test_a_secret_is_known_in_each_of_its_forms(secret: str) -> None:
    assert is_signed_by_standard(secret, standard(), BODY, NOW_S)


def test_a_secret_that_homing_makes_is_one_of_standard_webhooks() -> None:
    key = signatures.standard_key("a" * SECRET_CHARS)
    assert key is not None
    assert len(key) == 24


@pytest.mark.parametrize("separator", [" ", ", ", ","])
def test_one_right_signature_of_several_is_enough_however_they_are_separated(separator: str) -> None:
    """Supabase joins its signatures with a comma and a blank, the standard with a blank."""
    other = standard("whsec_" + base64.b64encode(bytes(24)).decode())["webhook-signature"]
    headers = standard()
    headers["webhook-signature"] = separator.join((other, headers["webhook-signature"]))
    assert is_signed_by_standard(SECRET, headers, BODY, NOW_S)
    headers["webhook-signature"] = separator.join((other, other))
    assert not is_signed_by_standard(SECRET, headers, BODY, NOW_S)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(AT_S + 1)},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "٣"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v2," + standard()["webhook-signature"].partition(",")[2]},
        {"webhook-signature": "v1,\udcff"},
    ],
)
def test_a_changed_call_is_not_signed(changed: dict[str, str]) -> None:
    assert not is_signed_by_standard(SECRET, {**standard(), **changed}, BODY, NOW_S)


def test_another_body_or_secret_is_not_signed() -> None:
    assert not is_signed_by_standard(SECRET, standard(), BODY + b" ", NOW_S)
    assert not is_signed_by_standard("whsec_" + base64.b64encode(bytes(24)).decode(), standard(), BODY, NOW_S)
    assert not is_signed_by_standard("no base64!", standard(), BODY, NOW_S)
    assert not is_signed_by_standard("", standard(), BODY, NOW_S)


@pytest.mark.parametrize(("late_s", "is_valid"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_a_signature_is_valid_for_five_minutes_around_its_time(late_s: int, is_valid: bool) -> None:
    now_s = [float(AT_S + late_s)]
    assert is_signed_by_standard(SECRET, standard(), BODY, now_s) is is_valid
    assert is_signed_by_zitadel(SECRET, zitadel(), BODY, now_s) is is_valid


def test_zitadel_signs_the_time_and_the_body() -> None:
    assert is_signed_by_zitadel(SECRET, zitadel(), BODY, NOW_S)
    other = zitadel("another")["zitadel-signature"].partition("v1=")[2]
    both = zitadel()["zitadel-signature"].replace("v1=", f"v1={other},v1=")
    assert is_signed_by_zitadel(SECRET, {"zitadel-signature": both}, BODY, NOW_S)
    assert not is_signed_by_zitadel(SECRET, zitadel("another"), BODY, NOW_S)
    assert not is_signed_by_zitadel(SECRET, zitadel(), BODY + b" ", NOW_S)
    for header in ("", "t=", f"t={AT_S}", f"t={AT_S},v1=", "v1=00", "=,=,="):
        assert not is_signed_by_zitadel(SECRET, {"zitadel-signature": header}, BODY, NOW_S)


def test_a_token_is_the_secret_with_or_without_its_scheme() -> None:
    for header in (f"Bearer {SECRET}", f"bearer  {SECRET}", SECRET):
        assert has_token(SECRET, {"authorization": header})
    for header in ("", "Bearer", "Bearer ", f"Basic {SECRET}", f"{SECRET} {SECRET}"):
        assert not has_token(SECRET, {"authorization": header})
    assert not has_token(SECRET, {})


def test_a_call_that_is_signed_is_believed_by_its_signature_alone() -> None:
    headers = {**standard(), "authorization": f"Bearer {SECRET}"}
    assert is_signed_or_has_token(SECRET, headers, BODY)
    assert not is_signed_or_has_token(SECRET, headers, BODY + b" ")
    assert is_signed_or_has_token(SECRET, {"authorization": f"Bearer {SECRET}"}, BODY)
