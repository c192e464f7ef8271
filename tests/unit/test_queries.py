"""Named SQL: every statement is found under its own name, and every name that code calls is there."""

import re
from pathlib import Path

import pytest

import homing
from homing.store import queries

SOURCE = Path(homing.__file__).parent
CALL = re.compile(r"\.(?:fetch|row|execute|cursor)\(\s*\"(\w+)\"")


def test_the_statements_are_loaded_whole() -> None:
    found = queries.load()
    assert found["is_empty"].startswith("SELECT NOT EXISTS (SELECT FROM account)")
    assert len(found) > 50
    assert all(statement and "-- name:" not in statement for statement in found.values())


def test_every_statement_that_code_names_exists() -> None:
    named = {name for file in SOURCE.rglob("*.py") for name in CALL.findall(file.read_text(encoding="utf-8"))}
    assert len(named) > 40
    assert not named - set(queries.load())


def test_every_statement_is_used() -> None:
    code = "".join(file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.py"))
    assert not {name for name in queries.load() if f'"{name}"' not in code}


def test_a_name_that_two_statements_share_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "one.sql").write_text("-- A remark.\n-- name: same\nSELECT 1\n\n-- name: other\nSELECT 2\n")
    monkeypatch.setattr(queries.importlib.resources, "files", lambda _package: tmp_path)
    assert dict(queries.load()) == {"same": "SELECT 1", "other": "SELECT 2"}
    (folder / "two.sql").write_text("-- name: same\nSELECT 3\n")
    with pytest.raises(ValueError, match="same"):
        queries.load()


def test_the_statements_cannot_be_changed_by_whoever_has_them() -> None:
    with pytest.raises(TypeError):
        queries.load()["ping"] = "SELECT 2"  # type: ignore[index]


def test_what_a_file_shares_stands_in_each_statement_that_asks_for_it() -> None:
    text = """-- About the file.
-- shared: late
WHERE at > $1
-- name: one
SELECT 1 FROM a
-- here: late
-- name: two
SELECT 2 FROM b
    -- here: late
LIMIT 1
"""
    assert queries.read(text) == {
        "one": "SELECT 1 FROM a\nWHERE at > $1",
        "two": "SELECT 2 FROM b\nWHERE at > $1\nLIMIT 1",
    }
    with pytest.raises(ValueError, match="nothing is shared as late"):
        queries.read("-- name: one\nSELECT 1\n-- here: late\n")
    with pytest.raises(ValueError, match="two statements are named one"):
        queries.read("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n")
