"""How fast the console's pages are with a long history behind them.

    console        10,000,000 messages, with all that belongs to them; p50 and p95 of each page

Beside an operator a customer looks, whose account sends four of ten messages. The pages are asked for in turn, round
after round, each round longer after the last than the console keeps figures for
its viewers, so that no figure is one of a page that was ready. `python -m bench.console 200000` tries it with fewer.
"""

import argparse
import asyncio
import http.client
import re
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from bench.console_load import load
from bench.homing import Homing
from bench.machine import describe
from bench.report import Row, terminal_table
from homing.console.live import CONSOLE_LIVE_S
from homing.model import UserRole
from homing.store.database import Database
from homing.users.admin import create_user
from homing.users.links import make_link

MESSAGES: Final = 10_000_000
P95_MS_MAX: Final = 200.0
ROUNDS: Final = 20
FORM_TOKEN: Final = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
PASSWORD: Final = "a password for a bench"
ACCOUNT_PARTS: Final = ("statement", "credentials", "apps", "prices", "texts", "settings", "quickstart")


class Viewer:
    """Somebody who signs in, on one kept connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._connection = http.client.HTTPConnection(*address, timeout=60)
        self._listening: http.client.HTTPConnection | None = None
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path, None)

    def welcome(self, path: str, name: str) -> None:
        """Sets the password by a link, which signs in."""
        _status, page = self.get(path)
        token = FORM_TOKEN.search(page)
        assert token, page[:500]
        form = {"form_token": token[1], "name": name, "password": PASSWORD, "password_again": PASSWORD}
        status, page = self._ask("POST", path, urlencode(form))
        assert status == 303, (status, page[:500])

    def stream(self, path: str) -> http.client.HTTPResponse:
        """What a path goes on telling, on a connection of its own."""
        self._listening = http.client.HTTPConnection(*self._address, timeout=60)
        self._listening.request("GET", path, headers={"cookie": self._cookie()})
        return self._listening.getresponse()

    def close(self) -> None:
        """Ends its connections, under whoever reads from them."""
        for connection in (self._listening, self._connection):
            if connection and connection.sock:
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        headers = {"cookie": self._cookie()}
        if body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        for line in answer.headers.get_all("set-cookie") or ():
            name, _equals, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer.status, answer.read().decode()


def pages(known: dict[str, Any]) -> dict[str, str]:
    """By name, the paths that are measured."""
    message_id, account, carrier = known["message_id"], quote(known["account"]), quote(known["carrier"])
    until = f"{known['began']:%Y-%m-%dT%H:%M}"
    return {
        "overview, 1 h": "/?span=1h",
        "overview, 24 h": "/?span=24h",
        "overview, 7 days": "/?span=7d",
        "overview, 30 days": "/?span=30d",
        "messages": "/messages",
        "messages, deep": f"/messages?before={message_id}",
        "messages of an account": f"/messages?account={account}",
        "messages by number": f"/messages?find={known['number']}",
        "messages by reference": f"/messages?find={known['reference']}",
        "messages by the carrier's id": f"/messages?find={known['carrier_ref']}",
        "messages, one state of a carrier": f"/messages?carrier={carrier}&state=failed",
        "messages, a state that is none's": "/messages?state=rejected",
        "messages since the beginning": f"/messages?from={until}&state=failed&account={account}",
        "messages, nothing like it": "/messages?find=nothing-like-it",
        "verifications": "/verifications",
        "verifications, a status that is none's": "/verifications?status=failed",
        "a message": f"/messages/{message_id}",
        "pushes given up": "/pushes",
        "pushes failing": "/pushes?show=failing",
        "pushes": "/pushes?show=recent",
        "pushes, before replay": "/pushes/replay",
        "receipts": "/receipts",
        "receipts of a carrier": f"/receipts?carrier={carrier}",
        "a receipt": f"/receipts/{known['parked_id']}",
        "audit": "/audit",
        "conversions": "/conversions",
        "conversions, 30 days": "/conversions?span=30d",
        "accounts": "/accounts",
        "accounts, found": "/accounts?q=customer-1",
        **{f"an account's {part}": f"/accounts/{account}/{part}" for part in ACCOUNT_PARTS},
        "an account": f"/accounts/{account}",
        "prices": "/prices",
        "words": "/words",
        "routes": "/routes",
        "a number tried": f"/routes/explain?number={known['number']}&account={account}",
        "what is learnt": "/routes/learnt",
        "carriers": "/carriers",
        "a carrier": f"/carriers/{carrier}",
        "guard": "/guard",
        "guard's decisions": "/guard/decisions",
        "guard's lists": "/guard/lists",
        "users": "/users",
        "settings": "/settings",
        "you": "/you",
    }


def portal(known: dict[str, Any]) -> dict[str, str]:
    """What a customer sees, by name."""
    return {
        "portal: overview": "/",
        "portal: overview, 30 days": "/?span=30d",
        "portal: messages": "/messages",
        "portal: messages, one state": "/messages?state=failed",
        "portal: a message": f"/messages/{known['message_id']}",
        "portal: pushes": "/pushes?show=recent",
        "portal: conversions": "/conversions",
        "portal: account": "/account",
        "portal: statement": "/account/statement",
        "portal: apps": "/apps",
        "portal: credentials": "/credentials",
        "portal: quickstart": "/quickstart",
    }


async def run(folder: Path, messages: int = MESSAGES, rounds: int = ROUNDS) -> list[Row]:
    """The console's row of the table."""
    with Homing(folder / "console", has_console=True) as homing:
        async with homing.database() as database:
            known = await load(database, messages)
            operator = await signed_in(homing, database, "an-operator", None)
            customer = await signed_in(homing, database, "a-customer", known["account_id"])
        to_fetch = {name: (operator, path) for name, path in pages(known).items()}
        to_fetch |= {name: (customer, path) for name, path in portal(known).items()}
        took = await asyncio.to_thread(_measure, to_fetch, rounds)
    return [_row(took, messages, known["took_s"])]


async def signed_in(homing: Homing, database: Database, name: str, account_id: int | None) -> Viewer:
    """Somebody who has signed in: an operator, or one of an account's people."""
    role = UserRole.OPERATOR if account_id is None else UserRole.CUSTOMER
    async with database.transaction() as transaction:
        token = await make_link(transaction, await create_user(transaction, name, role, account_id))
    viewer = Viewer(homing.console_address)
    await asyncio.to_thread(viewer.welcome, f"/welcome/{token}", name)
    return viewer


def _measure(to_fetch: dict[str, tuple[Viewer, str]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each page, round by round."""
    took: dict[str, list[float]] = {name: [] for name in to_fetch}
    for nth in range(rounds + 1):
        began_s = time.monotonic()
        for name, (viewer, path) in to_fetch.items():
            asked_s = time.perf_counter()
            status, text = viewer.get(path)
            ms = (time.perf_counter() - asked_s) * 1000
            assert status == 200, (path, status, text[:300])
            if nth:  # the first opens the connections of the pool and fills its caches of statements
                took[name].append(ms)
        time.sleep(max(0.0, CONSOLE_LIVE_S + 0.1 - (time.monotonic() - began_s)))
    return took


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[18] if len(values) > 1 else values[0]


def _row(took: dict[str, list[float]], messages: int, load_s: float) -> Row:
    """A row for the slowest page; all of them are printed."""
    for name, ms in sorted(took.items(), key=lambda item: -p95(item[1])):
        print(f"  {name:<34} p50 {statistics.median(ms):6.1f} ms   p95 {p95(ms):6.1f} ms")
    slowest = max(took, key=lambda name: p95(took[name]))
    every = [ms for page in took.values() for ms in page]
    return Row(
        f"console, {len(took)} pages, {messages:,} messages",
        f"p95 ≤ {P95_MS_MAX:.0f} ms, each page",
        f"p95 {p95(took[slowest]):.0f} ms",
        p95(took[slowest]) <= P95_MS_MAX,
        f"slowest: {slowest}; of all pages p50 {statistics.median(every):.0f} ms, p95 {p95(every):.0f} ms;"
        f" loaded in {load_s:.0f} s",
    )


def main() -> None:
    from rich.console import Console

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("messages", nargs="?", type=int, default=MESSAGES, help="how many (default 10,000,000)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each page is asked for (default 20)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="homing-bench-") as folder:
        # the database's user must be able to enter, where that is not us
        Path(folder).chmod(0o711)
        rows = asyncio.run(run(Path(folder), options.messages, options.rounds))
    Console().print(terminal_table(f"console on {describe()['cpu']}", rows))


if __name__ == "__main__":
    main()
