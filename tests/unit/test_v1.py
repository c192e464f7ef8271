"""Homing's own API without a server: its documents against its tables, keys, pointers, the OpenAPI description."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from homing import errors, limits
from homing.api.http.bearer import TOKEN_CHARS_MAX, key_and_secret
from homing.dialects.v1 import bounds
from homing.dialects.v1.calls import invalid, number_of
from homing.dialects.v1.openapi import openapi_document
from homing.dialects.v1.operations import OPERATIONS
from homing.dialects.v1.problems import CODES, PROBLEMS, TYPES, V1Refusal
from homing.dialects.v1.words import CANCELLED, STATUSES
from homing.verification.service import ATTEMPTS_MAX, MESSAGES_MAX, NUMBER_LIMITS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "homing" / "dialects" / "v1"
REFERENCE = (ROOT / "docs" / "reference" / "v1.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")


def test_every_call_and_its_scope_are_in_the_reference() -> None:
    rows = re.findall(r"^\| \[`([A-Z]+) (/v1\S+)`\]\(#[\w-]+\) \| `([\w:]+)` \|", REFERENCE, re.MULTILINE)
    assert sorted(rows) == sorted((each.method, each.path, each.scope) for each in OPERATIONS)


def test_every_status_and_bound_is_in_the_reference() -> None:
    table = re.findall(r"^\| `(\w+)` \| ", REFERENCE.partition("## Reading messages")[2].partition("\n## ")[0], re.M)
    assert table == [*STATUSES.values(), CANCELLED]
    day_s = 86_400
    for words in (
        f"up to {limits.HTTP_BODY_BYTES_MAX >> 20} MiB",
        f"a number, up to {bounds.TO_CHARS_MAX} characters",
        f"up to {bounds.TEXT_CHARS_MAX} characters",
        f"your own, up to {bounds.REFERENCE_CHARS_MAX} characters",
        f"at most {bounds.SCHEDULE_S_MAX // day_s} days ahead",
        f"up to {bounds.MESSAGES_MAX}, with",
        f"(1 to {bounds.PAGE_ROWS_MAX}, else {bounds.PAGE_ROWS_DEFAULT})",
        f"1 to {bounds.IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters",
        f"({limits.QUERIES_PER_S_DEFAULT} a second;",
        f'"attempts_left": {ATTEMPTS_MAX}',
    ):
        assert words in REFERENCE, words
    assert MESSAGES_MAX == ATTEMPTS_MAX == 5
    assert "at most five messages carry a code" in REFERENCE
    assert "five wrong codes were entered" in REFERENCE
    told = [f"{each.most}" for each in NUMBER_LIMITS]
    assert (
        f"sent {told[0]} code in {NUMBER_LIMITS[0].period} seconds, {told[1]} an hour and {told[2]} a day" in REFERENCE
    )
    assert f"{told[0]} code in {NUMBER_LIMITS[0].period} seconds, {told[1]} an hour" in ERRORS


def test_every_problem_has_its_page_with_cause_and_cure() -> None:
    sections = re.findall(r"^### (\w+)\n\n(.*)\.\n\n- Cause: (.*)\n- Cure: (.*)$", ERRORS, re.MULTILINE)
    assert sections == [(each.code, each.title, each.cause, each.cure) for each in PROBLEMS.values()]
    statuses = [int(number) for number in re.findall(r"^## (\d+)$", ERRORS, re.MULTILINE)]
    assert statuses == sorted({each.status for each in PROBLEMS.values()})


def test_every_code_that_is_answered_has_a_problem_and_every_problem_is_answered() -> None:
    written = "".join(file.read_text(encoding="utf-8") for file in SOURCE.glob("*.py") if file.name != "problems.py")
    table = (SOURCE / "problems.py").read_text(encoding="utf-8").partition("CODES: Final = ErrorCodes")[2]
    answered = {code for code in PROBLEMS if f'"{code}"' in written + table}
    assert answered == set(PROBLEMS)
    named = set(re.findall(r'V1Refusal\(\s*"(\w+)"', written))
    assert named <= set(PROBLEMS)
    assert {CODES.of(kind) for kind in CODES} <= set(PROBLEMS)
    assert CODES.of(errors.NationalNumber) == "number_national"
    assert TYPES.startswith("/v1/")


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        ("Bearer hm_abc_def", ("abc", "def")),
        ("bearer  hm_abc_def ", ("abc", "def")),
        ("Bearer hm_abc_d_ef", ("abc", "d_ef")),
        ("Bearer hm_abc_", None),
        ("Bearer hm__def", None),
        ("Bearer abc_def", None),
        ("Bearer", None),
        ("hm_abc_def", None),
        ("Token hm_abc_def", None),
        ("", None),
        ("Bearer hm_" + "x" * TOKEN_CHARS_MAX + "_y", None),
    ],
)
def test_a_bearer_key_is_taken_apart(header: str, pair: tuple[str, str] | None) -> None:
    assert key_and_secret(header) == pair


class _Inner(msgspec.Struct, forbid_unknown_fields=True):
    to: str


class _Outer(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_Inner]
    at: int = 0


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "invalid_request", "#/messages"),
        ([], "invalid_request", "#"),
        ({"messages": [{"to": "1"}, {"to": 2}]}, "invalid_request", "#/messages/1/to"),
        ({"messages": [{}]}, "invalid_request", "#/messages/0/to"),
        ({"messages": [{"to": "1", "x/y": 1}]}, "unknown_member", "#/messages/0/x~1y"),
        ({"messages": [], "at": "x"}, "invalid_request", "#/at"),
        ({"messages": [], "` - at `$.at": 1}, "unknown_member", None),
    ],
)
def test_what_is_wrong_in_a_body_is_pointed_at(body: Any, code: str, pointer: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode(body), type=_Outer)
    refusal = invalid(str(caught.value))
    assert refusal.code == code
    if pointer is not None:
        assert [member.pointer for member in refusal.members] == [pointer]


@pytest.mark.parametrize("raw", ["+44 (0)7700 900000", "+44-7700-900000", "0044 7700.900000", "447700900000"])
def test_a_number_may_be_written_as_people_write_it(raw: str) -> None:
    assert number_of(raw, "to") == "447700900000"


@pytest.mark.parametrize(
    ("raw", "code"),
    [("07700 900000", "number_national"), ("", "number_invalid"), ("+44 7700 90000x", "number_invalid")],
)
def test_a_number_that_is_none_says_why(raw: str, code: str) -> None:
    with pytest.raises(V1Refusal) as caught:
        number_of(raw, "to")
    assert caught.value.code == code


def test_the_description_names_every_call_and_only_schemas_that_it_has() -> None:
    text = openapi_document()
    document = msgspec.json.decode(text)
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(each.method, each.path) for each in OPERATIONS}
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text.decode()))
    assert named == set(document["components"]["schemas"])
    identities = [described["operationId"] for methods in document["paths"].values() for described in methods.values()]
    assert len(set(identities)) == len(OPERATIONS)
    body = document["components"]["schemas"]["MessageBody"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["to", "text"]
    assert body["properties"]["text"]["maxLength"] == bounds.TEXT_CHARS_MAX
    assert "from" in body["properties"]
