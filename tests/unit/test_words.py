"""One word, one meaning: names of classes are unique and in the glossary, and words that were given up stay so."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "homing"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
CORE_ROOMS = (
    *(
        "accounts",
        "admin",
        "aggregation",
        "api",
        "carriers",
        "cli",
        "console",
        "delivery",
        "dialects/base.py",
        "dispatch",
        "guard",
        "intake",
        "learning",
    ),
    *(
        "ledger",
        "messages",
        "observe",
        "receipts",
        "routing",
        "smpp",
        "statistics",
        "store",
        "text",
        "users",
        "verification",
    ),
)
MADE_BY_A_TOOL = SOURCE / "store" / "statements"
"""Rows of SQL statements: a test holds them against the statements."""

PRIVATE_WORDS = frozenset(
    {
        *("brain", "dear", "desk", "docket", "mind", "owed", "pulse", "puzzle", "surroundings", "theft", "thief"),
        *(
            "thought",
            "twin",
            "verdict_book",
            "welcome",
            "away",
            "book",
            "duty",
            "ear",
            "ears",
            "hear",
            "judge",
            "seat",
            "seats",
        ),
        *(
            "around",
            "chance",
            "luck",
            "offer",
            "tally",
            "think",
            "trouble",
            "visit",
        ),
        *("asked", "fate", "fates", "found", "heard", "noted", "one", "ones", "said", "told"),
    }
)
"""Names that a reader had to decode. The field's words stand in their place (docs/glossary.md)."""

MODULES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


def public_classes() -> Iterator[tuple[str, Path]]:
    for path, module in MODULES.items():
        for node in module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, path


def names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that a module gives to something, with its line."""
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def test_no_two_public_classes_have_the_same_name() -> None:
    homes = defaultdict(list)
    for name, path in public_classes():
        homes[name].append(str(path.relative_to(SOURCE)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_the_glossary_has_every_public_class_of_the_core_rooms() -> None:
    explained = {name.removesuffix("Resp") for name in re.findall(r"`(\w+)`", GLOSSARY)}
    core = [SOURCE / room for room in CORE_ROOMS]
    missing = [
        f"{path.relative_to(SOURCE)}: {name}"
        for name, path in public_classes()
        if any(path.is_relative_to(room) for room in core)
        and not path.is_relative_to(MADE_BY_A_TOOL)
        and name.removesuffix("Resp") not in explained
    ]
    assert missing == []


def test_the_glossary_has_no_class_that_is_gone() -> None:
    """Of its tables' second columns, which name classes."""
    classes = {name for name, _path in public_classes()}
    rows = re.findall(r"^\|[^|\n]+\|([^|\n]*)\|[^|\n]+\|$", GLOSSARY, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z]\w+)`", row)}
    assert sorted(named - classes) == []


def test_no_name_is_a_private_word() -> None:
    assert [
        f"{path.relative_to(SOURCE)}:{line}: {name}"
        for path, module in MODULES.items()
        for name, line in names(module)
        if name.lstrip("_").lower() in PRIVATE_WORDS
    ] == []
