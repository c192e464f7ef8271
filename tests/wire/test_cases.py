"""Every recorded case of every dialect against a running server: what goes in, byte for byte, and what must come out.

A case is a TOML file under `cases/DIALECT/`; README.md there tells how to write one. A new dialect brings a folder
and, if it has one, the way it signs (`SIGNERS`).
"""

import asyncio
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.client import Reply, signed
from tests.support.server import NO_PRICE, NO_ROUTE, QUEUED, REPLYING, Account, Server
from tests.support.v1 import new_token

CASES = Path(__file__).parent / "cases"
POLL_S = 0.03
EXACT_ID_MAX = 2**53
"""Beyond it a JSON number is not exact in JavaScript."""

GIVENS = {
    "balance",
    "gifted",
    "credit",
    "locked",
    "networks",
    "queries_per_s",
    "templates",
    "templates_required",
    "unicode_fallback",
    "unique_references",
    "words",
    "prices",
    "demo",
}
CALL_WORDS = {"request", "headers", "without", "body", "as", "clock_s", "timestamp", "status", "answer", "within_s"}

Signer = Callable[[Account, Mapping[str, Any]], dict[str, str]]


def laaffic_headers(account: Account, call: Mapping[str, Any]) -> dict[str, str]:
    """`clock_s`: how far the caller's clock is off. `timestamp`: the header as it stands, signed."""
    return signed(account, call.get("timestamp") or str(int(time.time()) + call.get("clock_s", 0)))


def v1_headers(account: Account, _call: Mapping[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}


SIGNERS: dict[str, Signer] = {
    "laaffic": laaffic_headers,
    "lia": lambda _account, _call: {},
    "v1": v1_headers,
}


def paths() -> list[Path]:
    return sorted(CASES.glob("*/*.toml"))


@pytest.mark.parametrize("path", paths(), ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_case(path: Path, server: Server) -> None:
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(case) <= {"says", "given", "call"}, "unknown words"
    given = dict(case.get("given", {}))
    assert set(given) <= GIVENS, "unknown words under [given]"
    assert case["call"], "a case without a call proves nothing"
    account = server.demo if given.pop("demo", False) else await server.account(**given)
    words = Words(server, await ready(server, path.parent.name, account), path.parent.name)
    for number, call in enumerate(case["call"], 1):
        assert set(call) <= CALL_WORDS, "unknown words under [[call]]"
        requests = [call["request"]] if isinstance(call["request"], str) else call["request"]
        for request in requests:
            await answered(server, path.parent.name, words, request, call, f"{case['says']}: call {number}, {request}")


async def ready(server: Server, dialect: str, account: Account) -> Account:
    """The account with what calls of the dialect need of it."""
    return replace(account, token=await new_token(server, account)) if dialect == "v1" else account


async def answered(
    server: Server, dialect: str, words: "Words", request: str, call: Mapping[str, Any], says: str
) -> None:
    """Makes a call, again and again while its answer may still come, and holds the answer against the case."""
    end_s = time.monotonic() + call.get("within_s", 0)
    while True:
        reply = await send(server, dialect, words, request, call)
        wrong = await words.wrong(reply, dialect, call)
        if not wrong or time.monotonic() > end_s:
            break
        await asyncio.sleep(POLL_S)
    assert not wrong, f"{says}\n{wrong}"


async def send(server: Server, dialect: str, words: "Words", request: str, call: Mapping[str, Any]) -> Reply:
    method, _space, target = request.partition(" ")
    account = await words.other() if call.get("as") == "other" else words.account
    if call.get("clock_s") == -1800:  # the boundary itself: the server has to see the same second
        await asyncio.sleep((1.02 - time.time() % 1) % 1)
    headers = SIGNERS[dialect](account, call)
    for name, value in call.get("headers", {}).items():
        headers[name] = await words.fill(value)
    for name in call.get("without", ()):
        del headers[name]
    body = call.get("body")
    return await server.client.call(
        method,
        await words.fill(target, quoting=True),
        headers=headers,
        body=None if body is None else (await words.fill(body)).encode(),
    )


PATTERNS = {
    "id": r"[1-9]\d{0,15}",
    "int": r"-?\d+",
    "number": r"-?\d+(?:\.\d+)?",
    "text": r'(?:[^"\\]|\\.)*',
    "iso": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d|Z)",
    "utc": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "any": r".*",
}
"""What `<kind>` in an answer matches."""


class Words:
    """What `$name` stands for in a case, and what `<name>` matches in an answer."""

    NAME = re.compile(r"\$([a-z][a-z_0-9]*)")
    WANTED = re.compile(r"<([a-z]+)(?: as ([a-z_0-9]+))?(?: ([^<>]+))?>")
    AMOUNTS = re.compile(r"(numbers|ids|text|emoji|digits)_(\d+)")
    TIMES = re.compile(r"(?:(plain|twice)_)?t_(minus|plus)_(\d+)([smhd])")

    def __init__(self, server: Server, account: Account, dialect: str) -> None:
        self.account = account
        self._dialect = dialect
        self._server = server
        self._other: Account | None = None
        self._now = datetime.now(UTC).replace(microsecond=0)
        self._saved: dict[str, str] = {}

    async def other(self) -> Account:
        """Somebody else's account, made when first asked for."""
        self._other = self._other or await ready(self._server, self._dialect, await self._server.account())
        return self._other

    async def fill(self, text: str, *, quoting: bool = False) -> str:
        """Puts values in for `$name`. `quoting`: percent-encoded, as in a request line."""
        values = {}
        for name in set(self.NAME.findall(text)):
            plain = name.startswith(("plain_", "twice_"))
            value = await self._value(name)
            values[name] = quote(value, safe=",") if quoting and not plain else value
        return self.NAME.sub(lambda match: values[match[1]], text)

    async def _value(self, name: str) -> str:
        if name in self._saved:
            return self._saved[name]
        if amount := self.AMOUNTS.fullmatch(name):
            return many(amount[1], int(amount[2]))
        if when := self.TIMES.fullmatch(name):
            return self._time(*when.groups())
        if name.startswith("other_"):
            return credential(await self.other(), name.removeprefix("other_"))
        fixed = {
            "epoch": str(int(self._now.timestamp())),
            "epoch_ms": str(int(self._now.timestamp() * 1000)),
            "no_price": f"{NO_PRICE}0000001",
            "no_route": f"{NO_ROUTE}0000001",
            "replying": f"{REPLYING}20000007",
            "queued": f"{QUEUED}20000007",
        }
        return fixed[name] if name in fixed else credential(self.account, name)

    def _time(self, form: str | None, sign: str, count: str, unit: str) -> str:
        """`t_minus_31d`: ISO-8601 with offset; `plain_` leaves its `+` unencoded, `twice_` encodes it twice."""
        unit_s = {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit]
        text = (self._now + timedelta(seconds=int(count) * unit_s * (-1 if sign == "minus" else 1))).isoformat()
        return quote(quote(text)) if form == "twice" else text

    async def wrong(self, reply: Reply, dialect: str, call: Mapping[str, Any]) -> str:
        """What is wrong with an answer; empty when it is right, and then what it shows is remembered."""
        told = f"answered {reply.status} {reply.headers.get('Content-Type')} {reply.text[:2000]}"
        if reply.status != call.get("status", 200):
            return told
        if "answer" not in call:
            return ""
        kind = reply.headers.get("Content-Type", "")
        media = "application/problem+json" if dialect == "v1" and reply.status >= 400 else "application/json"
        if not kind.startswith(media) or (dialect == "lia" and kind != "application/json; charset=utf-8"):
            return f"not the contract's content type: {told}"
        expected = await self.fill(call["answer"].strip())
        shown: list[tuple[str, str | None]] = []
        match = re.fullmatch(self._pattern(expected, shown), reply.text, re.DOTALL)
        if match is None:
            return f"{told}\nexpected     {expected}"
        for (kind, name), value in zip(shown, match.groups(), strict=True):
            if kind == "id" and int(value) >= EXACT_ID_MAX:
                return f"an id beyond 2^53: {told}"
            if name:
                self._saved[name] = value
        return ""

    def _pattern(self, expected: str, shown: list[tuple[str, str | None]]) -> str:
        pieces, at = [], 0
        for match in self.WANTED.finditer(expected):
            kind, name, word = match.groups()
            pieces.append(re.escape(expected[at : match.start()]))
            text = PATTERNS["text"]
            pieces.append(f"({text}{re.escape(word)}{text})" if kind == "naming" else f"({PATTERNS[kind]})")
            shown.append((kind, name))
            at = match.end()
        return "".join((*pieces, re.escape(expected[at:])))


def many(kind: str, count: int) -> str:
    """`numbers_101`: so many numbers; `text_1025`, `emoji_513`, `digits_400`: so many characters; `ids_201`."""
    match kind:
        case "numbers":
            return ",".join(f"86138{n:08d}" for n in range(count))
        case "ids":
            return ",".join(str(1 + n) for n in range(count))
        case "text":
            return "x" * count
        case "emoji":
            return "\N{GRINNING FACE}" * count
        case _:
            return "9" * count


def credential(account: Account, name: str) -> str:
    if name == "template":
        return str(account.templates[0])
    return str(getattr(account, name))
