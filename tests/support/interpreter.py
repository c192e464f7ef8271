"""An interpreter, and Homing, that any user of this machine can run: ours may lie where root alone may enter."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import homing
import homing_clients


def copy_python(folder: Path) -> Path:
    """The interpreter with its library, and Homing's package under `folder`/src; gives the interpreter's path."""
    (folder / "bin").mkdir()
    python = folder / "bin" / "python"
    shutil.copy(Path(sys.executable).resolve(), python)
    stdlib = Path(sysconfig.get_path("stdlib"))
    unneeded = shutil.ignore_patterns("site-packages", "dist-packages", "test", "config-*", "*.a")
    shutil.copytree(stdlib, folder / "lib" / stdlib.name, ignore=unneeded)
    library = Path(sysconfig.get_config_var("LIBDIR") or "", sysconfig.get_config_var("INSTSONAME") or "")
    if library.suffix != ".a" and library.is_file():
        shutil.copy(library, folder / "lib")
    for package in (homing, homing_clients):
        own = Path(package.__file__ or "").parent
        shutil.copytree(own, folder / "src" / own.name)
    return python


def environment_of(python: Path) -> dict[str, str]:
    """What makes such an interpreter load its own library, Homing from beside it and the packages; skips the test where
    an ordinary user cannot load these.
    """
    folder = python.parents[1]
    packages = str(Path(pytest.__file__).parents[1])
    environment = {
        "LD_LIBRARY_PATH": str(folder / "lib"),
        "PYTHONPATH": f"{folder / 'src'}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    tried = subprocess.run(
        [python, "-c", "import homing.app.process"],
        env=environment,
        cwd="/",
        user="nobody",
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        pytest.skip(f"an ordinary user cannot load the packages here: {tried.stderr.strip().splitlines()[-1:]}")
    return environment


def open_to_all(folder: Path) -> None:
    """Everybody may read and run what is in `folder`, whatever our umask was."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
