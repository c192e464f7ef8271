"""The functions of the statements are those that the generator makes of the .sql files and of this release's schema."""

import contextlib

import asyncpg
import pytest

from homing.store import queries
from homing.store.migrate import migrate
from tests.support import server as serving
from tools.libpq import Libpq
from tools.sql_bindings import PACKAGE, composite_columns, make, must_name_columns


async def test_the_functions_of_statements_are_made_of_their_files(postgres: str, worker: str) -> None:
    dsn = await serving.migrated_database(postgres, f"bindings_{worker}")
    await migrate(dsn)
    made = make(dsn)
    there = {file.name: file.read_text(encoding="utf-8") for file in PACKAGE.glob("*.py")}
    assert there == made, "run `make bindings`"


async def test_a_composite_type_with_other_attributes_than_the_batch_is_refused(postgres: str, worker: str) -> None:
    dsn = await serving.new_database(postgres, f"composites_{worker}")
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TYPE new_post AS (blog_id bigint, title text)")
    await connection.close()
    with Libpq(dsn) as database:
        for columns, is_refused in (
            ("blog_id bigint, title text", False),
            ("blog_id bigint, name text", True),
            ("blog_id int, title text", True),
            ("title text, blog_id bigint", True),
            ("blog_id bigint", True),
        ):
            definition = definition_of(
                "-- name: some -> value\n-- takes: posts Post\n"
                f"SELECT count(*) AS n FROM unnest(:posts OF new_post) AS p ({columns})"
            )
            with pytest.raises(ValueError, match="other attributes") if is_refused else contextlib.nullcontext():
                composite_columns(database, definition.parameters[0])


def definition_of(text: str) -> queries.Definition:
    (definition,) = queries.read(text).definitions.values()
    return definition


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM account",
        "SELECT a.*, b.gift_micro FROM account AS a JOIN balance AS b USING (account_id)",
        "SELECT a.name,\n    b.* FROM account AS a JOIN balance AS b USING (account_id)",
        "DELETE FROM account WHERE account_id IN (SELECT 1) RETURNING *",
        "WITH named AS (SELECT account_id FROM account) SELECT DISTINCT * FROM named",
    ],
)
def test_a_result_whose_columns_are_not_named_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="name the columns"):
        must_name_columns(definition_of(f"-- name: some -> rows Some\n{text}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) AS accounts, 2 * :hours AS doubled FROM account",
        "WITH taken AS (DELETE FROM queue RETURNING *) SELECT message_id FROM taken",
        "INSERT INTO word SELECT * FROM (SELECT 1) AS w RETURNING word",
    ],
)
def test_a_result_whose_columns_are_named_may_count_and_multiply(text: str) -> None:
    must_name_columns(definition_of(f"-- name: some -> rows Some\n{text}\n"))
