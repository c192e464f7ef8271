"""Named SQL: each statement stands in a file under `sql/`, with what the function that calls it needs to know.

    -- Whose name or id it is.
    -- name: account_find -> row? AccountRow
    -- null: locked_at
    SELECT account_id, name, locked_at FROM account WHERE name = :name OR account_id = :account_id?

After the name stands what the statement gives: `row` (exactly one), `row?` (one or none), `rows`, `stream` (rows one by
one, inside a transaction) and the rows' struct; or `value`, `value?`, `values` of a single column; nothing where no row
is read. The comment above is the function's docstring. Below the name may stand:

    -- null: a, b          columns that can be null although PostgreSQL's catalogue does not say so
    -- not null: a         columns that cannot be, although it does
    -- takes: posts Post   the struct of a batch
    -- slow                its time limit is `limits.DATABASE_SLOW_TIMEOUT_S`

In the statement `:name` is a parameter; one that can be null is written `:name?` at least once. `:MessageState.SENT` is
that member's number, and `:PUSH_LANES` that constant (constants.py), written into the statement so that the planner
knows them. A batch is a sequence of structs:

    FROM unnest(:posts) AS p (post_id bigint, title text?)

is given the columns `post_id` and `title` of the structs in `posts`, each as an array. In `unnest(:posts, :places)`
`places` is an array of its own, the last column. A column without a type is the one of WITH ORDINALITY. With

    FROM unnest(:posts OF new_post) AS p (post_id bigint, title text?)

the batch is one array of the composite type `new_post`, whose attributes are these columns: the driver encodes it in
less than half of the time. The type is made by a migration, and stays as it is: processes of another release use it.
What some items of a batch have besides is a second batch, whose columns stand behind a semicolon:

    FROM unnest(:posts OF new_post, :places, :prices OF new_price) AS p (post_id bigint, place int; price bigint?)

`prices` has as many items as `posts`, None for those without, or none at all. Its columns are then null.

What several statements of a file have in common stands once, behind `-- shared: its_name`, and each of them has a line
`-- here: its_name` in its place. The comment above `-- struct: Name` is the docstring of that struct.

The functions are made by tools/sql_bindings.py (docs/internals/statements.md).
"""

import functools
import importlib.resources
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NewType

import msgspec

from homing.store.constants import ENUMS, NUMBERS

Statement = NewType("Statement", str)
"""A statement's text as PostgreSQL is given it."""

PIECE: Final = re.compile(r"^-- (name|shared|struct): (.*)$", re.MULTILINE)
NAME: Final = re.compile(r"(\w+)(?: -> (rows|row\?|row|stream|values|value\?|value)(?: (\w+))?)?")
MARK: Final = re.compile(r"-- (null|not null|takes|slow)(?:: (.*))?\n")
HERE: Final = re.compile(r"^ *-- here: (\w+)\s*$", re.MULTILINE)
BATCH: Final = re.compile(
    r"unnest\(:(?P<batch>\w+)(?: OF (?P<type>\w+))?(?P<arrays>(?:, :\w+(?: OF \w+)?)*)\)"
    r"(?P<alias>(?:\s+WITH ORDINALITY)?\s+AS\s+\w+\s*)\((?P<columns>[^)]*)\)"
)
BESIDES: Final = re.compile(r":(?P<name>\w+)(?: OF (?P<type>\w+))?")
"""An array beside a batch, or a second batch."""
TOKEN: Final = re.compile(
    r"(?P<skipped>'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*)"
    r"|(?<![:\w]):(?:(?P<enum>[A-Z]\w*)\.(?P<member>[A-Z]\w*)|(?P<constant>[A-Z][A-Z_]+)\b|(?P<name>[a-z_]\w*)(?P<null>\?)?)"
)


class BatchColumn(msgspec.Struct, frozen=True):
    """A column of a batch."""

    name: str
    type: str
    is_nullable: bool


class Parameter(msgspec.Struct):
    """A statement's parameter. `columns`: those of a batch; each is a placeholder of its own, unless all are one of the
    composite type `composite`. `has_gaps`: None may stand for an item.
    """

    name: str
    is_nullable: bool = False
    struct: str | None = None
    columns: tuple[BatchColumn, ...] = ()
    composite: str | None = None
    has_gaps: bool = False

    @property
    def placeholders(self) -> Sequence[str]:
        """The columns that are placeholders of their own, else "" for the parameter's."""
        return [""] if self.composite or not self.columns else [column.name for column in self.columns]


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A statement with its marks. `gives`: `rows`, `row?` and so on, "" for nothing; `struct`: of its rows; `nullable`
    and `certain`: the columns marked `null` and `not null`.
    """

    name: str
    text: Statement
    parameters: tuple[Parameter, ...]
    gives: str
    struct: str | None
    doc: str
    nullable: frozenset[str]
    certain: frozenset[str]
    is_slow: bool


class Module(msgspec.Struct, frozen=True):
    """A file of statements. `structs`: docstrings by the struct's name."""

    doc: str
    definitions: Mapping[str, Definition]
    structs: Mapping[str, str]


def names() -> Sequence[str]:
    """The files under `sql/`, without their ending."""
    folder = importlib.resources.files("homing.store").joinpath("sql")
    return sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))


@functools.cache
def load(name: str) -> Mapping[str, Statement]:
    """The statements of a file by their names. Raises ValueError as `read` does."""
    return MappingProxyType({each.name: each.text for each in read(text_of(name)).definitions.values()})


def text_of(name: str) -> str:
    return importlib.resources.files("homing.store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def read(text: str) -> Module:
    """Parses a file of statements. Raises ValueError when its syntax is not that of the module's docstring."""
    pieces = PIECE.split(text)
    bodies, docs = zip(*map(_cut_comment, pieces[0::3]), strict=True)
    headings = list(zip(pieces[1::3], map(str.strip, pieces[2::3]), bodies[1:], docs[:-1], strict=True))
    shared: dict[str, str] = {}
    structs: dict[str, str] = {}
    definitions: dict[str, Definition] = {}
    for kind, heading, body, doc in headings:
        if kind == "shared":
            _must_be_new(heading, shared)
            shared[heading] = body.strip("\n")
        elif kind == "struct":
            _must_be_new(heading, structs)
            structs[heading] = doc
    for kind, heading, body, doc in headings:
        if kind == "name":
            definition = _define(heading, body.lstrip("\n"), doc, shared)
            _must_be_new(definition.name, definitions)
            definitions[definition.name] = definition
    about = pieces[0].split("\n\n", 1)[0] if "\n\n" in pieces[0] else ""
    return Module(_without_dashes(about.strip().split("\n")), definitions, structs)


def _must_be_new(name: str, pieces_so_far: Mapping[str, object]) -> None:
    if name in pieces_so_far:
        raise ValueError(f"two pieces are named {name}")


def _cut_comment(piece: str) -> tuple[str, str]:
    """A piece without the comments at its end, and the comment directly above the next piece."""
    lines = piece.rstrip().split("\n")
    end = len(lines)
    if not piece.endswith("\n\n"):
        while end and _is_comment(lines[end - 1]):
            end -= 1
    doc = lines[end:]
    while end and (not lines[end - 1] or _is_comment(lines[end - 1])):
        end -= 1
    return "\n".join(lines[:end]), _without_dashes(doc)


def _is_comment(line: str) -> bool:
    return line.startswith("--") and not HERE.match(line)


def _without_dashes(lines: Sequence[str]) -> str:
    return "\n".join(line.removeprefix("--").strip() for line in lines)


def _define(heading: str, body: str, doc: str, shared: Mapping[str, str]) -> Definition:
    head = NAME.fullmatch(heading)
    if head is None:
        raise ValueError(f"no heading of a statement: {heading}")
    marks: dict[str, str] = {}
    while mark := MARK.match(body):
        marks[mark[1]] = mark[2] or ""
        body = body[mark.end() :]

    def put_in(line: re.Match[str]) -> str:
        if line[1] not in shared:
            raise ValueError(f"nothing is shared as {line[1]}")
        return shared[line[1]]

    takes = dict(re.findall(r"(\w+) (\w+)", marks.get("takes", "")))
    try:
        text, parameters = _numbered(HERE.sub(put_in, body).strip(), takes)
    except ValueError as error:
        raise ValueError(f"{head[1]}: {error}") from error
    return Definition(
        name=head[1],
        text=Statement(text),
        parameters=parameters,
        gives=head[2] or "",
        struct=head[3],
        doc=doc,
        nullable=_listed(marks.get("null", "")),
        certain=_listed(marks.get("not null", "")),
        is_slow="slow" in marks,
    )


def _listed(names: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", names))


def _numbered(text: str, takes: Mapping[str, str]) -> tuple[str, tuple[Parameter, ...]]:
    """The statement with its parameters as $1, $2 ... and constants as numbers, and the parameters in that order."""
    parameters = _parameters(text, takes)
    numbers: dict[tuple[str, str], int] = {}
    for parameter in parameters.values():
        for column in parameter.placeholders:
            numbers[parameter.name, column] = len(numbers) + 1

    def spread(batch: re.Match[str]) -> str:
        placeholders, columns = [], []
        types = _types(batch)
        for name, column in _batch_columns(batch):
            columns.append(column.name)
            if types.get(name):
                whole = f"${numbers[name, '']}::{types[name]}[]"
                if whole not in placeholders:
                    placeholders.append(whole)
            elif name:
                number = numbers[name, column.name if name == batch["batch"] else ""]
                placeholders.append(f"${number}::{column.type}[]")
        return f"unnest({', '.join(placeholders)}){batch['alias']}({', '.join(columns)})"

    def put_in(token: re.Match[str]) -> str:
        if token["skipped"]:
            return token[0]
        if token["enum"]:
            return str(_member(token["enum"], token["member"]))
        if token["constant"]:
            return str(_constant(token["constant"]))
        return f"${numbers[token['name'], '']}"

    return TOKEN.sub(put_in, BATCH.sub(spread, text)), tuple(parameters.values())


def _parameters(text: str, takes: Mapping[str, str]) -> Mapping[str, Parameter]:
    """A statement's parameters in the order of their first use."""
    parameters: dict[str, Parameter] = {}
    batches: dict[int, re.Match[str]] = {}
    for batch in BATCH.finditer(text):
        batches[batch.start("batch") - 1] = batch
        for besides in BESIDES.finditer(text, *batch.span("arrays")):
            if besides["type"]:
                batches[besides.start()] = batch
    for token in TOKEN.finditer(text):
        if not token["name"]:
            continue
        of = batches.get(token.start())
        parameter = parameters.setdefault(token["name"], Parameter(token["name"]))
        parameter.is_nullable |= bool(token["null"])
        if of:
            parameter.struct = takes.get(parameter.name)
            if parameter.struct is None:
                raise ValueError(f"no struct is named for {parameter.name}")
            parameter.composite = _types(of)[parameter.name]
            parameter.has_gaps |= parameter.name != of["batch"]
            own = [column for name, column in _batch_columns(of) if name == parameter.name]
            parameter.columns += tuple(column for column in own if column not in parameter.columns)
    return parameters


def _types(batch: re.Match[str]) -> Mapping[str, str | None]:
    """The composite types of a batch and of those beside it; None: it is given as arrays."""
    types = {besides["name"]: besides["type"] for besides in BESIDES.finditer(batch["arrays"]) if besides["type"]}
    return {batch["batch"]: batch["type"], **types}


def _batch_columns(batch: re.Match[str]) -> Sequence[tuple[str, BatchColumn]]:
    """The columns of a batch, each with the parameter that it comes of, "" for that of WITH ORDINALITY."""
    own, *others = [[_column(written) for written in part.split(",")] for part in batch["columns"].split(";")]
    besides = list(BESIDES.finditer(batch["arrays"]))
    arrays = [each["name"] for each in besides if not each["type"]]
    typed = sum(1 for column in own if column.type)
    sources = [batch["batch"]] * (typed - len(arrays)) + arrays + [""] * (len(own) - typed)
    columns = list(zip(sources, own, strict=True))
    second = [each["name"] for each in besides if each["type"]]
    for name, part in zip(second, others, strict=True):
        columns += [(name, column) for column in part]
    return columns


def _column(written: str) -> BatchColumn:
    name, _space, type_ = written.strip().partition(" ")
    return BatchColumn(name, type_.removesuffix("?"), type_.endswith("?"))


def _member(enum: str, member: str) -> int:
    try:
        return int(ENUMS[enum][member])
    except KeyError:
        raise ValueError(f"no constant is named {enum}.{member}") from None


def _constant(name: str) -> int:
    if name not in NUMBERS:
        raise ValueError(f"no constant is named {name}")
    return NUMBERS[name]
