"""The clients' programs in the documents, run as they are printed, against a running server.

Blocks marked ```python run are run, those of a page in order, as one program; each block marked ```ts run is a program.
A ```text block that follows one is what it must print.
"""

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from homing.console.snippets import Snippets
from homing.dialects.registry import DIALECTS
from tests.support.server import Server
from tests.support.typescript import TypeScriptProject, require_node
from tests.support.v1 import new_token

ROOT = Path(__file__).parents[2]
GUIDE = "docs/integrate/clients.md"
FIRST_PAGES = ("README.md", "docs/start/quickstart.md", "docs/integrate/verify.md")
BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SERVED = "127.0.0.1:8080"
DEMO_KEY = "hm_demo_7bz1lzh9"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def steps(page: str, language: str) -> list[tuple[str, str]]:
    """(program, what it prints) of the page's blocks in a language."""
    pairs: list[tuple[str, str]] = []
    before = ""
    for kind, more, body in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind == language and more.strip() == "run":
            pairs.append((body, ""))
        elif kind == "text" and before == language:
            pairs[-1] = (pairs[-1][0], body)
        before = kind if more.strip() == "run" else ""
    return pairs


def test_no_block_of_the_guide_is_left_out() -> None:
    kinds = {(kind, more.strip()) for kind, more, _body in BLOCK.findall((ROOT / GUIDE).read_text(encoding="utf-8"))}
    assert kinds == {("python", "run"), ("ts", "run"), ("php", "run"), ("go", "run"), ("text", "")}


def run(program: str, names: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, GUIDE, "exec"), names)
    return printed.getvalue()


async def own_account(server: Server) -> dict[str, str]:
    """An account in place of the demo's, whose balance other tests go by: what stands for what."""
    account, shown = await server.account(), server.demo
    return {SERVED: server.address, DEMO_KEY: await new_token(server, account)} | {
        getattr(shown, name): getattr(account, name) for name in ("key", "secret", "app", "api_id", "api_password")
    }


def replaced(program: str, instead: dict[str, str]) -> str:
    for word, other in instead.items():
        program = program.replace(word, other)
    return program


async def test_the_guide_does_and_prints_what_it_shows(server: Server) -> None:
    instead = await own_account(server)
    blocks = steps(GUIDE, "python")
    names: dict[str, Any] = {"__name__": "guide"}
    assert len(blocks) >= 5
    try:
        for program, printed in blocks:
            assert await asyncio.to_thread(run, replaced(program, instead), names) == printed
    finally:
        names["sms"].close()


@pytest.mark.parametrize("page", FIRST_PAGES)
async def test_the_first_pages_check_a_code_in_python(server: Server, page: str) -> None:
    (step,) = steps(page, "python")
    program, printed = step
    assert await asyncio.to_thread(run, replaced(program, {SERVED: server.address}), {}) == printed


async def test_typescript_programs_do_and_print_what_the_documents_show(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    require_node()
    demo, instead = {SERVED: server.address}, await own_account(server)
    blocks = [(step, demo) for page in FIRST_PAGES for step in steps(page, "ts")]
    blocks += [(step, instead) for step in steps(GUIDE, "ts")]
    assert len(blocks) >= 4
    project = TypeScriptProject(tmp_path_factory.mktemp("typescript"))
    programs = {f"program{place}": replaced(step[0], words) for place, (step, words) in enumerate(blocks)}
    project.compile({**programs, "quickstart": await console_program(server)})
    for name, (step, _words) in zip(programs, blocks, strict=True):
        assert await project.run(f"{name}.js") == step[1]
    verification, message = map(json.loads, (await project.run("quickstart.js")).splitlines())
    assert (verification["status"], message["status"], message["to"]) == ("pending", "queued", "8613800130001")


async def console_program(server: Server) -> str:
    """The TypeScript program of the console's quickstart."""
    _hm, key, secret = (await new_token(server, await server.account())).split("_", 2)
    values = {"url": f"http://{server.address}", "key": key, "secret": secret, "number": "8613800130001"}
    filled = Snippets(DIALECTS).fill(
        DIALECTS.named("v1"), {**values, "sender": "", "app": "", "text": "Your code is 123456"}
    )
    return next(snippet.program for snippet in filled if snippet.language.key == "typescript")


@pytest.mark.parametrize(("language", "command"), [("php", ("php",)), ("go", ("go", "run"))])
async def test_programs_of_other_languages_do_and_print_what_the_guide_shows(
    server: Server, tmp_path: Path, language: str, command: tuple[str, ...]
) -> None:
    """The demo's test number costs nothing, so its account may be used."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    ((program, printed),) = steps(GUIDE, language)
    program = replaced(program, {SERVED: server.address})
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("push_1", now, "{}")
    # the page's webhook is made up; with a true signature, made now, the same program says yes
    signed = program.replace("1764451800", str(int(now.timestamp()))).replace("v1,AAAA", f"v1,AAAA {signature}")
    assert SECRET in signed
    assert signed.count(signature) == 1
    for name, text, shown in (("page", program, printed), ("signed", signed, printed.replace("false", "true"))):
        file = tmp_path / f"{name}.{language}"
        file.write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *command,
            str(file),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "GOFLAGS": "-mod=mod", "GOCACHE": str(tmp_path / "go"), "GOTOOLCHAIN": "local"},
        )
        output, _nothing = await process.communicate()
        assert output.decode() == shown
