"""The functions of the statements are those that the generator makes of the .sql files and of this release's schema."""

from homing.store.migrate import migrate
from tests.support import server as serving
from tools.sql_bindings import PACKAGE, make


async def test_the_functions_of_statements_are_made_of_their_files(postgres: str, worker: str) -> None:
    dsn = await serving.new_database(postgres, f"bindings_{worker}")
    await migrate(dsn)
    made = make(dsn)
    there = {file.name: file.read_text(encoding="utf-8") for file in PACKAGE.glob("*.py")}
    assert there == made, "run `make bindings`"
