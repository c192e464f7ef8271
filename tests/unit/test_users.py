"""Second factors, passwords, tokens and names: what needs no database."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from homing import errors
from homing.users import passwords, second_factor
from homing.users.admin import as_name
from homing.users.second_factor import CONSOLE_RECOVERY_CODES
from homing.users.tokens import bound, digest, make_token

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}
"""RFC 6238, appendix B, for SHA-1: the last six digits."""


@pytest.mark.parametrize(("second", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_rfc(second: int, code: str) -> None:
    now = datetime.fromtimestamp(second, UTC)
    assert second_factor.step_of(RFC_SECRET, code, now) == second // 30


def test_a_code_holds_for_the_steps_beside_its_own_and_no_further() -> None:
    now = datetime.fromtimestamp(1111111109, UTC)
    its_own = 1111111109 // 30
    for late_s, step in ((-30, its_own), (30, its_own), (60, None), (-60, None)):
        assert second_factor.step_of(RFC_SECRET, "081804", now + timedelta(seconds=late_s)) == step
    assert second_factor.step_of(RFC_SECRET, "081 804", now) == its_own
    ahead = now + timedelta(hours=1)
    assert second_factor.step_of(RFC_SECRET, "081804", ahead, now) == its_own, "one of two clocks was stepped"
    assert second_factor.step_of(RFC_SECRET, "081804", ahead, ahead) is None
    for wrong in ("", "081805", "0818040", "81804", "x" * 1000, "０８１８０４", "\ud800"):
        assert second_factor.step_of(RFC_SECRET, wrong, now) is None


def test_an_app_is_told_all_it_needs() -> None:
    secret = second_factor.make_secret()
    assert len(base64.b32decode(secret)) == 20
    uri = second_factor.uri(secret, "ada@example.com")
    assert uri.startswith("otpauth://totp/Homing:ada%40example.com?")
    assert f"secret={secret}" in uri


def test_recovery_codes_are_many_apart_and_easy_to_write_down() -> None:
    codes = second_factor.make_recovery_codes()
    assert len(set(codes)) == CONSOLE_RECOVERY_CODES
    assert all(len(code) == 11 and code[5] == "-" and not set("01iIlLoO") & set(code) for code in codes)


@pytest.mark.parametrize(
    "password", ["", "short", "a" * 11, "aaaaaaaaaaaaaaaa", "ada-ada-ada-ada", "ADA and more of it", "x" * 257]
)
def test_a_password_that_is_easy_to_guess_or_too_long_is_refused(password: str) -> None:
    with pytest.raises(errors.InvalidInput):
        passwords.check_password(password, "ada")


@pytest.mark.parametrize("password", ["correct horse battery", "密码密码是十二个汉字吗是的", " spaces count  "])
def test_length_is_what_a_password_needs(password: str) -> None:
    passwords.check_password(password, "ada")


async def test_a_password_is_right_for_its_own_hash_alone() -> None:
    checking = passwords.Passwords()
    known = await checking.hash("correct horse battery")
    assert known.startswith("$argon2id$")
    assert await checking.is_right("correct horse battery", known)
    assert not await checking.is_right("correct horse batter", known)
    assert not await checking.is_right("x" * 10_000, known)
    assert not await checking.is_right("correct horse battery", None)
    assert not await checking.is_right("correct horse battery", "no hash at all")
    assert not checking.is_dated(known)


def test_what_is_bound_to_a_token_is_told_by_neither_purpose_nor_token_alone() -> None:
    token, other = make_token(), make_token()
    assert bound(token, "form") == bound(token, "form")
    assert len({bound(token, "form"), bound(token, "said"), bound(other, "form"), digest(token).hex()}) == 4


def test_names_differ_by_more_than_case_and_spaces() -> None:
    assert as_name(" Ada@Example.COM ") == "ada@example.com"
