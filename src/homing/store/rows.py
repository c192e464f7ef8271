"""Rows of statements as structs. Columns are read by position here alone, into structs with members in their order."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from types import UnionType
from typing import Any, Final, Protocol, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from homing.store.queries import Statement

T = TypeVar("T")
Record = Sequence[Any]  # a row of the driver
VERIFIES: Final = bool(os.environ.get("HOMING_VERIFY_ROWS"))
"""Whether each row is checked against its struct: set for tests, since PostgreSQL does not say which columns can be
null.
"""


class Executor(Protocol):
    """Runs statements: a connection, or a database, which takes one of its connections for each.

    Raises `DatabaseUnavailable` or `DatabaseFailed`.
    """

    async def fetch(self, statement: Statement, *values: Any, timeout_s: float | None = None) -> Sequence[Record]: ...


class Streamer(Protocol):
    """Streams rows in bounded memory: a connection in a transaction."""

    def cursor(self, statement: Statement, *values: Any) -> AsyncIterator[Record]: ...


async def execute(db: Executor, statement: Statement, *values: Any, timeout_s: float | None = None) -> None:
    await db.fetch(statement, *values, timeout_s=timeout_s)


async def fetch_rows(
    db: Executor, statement: Statement, shape: Callable[..., T], *values: Any, timeout_s: float | None = None
) -> list[T]:
    return _read(shape, await db.fetch(statement, *values, timeout_s=timeout_s))


async def fetch_row_or_none(
    db: Executor, statement: Statement, shape: Callable[..., T], *values: Any, timeout_s: float | None = None
) -> T | None:
    rows = _read(shape, await db.fetch(statement, *values, timeout_s=timeout_s))
    return rows[0] if rows else None


async def fetch_row(
    db: Executor, statement: Statement, shape: Callable[..., T], *values: Any, timeout_s: float | None = None
) -> T:
    (row,) = _read(shape, await db.fetch(statement, *values, timeout_s=timeout_s))
    return row


async def stream_rows(db: Streamer, statement: Statement, shape: Callable[..., T], *values: Any) -> AsyncIterator[T]:
    async for record in db.cursor(statement, *values):
        yield _read(shape, (record,))[0]


def single(kind: type[T]) -> Callable[[T], T]:
    """The shape of a row that is one value."""
    return _checked(kind) if VERIFIES else _same


def nullable(kind: type[T]) -> Callable[[T | None], T | None]:
    """The shape of a row that is one value or null."""
    return _checked(kind | None) if VERIFIES else _same


def _same(value: T) -> T:
    return value


def _read(shape: Callable[..., T], records: Sequence[Record]) -> list[T]:
    if VERIFIES and isinstance(shape, type):
        kinds = get_type_hints(shape)
        for record in records:
            for (name, kind), value in zip(kinds.items(), record, strict=True):
                _check(f"{shape.__name__}.{name}", kind, value)
    return [shape(*record) for record in records]


def _checked(kind: Any) -> Callable[[T], T]:
    def check(value: T) -> T:
        _check("the value", kind, value)
        return value

    return check


def _check(name: str, kind: Any, value: object) -> None:
    if not _fits(kind, value):
        raise TypeError(f"{name} is {value!r}: mark its column `null` in the statement, or correct its type")


def _fits(kind: Any, value: object) -> bool:
    if isinstance(kind, UnionType):
        return any(_fits(member, value) for member in get_args(kind))
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return isinstance(value, list) and all(_fits(item, element) for element in value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def columns(rows: Sequence[msgspec.Struct], count: int) -> Sequence[Sequence[Any]]:
    """Structs of `count` members as that many arrays, one of each column.

    An array of nulls alone becomes an empty one, which unnest pads to the others' length: encoding a null
    costs as much as encoding a value, and most messages have no error, no reference and no callback.
    """
    if not rows:
        return ((),) * count
    return [
        () if column[0] is None and column.count(None) == len(column) else column
        for column in zip(*map(msgspec.structs.astuple, rows), strict=True)
    ]


def composites(rows: Sequence[msgspec.Struct]) -> Sequence[tuple[Any, ...]]:
    """Structs as one array of a composite type."""
    return [*map(msgspec.structs.astuple, rows)]


def composites_or_none(rows: Sequence[msgspec.Struct | None]) -> Sequence[tuple[Any, ...] | None]:
    """The same of a batch that stands beside another, some of whose items have nothing in it."""
    return [None if row is None else msgspec.structs.astuple(row) for row in rows]
