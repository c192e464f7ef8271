"""Reasons are codes and values: stored as JSON and read back as they were."""

from homing.reasons import Reason, ReasonCode, decode_reason, encode_reason


def test_a_reason_survives_its_json() -> None:
    inner = Reason.of(ReasonCode.LEGACY_TEXT, text="a sentence {with} braces")
    reason = Reason.of(ReasonCode.LEGACY_TEXT, count=12, share_ppm=970_000, odds=1600.0, inner=inner)
    assert decode_reason(encode_reason(reason)) == reason
    assert encode_reason(inner) == '{"code":"legacy.text","values":{"text":"a sentence {with} braces"}}'


def test_a_code_of_another_release_is_kept_as_text() -> None:
    written = '{"code":"later.release","values":{"n":1}}'
    assert decode_reason(written) == Reason.of(ReasonCode.LEGACY_TEXT, text=written)
