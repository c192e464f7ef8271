"""Makes `homing.store.statements`: a typed function for each statement under src/homing/store/sql, and the structs of
their rows (docs/internals/statements.md). Names and types of columns are PostgreSQL's own: each statement is prepared
in a database of this release's schema.

    python -m tools.sql_bindings            writes the modules
"""

import asyncio
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

import homing
from homing.store import queries
from homing.store.embedded.server import EmbeddedPostgres
from homing.store.migrate import migrate
from tools.libpq import Described, Libpq

PACKAGE: Final = Path(homing.__file__).parent / "store" / "statements"
WIDTH: Final = 120
INNERMOST: Final = re.compile(r"\([^()]*\)")
STAR: Final = re.compile(r"(?:\bSELECT|\bDISTINCT|\bRETURNING|,)\s+(?:\w+\.)?\*")
TYPES: Final[Mapping[str, str]] = {
    "bool": "bool",
    "bytea": "bytes",
    "cidr": "IPv4Network | IPv6Network",
    "date": "date",
    "float4": "float",
    "float8": "float",
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "interval": "timedelta",
    "json": "str",
    "jsonb": "str",
    "name": "str",
    "numeric": "Decimal",
    "text": "str",
    "timestamptz": "datetime",
}
GIVES: Final[Mapping[str, tuple[str, str]]] = {  # the helper of homing.store.rows, and the type that it returns
    "": ("execute", "None"),
    "row": ("fetch_row", "{}"),
    "row?": ("fetch_row_or_none", "{} | None"),
    "rows": ("fetch_rows", "list[{}]"),
    "stream": ("stream_rows", "AsyncIterator[{}]"),
    "value": ("fetch_row", "{}"),
    "value?": ("fetch_row_or_none", "{} | None"),
    "values": ("fetch_rows", "list[{}]"),
}


class Member(msgspec.Struct):
    """Of a struct: a name and its annotation without ` | None`."""

    name: str
    type: str
    is_nullable: bool

    @property
    def annotation(self) -> str:
        return self.type + (" | None" if self.is_nullable else "")


class Shape(msgspec.Struct):
    """A struct to be written: of rows, or of a batch's items. `users`: the statements that have it."""

    name: str
    module: str
    is_batch: bool
    members: list[Member]
    users: list[str]
    doc: str = ""


PACKAGE_TEXT = '''"""The statements, as functions. Made by tools/sql_bindings.py; the source is in ../sql.

A module is loaded when it is first named: a command on the command line needs few of them.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = {listed!r}

if TYPE_CHECKING:
    from homing.store.statements import {names}
else:

    def __getattr__(name: str) -> ModuleType:
        if name in __all__:
            return importlib.import_module(f"{{__name__}}.{{name}}")
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
'''


class Bindings:
    """The modules of all statements."""

    def __init__(self, database: Libpq) -> None:
        self._database = database
        self._modules = {name: queries.read(queries.text_of(name)) for name in queries.names()}
        self._described = {
            definition.name: _described(database, definition)
            for module in self._modules.values()
            for definition in module.definitions.values()
        }
        self._shapes: dict[str, Shape] = {}
        for name, module in self._modules.items():
            for definition in module.definitions.values():
                self._add_shapes(name, definition)
            for struct, doc in module.structs.items():
                self._shapes[struct].doc = doc

    def files(self) -> Mapping[str, str]:
        """What is written, by file name."""
        files = {f"{name}.py": "".join(self._module(name)) for name in self._modules}
        names = ", ".join(self._modules)
        files["__init__.py"] = PACKAGE_TEXT.format(names=names, listed=list(self._modules))
        return files

    def _add_shapes(self, module: str, definition: queries.Definition) -> None:
        described = self._described[definition.name]
        types = iter(described.parameters)
        for parameter in definition.parameters:
            own = [next(types) for _placeholder in parameter.placeholders]
            if parameter.composite is not None:
                own = composite_columns(self._database, parameter)
            if parameter.struct is not None:
                members = [
                    Member(column.name, self._python(oid).removeprefix("list[").removesuffix("]"), column.is_nullable)
                    for column, oid in zip(parameter.columns, own, strict=True)
                ]
                self._add_shape(Shape(parameter.struct, module, True, members, [definition.name]))
        unknown = (definition.nullable | definition.certain) - {name for name, *_rest in described.columns}
        if unknown:
            raise ValueError(f"{definition.name} has no column {sorted(unknown)}")
        if definition.struct is not None:
            members = self._columns(definition, described)
            self._add_shape(Shape(definition.struct, module, False, members, [definition.name]))

    def _columns(self, definition: queries.Definition, described: Described) -> list[Member]:
        members = []
        for name, oid, table, number in described.columns:
            is_certain = self._database.is_certain(definition.text, table, number)
            is_nullable = name in definition.nullable or (not is_certain and name not in definition.certain)
            members.append(Member(name, self._python(oid), is_nullable))
        return members

    def _python(self, oid: int) -> str:
        """The annotation of a column of this type."""
        name = self._database.type_name(oid)
        return f"list[{TYPES[name[1:]]}]" if name.startswith("_") else TYPES[name]

    def _argument(self, oid: int, is_nullable: bool) -> str:
        return self._python(oid).replace("list[", "Sequence[") + (" | None" if is_nullable else "")

    def _add_shape(self, shape: Shape) -> None:
        known = self._shapes.setdefault(shape.name, shape)
        if known is shape:
            return
        same = [(member.name, member.type) for member in known.members]
        if same != [(member.name, member.type) for member in shape.members] or known.is_batch != shape.is_batch:
            raise ValueError(f"{shape.name} is not the same in {known.users[0]} and {shape.users[0]}")
        for member, other in zip(known.members, shape.members, strict=True):
            member.is_nullable |= other.is_nullable
        known.users += shape.users

    def _module(self, name: str) -> Iterator[str]:
        module = self._modules[name]
        body = "".join(self._body(name))
        about = textwrap.fill(module.doc or f"Statements of sql/{name}.sql.", WIDTH, initial_indent="   ").lstrip()
        yield f'"""{about}\n\nMade by tools/sql_bindings.py from sql/{name}.sql.\n"""\n\n'
        words = set(re.findall(r"\w+", re.sub(r'""".*?"""', "", body, flags=re.DOTALL)))
        if "AsyncIterator" in words or "Sequence" in words:
            of_abc = [word for word in ("AsyncIterator", "Sequence") if word in words]
            yield f"from collections.abc import {', '.join(of_abc)}\n"
        of_datetime = [word for word in ("date", "datetime", "timedelta") if word in words]
        if of_datetime:
            yield f"from datetime import {', '.join(of_datetime)}\n"
        if "Decimal" in words:
            yield "from decimal import Decimal\n"
        if "IPv4Network" in words:
            yield "from ipaddress import IPv4Network, IPv6Network\n"
        yield "from typing import Final\n\n"
        if "msgspec" in words:
            yield "import msgspec\n\n"
        if "limits" in words:
            yield "from homing import limits\n"
        yield "from homing.store import queries\n"
        helpers = (
            "Executor",
            "Streamer",
            "columns",
            "composites",
            "composites_or_none",
            "execute",
            "fetch_row",
            "fetch_row_or_none",
            "fetch_rows",
        )
        used = [word for word in (*helpers, "nullable", "single", "stream_rows") if word in words]
        yield f"from homing.store.rows import {', '.join(used)}\n"
        foreign: dict[str, list[str]] = {}
        for shape in self._shapes.values():
            if shape.name in words and shape.module != name:
                foreign.setdefault(shape.module, []).append(shape.name)
        for other, structs in sorted(foreign.items()):
            yield f"from homing.store.statements.{other} import {', '.join(sorted(structs))}\n"
        yield f'\n_SQL: Final = queries.load("{name}")\n'
        yield body

    def _body(self, name: str) -> Iterator[str]:
        for shape in self._shapes.values():
            if shape.module == name:
                yield from _struct(shape)
        for definition in self._modules[name].definitions.values():
            yield from self._function(definition)

    def _function(self, definition: queries.Definition) -> Iterator[str]:
        described = self._described[definition.name]
        helper, returns = GIVES[definition.gives]
        is_stream = definition.gives == "stream"
        shape = definition.struct
        result = returns.format(shape)
        if definition.gives.startswith("value"):
            (member,) = self._columns(definition, described)
            shape = f"{'nullable' if member.is_nullable else 'single'}({member.type})"
            result = returns.format(member.annotation).replace("| None | None", "| None")
        types = iter(described.parameters)
        signature, given = [], []
        for parameter in definition.parameters:
            own = [next(types) for _placeholder in parameter.placeholders]
            if parameter.struct is not None:
                item = f"{parameter.struct} | None" if parameter.has_gaps else parameter.struct
                signature.append(f"{parameter.name}: Sequence[{item}]")
                if parameter.composite is None:
                    given.append(f"*columns({parameter.name}, {len(own)})")
                else:
                    given.append(f"composites{'_or_none' if parameter.has_gaps else ''}({parameter.name})")
            else:
                signature.append(f"{parameter.name}: {self._argument(own[0], parameter.is_nullable)}")
                given.append(parameter.name)
        opening = ", ".join(
            [f"db: {'Streamer' if is_stream else 'Executor'}", *(["*", *signature] if signature else [])]
        )
        yield f"\n\n{'def' if is_stream else 'async def'} {definition.name}({opening}) -> {result}:\n"
        if definition.doc:
            yield f'    """{_indented(definition.doc)}"""\n'
        arguments = ["db", f'_SQL["{definition.name}"]', *([shape] if shape else []), *given]
        if definition.is_slow:
            arguments.append("timeout_s=limits.DATABASE_SLOW_TIMEOUT_S")
        before = {"": "await ", "stream": "return "}.get(definition.gives, "return await ")
        yield f"    {before}{helper}({', '.join(arguments)})\n"


def composite_columns(database: Libpq, parameter: queries.Parameter) -> list[int]:
    """The types of the columns of a batch that has a composite type. Raises ValueError when that has others."""
    written = ", ".join(f"NULL::{column.type} AS {column.name}" for column in parameter.columns)
    columns = database.describe(f"SELECT {written}").columns
    attributes = database.describe(f"SELECT (NULL::{parameter.composite}).*").columns
    if [column[:2] for column in columns] != [attribute[:2] for attribute in attributes]:
        raise ValueError(f"{parameter.composite} has other attributes than the columns of {parameter.name}")
    return [column[1] for column in columns]


def _described(database: Libpq, definition: queries.Definition) -> Described:
    must_name_columns(definition)
    try:
        return database.describe(definition.text)
    except ValueError as error:
        raise ValueError(f"{definition.name}: {error}") from error


def must_name_columns(definition: queries.Definition) -> None:
    """Raises ValueError for a result with `*`. Rows are read by position: a column that a later release adds to the
    table would move the others in processes that still run this one.
    """
    outermost = definition.text
    while (shorter := INNERMOST.sub("", outermost)) != outermost:
        outermost = queries.Statement(shorter)
    returning = outermost.rfind("RETURNING")
    if definition.gives and STAR.search(outermost[max(0, returning) :]):
        raise ValueError(f"{definition.name}: name the columns of its result in place of *")


def _struct(shape: Shape) -> Iterator[str]:
    options = "frozen=True, kw_only=True, gc=False" if shape.is_batch else "frozen=True, gc=False"
    yield f"\n\nclass {shape.name}(msgspec.Struct, {options}):\n"
    users = ", ".join(f"`{user}`" for user in shape.users)
    doc = shape.doc or (f"What {users} is given." if shape.is_batch else f"A row of {users}.")
    yield f'    """{_indented(doc)}"""\n\n'
    for member in shape.members:
        yield f"    {member.name}: {member.annotation}\n"


def _indented(doc: str) -> str:
    """A docstring's text of a function or class, wrapped."""
    text = "\n\n".join(
        textwrap.fill(
            paragraph, WIDTH - 3, initial_indent="    " if n else "       ", subsequent_indent="    "
        ).lstrip()
        for n, paragraph in enumerate(doc.split("\n\n"))
    )
    lines = text.replace("\n\n", "\n\n    ").split("\n")
    return lines[0] if len(lines) == 1 else "\n".join(lines) + "\n    "


def make(dsn: str) -> Mapping[str, str]:
    """The modules by file name, formatted. `dsn`: of a database of this release's schema."""
    with Libpq(dsn) as database:
        files = Bindings(database).files()
    return {name: _formatted(text) for name, text in files.items()}


def _formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--line-length", str(WIDTH), "-"]
    return subprocess.run(command, input=text, capture_output=True, check=True, text=True).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres", durable=False) as dsn:
        asyncio.run(migrate(dsn))
        files = make(dsn)
    PACKAGE.mkdir(exist_ok=True)
    for stale in set(PACKAGE.glob("*.py")) - {PACKAGE / name for name in files}:
        stale.unlink()
    for name, text in files.items():
        (PACKAGE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
