"""Writing a small file so that after a crash it is there whole or not at all."""

import os
from pathlib import Path


def write_durably(path: Path, text: str) -> None:
    """Writes `text` to `path` (mode 0600), replacing it in one step and surviving a power cut. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # a leftover of a crash; O_EXCL then guarantees that the file is ours alone
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    rename_durably(fresh, path)


def rename_durably(old: Path, new: Path) -> None:
    """Renames within one folder, on disk when this returns. Raises OSError."""
    os.replace(old, new)
    folder = os.open(new.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
