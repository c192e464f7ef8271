"""Setting up on a machine that lacks something: what is said, and that the next try is a fresh one."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENV_FAILS = """#!/bin/sh
case "$1" in
  -c) exit 0 ;;
  -m) mkdir -p .venv/bin; touch .venv/bin/python; echo "ensurepip is not available"; exit 1 ;;
esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_virtual_environment_that_fails_leaves_nothing_behind_and_names_the_package(tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "clients/pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(VENV_FAILS)
    python.chmod(0o755)
    for _try in range(2):
        made = subprocess.run(
            ["make", "setup", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert made.returncode != 0
        assert "apt install python3-venv" in made.stdout
        assert not (tmp_path / ".venv").exists(), "what is half made is no target that the next try takes for done"
