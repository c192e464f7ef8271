"""The clients' guide, run as it is printed: its Python blocks in order, as one program, against a running server.

Blocks marked ```python run are run; a ```text block that follows one is what it must print.
"""

import asyncio
import contextlib
import io
import re
from pathlib import Path
from typing import Any

from tests.support.server import Server
from tests.support.v1 import new_token

PAGE = Path(__file__).parents[2] / "docs" / "integrate" / "clients.md"
BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVED = "127.0.0.1:8080"
DEMO_KEY = "hm_demo_7bz1lzh9"


def steps() -> list[tuple[str, str]]:
    """(program, what it prints). Every block of the page is one or the other."""
    found: list[tuple[str, str]] = []
    for language, more, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "text":
            assert found, "an answer without a program"
            assert not found[-1][1], "two answers to one program"
            found[-1] = (found[-1][0], body)
        else:
            assert (language, more.strip()) == ("python", "run"), f"a block that nothing runs: {language}{more}"
            found.append((body, ""))
    return found


def run(program: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, str(PAGE), "exec"), names)
    return printed.getvalue()


async def test_the_guide_does_and_prints_what_it_shows(server: Server) -> None:
    """With an account of its own in place of the demo's, whose balance other tests go by."""
    account, shown = await server.account(), server.demo
    instead = {SERVED: server.address, DEMO_KEY: await new_token(server, account)} | {
        getattr(shown, name): getattr(account, name) for name in ("key", "secret", "app", "api_id", "api_password")
    }
    blocks = steps()
    names: dict[str, Any] = {"__name__": "guide"}
    assert len(blocks) >= 5
    try:
        for program, printed in blocks:
            for word, other in instead.items():
                program = program.replace(word, other)
            assert await asyncio.to_thread(run, program, names) == printed
    finally:
        names["sms"].close()
