"""Stores runs on disk as they end, so that an interrupted report can be continued."""

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
    scenario: str  # digest of the scenario
    code: str  # digest of the code that ran it
    result: RunResult


class StoredRuns:
    """A file in a folder, with one run per line. A run is found only for the same scenario, seed, policy and code.

    Raises `InvalidInput` where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._code = code_digest()
        self._results: dict[tuple[str, int, str], RunResult] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        except OSError as error:
            raise errors.InvalidInput(f"{folder} cannot be written: {error.strerror}") from None
        for text in lines:
            try:
                line = msgspec.json.decode(text, type=_Line)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue  # written in part when the process was killed
            if line.code == self._code:
                self._results[line.scenario, line.result.seed, line.result.policy] = line.result

    def find(self, scenario: Scenario, seed: int, policy: str) -> RunResult | None:
        return self._results.get((_digest(scenario), seed, policy))

    def add(self, scenario: Scenario, results: Iterable[RunResult]) -> None:
        digest = _digest(scenario)
        lines = [msgspec.json.encode(_Line(digest, self._code, result)) + b"\n" for result in results]
        try:
            with self._path.open("ab") as file:
                if file.tell() and not self._ends_with_newline():
                    file.write(b"\n")
                file.write(b"".join(lines))
        except OSError as error:
            raise errors.InvalidInput(f"{self._path} cannot be written: {error.strerror}") from None

    def _ends_with_newline(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) == b"\n"


def code_digest() -> str:
    """A digest of all Python files of the package, on which results depend."""
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
