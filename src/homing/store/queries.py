"""Named SQL: every statement lives in a `.sql` file under `sql/`, behind a line `-- name: its_name`."""

import importlib.resources
import re
from collections.abc import Mapping
from types import MappingProxyType

NAME_LINE = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load() -> Mapping[str, str]:
    """All named statements. Raises ValueError when two share a name."""
    found: dict[str, str] = {}
    for file in sorted(importlib.resources.files("homing.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        pieces = NAME_LINE.split(file.read_text(encoding="utf-8"))
        for name, statement in zip(pieces[1::2], pieces[2::2], strict=True):
            if name in found:
                raise ValueError(f"two statements are named {name}")
            found[name] = statement.strip()
    return MappingProxyType(found)
