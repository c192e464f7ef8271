"""A problem document of Homing's own API (RFC 9457; docs/reference/errors.md)."""

import msgspec


class ProblemPointer(msgspec.Struct, frozen=True):
    """`pointer`: the wrong member of the body (JSON Pointer as a fragment: `#/to`) or parameter of the query."""

    pointer: str
    detail: str = ""


class Problem(msgspec.Struct, frozen=True):
    """`code` is stable; `title` and `detail` are for people. `type`: path of the code's page on the server."""

    code: str
    title: str = ""
    detail: str = ""
    type: str = ""
    errors: tuple[ProblemPointer, ...] = ()

    @property
    def pointers(self) -> tuple[str, ...]:
        return tuple(error.pointer for error in self.errors)
