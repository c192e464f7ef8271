"""Named SQL: every statement lives in a `.sql` file under `sql/`, behind a line `-- name: its_name`.

What several statements of a file have in common stands once, behind `-- shared: its_name`, and each of them has a line
`-- here: its_name` in its place.
"""

import importlib.resources
import re
from collections.abc import Mapping
from types import MappingProxyType

NAME_LINE = re.compile(r"^-- (name|shared): (\w+)\s*$", re.MULTILINE)
HERE_LINE = re.compile(r"^ *-- here: (\w+)\s*$", re.MULTILINE)


def load() -> Mapping[str, str]:
    """All named statements. Raises ValueError when two share a name, or one asks for what its file does not share."""
    found: dict[str, str] = {}
    for file in sorted(importlib.resources.files("homing.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql"):
            continue
        for name, statement in read(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"two statements are named {name}")
            found[name] = statement
    return MappingProxyType(found)


def read(text: str) -> Mapping[str, str]:
    """The statements of one file. Raises ValueError as `load` does."""
    pieces = NAME_LINE.split(text)
    shared: dict[str, str] = {}
    found: dict[str, str] = {}
    for kind, name, piece in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        known = found if kind == "name" else shared
        if name in known:
            raise ValueError(f"two statements are named {name}")
        known[name] = piece.strip()

    def put_in(line: re.Match[str]) -> str:
        if line[1] not in shared:
            raise ValueError(f"nothing is shared as {line[1]}")
        return shared[line[1]]

    return {name: HERE_LINE.sub(put_in, statement) for name, statement in found.items()}
