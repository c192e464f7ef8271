"""CONTRIBUTING.md against the repository: the files, commands and names of its recipes exist."""

import re
from pathlib import Path

import pytest

from homing.carriers.kinds import KINDS
from homing.cli import COMMANDS
from homing.store import migrate

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"(?:src|tests|docs)/[\w./-]+[\w/]", TEXT)))
PLACEHOLDERS = {"NAME": "simulator", "NOUN": "word", "NNNN_name": "0001_foundation"}


@pytest.mark.parametrize("path", PATHS)
def test_a_named_file_exists(path: str) -> None:
    for placeholder, example in PLACEHOLDERS.items():
        path = path.replace(placeholder, example)
    assert (ROOT / path).exists()


def test_every_named_target_of_make_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"`make ([\w-]+)", TEXT)) | set(re.findall(r"^make ([\w-]+)", TEXT, re.MULTILINE))
    assert named
    assert named <= set(targets)


def test_the_examples_of_the_recipes_are_what_they_are_taken_for() -> None:
    assert "simulator" in KINDS
    assert "word" in COMMANDS
    assert migrate.COMPATIBLE.search(TEXT), "a migration states its compatible version as CONTRIBUTING.md shows it"
