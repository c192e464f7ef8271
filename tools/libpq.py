"""What PostgreSQL says of a statement without running it, through its own client library: the driver tells the types of
columns, but not which column of which table they are.
"""

import ctypes
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

import msgspec

from homing.store.embedded.programs import wheel_programs

CONNECTION_OK: Final = 0
COMMAND_OK: Final = 1
TUPLES_OK: Final = 2


class Described(msgspec.Struct, frozen=True):
    """A statement's parameters (type oids) and columns (name, type oid, table oid or 0, number in the table)."""

    parameters: Sequence[int]
    columns: Sequence[tuple[str, int, int, int]]


class Libpq:
    """A connection. Raises ValueError with the server's message when it refuses something."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._library = ctypes.CDLL(str(wheel_programs().parent / "lib" / "libpq.so.5"))
        for name in ("PQconnectdb", "PQprepare", "PQdescribePrepared", "PQexec"):
            getattr(self._library, name).restype = ctypes.c_void_p
        for name in ("PQerrorMessage", "PQfname", "PQgetvalue", "PQresultErrorMessage"):
            getattr(self._library, name).restype = ctypes.c_char_p
        for name in ("PQftype", "PQftable", "PQparamtype"):
            getattr(self._library, name).restype = ctypes.c_uint

    def __enter__(self) -> "Libpq":
        self._connection = ctypes.c_void_p(self._library.PQconnectdb(self._dsn.encode()))
        if self._library.PQstatus(self._connection) != CONNECTION_OK:
            raise ValueError(self._library.PQerrorMessage(self._connection).decode())
        self._types = {row[0]: row[1] for row in self.query("SELECT oid, typname FROM pg_type")}
        attributes = self.query("SELECT attrelid, attnum, attnotnull FROM pg_attribute")
        self._certain = {(table, number) for table, number, is_not_null in attributes if is_not_null == "t"}
        self._tables = {
            oid: (name, view or None)
            for oid, name, view in self.query(
                "SELECT oid, relname, CASE WHEN relkind = 'v' THEN pg_get_viewdef(oid) ELSE '' END FROM pg_class"
            )
        }
        return self

    def __exit__(
        self, _class: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._library.PQfinish(self._connection)

    def type_name(self, oid: int) -> str:
        """As the catalogue spells it: `int8`, and `_int8` for an array of such."""
        return self._types[str(oid)]

    def is_certain(self, statement: str, table: int, number: int) -> bool:
        """Whether a statement's column, which is this one of a table, can hold no null as far as the catalogue knows.
        Of an expression (table 0) it knows nothing, and the answer is yes.
        """
        if table == 0:
            return True
        name, view = self._tables[str(table)]
        if re.search(rf"LEFT JOIN {name}\b", statement):
            return False
        if view is None:
            return (str(table), str(number)) in self._certain
        _name, _type, origin, place = self.describe(view.rstrip(";")).columns[number - 1]
        return self.is_certain(view, origin, place)

    def describe(self, statement: str) -> Described:
        prepared = self._library.PQprepare(self._connection, b"", statement.encode(), 0, None)
        self._check(prepared, COMMAND_OK)
        described = ctypes.c_void_p(self._library.PQdescribePrepared(self._connection, b""))
        self._check(described, COMMAND_OK)
        library = self._library
        return Described(
            [library.PQparamtype(described, n) for n in range(library.PQnparams(described))],
            [
                (
                    library.PQfname(described, n).decode(),
                    library.PQftype(described, n),
                    library.PQftable(described, n),
                    library.PQftablecol(described, n),
                )
                for n in range(library.PQnfields(described))
            ],
        )

    def query(self, statement: str) -> Sequence[Sequence[str]]:
        """A statement's rows, each value as text."""
        result = ctypes.c_void_p(self._library.PQexec(self._connection, statement.encode()))
        self._check(result, TUPLES_OK)
        columns = range(self._library.PQnfields(result))
        rows = range(self._library.PQntuples(result))
        return [[self._library.PQgetvalue(result, row, column).decode() for column in columns] for row in rows]

    def _check(self, result: Any, status: int) -> None:
        result = ctypes.c_void_p(result) if isinstance(result, int) else result
        if self._library.PQresultStatus(result) != status:
            raise ValueError(self._library.PQresultErrorMessage(result).decode().strip())
