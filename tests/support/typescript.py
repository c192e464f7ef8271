"""The TypeScript client as a program of a customer has it: built, installed in a folder, imported by its name."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

CLIENT: Final = Path(__file__).parents[2] / "clients" / "typescript"
PACKAGES: Final = CLIENT / "node_modules"
INSTALLED: Final = ("@types", "undici-types", "standardwebhooks")
"""What the programs import besides the client."""
NODE_MAJOR_MIN: Final = 20
BUILD_S: Final = 120
RUN_S: Final = 120


def require_node() -> None:
    """Skips the test, and says why, where the client cannot be built."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(f"Node.js {version.strip()} is older than {NODE_MAJOR_MIN}")
    if not (PACKAGES / ".bin" / "tsc").exists():
        pytest.skip("the TypeScript compiler is not installed: `make client-packages`, with npm and a network")


class TypeScriptProject:
    """A folder in which the built client is installed. Its programs are compiled with strict types, then run."""

    def __init__(self, folder: Path) -> None:
        """Builds the client."""
        self.folder = folder
        package = folder / "package"
        package.mkdir()
        _compile("--project", CLIENT / "tsconfig.json", "--outDir", package / "dist")
        shutil.copy(CLIENT / "package.json", package)
        (folder / "package.json").write_text('{"type": "module"}')
        installed = folder / "node_modules"
        installed.mkdir()
        (installed / "homing-client").symlink_to(package)
        for name in INSTALLED:
            (installed / name).symlink_to(PACKAGES / name)
        shutil.copy(CLIENT / "tests" / "tsconfig.json", folder)

    def compile(self, programs: Mapping[str, str]) -> None:
        """Programs by their names, all of the folder's at once. Fails where a type is wrong."""
        for name, text in programs.items():
            (self.folder / f"{name}.ts").write_text(text, encoding="utf-8")
        _compile("--project", self.folder)

    async def run(self, *arguments: str, **environment: str) -> str:
        """What `node` prints; it must succeed."""
        process = await asyncio.create_subprocess_exec(
            "node",
            *arguments,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(RUN_S):
                printed, _nothing = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, printed.decode()
        return printed.decode()


def _compile(*arguments: object) -> None:
    command = ["node", str(PACKAGES / "typescript" / "bin" / "tsc"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_S)
    assert done.returncode == 0, done.stdout
