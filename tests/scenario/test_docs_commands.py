"""The documents' commands, run as they are printed: a reader's shell beside a reader's server.

Blocks marked ```sh run are run in order, in one shell. A ```json or ```text block that follows one is what it must
print; what differs from run to run (ids, times) is left out of the comparison.
"""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support import server as serving

ROOT = Path(__file__).parents[2]
SERVED = "127.0.0.1:8080"
START_S = 60.0
STOP_S = 60.0
BLOCK_S = 60.0
TRIES = 8
"""A block that waits for something (`sleep`) only reads, so on a slow machine it may be run again."""

BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIFFERS = (
    (re.compile(r"\b[0-9a-f]{15,20}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"date:\d{10}"), "date:TIME"),
    (re.compile(r"[+-]\d+\.\d+ (?:s|min)\b"), "AFTER"),
    (re.compile(r"after \d+ ms"), "after MS"),
    (re.compile(r"request [0-9a-f]+"), "request ID"),
    (re.compile(r"simulator-[ab]"), "simulator"),
    (re.compile(r"by route [12] "), "by route N "),
    (re.compile(r"─+"), "─"),
    (re.compile(r"\s+"), " "),
)


class Shell:
    """A bash that keeps its variables from block to block."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process = process
        self._address = address
        self._count = 0

    async def run(self, block: str) -> str:
        """What the block prints. Fails when a command of it does."""
        assert self._process.stdin
        assert self._process.stdout
        self._count += 1
        mark = f"--end-{self._count}--"
        words = block.replace(SERVED, self._address)
        around = "failed=0; trap failed=1 ERR\n", f"\ntrap - ERR; printf '\\n%s%s\\n' {mark} $failed\n"
        self._process.stdin.write(words.join(around).encode())
        await self._process.stdin.drain()
        printed = []
        async with asyncio.timeout(BLOCK_S):
            while not (line := (await self._process.stdout.readline()).decode()).startswith(mark):
                assert line, f"the shell ended in:\n{block}"
                printed.append(line)
        assert line.strip() == f"{mark}0", f"a command failed in:\n{block}\nIt printed:\n{''.join(printed)}"
        return "".join(printed)


def steps(page: str) -> list[tuple[str, str | None]]:
    """(commands, what they print, if the page shows it)."""
    found: list[tuple[str, str | None]] = []
    is_answer = False
    for language, more, body in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if language == "sh" and more.strip() == "run":
            found.append((body, None))
        elif is_answer and language in ("json", "text"):
            found[-1] = (found[-1][0], body)
        is_answer = language == "sh" and more.strip() == "run"
    return found


def same(text: str) -> str:
    for pattern, instead in DIFFERS:
        text = pattern.sub(instead, text)
    return text.strip()


@pytest.fixture
async def reader(postgres: str, tmp_path: Path, worker: str) -> tuple[Path, dict[str, str]]:
    """A folder as after `make setup`, and an environment with an empty database."""
    dsn = await serving.migrated_database(postgres, f"docs_{worker}_{os.getpid()}")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "homing").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m homing.cli "$@"\n')
    (programs / "homing").chmod(0o755)
    (tmp_path / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n"\n')
    return (
        tmp_path,
        {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HOMING_", "CURL_", "XDG_"))},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(tmp_path),
            "HOMING_DATA": str(tmp_path / "data"),
            "HOMING_DATABASE_URL": dsn,
            "HOMING_SMPP_ADDRESS": f"127.0.0.1:{serving.free_port()}",
            "HOMING_CONSOLE_ADDRESS": f"127.0.0.1:{serving.free_port()}",
        },
    )


@asynccontextmanager
async def served(folder: Path, environment: dict[str, str], address: str) -> AsyncIterator[None]:
    """`homing serve --demo`, stopped with what Ctrl-C sends; it must end with status 0."""
    log = folder / "serve.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            str(folder / ".venv/bin/homing"),
            *("serve", "--demo", "--http", address),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            env=environment,
        )
    assert process.stdout
    try:
        async with asyncio.timeout(START_S):
            while (line := await process.stdout.readline()).strip()[:13] != b"Homing serves":
                assert line, log.read_text(encoding="utf-8")
        yield
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_S):
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, log.read_text(encoding="utf-8")


@asynccontextmanager
async def shell(folder: Path, environment: dict[str, str], address: str) -> AsyncIterator[Shell]:
    process = await asyncio.create_subprocess_exec(
        "bash",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=environment,
        limit=2**20,
    )
    try:
        yield Shell(process, address)
    finally:
        process.kill()
        await process.wait()


async def follow(page: str, at: Shell) -> None:
    """Runs a page's blocks in order, and compares what they print."""
    for block, answer in steps(page):
        for tries_left in range(TRIES if "sleep" in block else 1, 0, -1):
            printed = await at.run(block)
            if answer is None or same(printed) == same(answer):
                break
            assert tries_left > 1, f"{page}: what\n{block}\nprints is not what the page shows but\n{printed}"


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("md5sum"), reason="the pages use curl and md5sum")
@pytest.mark.parametrize("page", ["README.md", "docs/start/quickstart.md"])
async def test_a_page_that_begins_with_make_serve_shows_what_comes_out(
    page: str, reader: tuple[Path, dict[str, str]]
) -> None:
    assert any(answer for _block, answer in steps(page))
    address = f"127.0.0.1:{serving.free_port()}"
    async with served(*reader, address), shell(*reader, address) as at:
        await follow(page, at)


@pytest.mark.parametrize(
    "page",
    [
        "docs/reference/command-line.md",
        "docs/operate/carriers.md",
        "docs/operate/routes.md",
        "docs/integrate/webhooks.md",
        "docs/integrate/supabase.md",
        "docs/integrate/logto.md",
        "docs/integrate/zitadel.md",
        "docs/integrate/hooks.md",
        "docs/integrate/verify.md",
        "docs/integrate/moving-from-twilio-verify.md",
    ],
)
async def test_a_page_of_command_lines_can_be_run_in_order(page: str, reader: tuple[Path, dict[str, str]]) -> None:
    assert steps(page)
    async with shell(*reader, SERVED) as at:
        await follow(page, at)
