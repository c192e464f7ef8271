"""Runs kept on disk as they end, so that a report of hours that is cut short goes on where it was."""

import hashlib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import msgspec

from homing import errors
from homing.lab.result import RunResult
from homing.lab.scenario import Scenario

NAME: Final = "runs.jsonl"


class _Line(msgspec.Struct, frozen=True):
    scenario: str  # digest of everything it says
    code: str  # digest of the code that ran it
    result: RunResult


class StoredRuns:
    """The file of runs in a folder, one a line. A run counts only for the same scenario, seed, policy and code.

    Raises `InvalidInput` where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._code = code_digest()
        self._found: dict[tuple[str, int, str], RunResult] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        except OSError as error:
            raise errors.InvalidInput(f"{folder} cannot be written: {error.strerror}") from None
        for text in lines:
            try:
                line = msgspec.json.decode(text, type=_Line)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue  # a line that was being written when the process was killed
            if line.code == self._code:
                self._found[line.scenario, line.result.seed, line.result.policy] = line.result

    def find(self, scenario: Scenario, seed: int, policy: str) -> RunResult | None:
        return self._found.get((_digest(scenario), seed, policy))

    def keep(self, scenario: Scenario, results: Iterable[RunResult]) -> None:
        digest = _digest(scenario)
        lines = [msgspec.json.encode(_Line(digest, self._code, result)) + b"\n" for result in results]
        try:
            with self._path.open("ab") as file:
                if file.tell() and not self._ends_whole():
                    file.write(b"\n")
                file.write(b"".join(lines))
        except OSError as error:
            raise errors.InvalidInput(f"{self._path} cannot be written: {error.strerror}") from None

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) == b"\n"


def code_digest() -> str:
    """Of every Python file of the package: what a run's outcome may rest on."""
    digest = hashlib.sha256()
    for name, text in sorted(_sources(resources.files("homing"), "")):
        digest.update(name.encode() + b"\0" + text + b"\0")
    return digest.hexdigest()[:16]


def _sources(folder: Traversable, path: str) -> Iterable[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, name)
        elif entry.name.endswith(".py"):
            yield name, entry.read_bytes()


def _digest(scenario: Scenario) -> str:
    return hashlib.sha256(msgspec.json.encode(scenario)).hexdigest()[:16]
