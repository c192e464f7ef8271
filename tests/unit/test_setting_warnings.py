"""What is set and will not work is said at once."""

import ipaddress

import pytest

from homing.admin.setting_warnings import carrier_warnings, push_address_warnings, sender_warnings, template_warnings

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.mark.parametrize("sender", ["ACME", "ELEVENCHARS", "447700900777", "+447700900777", "12345", "+12345"])
def test_a_sender_that_carriers_take_is_taken_without_a_word(sender: str) -> None:
    assert [*sender_warnings(sender)] == []


@pytest.mark.parametrize(
    ("sender", "word"),
    [
        ("TOO LONG SENDER NAME", "at most 11 GSM characters; 'TOO LONG SENDER NAME' has 20"),
        ("TWELVE CHARS", "at most 11"),
        ("1234567890123456", "at most 15 digits"),
        ("07700900777", "not in international form"),
        ("+07700900777", "not in international form"),
        ("007700900777", "not in international form"),
    ],
)
def test_a_sender_that_carriers_cut_or_refuse_is_warned_of(sender: str, word: str) -> None:
    (warning,) = sender_warnings(sender)
    assert word in str(warning)


@pytest.mark.parametrize(
    "url",
    [None, "", "https://example.com/reports", "http://93.184.215.14/x", "http://[2606:4700::1111]/", "http://[broken"],
)
def test_a_public_push_address_is_taken_without_a_word(url: str | None) -> None:
    assert [*push_address_warnings(url, [])] == []


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/x", "http://127.0.0.1:9000/", "http://LOCALHOST/x", "https://[::1]/x", "http://169.254.169.254/"],
)
def test_a_private_push_address_is_warned_of(url: str) -> None:
    (warning,) = push_address_warnings(url, [])
    assert "not a public address" in str(warning)
    assert "push.allowed_networks" in str(warning)


def test_a_private_push_address_that_the_operator_allows_is_taken_without_a_word() -> None:
    assert [*push_address_warnings("http://127.0.0.1/", LOOPBACK)] == []
    assert [*push_address_warnings("http://localhost/", LOOPBACK)] == []
    assert [*push_address_warnings("http://10.0.0.1/", LOOPBACK)] != []


def test_braces_that_are_no_variable_are_warned_of() -> None:
    assert [*template_warnings("Your code is {V1}, {V5}")] == []
    (warning,) = template_warnings("no vars {X} {V1} {V6}")
    assert "{X} is not a variable" in str(warning)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"system_id": "x" * 15, "password": "x" * 8}, []),
        ({"window": 5}, []),
        ({"system_id": "x" * 16}, ["system_id has 16 characters; SMPP 3.4 allows at most 15"]),
        ({"password": "s3cret-s3"}, ["password has 9 characters; SMPP 3.4 allows at most 8"]),
    ],
)
def test_what_a_carriers_bind_has_beyond_smpp_3_4_is_warned_of_and_not_shown(
    settings: dict[str, object], words: list[str]
) -> None:
    warned = [str(warning) for warning in carrier_warnings(settings)]
    assert [warning.partition(". ")[0] for warning in warned] == words
    assert "s3cret" not in "".join(warned)
