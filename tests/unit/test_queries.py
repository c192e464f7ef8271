"""Named SQL: what the files of statements may hold, and that each statement is called by code."""

from pathlib import Path

import pytest

import homing
from homing.store import queries
from homing.store.queries import BatchColumn

SOURCE = Path(homing.__file__).parent


def test_every_statement_is_called() -> None:
    files = [file for file in SOURCE.rglob("*.py") if file.parent.name != "statements"]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    assert not [
        f"{module}.{name}"
        for module in queries.names()
        for name in queries.load(module)
        if f"statements.{module}.{name}" not in code
    ]


def test_a_parameter_has_a_name_and_a_constant_is_a_number() -> None:
    text = """-- name: late -> rows LateRow
SELECT 'x:y', at::text -- :not_one
FROM message
WHERE state = :MessageState.SENT AND at > :since? AND (at < :beyond OR :since::timestamptz IS NULL)
"""
    late = queries.read(text).definitions["late"]
    assert late.text == (
        "SELECT 'x:y', at::text -- :not_one\nFROM message\n"
        "WHERE state = 2 AND at > $1 AND (at < $2 OR $1::timestamptz IS NULL)"
    )
    assert [(each.name, each.is_nullable) for each in late.parameters] == [("since", True), ("beyond", False)]
    assert (late.gives, late.struct) == ("rows", "LateRow")


def test_a_batch_is_spread_over_its_columns() -> None:
    text = """-- name: add
-- takes: posts Post
INSERT INTO post (at, blog_id, title, place)
SELECT :at, blog_id, title, place FROM unnest(:posts, :places) WITH ORDINALITY
    AS p (blog_id bigint, title text?, place int, nth)
"""
    add = queries.read(text).definitions["add"]
    assert "unnest($2::bigint[], $3::text[], $4::int[]) WITH ORDINALITY" in add.text
    assert "AS p (blog_id, title, place, nth)" in add.text
    posts = add.parameters[1]
    assert posts.struct == "Post"
    assert posts.columns == (BatchColumn("blog_id", "bigint", False), BatchColumn("title", "text", True))


def test_a_batch_of_a_composite_type_is_one_placeholder() -> None:
    text = """-- name: add
-- takes: posts Post
INSERT INTO post (at, blog_id, title, place)
SELECT :at, blog_id, title, place FROM unnest(:posts OF new_post, :places) AS p (blog_id bigint, title text?, place int)
"""
    add = queries.read(text).definitions["add"]
    assert "unnest($2::new_post[], $3::int[]) AS p (blog_id, title, place)" in add.text
    posts = add.parameters[1]
    assert (posts.struct, posts.composite, posts.placeholders) == ("Post", "new_post", [""])
    assert posts.columns == (BatchColumn("blog_id", "bigint", False), BatchColumn("title", "text", True))


def test_a_second_batch_stands_beside_the_first() -> None:
    text = """-- name: add
-- takes: posts Post, prices Price
INSERT INTO post (blog_id, title, place, price)
SELECT blog_id, title, place, micro
FROM unnest(:posts OF new_post, :places, :prices OF new_price) AS p (
    blog_id bigint, title text?, place int; micro bigint, unit text?
)
WHERE at > :at
"""
    add = queries.read(text).definitions["add"]
    assert "unnest($1::new_post[], $2::int[], $3::new_price[]) AS p (blog_id, title, place, micro, unit)" in add.text
    assert "at > $4" in add.text
    posts, _places, prices, _at = add.parameters
    assert (prices.struct, prices.composite, prices.placeholders) == ("Price", "new_price", [""])
    assert (posts.has_gaps, prices.has_gaps) == (False, True)
    assert posts.columns == (BatchColumn("blog_id", "bigint", False), BatchColumn("title", "text", True))
    assert prices.columns == (BatchColumn("micro", "bigint", False), BatchColumn("unit", "text", True))


def test_a_comment_right_above_is_the_docstring_and_no_other() -> None:
    text = """-- About the file,
-- in two lines.

-- name: first
SELECT 1

-- --- a section ---

-- What it does.
-- name: second -> value
-- slow
SELECT 2
"""
    module = queries.read(text)
    first, second = module.definitions.values()
    assert module.doc == "About the file,\nin two lines."
    assert (first.text, first.doc, first.gives) == ("SELECT 1", "", "")
    assert (second.text, second.doc, second.is_slow) == ("SELECT 2", "What it does.", True)


def test_what_a_file_shares_stands_in_each_statement_that_asks_for_it() -> None:
    text = """-- shared: late
WHERE at > :at
-- name: one
SELECT 1 FROM a
-- here: late
-- name: two
SELECT 2 FROM b
    -- here: late
LIMIT 1
"""
    one, two = queries.read(text).definitions.values()
    assert one.text == "SELECT 1 FROM a\nWHERE at > $1"
    assert two.text == "SELECT 2 FROM b\nWHERE at > $1\nLIMIT 1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- name: one\nSELECT 1\n-- here: late\n", "nothing is shared as late"),
        ("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n", "two pieces are named one"),
        ("-- name: one -> some\nSELECT 1\n", "no heading"),
        ("-- name: one\nSELECT :MessageState.GONE\n", "State.GONE"),
        ("-- name: one\nSELECT * FROM unnest(:posts) AS p (a int)\n", "no struct is named for posts"),
    ],
)
def test_a_file_that_is_written_otherwise_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        queries.read(text)
